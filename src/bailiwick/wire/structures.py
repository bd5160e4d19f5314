"""Values with members, whatever holds them: typed Structs of a service's shapes, or plain dictionaries."""

from __future__ import annotations

from typing import Any

from bailiwick.wire.models import Reference, ServiceModel, Shape


def member(value: Any, name: str) -> Any:
    """A member of a structure, or None."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def present(shape: Shape, value: Any) -> list[tuple[str, Reference, Any]]:
    """The members of a structure that have a value, in the model's order, with their references."""
    if isinstance(value, dict):
        given = value.get
        return [(name, each, found) for name, each in shape.members.items() if (found := given(name)) is not None]
    return [
        (name, each, found)
        for name, each in shape.members.items()
        if (found := getattr(value, name, None)) is not None
    ]


def time_format(service: ServiceModel, reference: Reference, usual: str) -> str:
    """How a time is written at this place: as the member says, or its shape, or as is usual there."""
    return reference.time_format or service.shape(reference).time_format or usual

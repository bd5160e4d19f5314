"""The walk over a model that JSON and CBOR share: structures, lists and maps.

Each brings its own values without members.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from bailiwick.api import MalformedInput
from bailiwick.wire.models import Reference, ServiceModel
from bailiwick.wire.structures import present


class Walk(NamedTuple):
    """How one of the two reads and writes: what it calls a map, whose names it has, and its scalars."""

    map_noun: str
    wire_names: bool  # members go by their names on the wire, else by the model's
    read_scalar: Callable[[ServiceModel, Reference, Any, str], Any]
    write_scalar: Callable[[ServiceModel, Reference, Any], Any]

    def read_structure(
        self, service: ServiceModel, name: str, raw: Any, path: str = "", *, in_body: bool = False
    ) -> dict[str, Any]:
        """A structure by its members' names; unknown members are ignored, null is absent.

        `in_body` leaves out the members that a REST protocol puts elsewhere.
        """
        if not isinstance(raw, dict):
            raise unexpected(path, self.map_noun)
        found = {}
        for member, reference in service.shape(name).members.items():
            value = raw.get(self._name(member, reference))
            if value is not None and not (in_body and reference.place):
                found[member] = self.read(service, reference, value, f"{path}.{member}" if path else member)
        return found

    def read(self, service: ServiceModel, reference: Reference, raw: Any, path: str) -> Any:
        """A value of the model. Raises MalformedInput for one of another type."""
        shape = service.shape(reference)
        if shape.is_document:
            return raw
        if shape.kind == "structure":
            return self.read_structure(service, reference.shape, raw, path)
        if shape.kind == "list" and shape.member:
            if not isinstance(raw, list):
                raise unexpected(path, "a list")
            return [None if each is None else self.read(service, shape.member, each, path) for each in raw]
        if shape.kind == "map" and shape.value:
            if not isinstance(raw, dict):
                raise unexpected(path, self.map_noun)
            entries = ((key, each) for key, each in raw.items() if each is not None)
            return {key: self.read(service, shape.value, each, path) for key, each in entries}
        return self.read_scalar(service, reference, raw, path)

    def write_structure(
        self, service: ServiceModel, name: str, value: Any, *, in_body: bool = False
    ) -> dict[str, Any]:
        """A structure with its members under their names; `in_body` as in read_structure."""
        return {
            self._name(member, reference): self.write(service, reference, each)
            for member, reference, each in present(service.shape(name), value)
            if not (in_body and reference.place)
        }

    def write(self, service: ServiceModel, reference: Reference, value: Any) -> Any:
        """A value as what the encoder takes."""
        shape = service.shape(reference)
        if shape.is_document or value is None:
            return value
        if shape.kind == "structure":
            return self.write_structure(service, reference.shape, value)
        if shape.kind == "list" and shape.member:
            return [self.write(service, shape.member, each) for each in value]
        if shape.kind == "map" and shape.value:
            return {key: self.write(service, shape.value, each) for key, each in value.items()}
        return self.write_scalar(service, reference, value)

    def _name(self, member: str, reference: Reference) -> str:
        return (self.wire_names and reference.name) or member


def unexpected(path: str, wanted: str) -> MalformedInput:
    """The refusal of a value that is of another type than the model's."""
    return MalformedInput(f"{path or 'The request body'} is not {wanted}.")

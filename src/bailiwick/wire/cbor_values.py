"""Values in CBOR by the model, for the protocol rpc-v2-cbor."""

from __future__ import annotations

import math
from typing import Any

from bailiwick.api import MalformedInput
from bailiwick.wire import cbor
from bailiwick.wire.models import Reference, ServiceModel
from bailiwick.wire.structures import present


def read_structure(service: ServiceModel, name: str, raw: Any, path: str = "") -> dict[str, Any]:
    """A structure by its members' names; unknown members are ignored, null is absent."""
    if not isinstance(raw, dict):
        raise _unexpected(path, "a map")
    found = {}
    for member, reference in service.shape(name).members.items():
        value = raw.get(member)
        if value is not None:
            found[member] = read(service, reference, value, f"{path}.{member}" if path else member)
    return found


def read(service: ServiceModel, reference: Reference, raw: Any, path: str) -> Any:
    """A value of the model. Raises MalformedInput for one of another type."""
    shape = service.shape(reference)
    kind = shape.kind
    if shape.is_document:
        return raw
    if kind == "structure":
        return read_structure(service, reference.shape, raw, path)
    if kind == "list" and shape.member:
        if not isinstance(raw, list):
            raise _unexpected(path, "a list")
        return [None if each is None else read(service, shape.member, each, path) for each in raw]
    if kind == "map" and shape.value:
        if not isinstance(raw, dict):
            raise _unexpected(path, "a map")
        return {key: read(service, shape.value, each, path) for key, each in raw.items() if each is not None}
    return _scalar(kind, raw, path)


def _scalar(kind: str, raw: Any, path: str) -> Any:
    is_number = isinstance(raw, (int, float)) and not isinstance(raw, (bool, cbor.Time))
    if kind == "timestamp" and isinstance(raw, cbor.Time):
        return float(raw)
    if kind in ("integer", "long") and is_number and math.isfinite(raw) and raw == int(raw):
        return int(raw)
    if kind in ("float", "double") and is_number:
        return float(raw)
    types = {"string": str, "boolean": bool, "blob": bytes}
    if kind in types and isinstance(raw, types[kind]):
        return raw
    raise _unexpected(path, f"a value of type {kind}")


def write_structure(service: ServiceModel, name: str, value: Any) -> dict[str, Any]:
    """A structure as what cbor.dumps takes."""
    return {
        member: write(service, reference, each) for member, reference, each in present(service.shape(name), value)
    }


def write(service: ServiceModel, reference: Reference, value: Any) -> Any:
    """A value as what cbor.dumps takes."""
    shape = service.shape(reference)
    if shape.is_document or value is None:
        return value
    if shape.kind == "structure":
        return write_structure(service, reference.shape, value)
    if shape.kind == "list" and shape.member:
        return [write(service, shape.member, each) for each in value]
    if shape.kind == "map" and shape.value:
        return {key: write(service, shape.value, each) for key, each in value.items()}
    if shape.kind in ("float", "double"):
        return float(value)
    return cbor.Time(value) if shape.kind == "timestamp" else value


def _unexpected(path: str, wanted: str) -> MalformedInput:
    return MalformedInput(f"{path or 'The request body'} is not {wanted}.")

"""Values in JSON by the model, for every protocol whose bodies are JSON. Blobs are base64, times epoch seconds."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from bailiwick.api import MalformedInput
from bailiwick.wire import scalars
from bailiwick.wire.models import Reference, ServiceModel
from bailiwick.wire.scalars import EPOCH
from bailiwick.wire.structures import present, time_format


def decoded(body: bytes) -> Any:
    """The JSON in a body. Raises MalformedInput."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise MalformedInput("The request body is not JSON.") from None


def read_structure(
    service: ServiceModel, name: str, raw: Any, path: str = "", *, in_body: bool = False
) -> dict[str, Any]:
    """A structure by its members' names on the wire; unknown members are ignored, null is absent.

    `in_body` leaves out the members that a REST protocol puts elsewhere.
    """
    if not isinstance(raw, dict):
        raise _unexpected(path, "an object")
    found = {}
    for member, reference in service.shape(name).members.items():
        value = raw.get(reference.name or member)
        if value is not None and not (in_body and reference.place):
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
            raise _unexpected(path, "an object")
        return {key: read(service, shape.value, each, path) for key, each in raw.items() if each is not None}
    return _read_scalar(kind, raw, path, time_format(service, reference, EPOCH))


def write_structure(service: ServiceModel, name: str, value: Any, *, in_body: bool = False) -> dict[str, Any]:
    """A structure as JSON's values, members under their names on the wire; `in_body` as in read_structure."""
    return {
        reference.name or member: write(service, reference, each)
        for member, reference, each in present(service.shape(name), value)
        if not (in_body and reference.place)
    }


def write(service: ServiceModel, reference: Reference, value: Any) -> Any:
    """A value as JSON's values."""
    shape = service.shape(reference)
    kind = shape.kind
    if shape.is_document or value is None:
        return value
    if kind == "structure":
        return write_structure(service, reference.shape, value)
    if kind == "list" and shape.member:
        return [write(service, shape.member, each) for each in value]
    if kind == "map" and shape.value:
        return {key: write(service, shape.value, each) for key, each in value.items()}
    if kind == "blob":
        return scalars.write(kind, value)
    if kind == "timestamp":
        wanted = time_format(service, reference, EPOCH)
        return value if wanted == EPOCH else scalars.write(kind, value, wanted)
    if kind in ("float", "double") and not math.isfinite(value):
        return scalars.write(kind, value)
    return value


def _read_scalar(kind: str, raw: Any, path: str, wanted: str) -> Any:
    is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    if kind in ("boolean", "string") and isinstance(raw, bool if kind == "boolean" else str):
        return raw
    if kind in ("integer", "long") and is_number and math.isfinite(raw) and raw == int(raw):
        return int(raw)
    if kind in ("float", "double", "timestamp") and is_number:
        return float(raw)
    if isinstance(raw, str) and kind in ("blob", "timestamp", "float", "double"):
        return scalars.read(kind, raw, wanted)
    raise _unexpected(path, f"a value of type {kind}")


def _unexpected(path: str, wanted: str) -> MalformedInput:
    return MalformedInput(f"{path or 'The request body'} is not {wanted}.")

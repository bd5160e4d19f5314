"""The protocols JSON 1.0 and 1.1: `POST /`, the operation in X-Amz-Target, a JSON object each way.

Valid input is decoded and checked in one step, straight into its type. Only what that refuses is read again,
slowly, to say in AWS's words what is wrong with it.
"""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import Any, TypeVar

import msgspec

from bailiwick.api import MalformedInput
from bailiwick.core.message import Request
from bailiwick.wire import constraints
from bailiwick.wire.models import OperationModel, Reference, ServiceModel

S = TypeVar("S", bound=msgspec.Struct)


def parse(operation: OperationModel, request: Request, kind: type[S]) -> S:
    """The input of an operation as `kind`. Raises MalformedInput or ValidationError."""
    body = request.body or b"{}"
    try:
        decoded: S = _decoder(kind).decode(body)
        return decoded
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return slowly(operation, body, kind)


def slowly(operation: OperationModel, body: bytes, kind: type[S]) -> S:
    """The same by a walk over the model, which words what is wrong."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise MalformedInput("The request body is not a JSON object.") from None
    values = _structure(operation.model, operation.input, raw, "")
    constraints.check(operation.model, operation.input, values)
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error)) from None


def body(output: Any) -> bytes:
    """The body of an answer: the members that have a value; nothing for an operation without output."""
    return b"" if output is None else msgspec.json.encode(output)


@cache
def _decoder(kind: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(kind)


def _structure(service: ServiceModel, name: str, raw: Any, path: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _unexpected(path, "an object")
    members = service.shape(name).members
    return {
        member: _value(service, members[member], value, f"{path}.{member}" if path else member)
        for member, value in raw.items()
        if member in members and value is not None
    }


def _value(service: ServiceModel, reference: Reference, raw: Any, path: str) -> Any:
    shape = service.shape(reference)
    kind = shape.kind
    if kind == "structure":
        return _structure(service, reference.shape, raw, path)
    if kind == "list" and shape.member:
        if not isinstance(raw, list):
            raise _unexpected(path, "a list")
        return [_value(service, shape.member, each, path) for each in raw]
    if kind == "map" and shape.value:
        if not isinstance(raw, dict):
            raise _unexpected(path, "an object")
        return {key: _value(service, shape.value, each, path) for key, each in raw.items()}
    return _scalar(kind, raw, path)


def _scalar(kind: str, raw: Any, path: str) -> Any:
    is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    if kind == "string" and isinstance(raw, str):
        return raw
    if kind == "boolean" and isinstance(raw, bool):
        return raw
    if kind in ("integer", "long") and is_number and raw == int(raw):
        return int(raw)
    if kind in ("float", "double", "timestamp") and is_number:
        return float(raw)
    if kind == "blob" and isinstance(raw, str):
        try:
            return base64.b64decode(raw, validate=True)
        except (binascii.Error, ValueError):
            raise _unexpected(path, "base64") from None
    raise _unexpected(path, f"a value of type {kind}")


def _unexpected(path: str, wanted: str) -> MalformedInput:
    return MalformedInput(f"{path or 'The request body'} is not {wanted}.")

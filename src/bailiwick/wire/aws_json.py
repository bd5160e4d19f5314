"""The protocols JSON 1.0 and 1.1: `POST /`, the operation in X-Amz-Target, a JSON object each way.

Valid input is decoded and checked in one step, straight into its type. Only what that refuses is read again, by a
walk over the model, to say in AWS's words what is wrong with it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec

from bailiwick.core.message import Request
from bailiwick.wire import json_values
from bailiwick.wire.json_values import JSON_VALUES
from bailiwick.wire.models import OperationModel

S = TypeVar("S", bound=msgspec.Struct)


def quickly(request: Request, kind: type[S]) -> S | None:
    """The input as `kind`, if it is in order; None where a walk over the model must say what is not."""
    try:
        decoded: S = _decoder(kind).decode(request.body or b"{}")
        return decoded
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def parse(operation: OperationModel, request: Request) -> dict[str, Any]:
    """The input of an operation as plain values. Raises MalformedInput."""
    raw = json_values.decoded(request.body or b"{}")
    return JSON_VALUES.read_structure(operation.model, operation.input, raw) if operation.input else {}


def body(operation: OperationModel, output: Any) -> bytes:
    """The body of an answer: the members that have a value; nothing for an operation without output.

    A Struct of a service's shapes is written as it is: its names are the wire's, its times numbers.
    """
    if isinstance(output, msgspec.Struct) or not operation.output:
        return b"" if output is None else msgspec.json.encode(output)
    return msgspec.json.encode(JSON_VALUES.write_structure(operation.model, operation.output, output))


@cache
def _decoder(kind: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(kind)

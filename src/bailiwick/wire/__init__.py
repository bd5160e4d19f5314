"""AWS's protocols, driven by the service models: a request becomes typed values, typed values become a response.

    identify   which operation a request asks for
    parse      its input, within the model's bounds: typed, or plain dictionaries for a service without types
    answer     its output in the protocol's form
    refuse     an ApiError in the protocol's form

Pure, like the core: bytes and values in, values and bytes out. Event streams are not spoken.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from bailiwick.api import MalformedInput
from bailiwick.core.message import Request, Response
from bailiwick.wire import aws_json, aws_query, cbor, constraints, rest
from bailiwick.wire.cbor_values import CBOR_VALUES
from bailiwick.wire.identify import CBOR, EC2, JSON, QUERY, identify, protocol
from bailiwick.wire.models import OperationModel
from bailiwick.wire.refusal import accepts_json, refuse

__all__ = ["answer", "identify", "parse", "plain", "refuse"]

S = TypeVar("S", bound=msgspec.Struct)


def parse(operation: OperationModel, request: Request, kind: type[S]) -> S:
    """The input of `operation` as `kind`, a type of the service's shapes.

    Raises MalformedInput for what is not of the protocol's form, ValidationError for what breaks a bound of the
    model, both with AWS's texts.
    """
    if not operation.input:
        plain(operation, request)  # what is malformed is refused all the same
        return kind()
    if protocol(operation.model, request) == JSON:
        found = aws_json.quickly(request, kind)
        if found is not None:
            return found
    if not operation.takes_members:
        _read(operation, request)
        return kind()
    try:
        return msgspec.convert(plain(operation, request), kind)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error)) from None


def plain(operation: OperationModel, request: Request) -> dict[str, Any]:
    """The input of `operation` as dictionaries and lists, with times as epoch seconds. Raises as parse does."""
    values = _read(operation, request)
    if operation.input:
        constraints.check(operation.model, operation.input, values)
    return values


def _read(operation: OperationModel, request: Request) -> dict[str, Any]:
    spoken = protocol(operation.model, request)
    if spoken == JSON:
        return aws_json.parse(operation, request)
    if spoken in (QUERY, EC2):
        return aws_query.parse(operation, request)
    if spoken == CBOR:
        raw = cbor.loads(request.body) if request.body else {}
        return CBOR_VALUES.read_structure(operation.model, operation.input, raw) if operation.input else {}
    return rest.parse(operation, request)


def answer(operation: OperationModel, output: Any, request: Request, request_id: str) -> Response:
    """The response that carries `output`, a value of the operation's output type or a dictionary, or None."""
    model = operation.model
    spoken = protocol(model, request)
    headers: rest.Headers = (("x-amzn-requestid", request_id),)
    if spoken == JSON:
        kind, body = f"application/x-amz-json-{model.json_version}", aws_json.body(operation, output)
    elif spoken == CBOR:
        told = CBOR_VALUES.write_structure(model, operation.output, output) if operation.output else {}
        headers = (*headers, ("smithy-protocol", "rpc-v2-cbor"))
        kind, body = "application/cbor", cbor.dumps(told)
    elif spoken not in (QUERY, EC2):
        status, placed, body = rest.answer(operation, output)
        return Response(status, (*headers, *placed), body)
    elif accepts_json(request):
        kind, body = "application/json", aws_query.json_body(operation, output, request_id)
    else:
        kind, body = "text/xml", aws_query.body(operation, output, request_id)
    return Response(200, (*headers, ("content-type", kind)), body)

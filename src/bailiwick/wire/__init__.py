"""AWS's protocols, driven by the service models: a request becomes typed values, typed values become a response.

    identify   which operation a request asks for
    parse      its input, typed and within the model's bounds
    answer     its output in the protocol's form
    refuse     an ApiError in the protocol's form

Pure, like the core: bytes and values in, values and bytes out.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from bailiwick.core.message import Request, Response
from bailiwick.wire import aws_json, aws_query
from bailiwick.wire.identify import identify
from bailiwick.wire.models import OperationModel
from bailiwick.wire.refusal import accepts_json, refuse

__all__ = ["answer", "identify", "parse", "refuse"]

S = TypeVar("S", bound=msgspec.Struct)


def parse(operation: OperationModel, request: Request, kind: type[S]) -> S:
    """The input of `operation` as `kind`, a type of the service's shapes.

    Raises MalformedInput for what is not of the protocol's form, ValidationError for what breaks a bound of the
    model, both with AWS's texts.
    """
    if operation.model.protocol == "json":
        return aws_json.parse(operation, request, kind)
    return aws_query.parse(operation, request, kind)


def answer(operation: OperationModel, output: Any, request: Request, request_id: str) -> Response:
    """The response that carries `output`, a value of the operation's output type, or None."""
    model = operation.model
    if model.protocol == "json":
        kind, body = f"application/x-amz-json-{model.json_version}", aws_json.body(output)
    elif accepts_json(request):
        kind, body = "application/json", aws_query.json_body(operation, output, request_id)
    else:
        kind, body = "text/xml", aws_query.body(operation, output, request_id)
    return Response(200, (("x-amzn-requestid", request_id), ("content-type", kind)), body)

"""An ApiError in the form that its protocol gives it.

The errors of a service carry their own code and status. Those of every service differ by protocol; the table
below is the only place that knows how (facts/sigv4.md sections 10 and 12, facts/policy.md section 5.3).
"""

from __future__ import annotations

import re

import msgspec

from bailiwick import api
from bailiwick.api import ApiError, CommonError
from bailiwick.core.message import Request, Response
from bailiwick.wire.aws_query import escaped
from bailiwick.wire.models import ServiceModel

Form = tuple[str, int]

# error -> (query: code and status, JSON: code and status)
_FORMS: dict[type[CommonError], tuple[Form, Form]] = {
    api.AccessDenied: (("AccessDenied", 403), ("AccessDeniedException", 400)),
    api.ValidationError: (("ValidationError", 400), ("ValidationException", 400)),
    api.MalformedInput: (("MalformedInput", 400), ("SerializationException", 400)),
    api.InvalidParameterValue: (("InvalidParameterValue", 400), ("InvalidParameterValueException", 400)),
    api.UnknownOperation: (("InvalidAction", 400), ("UnknownOperationException", 400)),
    api.MissingAuthenticationToken: (
        ("MissingAuthenticationToken", 403),
        ("MissingAuthenticationTokenException", 400),
    ),
    api.IncompleteSignature: (("IncompleteSignature", 400), ("IncompleteSignatureException", 400)),
    api.SignatureDoesNotMatch: (("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400)),
    api.InvalidClientTokenId: (("InvalidClientTokenId", 403), ("UnrecognizedClientException", 400)),
    api.ExpiredToken: (("ExpiredToken", 403), ("ExpiredTokenException", 400)),
    api.RequestTooLarge: (("RequestEntityTooLarge", 413), ("RequestEntityTooLargeException", 413)),
    api.Throttling: (("Throttling", 400), ("ThrottlingException", 400)),
    api.ServiceUnavailable: (("ServiceUnavailable", 503), ("ServiceUnavailableException", 503)),
    api.InternalFailure: (("InternalFailure", 500), ("InternalFailure", 500)),
}

_FAULT_NAMESPACE = "http://webservices.amazon.com/AWSFault/2005-15-09"


def refuse(error: ApiError, service: ServiceModel | None, request: Request, request_id: str) -> Response:
    """The response that tells `error`, for a service or, where none was named, for what was sent."""
    json = service.protocol == "json" if service else _speaks_json(request)
    code, status = form_of(error, json=json)
    if json:
        version = service.json_version if service else "1.1"
        return _json(error, code, status, f"application/x-amz-json-{version}", request_id)
    if accepts_json(request):
        kind = "Sender" if error.sender else "Receiver"
        told = {"Error": {"Code": code, "Message": error.message, "Type": kind}, "RequestId": request_id}
        return _response(status, "application/json", request_id, msgspec.json.encode(told))
    return _xml(error, code, status, service, request_id)


def form_of(error: ApiError, *, json: bool) -> Form:
    """The code and HTTP status of an error."""
    if isinstance(error, CommonError):
        return _FORMS[type(error)][1 if json else 0]
    return error.code, error.status


def accepts_json(request: Request) -> bool:
    """Whether the client of a query service asked for JSON and nothing else."""
    return (request.header("accept") or "").strip().lower() == "application/json"


def _speaks_json(request: Request) -> bool:
    kind = (request.header("content-type") or "").lower()
    return request.header("x-amz-target") is not None or "json" in kind


def _json(error: ApiError, code: str, status: int, kind: str, request_id: str) -> Response:
    message = error.message
    if isinstance(error, api.SignatureDoesNotMatch) and error.canonical_request:
        message += _echo(error)
    told = {"__type": code, **({"message": message} if message else {}), **error.members}
    return _response(status, kind, request_id, msgspec.json.encode(told))


_TOKEN = re.compile(r"(?m)^(x-amz-security-token:).*$|(X-Amz-Security-Token=)[^&\n]*")


def _echo(error: api.SignatureDoesNotMatch) -> str:
    """What the server computed, for those who debug a signer. AWS shows the session token in it; we do not."""
    shown = _TOKEN.sub(lambda match: f"{match[1] or match[2]}(not shown)", error.canonical_request)
    return (
        f"\n\nThe Canonical String for this request should have been\n'{shown}'"
        f"\n\nThe String-to-Sign should have been\n'{error.string_to_sign}'\n"
    )


def _xml(error: ApiError, code: str, status: int, service: ServiceModel | None, request_id: str) -> Response:
    known = service is not None and not isinstance(error, api.UnknownOperation)
    namespace = service.namespace if service and known else _FAULT_NAMESPACE
    message = f"<Message>{escaped(error.message)}</Message>" if error.message else ""
    body = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{"Sender" if error.sender else "Receiver"}</Type>'
        f"<Code>{code}</Code>{message}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return _response(status, "text/xml", request_id, body.encode())


def _response(status: int, kind: str, request_id: str, body: bytes) -> Response:
    return Response(status, (("x-amzn-requestid", request_id), ("content-type", kind)), body)

"""An ApiError in the form that its protocol gives it.

The errors of a service carry their own code and status. Those of every service differ by protocol; the tables
below are the only place that knows how (facts/sigv4.md sections 10, 12 and 14, facts/policy.md section 5.3).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from bailiwick import api
from bailiwick.api import ApiError, CommonError
from bailiwick.core.message import Request, Response
from bailiwick.wire import cbor, rest
from bailiwick.wire.cbor_values import CBOR_VALUES
from bailiwick.wire.identify import CBOR, EC2, JSON, QUERY, REST_JSON, REST_XML, protocol
from bailiwick.wire.json_values import JSON_VALUES
from bailiwick.wire.models import Reference, ServiceModel, Shape
from bailiwick.wire.tree_values import Walk
from bailiwick.wire.xml_values import Writer, escaped

Form = tuple[str, int]


class _Forms(NamedTuple):
    """The code and status of an error: in query, in JSON, and the statuses and codes that differ elsewhere."""

    query: Form
    json: Form
    rest_status: int = 403
    ec2: Form | None = None
    s3: Form | None = None


_EC2_AUTH = ("AuthFailure", 401)

_FORMS: dict[type[CommonError], _Forms] = {
    api.AccessDenied: _Forms(
        ("AccessDenied", 403), ("AccessDeniedException", 400), ec2=("UnauthorizedOperation", 403)
    ),
    api.ValidationError: _Forms(
        ("ValidationError", 400), ("ValidationException", 400), 400, s3=("InvalidRequest", 400)
    ),
    api.MalformedInput: _Forms(
        ("MalformedInput", 400), ("SerializationException", 400), 400, s3=("MalformedXML", 400)
    ),
    api.InvalidParameterValue: _Forms(
        ("InvalidParameterValue", 400), ("InvalidParameterValueException", 400), 400, s3=("InvalidArgument", 400)
    ),
    api.UnknownOperation: _Forms(
        ("InvalidAction", 400), ("UnknownOperationException", 400), 404, s3=("MethodNotAllowed", 405)
    ),
    api.MissingAuthenticationToken: _Forms(
        ("MissingAuthenticationToken", 403),
        ("MissingAuthenticationTokenException", 400),
        ec2=_EC2_AUTH,
        s3=("AccessDenied", 403),
    ),
    api.IncompleteSignature: _Forms(
        ("IncompleteSignature", 400),
        ("IncompleteSignatureException", 400),
        ec2=_EC2_AUTH,
        s3=("AuthorizationHeaderMalformed", 400),
    ),
    api.SignatureDoesNotMatch: _Forms(
        ("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400), ec2=_EC2_AUTH
    ),
    api.InvalidClientTokenId: _Forms(
        ("InvalidClientTokenId", 403),
        ("UnrecognizedClientException", 400),
        ec2=_EC2_AUTH,
        s3=("InvalidAccessKeyId", 403),
    ),
    api.ExpiredToken: _Forms(
        ("ExpiredToken", 403),
        ("ExpiredTokenException", 400),
        ec2=("RequestExpired", 400),
        s3=("ExpiredToken", 400),
    ),
    api.RequestTooLarge: _Forms(
        ("RequestEntityTooLarge", 413), ("RequestEntityTooLargeException", 413), 413, s3=("EntityTooLarge", 400)
    ),
    api.Throttling: _Forms(
        ("Throttling", 400),
        ("ThrottlingException", 400),
        429,
        ec2=("RequestLimitExceeded", 503),
        s3=("SlowDown", 503),
    ),
    api.ServiceUnavailable: _Forms(("ServiceUnavailable", 503), ("ServiceUnavailableException", 503), 503),
    api.InternalFailure: _Forms(
        ("InternalFailure", 500),
        ("InternalFailure", 500),
        500,
        ec2=("InternalError", 500),
        s3=("InternalError", 500),
    ),
}

# Where a protocol has its own sentence for what another tells in more words.
_EC2_CREDENTIALS = "AWS was not able to validate the provided access credentials"
_SENTENCES: dict[tuple[str, type[CommonError]], str] = {
    (EC2, api.InvalidClientTokenId): _EC2_CREDENTIALS,
    (EC2, api.SignatureDoesNotMatch): _EC2_CREDENTIALS,
    (EC2, api.IncompleteSignature): _EC2_CREDENTIALS,
    (EC2, api.MissingAuthenticationToken): _EC2_CREDENTIALS,
    (EC2, api.ExpiredToken): "Request has expired.",
    ("s3", api.InvalidClientTokenId): "The AWS Access Key Id you provided does not exist in our records.",
    ("s3", api.ExpiredToken): "The provided token has expired.",
    ("s3", api.MissingAuthenticationToken): "Access Denied",
}

# Where what breaks a bound of the model is an error of the service's own.
_OWN_VALIDATION = {"ec2": "InvalidParameterValue", "organizations": "InvalidInputException"}

MESSAGE_HEADER = "x-bailiwick-authorization-message"
"""The header of a refusal by a policy; what it holds is for DecodeAuthorizationMessage, as in EC2's messages."""

_FAULT_NAMESPACE = "http://webservices.amazon.com/AWSFault/2005-15-09"


def refuse(
    error: ApiError, service: ServiceModel | None, request: Request, request_id: str, sealed: str | None = None
) -> Response:
    """The response that tells `error`, for a service or, where none was named, for what was sent.

    `sealed` is the authorization message of a refusal by a policy, which goes into a header; EC2 tells it as well.
    """
    response = _refusal(error, service, request, request_id, sealed)
    if sealed is None:
        return response
    return msgspec.structs.replace(response, headers=(*response.headers, (MESSAGE_HEADER, sealed)))


def _refusal(
    error: ApiError, service: ServiceModel | None, request: Request, request_id: str, sealed: str | None
) -> Response:
    spoken = protocol(service, request) if service else _guess(request)
    dialect = "s3" if service and service.name == "s3" else spoken
    code, status = form_of(error, dialect)
    if service and isinstance(error, api.ValidationError):
        code = _OWN_VALIDATION.get(service.name, code)
    told = _Told(error, code, status, service, request_id, _sentence(error, dialect, sealed))
    if spoken == JSON:
        version = service.json_version if service else "1.1"
        return told.json(f"application/x-amz-json-{version}")
    if spoken == CBOR:
        return told.cbor()
    if spoken == REST_JSON:
        return told.rest_json()
    if spoken == EC2:
        return told.ec2()
    if dialect == "s3":
        return told.s3()
    if spoken == QUERY and accepts_json(request):
        kind = "Sender" if error.sender else "Receiver"
        body = {"Error": {"Code": code, "Message": told.message, "Type": kind}, "RequestId": request_id}
        return told.response("application/json", msgspec.json.encode(body))
    return told.xml()


def form_of(error: ApiError, dialect: str) -> Form:
    """The code and HTTP status of an error in a protocol, or in the dialect `s3`."""
    if not isinstance(error, CommonError):
        return error.code, error.status
    forms = _FORMS[type(error)]
    if dialect == EC2:
        return forms.ec2 or forms.query
    if dialect == "s3":
        return forms.s3 or forms.query
    if dialect == REST_JSON:
        return forms.json[0], forms.rest_status
    return forms.json if dialect in (JSON, CBOR) else forms.query


def accepts_json(request: Request) -> bool:
    """Whether the client of a query service asked for JSON and nothing else."""
    return (request.header("accept") or "").strip().lower() == "application/json"


def _guess(request: Request) -> str:
    kind = (request.header("content-type") or "").lower()
    if request.header("smithy-protocol") is not None:
        return CBOR
    return JSON if request.header("x-amz-target") is not None or "json" in kind else QUERY


def _sentence(error: ApiError, dialect: str, sealed: str | None) -> str:
    if dialect == EC2 and isinstance(error, api.AccessDenied):
        encoded = f". Encoded authorization failure message: {sealed}" if sealed else ""
        return f"You are not authorized to perform this operation. {error.message}{encoded}"
    return (
        _SENTENCES.get((dialect, type(error)), error.message) if isinstance(error, CommonError) else error.message
    )


class _Told:
    """One error, ready to be told in any protocol."""

    def __init__(
        self,
        error: ApiError,
        code: str,
        status: int,
        service: ServiceModel | None,
        request_id: str,
        message: str,
    ) -> None:
        self.error = error
        self.code = code
        self.status = status
        self.service = service
        self.request_id = request_id
        self.message = message

    @property
    def shape(self) -> Shape | None:
        """The error's shape, if the service's model has it."""
        return self.service.shapes.get(type(self.error).__name__) if self.service else None

    def members(self) -> dict[str, Any]:
        """The members of the error under the model's names, with the message and the request's id if any."""
        found = dict(self.error.members)
        told = {"message": self.message, "requestid": self.request_id}
        for name, reference in self.shape.members.items() if self.shape else ():
            kind = (reference.name or name).lower()
            if told.get(kind) and not reference.place and (kind == "message" or name not in found):
                found[name] = told[kind]
        return found

    def written(self, values: Walk, *, in_body: bool = False) -> dict[str, Any]:
        """The members as JSON's or CBOR's values; a message in any case."""
        found: dict[str, Any] = self.members()
        if self.service and self.shape:
            found = values.write_structure(self.service, type(self.error).__name__, found, in_body=in_body)
        if self.message and not any(name.lower() == "message" for name in found):
            found["message"] = self.message
        return found

    def json_members(self) -> dict[str, Any]:
        """The members as JSON's values, with what was computed in a refusal of a signature."""
        found = self.written(JSON_VALUES, in_body=True)
        if isinstance(self.error, api.SignatureDoesNotMatch) and self.error.canonical_request:
            found["message"] = self.message + _echo(self.error)
        return found

    def json(self, kind: str) -> Response:
        """JSON 1.0 and 1.1: the code is __type, beside the members."""
        body = msgspec.json.encode({"__type": self._type(), **self.json_members()})
        return self.response(kind, body, self._query_error())

    def cbor(self) -> Response:
        """rpc-v2-cbor: as in JSON."""
        body = cbor.dumps({"__type": self._type(), **self.written(CBOR_VALUES)})
        return self.response("application/cbor", body, (("smithy-protocol", "rpc-v2-cbor"), *self._query_error()))

    def rest_json(self) -> Response:
        """rest-json: the code is a header."""
        placed: rest.Headers = ()
        if self.service and self.shape:
            placed = rest.placed(self.service, self.shape, self.error.members, self.status)[1]
        headers = (("x-amzn-errortype", self.code), *placed)
        return self.response("application/json", msgspec.json.encode(self.json_members()), headers)

    def ec2(self) -> Response:
        """ec2: a list of one error."""
        text = (
            f"<Response><Errors><Error><Code>{self.code}</Code>{self._xml_members()}</Error></Errors>"
            f"<RequestID>{self.request_id}</RequestID></Response>"
        )
        return self.response("text/xml", text.encode())

    def s3(self) -> Response:
        """S3: the error is the root, the headers are its own."""
        text = (
            f"<Error><Code>{self.code}</Code>{self._xml_members()}"
            f"<RequestId>{self.request_id}</RequestId><HostId></HostId></Error>"
        )
        kind = (("x-amz-request-id", self.request_id), ("content-type", "application/xml"))
        headers = (*kind, *self._retry())
        return Response(self.status, headers, text.encode())

    def xml(self) -> Response:
        """query, and rest-xml elsewhere than in S3."""
        known = self.service is not None and not isinstance(self.error, api.UnknownOperation)
        namespace = self.service.namespace if self.service and known else _FAULT_NAMESPACE
        kind = "Sender" if self.error.sender else "Receiver"
        text = (
            f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type>'
            f"<Code>{self.code}</Code>{self._xml_members()}</Error>"
            f"<RequestId>{self.request_id}</RequestId></ErrorResponse>"
        )
        headers: rest.Headers = ()
        if self.service and self.shape and self.service.protocol == REST_XML:
            headers = rest.placed(self.service, self.shape, self.error.members, self.status)[1]
        return self.response("text/xml", text.encode(), headers)

    def _xml_members(self) -> str:
        """The message once, as `Message` whatever the model calls it (recorded), and the other members."""
        parts: list[str] = []
        if self.message:
            parts.append(f"<Message>{escaped(self.message)}</Message>")
        if self.service and self.shape:
            writer = Writer(self.service)
            for name, value in self.members().items():
                reference = self.shape.members.get(name, Reference(""))
                tag = reference.name or name
                if reference.shape and tag.lower() != "message" and not reference.place:
                    writer.value(reference, tag, value, parts)
        return "".join(parts)

    def _type(self) -> str:
        """The shape's name, which differs from the code in the services that once spoke query."""
        if self.service and self.service.query_compatible and self.shape:
            return type(self.error).__name__
        return self.code

    def _query_error(self) -> rest.Headers:
        if not self.service or not self.service.query_compatible:
            return ()
        return (("x-amzn-query-error", f"{self.code};{'Sender' if self.error.sender else 'Receiver'}"),)

    def response(self, kind: str, body: bytes, headers: rest.Headers = ()) -> Response:
        """The response with a body of a content type."""
        return Response(
            self.status,
            (("x-amzn-requestid", self.request_id), ("content-type", kind), *self._retry(), *headers),
            body,
        )

    def _retry(self) -> rest.Headers:
        """When to ask again (RFC 9110, section 10.2.3): a server that cannot answer now asks for a second."""
        return (("retry-after", "1"),) if isinstance(self.error, api.ServiceUnavailable) else ()


_TOKEN = re.compile(r"(?m)^(x-amz-security-token:).*$|(X-Amz-Security-Token=)[^&\n]*")


def _echo(error: api.SignatureDoesNotMatch) -> str:
    """What the server computed, for those who debug a signer. AWS shows the session token in it; we do not."""
    shown = _TOKEN.sub(lambda match: f"{match[1] or match[2]}(not shown)", error.canonical_request)
    return (
        f"\n\nThe Canonical String for this request should have been\n'{shown}'"
        f"\n\nThe String-to-Sign should have been\n'{error.string_to_sign}'\n"
    )

"""The REST protocols, rest-json and rest-xml: members in the path, the query string, headers and the body.

Both differ in nothing but how a structure is a body.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import msgspec

from bailiwick.api import MalformedInput
from bailiwick.core.message import Request
from bailiwick.wire import json_values, routes, scalars, xml_values
from bailiwick.wire.json_values import JSON_VALUES
from bailiwick.wire.models import OperationModel, Reference, ServiceModel, Shape
from bailiwick.wire.scalars import HTTP_DATE, ISO
from bailiwick.wire.structures import member, present, time_format

Headers = tuple[tuple[str, str], ...]

# One entry of a list in a header: quoted where it holds a comma or a quote.
_ENTRY = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|\Z)')


def parse(operation: OperationModel, request: Request) -> dict[str, Any]:
    """The input of an operation as plain values. Raises MalformedInput."""
    if not operation.input:
        return {}
    service, shape = operation.model, operation.model.shape(operation.input)
    labels = routes.labels(routes.template(operation.uri), request.path)
    if labels is None:
        raise MalformedInput("The path is not that of the operation.")
    given = routes.fields(request.query)
    for name, _ in routes.template(operation.uri).query:
        given.pop(name, None)  # what names the operation is no part of its input
    found: dict[str, Any] = {}
    for name, reference in shape.members.items():
        value = _placed(service, shape, name, reference, request, labels, given)
        if value is not None:
            found[name] = value
    return {**found, **_body(operation, shape, request)}


def _placed(
    service: ServiceModel,
    shape: Shape,
    name: str,
    reference: Reference,
    request: Request,
    labels: dict[str, str],
    given: routes.Query,
) -> Any:
    """The value of a member that is not in the body; None if it is, or is absent."""
    known = reference.name or name
    if reference.place == "uri":
        return _scalar(service, reference, labels[known], ISO) if known in labels else None
    if reference.place == "querystring":
        return _from_query(service, shape, reference, known, given)
    if reference.place == "header":
        values = request.all(known.lower())
        return _from_header(service, reference, ",".join(values)) if values else None
    if reference.place == "headers":
        return _from_headers(request, known.lower())
    return None


def _scalar(service: ServiceModel, reference: Reference, text: str, usual: str) -> Any:
    return scalars.read(service.shape(reference).kind, text, time_format(service, reference, usual))


def _from_query(service: ServiceModel, shape: Shape, reference: Reference, known: str, given: routes.Query) -> Any:
    inner = service.shape(reference)
    if inner.kind == "map":
        # A map takes what no other member names.
        taken = {each.name or name for name, each in shape.members.items() if each.place == "querystring"}
        several = bool(inner.value and service.shape(inner.value).kind == "list")
        others = {name: values for name, values in given.items() if name not in taken}
        return {name: values if several else values[0] for name, values in others.items()} or None
    if known not in given:
        return None
    if inner.kind == "list" and inner.member:
        return [_scalar(service, inner.member, text, ISO) for text in given[known]]
    return _scalar(service, reference, given[known][0], ISO)


def _from_header(service: ServiceModel, reference: Reference, text: str) -> Any:
    shape = service.shape(reference)
    text = _unicode(text)
    if reference.json_value:
        try:
            return msgspec.json.decode(base64.b64decode(text, validate=True))
        except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError):
            raise MalformedInput("A header is not JSON in base64.") from None
    if shape.kind == "list" and shape.member:
        member = shape.member
        return [_scalar(service, member, each, HTTP_DATE) for each in _entries(text)]
    return _scalar(service, reference, text, HTTP_DATE)


def _entries(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        match = _ENTRY.match(text, at)
        if match is None:
            raise MalformedInput("A header is not a list.")
        quoted = match[1]
        found.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match[2])
        at = match.end()
    return found


def _from_headers(request: Request, prefix: str) -> dict[str, str] | None:
    found = {
        name[len(prefix) :]: _unicode(value)
        for name, value in request.headers
        if name.startswith(prefix) and len(name) > len(prefix)
    }
    return found or None


def _unicode(text: str) -> str:
    """A header's value, whose bytes are UTF-8 if they can be, else Latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _body(operation: OperationModel, shape: Shape, request: Request) -> dict[str, Any]:
    service = operation.model
    if shape.payload:
        reference = shape.members[shape.payload]
        kind = service.shape(reference).kind
        if not request.body and (kind != "blob" or shape.payload not in shape.required):
            return {}
        return {shape.payload: _payload(service, reference, kind, request.body)}
    if not request.body or all(each.place for each in shape.members.values()):
        return {}
    if service.protocol == "rest-xml":
        return xml_values.read_structure(service, shape, xml_values.parsed(request.body))
    return JSON_VALUES.read_structure(service, operation.input, json_values.decoded(request.body), in_body=True)


def _payload(service: ServiceModel, reference: Reference, kind: str, body: bytes) -> Any:
    if kind == "blob":
        return body
    if kind == "string":
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedInput("The request body is not UTF-8.") from None
    if service.protocol == "rest-xml":
        return xml_values.read(service, reference, [xml_values.parsed(body)])
    return JSON_VALUES.read(service, reference, json_values.decoded(body), "")


# -- Answers ----------------------------------------------------------------------------------------------


def answer(operation: OperationModel, output: Any) -> tuple[int, Headers, bytes]:
    """The status, headers and body that carry `output`, a value of the operation's output type, or None."""
    if not operation.output or output is None:
        return operation.success, (), b""
    service, shape = operation.model, operation.model.shape(operation.output)
    status, headers = placed(service, shape, output, operation.success)
    kind, body = _written(operation, shape, output)
    if kind and not any(name == "content-type" for name, _ in headers):
        headers = (("content-type", kind), *headers)
    return status, headers, body


def placed(service: ServiceModel, shape: Shape, value: Any, status: int) -> tuple[int, Headers]:
    """The status and headers that the members of a structure make: of an answer, or of an error."""
    headers: list[tuple[str, str]] = []
    for name, reference, each in present(shape, value):
        known = (reference.name or name).lower()
        if reference.place == "statusCode":
            status = int(each)
        elif reference.place == "headers":
            headers += [(known + key.lower(), _latin(text)) for key, text in each.items()]
        elif reference.place == "header":
            headers.append((known, _latin(_header(service, reference, each))))
    return status, tuple(headers)


def _header(service: ServiceModel, reference: Reference, value: Any) -> str:
    shape = service.shape(reference)
    if reference.json_value:
        return base64.b64encode(msgspec.json.encode(value)).decode("ascii")
    if shape.kind == "list" and shape.member:
        member = shape.member
        return ",".join(_quoted(_header(service, member, each)) for each in value)
    return scalars.write(shape.kind, value, time_format(service, reference, HTTP_DATE))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if '"' in text or "," in text else text


def _latin(text: str) -> str:
    """Text as the Latin-1 string of its UTF-8 bytes, which is how headers leave; line ends cannot."""
    return text.encode("utf-8").decode("latin-1").replace("\r", " ").replace("\n", " ")


def _written(operation: OperationModel, shape: Shape, output: Any) -> tuple[str, bytes]:
    service = operation.model
    is_xml = service.protocol == "rest-xml"
    if shape.payload:
        reference = shape.members[shape.payload]
        value = member(output, shape.payload)
        if value is None:
            return "", b""
        kind = service.shape(reference).kind
        if kind in ("blob", "string"):
            raw = value if isinstance(value, bytes) else value.encode("utf-8")
            return ("binary/octet-stream" if kind == "blob" else "text/plain"), raw
        if is_xml:
            return "application/xml", xml_values.document(
                service, reference, reference.name or reference.shape, value
            )
        return "application/json", msgspec.json.encode(JSON_VALUES.write(service, reference, value))
    if all(reference.place for reference in shape.members.values()):
        return ("", b"") if is_xml else ("application/json", b"{}")
    if is_xml:
        return "application/xml", xml_values.document(
            service, Reference(operation.output), f"{operation.name}Response", output, service.namespace
        )
    body = JSON_VALUES.write_structure(service, operation.output, output, in_body=True)
    return "application/json", msgspec.json.encode(body)

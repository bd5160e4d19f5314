"""The query protocol: a form in, XML out; `Accept: application/json` is answered in JSON as AWS does.

Lists are `Name.member.N`, maps `Name.entry.N.key` and `.value`, blobs base64, times ISO 8601 in UTC.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from bailiwick.api import MalformedInput
from bailiwick.core.message import Request
from bailiwick.wire import constraints, form
from bailiwick.wire.form import Tree
from bailiwick.wire.models import OperationModel, Reference, ServiceModel, Shape

S = TypeVar("S", bound=msgspec.Struct)

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}\Z")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse(operation: OperationModel, request: Request, kind: type[S]) -> S:
    """The input of an operation as `kind`. Raises MalformedInput or ValidationError."""
    tree = form.parse(form.raw(request) or "")
    if not operation.input:
        return kind()
    values = _structure(operation.model, operation.model.shape(operation.input), tree)
    constraints.check(operation.model, operation.input, values)
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error)) from None


def _structure(service: ServiceModel, shape: Shape, tree: Tree | str) -> dict[str, Any]:
    if isinstance(tree, str):
        if tree:
            raise MalformedInput("A group of fields was given as a value.")
        return {}
    found = {}
    for name, reference in shape.members.items():
        node = tree.get(reference.location or name)
        if node is not None:
            found[name] = _value(service, reference, node, name)
    return found


def _value(service: ServiceModel, reference: Reference, node: Tree | str, name: str) -> Any:
    shape = service.shape(reference)
    if shape.kind == "structure":
        return _structure(service, shape, node)
    if shape.kind == "list" and shape.member:
        flattened = shape.flattened or reference.flattened
        entries = _numbered(node, "" if flattened else shape.member.location or "member", name)
        return [_value(service, shape.member, each, name) for each in entries]
    if shape.kind == "map" and shape.key and shape.value:
        return _map(service, shape.key, shape.value, node, name)
    if not isinstance(node, str):
        raise MalformedInput(f"{name} is not a value.")
    return _scalar(shape.kind, node, name)


def _map(service: ServiceModel, key: Reference, value: Reference, node: Tree | str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in _numbered(node, "entry", name):
        if isinstance(entry, str) or "key" not in entry or "value" not in entry:
            raise MalformedInput(f"An entry of {name} lacks its key or value.")
        found[_value(service, key, entry["key"], name)] = _value(service, value, entry["value"], name)
    return found


def _numbered(node: Tree | str, group: str, name: str) -> list[Tree | str]:
    """The entries of `Name.group.N` in the order of their numbers. `Name=` alone is an empty list."""
    if node == "":
        return []
    inner: Tree | str | None = node
    if group and isinstance(node, dict):
        inner = node.get(group)
    if not isinstance(inner, dict) or not all(part.isascii() and part.isdecimal() for part in inner):
        raise MalformedInput(f"{name} is not a list.")
    return [inner[number] for number in sorted(inner, key=int)]


def _scalar(kind: str, text: str, name: str) -> Any:
    if kind == "string":
        return text
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind in ("integer", "long") and _INTEGER.match(text):
        return int(text)
    try:
        if kind == "blob":
            return base64.b64decode(text, validate=True)
        if kind == "timestamp":
            return _time(text)
        if kind in ("float", "double"):
            return float(text)
    except (binascii.Error, ValueError):
        pass
    raise MalformedInput(f"{name} is not a value of type {kind}.")


def _time(text: str) -> float:
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


# -- Answers ----------------------------------------------------------------------------------------------


def body(operation: OperationModel, output: Any, request_id: str) -> bytes:
    """The XML of an answer: the members that have a value, in the model's order."""
    service, parts = operation.model, [f'<{operation.name}Response xmlns="{operation.model.namespace}">']
    if operation.output and output is not None:
        wrapper = operation.wrapper or f"{operation.name}Result"
        parts.append(f"<{wrapper}>")
        _write_structure(service, service.shape(operation.output), output, parts)
        parts.append(f"</{wrapper}>")
    parts.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
    parts.append(f"</{operation.name}Response>")
    return "".join(parts).encode()


def json_body(operation: OperationModel, output: Any, request_id: str) -> bytes:
    """The same answer for a client that accepts JSON only (facts/sigv4.md section 13)."""
    answer: dict[str, Any] = {}
    if operation.output and output is not None:
        answer[operation.wrapper or f"{operation.name}Result"] = output
    answer["ResponseMetadata"] = {"RequestId": request_id}
    return msgspec.json.encode({f"{operation.name}Response": answer})


def _write_structure(service: ServiceModel, shape: Shape, value: Any, parts: list[str]) -> None:
    for name, reference in shape.members.items():
        member = getattr(value, name)
        if member is not None:
            _write(service, reference, reference.location or name, member, parts)


def _write(service: ServiceModel, reference: Reference, tag: str, value: Any, parts: list[str]) -> None:
    shape = service.shape(reference)
    if shape.kind == "list" and shape.member:
        if shape.flattened or reference.flattened:
            for each in value:
                _write(service, shape.member, tag, each, parts)
            return
        parts.append(f"<{tag}>")
        for each in value:
            _write(service, shape.member, shape.member.location or "member", each, parts)
    elif shape.kind == "map" and shape.key and shape.value:
        parts.append(f"<{tag}>")
        for key, each in value.items():
            parts.append("<entry>")
            _write(service, shape.key, "key", key, parts)
            _write(service, shape.value, "value", each, parts)
            parts.append("</entry>")
    elif shape.kind == "structure":
        parts.append(f"<{tag}>")
        _write_structure(service, shape, value, parts)
    else:
        parts.append(f"<{tag}>{_text(shape.kind, value)}")
    parts.append(f"</{tag}>")


def _text(kind: str, value: Any) -> str:
    if kind == "string":
        return escaped(value)
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "blob":
        return base64.b64encode(value).decode("ascii")
    if kind == "timestamp":
        return datetime.fromtimestamp(int(value), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def escaped(text: str) -> str:
    """Text as XML character data; what XML 1.0 cannot hold becomes U+FFFD, carriage returns survive."""
    if _NOT_XML.search(text):
        text = _NOT_XML.sub("\ufffd", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;")

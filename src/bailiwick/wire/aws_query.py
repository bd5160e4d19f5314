"""The protocols query and ec2: a form in, XML out; `Accept: application/json` is answered in JSON as AWS does.

In query, lists are `Name.member.N`, maps `Name.entry.N.key` and `.value`; in ec2 every list is `Name.N`, names
begin with a capital, and the answer has no wrapper. Blobs are base64, times ISO 8601 in UTC.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from bailiwick.api import MalformedInput
from bailiwick.core.message import Request
from bailiwick.wire import form, scalars
from bailiwick.wire.form import Tree
from bailiwick.wire.models import OperationModel, Reference, ServiceModel, Shape
from bailiwick.wire.structures import time_format
from bailiwick.wire.xml_values import writer


def parse(operation: OperationModel, request: Request) -> dict[str, Any]:
    """The input of an operation as plain values. Raises MalformedInput."""
    if not operation.input:
        return {}
    text = form.raw(request) or ""
    tree = form.parse(text) if text.count("&") > 1 else {}  # what found the operation has read Action and Version
    return _structure(operation.model, operation.model.shape(operation.input), tree)


def _structure(service: ServiceModel, shape: Shape, tree: Tree | str) -> dict[str, Any]:
    if isinstance(tree, str):
        if tree:
            raise MalformedInput("A group of fields was given as a value.")
        return {}
    found = {}
    for name, reference in shape.members.items():
        node = _named(tree, _field(service, reference, name))
        if node is not None:
            found[name] = _value(service, reference, node, name)
    return found


def _named(tree: Tree, name: str) -> Tree | str | None:
    """What a tree holds under a name; a few models have names with a dot in them."""
    node: Tree | str | None = tree
    for part in name.split("."):
        if not isinstance(node, dict):
            return None
        node = node.get(part)
    return node


def _field(service: ServiceModel, reference: Reference, name: str) -> str:
    """What a member is called in the form."""
    if service.protocol == "ec2":
        return reference.query_name or reference.name[:1].upper() + reference.name[1:] or name
    shape = service.shape(reference)
    if shape.kind == "list" and shape.member and shape.member.name and (shape.flattened or reference.flattened):
        return shape.member.name
    return reference.name or name


def _value(service: ServiceModel, reference: Reference, node: Tree | str, name: str) -> Any:
    shape = service.shape(reference)
    flattened = shape.flattened or reference.flattened or (service.protocol == "ec2" and shape.kind == "list")
    if shape.kind == "structure":
        return _structure(service, shape, node)
    if shape.kind == "list" and shape.member:
        entries = _numbered(node, "" if flattened else shape.member.name or "member", name)
        return [_value(service, shape.member, each, name) for each in entries]
    if shape.kind == "map" and shape.key and shape.value:
        entries = _numbered(node, "" if flattened else "entry", name)
        return dict(_entry(service, shape.key, shape.value, entry, name) for entry in entries)
    if not isinstance(node, str):
        raise MalformedInput(f"{name} is not a value.")
    try:
        return scalars.read(shape.kind, node, time_format(service, reference, scalars.ISO))
    except MalformedInput:
        raise MalformedInput(f"{name} is not a value of type {shape.kind}.") from None


def _entry(
    service: ServiceModel, key: Reference, value: Reference, entry: Tree | str, name: str
) -> tuple[Any, Any]:
    key_name, value_name = key.name or "key", value.name or "value"
    if isinstance(entry, str) or key_name not in entry or value_name not in entry:
        raise MalformedInput(f"An entry of {name} lacks its key or value.")
    return _value(service, key, entry[key_name], name), _value(service, value, entry[value_name], name)


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


# -- Answers ----------------------------------------------------------------------------------------------


def body(operation: OperationModel, output: Any, request_id: str) -> bytes:
    """The XML of an answer: the members that have a value, in the model's order."""
    service = operation.model
    has_output = bool(operation.output and output is not None)
    start, middle, end = _frame(operation, has_output=has_output)
    parts = [start]
    if service.protocol == "ec2":
        parts += (request_id, middle)
    if has_output:
        writer(service).structure(service.shape(operation.output), output, parts)
    if service.protocol != "ec2":
        parts += (middle, request_id)
    parts.append(end)
    return "".join(parts).encode()


@cache
def _frame(operation: OperationModel, *, has_output: bool) -> tuple[str, str, str]:
    """What stands around the output and the request id, which is the same in every answer of an operation."""
    name, wrapper = operation.name, operation.wrapper or f"{operation.name}Result"
    opened, closed = f'<{name}Response xmlns="{operation.model.namespace}">', f"</{name}Response>"
    if operation.model.protocol == "ec2":
        return f"{opened}<requestId>", "</requestId>", closed
    before, after = (f"<{wrapper}>", f"</{wrapper}>") if has_output else ("", "")
    return f"{opened}{before}", f"{after}<ResponseMetadata><RequestId>", f"</RequestId></ResponseMetadata>{closed}"


def json_body(operation: OperationModel, output: Any, request_id: str) -> bytes:
    """The same answer for a client that accepts JSON only (facts/sigv4.md section 13)."""
    answer: dict[str, Any] = {}
    if operation.output and output is not None:
        answer[operation.wrapper or f"{operation.name}Result"] = output
    answer["ResponseMetadata"] = {"RequestId": request_id}
    return msgspec.json.encode({f"{operation.name}Response": answer})

"""Values in XML by the model. What arrives is attacked input: no DTD, no entities but the five, bounded depth."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from xml.parsers import expat

import msgspec

from bailiwick.api import MalformedInput
from bailiwick.wire import scalars
from bailiwick.wire.models import Namespace, Reference, ServiceModel, Shape
from bailiwick.wire.scalars import ISO
from bailiwick.wire.structures import present, time_format

_MAX_DEPTH = 64
_MAX_NODES = 100_000
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile("[^\t\n\x20-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # and what has a meaning


class Node:
    """An element: its name without prefix, its attributes, its text and its children."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name.rpartition(":")[2]
        self.attributes = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        self.text = ""
        self.children: list[Node] = []

    def named(self, name: str) -> list[Node]:
        """The children of a name."""
        return [child for child in self.children if child.name == name]


def parsed(body: bytes) -> Node:
    """The root element of a document. Raises MalformedInput, for a document type above all."""
    parser = expat.ParserCreate(encoding="utf-8")
    top = Node("", {})
    stack, count = [top], 0

    def refuse(*_: object) -> None:
        raise MalformedInput("The XML has a document type or an entity of its own.")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > _MAX_DEPTH or count > _MAX_NODES:
            raise MalformedInput("The XML is too deep or has too many elements.")
        node = Node(name, attributes)
        stack[-1].children.append(node)
        stack.append(node)

    def end(_name: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].text += data

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.buffer_text = True
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        raise MalformedInput("The request body is not well-formed XML.") from None
    return top.children[0]


def read_structure(service: ServiceModel, shape: Shape, node: Node) -> dict[str, Any]:
    """A structure: its members are child elements, or attributes where the model says so."""
    found = {}
    for member, reference in shape.members.items():
        if reference.place:
            continue
        name = reference.name or member
        if reference.xml_attribute:
            text = node.attributes.get(name.rpartition(":")[2])
            if text is not None:
                found[member] = scalars.read(service.shape(reference).kind, text)
            continue
        nodes = node.named(name)
        if nodes:
            found[member] = read(service, reference, nodes)
    return found


def read(service: ServiceModel, reference: Reference, nodes: list[Node]) -> Any:
    """A value from the elements of its name: one, or one for each entry of a flattened list or map."""
    shape = service.shape(reference)
    flattened = shape.flattened or reference.flattened
    if shape.kind == "list" and shape.member:
        entries = nodes if flattened else nodes[0].named(shape.member.name or "member")
        return [read(service, shape.member, [entry]) for entry in entries]
    if shape.kind == "map" and shape.key and shape.value:
        return _read_map(service, shape.key, shape.value, nodes if flattened else nodes[0].named("entry"))
    if shape.kind == "structure":
        return read_structure(service, shape, nodes[0])
    return scalars.read(shape.kind, nodes[0].text, time_format(service, reference, ISO))


def _read_map(service: ServiceModel, key: Reference, value: Reference, entries: list[Node]) -> dict[str, Any]:
    found = {}
    for entry in entries:
        keys, values = entry.named(key.name or "key"), entry.named(value.name or "value")
        if not keys or not values:
            raise MalformedInput("An entry of a map lacks its key or value.")
        found[read(service, key, keys)] = read(service, value, values)
    return found


# -- Writing ----------------------------------------------------------------------------------------------


class Writer:
    """Writes values of one service as XML. Take it from `writer`: what it finds out of the model is kept."""

    def __init__(self, service: ServiceModel) -> None:
        self.service = service
        self._plain: dict[int, tuple[tuple[str, str, str], ...]] = {}  # by the id of a shape, which lives as long

    def structure(self, shape: Shape, value: Any, parts: list[str]) -> None:
        """The members of a structure that are elements; attributes are written with its own element."""
        plain = self._plain.get(id(shape))
        if plain is None:
            plain = self._plain[id(shape)] = self._plainly(shape)
        if plain and isinstance(value, msgspec.Struct):
            for name, start, end in plain:
                text = getattr(value, name)
                if text is not None:
                    parts.append(start + escaped(text) + end)
            return
        for name, reference, each in present(shape, value):
            if not reference.place and not reference.xml_attribute:
                self.value(reference, reference.name or name, each, parts)

    def _plainly(self, shape: Shape) -> tuple[tuple[str, str, str], ...]:
        """Name, start and end of every element of a structure that has nothing but strings in it; else empty."""
        for each in shape.members.values():
            if each.place or each.xml_attribute or each.xml_namespace or self.service.shape(each).kind != "string":
                return ()
        named = [(name, each.name or name) for name, each in shape.members.items()]
        return tuple((name, f"<{tag}>", f"</{tag.partition(' ')[0]}>") for name, tag in named)

    def value(self, reference: Reference, tag: str, value: Any, parts: list[str]) -> None:
        """One value under an element's name; a flattened list or map is an element for each entry."""
        shape = self.service.shape(reference)
        if shape.kind == "string" and reference.xml_namespace is None and isinstance(value, str):  # most of them
            parts.append(f"<{tag}>{escaped(value)}</{tag}>")
            return
        flattened = shape.flattened or reference.flattened
        if shape.kind == "list" and shape.member:
            if flattened:
                for each in value:
                    self.value(shape.member, shape.member.name or tag, each, parts)
                return
            parts.append(f"<{tag}{declared(reference.xml_namespace or shape.xml_namespace)}>")
            for each in value:
                self.value(shape.member, shape.member.name or "member", each, parts)
        elif shape.kind == "map" and shape.key and shape.value:
            self._map(shape, tag, value, parts, flattened=flattened)
            return
        elif shape.kind == "structure":
            parts.append(
                f"<{tag}{declared(reference.xml_namespace or shape.xml_namespace)}{self._attributes(shape, value)}>"
            )
            self.structure(shape, value, parts)
        else:
            text = escaped(scalars.write(shape.kind, value, time_format(self.service, reference, ISO)))
            parts.append(f"<{tag}{declared(reference.xml_namespace or shape.xml_namespace)}>{text}")
        parts.append(f"</{tag.partition(' ')[0]}>")

    def _map(self, shape: Shape, tag: str, value: dict[Any, Any], parts: list[str], *, flattened: bool) -> None:
        assert shape.key, "a map has a key"
        assert shape.value, "a map has values"
        entry = tag if flattened else "entry"
        if not flattened:
            parts.append(f"<{tag}>")
        for key, each in value.items():
            parts.append(f"<{entry}>")
            self.value(shape.key, shape.key.name or "key", key, parts)
            self.value(shape.value, shape.value.name or "value", each, parts)
            parts.append(f"</{entry}>")
        if not flattened:
            parts.append(f"</{tag}>")

    def _attributes(self, shape: Shape, value: Any) -> str:
        return "".join(
            f' {reference.name or name}="{escaped(str(each)).replace(chr(34), "&quot;")}"'
            for name, reference, each in present(shape, value)
            if reference.xml_attribute
        )


@cache
def writer(service: ServiceModel) -> Writer:
    """What writes the values of a service."""
    return Writer(service)


def document(
    service: ServiceModel,
    reference: Reference,
    root: str,
    value: Any,
    namespace: str = "",
    list_name: str = "member",
) -> bytes:
    """A whole document: `value` as its root element, in a namespace if there is one."""
    told = Reference(reference.shape, xml_namespace=Namespace(namespace) if namespace else reference.xml_namespace)
    parts: list[str] = []
    writer(service).value(told, root, value, parts)
    return "".join(parts).encode("utf-8")


def declared(namespace: Namespace | None) -> str:
    """The attribute that declares a namespace."""
    if namespace is None:
        return ""
    return f' xmlns{":" + namespace.prefix if namespace.prefix else ""}="{namespace.uri}"'


def escaped(text: str) -> str:
    """Text as XML character data; what XML 1.0 cannot hold becomes U+FFFD, carriage returns survive."""
    if not _SPECIAL.search(text):
        return text
    text = _NOT_XML.sub("\ufffd", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;")

"""XML as a tree that can be canonicalized, read from attacked input.

Only what SAML needs is read: UTF-8, no document type, no entity but the five, no processing instruction; depth,
number and identifiers are bounded. Comments are left out and the text around them joined, so that
`admin<!---->@evil` is one text. Source: XML 1.0 and Namespaces in XML 1.0, as expat has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.parsers import expat

from bailiwick.core.errors import SamlMalformed

MAX_BYTES = 200_000
_MAX_DEPTH = 48
_MAX_ELEMENTS = 4_000
_MAX_ATTRIBUTES = 64
_MAX_DECLARATIONS = 400
XML = "http://www.w3.org/XML/1998/namespace"


class Name(NamedTuple):
    """A name with its namespace; `prefix` is how the document wrote it, and no part of what it means."""

    space: str
    local: str
    prefix: str = ""


class Attribute(NamedTuple):
    """An attribute, its value as XML normalizes it."""

    name: Name
    value: str


class Element:
    """An element: its name, attributes, the prefixes in scope, and what it holds in the document's order."""

    __slots__ = ("attributes", "children", "name", "scope")

    def __init__(self, name: Name, attributes: list[Attribute], scope: Mapping[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.scope = scope
        self.children: list[Element | str] = []

    @property
    def elements(self) -> list[Element]:
        """The child elements."""
        return [child for child in self.children if isinstance(child, Element)]

    @property
    def text(self) -> str:
        """All the text directly inside."""
        return "".join(child for child in self.children if isinstance(child, str))

    def named(self, space: str, local: str) -> list[Element]:
        """The child elements of this name."""
        return [child for child in self.elements if child.name[:2] == (space, local)]

    def get(self, local: str) -> str | None:
        """The value of the attribute of this name in no namespace."""
        return next((value for name, value in self.attributes if name[:2] == ("", local)), None)

    def walk(self) -> Iterator[Element]:
        """This element and all below it."""
        yield self
        for child in self.elements:
            yield from child.walk()


def read(document: bytes) -> Element:
    """The root element of a document. Raises SamlMalformed."""
    if len(document) > MAX_BYTES:
        raise SamlMalformed(f"it has more than {MAX_BYTES} bytes")
    builder = _Builder()
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.namespace_prefixes = True  # names come as "namespace local prefix"
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _no_document_type
    parser.ProcessingInstructionHandler = _no_instruction
    parser.StartNamespaceDeclHandler = builder.declare
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, UnicodeError):
        raise SamlMalformed("it is not well-formed XML") from None
    root = builder.top.elements[0]
    _check_identifiers(root)
    return root


class _Builder:
    """Makes the tree of what expat tells."""

    def __init__(self) -> None:
        self.top = Element(Name("", ""), [], {"xml": XML})
        self._stack = [self.top]
        self._declared: dict[str, str] = {}
        self._parts: list[str] = []  # of the text that is being read
        self._elements = self._declarations = 0

    def declare(self, prefix: str | None, uri: str | None) -> None:
        self._declarations += 1
        if self._declarations > _MAX_DECLARATIONS or any(letter.isspace() for letter in uri or ""):
            raise SamlMalformed("it has too many namespaces, or one with a space in it")
        self._declared[prefix or ""] = uri or ""

    def start(self, name: str, attributes: list[str]) -> None:
        self._flush()
        self._elements += 1
        if len(self._stack) > _MAX_DEPTH or self._elements > _MAX_ELEMENTS:
            raise SamlMalformed("it is too deep or has too many elements")
        if len(attributes) > 2 * _MAX_ATTRIBUTES:
            raise SamlMalformed("an element has too many attributes")
        above = self._stack[-1]
        scope = {**above.scope, **self._declared} if self._declared else above.scope
        self._declared = {}
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        element = Element(_name(name), [Attribute(_name(each), value) for each, value in pairs], scope)
        above.children.append(element)
        self._stack.append(element)

    def end(self, _name: str) -> None:
        self._flush()
        self._stack.pop()

    def text(self, data: str) -> None:
        self._parts.append(data)

    def _flush(self) -> None:
        if self._parts:
            self._stack[-1].children.append("".join(self._parts))
            self._parts = []


def _name(told: str) -> Name:
    parts = told.split(" ")
    if len(parts) == 1:
        return Name("", parts[0])
    return Name(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def _check_identifiers(root: Element) -> None:
    """No two elements are known by the same identifier, whatever its attribute is called."""
    seen = set()
    for element in root.walk():
        for name, value in element.attributes:
            if name.local.lower() == "id" and name.space in ("", XML):
                if value in seen:
                    raise SamlMalformed("two of its elements have the same ID")
                seen.add(value)


def _no_document_type(*_: object) -> None:
    raise SamlMalformed("it has a document type or an entity of its own")


def _no_instruction(*_: object) -> None:
    raise SamlMalformed("it has a processing instruction")

"""Exclusive XML canonicalization, without comments: the bytes of an element that a signature covers.

Source: W3C "Exclusive XML Canonicalization Version 1.0", section 3, over "Canonical XML Version 1.0". Nothing rests
on its being right but that good signatures hold: what is believed is read from the bytes that it made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bailiwick.core.assertion.xml_tree import XML, Attribute, Element, Name

ALGORITHM = "http://www.w3.org/2001/10/xml-exc-c14n#"

_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_IN_ATTRIBUTE = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)


def canonical(element: Element, without: Element | None = None, inclusive: Sequence[str] = ()) -> bytes:
    """The canonical form of an element and all in it but the element `without`.

    `inclusive` are the prefixes of an InclusiveNamespaces list, the default namespace as `#default`.
    """
    out: list[str] = []
    kept = tuple("" if prefix == "#default" else prefix for prefix in inclusive)
    _write(out, element, without, kept, {})
    return "".join(out).encode("utf-8", "surrogatepass")


def _write(
    out: list[str], element: Element, without: Element | None, inclusive: Sequence[str], above: Mapping[str, str]
) -> None:
    name = _written(element.name)
    declared = _declarations(element, inclusive, above)
    out.append(f"<{name}")
    for prefix, uri in sorted(declared.items()):
        out.append(f' {"xmlns:" if prefix else "xmlns"}{prefix}="{uri.translate(_IN_ATTRIBUTE)}"')
    for attribute in sorted(element.attributes, key=_order):
        out.append(f' {_written(attribute.name)}="{attribute.value.translate(_IN_ATTRIBUTE)}"')
    out.append(">")
    within = {**above, **declared} if declared else above
    for child in element.children:
        if isinstance(child, str):
            out.append(child.translate(_IN_TEXT))
        elif child is not without:
            _write(out, child, without, inclusive, within)
    out.append(f"</{name}>")


def _declarations(element: Element, inclusive: Sequence[str], above: Mapping[str, str]) -> dict[str, str]:
    """The namespaces that are used here, or to be kept, and that the output does not declare yet."""
    used = {element.name.prefix, *(each.name.prefix for each in element.attributes if each.name.prefix)}
    used.update(prefix for prefix in inclusive if prefix == "" or prefix in element.scope)
    used.discard("xml")
    found = {prefix: element.scope.get(prefix, "") for prefix in used}
    return {prefix: uri for prefix, uri in found.items() if above.get(prefix, "") != uri}


def _order(attribute: Attribute) -> tuple[str, str]:
    return attribute.name.space, attribute.name.local


def _written(name: Name) -> str:
    prefix = "xml" if name.space == XML else name.prefix
    return f"{prefix}:{name.local}" if prefix else name.local

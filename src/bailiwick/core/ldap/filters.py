"""Search filters: read from text once, and sent in binary form (RFC 4515, RFC 4511 section 4.5.1).

A filter is read when the configuration is, with `{user}` or `{dn}` standing for what is not known yet. What a
person types is put into a place of the filter that was read, never into its text, so it cannot be anything but a
value: there is no text to break out of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from bailiwick.core.errors import LdapError
from bailiwick.core.ldap import ber

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _GREATER, _LESS, _PRESENT, _APPROXIMATE, _EXTENSIBLE = (
    *(0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0x87, 0xA8, 0xA9),
)
_COMPARISONS = {"=": _EQUAL, ">=": _GREATER, "<=": _LESS, "~=": _APPROXIMATE}
_ITEM = re.compile(
    r"(?P<attribute>[A-Za-z][\w;-]*|[0-9]+(?:\.[0-9]+)+|)(?P<dn>:dn)?(?::(?P<rule>[\w.-]+))?(?P<kind>:=|[<>~]?=)"
    r"(?P<value>[^()]*)",
    re.ASCII,
)
_HEX = re.compile(rb"\\([0-9A-Fa-f]{2})")
_MUST_ESCAPE = re.compile(r"[\\*()\x00]")
_IN_CHAIN = "1.2.840.113556.1.4.1941"
_DEEPEST = 16
_LONGEST = 4096


class Filter(msgspec.Struct, frozen=True):
    """One node. `tag` is its choice in the protocol; the pieces of a substring filter are initial, any, final."""

    tag: int
    inner: tuple[Filter, ...] = ()
    attribute: str = ""
    pieces: tuple[bytes, ...] = ()
    rule: str = ""
    of_name: bool = False


def escaped(value: str) -> str:
    """`value` as it is written in the text of a filter, where nothing in it means anything."""
    return _MUST_ESCAPE.sub(lambda found: f"\\{ord(found.group()):02x}", value)


def parse(text: str) -> Filter:
    """The filter in a text. Raises LdapError that says what is wrong."""
    if len(text) > _LONGEST:
        raise LdapError("the filter is too long")
    found, end = _filter(text, 0, 0)
    if end != len(text):
        raise LdapError(f"`{text[end : end + 40]}` is left over after the end of the filter")
    return found


def filled(template: Filter, values: Mapping[str, str]) -> Filter:
    """The filter with `{name}` in its values replaced by what `values` has for the name."""
    return msgspec.structs.replace(
        template,
        inner=tuple(filled(each, values) for each in template.inner),
        pieces=tuple(_filled(piece, values) for piece in template.pieces),
    )


def chained(template: Filter, name: str) -> Filter:
    """The filter whose comparisons with `{name}` reach through groups within groups.

    Source: Active Directory's matching rule LDAP_MATCHING_RULE_IN_CHAIN (MS-ADTS 3.1.1.3.4.4.3).
    """
    if template.tag == _EQUAL and asks(template, name):
        return msgspec.structs.replace(template, tag=_EXTENSIBLE, rule=_IN_CHAIN)
    return msgspec.structs.replace(template, inner=tuple(chained(each, name) for each in template.inner))


def asks(template: Filter, name: str) -> bool:
    """Whether `{name}` stands anywhere in the values of a filter."""
    place = b"{%s}" % name.encode()
    return any(place in piece for piece in template.pieces) or any(asks(each, name) for each in template.inner)


def encode(found: Filter) -> bytes:
    """The filter as it is sent."""
    match found.tag:
        case 0xA0 | 0xA1 | 0xA2:
            return ber.encode(found.tag, *map(encode, found.inner))
        case 0x87:
            return ber.octets(found.attribute, _PRESENT)
        case 0xA4:
            return ber.encode(_SUBSTRINGS, ber.octets(found.attribute), ber.encode(ber.SEQUENCE, *_pieces(found)))
        case 0xA9:
            return ber.encode(
                _EXTENSIBLE,
                ber.octets(found.rule, 0x81) if found.rule else b"",
                ber.octets(found.attribute, 0x82) if found.attribute else b"",
                ber.octets(found.pieces[0], 0x83),
                ber.boolean(True, 0x84) if found.of_name else b"",
            )
        case _:
            return ber.encode(found.tag, ber.octets(found.attribute), ber.octets(found.pieces[0]))


def _pieces(found: Filter) -> list[bytes]:
    last = len(found.pieces) - 1
    return [
        ber.octets(piece, 0x80 if place == 0 else 0x82 if place == last else 0x81)
        for place, piece in enumerate(found.pieces)
        if piece
    ]


_PLACE = re.compile(rb"\{(\w+)\}", re.ASCII)


def _filled(piece: bytes, values: Mapping[str, str]) -> bytes:
    return _PLACE.sub(
        lambda found: values[name].encode() if (name := found[1].decode()) in values else found[0], piece
    )


def _filter(text: str, at: int, depth: int) -> tuple[Filter, int]:
    if depth > _DEEPEST:
        raise LdapError("the filter is nested too deeply")
    if text[at : at + 1] != "(":
        raise LdapError(f"a filter begins with a parenthesis, and here is `{text[at : at + 40]}`")
    sign = text[at + 1 : at + 2]
    if sign in ("&", "|", "!"):
        return _combined(text, at + 2, depth, sign)
    item = _ITEM.match(text, at + 1)
    if item is None or text[item.end() : item.end() + 1] != ")":
        raise LdapError(f"`{text[at : at + 40]}` is not a filter such as (uid=alice)")
    return _item(item), item.end() + 1


def _combined(text: str, at: int, depth: int, sign: str) -> tuple[Filter, int]:
    inner = []
    while text[at : at + 1] == "(":
        each, at = _filter(text, at, depth + 1)
        inner.append(each)
    if text[at : at + 1] != ")":
        raise LdapError("a parenthesis of the filter is not closed")
    if not inner or (sign == "!" and len(inner) != 1):
        raise LdapError(f"({sign}...) of the filter needs {'one filter' if sign == '!' else 'filters'} in it")
    return Filter({"&": _AND, "|": _OR, "!": _NOT}[sign], tuple(inner)), at + 1


def _item(item: re.Match[str]) -> Filter:
    attribute, rule, kind, value = item["attribute"], item["rule"] or "", item["kind"], item["value"]
    if kind == ":=":
        if not (attribute or rule):
            raise LdapError("a filter with := names an attribute or a rule")
        return Filter(_EXTENSIBLE, (), attribute, (_unescaped(value),), rule, item["dn"] is not None)
    if rule or item["dn"] or not attribute:
        raise LdapError(f"`{item.group()[:40]}` is not a filter such as (uid=alice)")
    if kind == "=" and value == "*":
        return Filter(_PRESENT, (), attribute)
    pieces = tuple(_unescaped(piece) for piece in value.split("*")) if kind == "=" else (_unescaped(value),)
    return Filter(_SUBSTRINGS if len(pieces) > 1 else _COMPARISONS[kind], (), attribute, pieces)


def _unescaped(value: str) -> bytes:
    raw = value.encode()
    if b"\\" in _HEX.sub(b"", raw) or b"\x00" in raw:
        raise LdapError("a backslash in a filter is followed by two hexadecimal digits")
    return _HEX.sub(lambda found: bytes.fromhex(found[1].decode()), raw)

"""Distinguished names: read, escaped, compared (RFC 4514)."""

from __future__ import annotations

import re

from bailiwick.core.errors import LdapError

Part = tuple[str, str]
"""An attribute and its value, as in `uid=alice`."""

Name = tuple[tuple[Part, ...], ...]
"""A distinguished name from the entry up: parts, most of them with one attribute (`cn=a+sn=b` has two)."""

_SPECIAL = re.compile(r'[\\",+;<>=#\x00-\x1f\x7f]|^ | $')
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+", re.ASCII)
_ESCAPE = re.compile(rb'\\([0-9A-Fa-f]{2})|\\([ "#+,;<=>\\])', re.ASCII)
_LONGEST = 4096


def escaped(value: str) -> str:
    """`value` as it is written in a distinguished name, where nothing in it means anything."""
    return _SPECIAL.sub(lambda found: "".join(f"\\{byte:02x}" for byte in found.group().encode()), value)


def parse(text: str) -> Name:
    """The name in a text; an empty one is that of the root. Raises LdapError."""
    if len(text) > _LONGEST:
        raise LdapError("a distinguished name is too long")
    if not text:
        return ()
    return tuple(tuple(_part(part) for part in _split(level, "+")) for level in _split(text, ",;"))


def normal(text: str) -> Name:
    """A name as it is compared: without regard to letter case and to spaces that mean nothing. Raises LdapError.

    Source: the matching rules that directories give to the attributes of names (RFC 4517 section 4.2.11).
    """
    return tuple(
        tuple(sorted((name.lower(), " ".join(value.split()).lower()) for name, value in level))
        for level in parse(text)
    )


def is_below(name: Name, base: Name) -> bool:
    """Whether a normal name is `base` or below it."""
    return not base or name[-len(base) :] == base


def _split(text: str, separators: str) -> list[str]:
    """The pieces between separators that are not escaped and not within quotes."""
    pieces, start, at, quoted = [], 0, 0, False
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == '"':
            quoted = not quoted
        elif letter in separators and not quoted:
            pieces.append(text[start:at])
            start = at + 1
        at += 1
    return [*pieces, text[start:]]


def _part(text: str) -> Part:
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not _ATTRIBUTE.fullmatch(name):
        raise LdapError(f"`{text[:80]}` is no part of a distinguished name: attribute=value")
    return name, _value(value)


def _value(text: str) -> str:
    text = text.lstrip(" ")
    bare = text.rstrip(" ")
    if len(bare) < len(text) and (len(bare) - len(bare.rstrip("\\"))) % 2:
        bare += " "  # the space that the last backslash escapes
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    raw = bare.encode()
    if b"\\" in _ESCAPE.sub(b"", raw):
        raise LdapError("a backslash in a distinguished name escapes nothing")
    try:
        return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], raw).decode()
    except UnicodeDecodeError:
        raise LdapError("a distinguished name is not UTF-8") from None

"""The messages of LDAP that a connector needs: bind, search, StartTLS, unbind (RFC 4511)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from bailiwick.core.errors import LdapError
from bailiwick.core.ldap import ber, filters
from bailiwick.core.ldap.filters import Filter

START_TLS = "1.3.6.1.4.1.1466.20037"

_BIND, _BOUND, _UNBIND, _SEARCH, _ENTRY, _DONE, _REFERENCE, _EXTENDED, _EXTENDED_DONE = (
    *(0x60, 0x61, 0x42, 0x63, 0x64, 0x65, 0x73, 0x77, 0x78),
)
_LONGEST_TEXT = 500  # of what a server says about a failure


class Scope(IntEnum):
    """How far below its base a search looks."""

    ENTRY = 0
    TREE = 2


class Result(msgspec.Struct, frozen=True):
    """How an operation ended: the code, and what the server says to it. `id` is that of the request."""

    id: int
    code: int
    text: str = ""


class Entry(msgspec.Struct, frozen=True):
    """An entry that was found. Names of attributes are in lower case and without options; values are raw."""

    id: int
    dn: str
    attributes: dict[str, tuple[bytes, ...]]


class Skipped(msgspec.Struct, frozen=True):
    """A reference to another server, which is not followed."""

    id: int


Message = Result | Entry | Skipped


def bind(number: int, dn: str, password: str) -> bytes:
    """A simple bind. Raises ValueError for an empty name or password.

    A bind with a name and without a password succeeds as nobody (RFC 4513 section 5.1.2), so a program that
    takes success for proof must never send one.
    """
    if not dn or not password:
        raise ValueError("a bind without a name or without a password proves nothing")
    return _message(number, ber.encode(_BIND, ber.integer(3), ber.octets(dn), ber.octets(password, 0x80)))


def search(
    number: int, base: str, scope: Scope, wanted: Filter, attributes: Sequence[str], most: int, seconds: int
) -> bytes:
    """A search for at most `most` entries, on which the server may spend `seconds`."""
    return _message(
        number,
        ber.encode(
            _SEARCH,
            ber.octets(base),
            ber.integer(scope, ber.ENUMERATED),
            ber.integer(0, ber.ENUMERATED),  # aliases are not followed
            ber.integer(most),
            ber.integer(seconds),
            ber.boolean(False),
            filters.encode(wanted),
            ber.encode(ber.SEQUENCE, *(ber.octets(name) for name in attributes)),
        ),
    )


def start_tls(number: int) -> bytes:
    """The request that TLS begin on this connection."""
    return _message(number, ber.encode(_EXTENDED, ber.octets(START_TLS, 0x80)))


def unbind(number: int) -> bytes:
    """The end of a connection."""
    return _message(number, ber.encode(_UNBIND))


def read(data: bytes) -> Message:
    """A server's message, which is all of `data`. Raises LdapError for anything that was not asked for."""
    content = ber.Reader(ber.Reader(data).expect(ber.SEQUENCE))
    number = content.integer()
    tag, body = content.element()
    reader = ber.Reader(body)
    if tag in (_BOUND, _DONE, _EXTENDED_DONE):
        code = reader.integer(ber.ENUMERATED)
        reader.expect(ber.OCTETS)  # the matched name
        text = reader.expect(ber.OCTETS)[:_LONGEST_TEXT].decode("utf-8", "replace")
        return Result(number, code, "".join(each if each.isprintable() else " " for each in text).strip())
    if tag == _ENTRY:
        return Entry(number, reader.text(), _attributes(ber.Reader(reader.expect(ber.SEQUENCE))))
    if tag == _REFERENCE:
        return Skipped(number)
    raise LdapError(f"the server sent a message of the kind {tag:#04x}, which was not asked for")


def _attributes(reader: ber.Reader) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    while reader.more:
        attribute = ber.Reader(reader.expect(ber.SEQUENCE))
        name = attribute.text().partition(";")[0].lower()
        values = ber.Reader(attribute.expect(ber.SET))
        each = list[bytes]()
        while values.more:
            each.append(values.expect(ber.OCTETS))
        found[name] = (*found.get(name, ()), *each)
    return found


def _message(number: int, operation: bytes) -> bytes:
    return ber.encode(ber.SEQUENCE, ber.integer(number), operation)

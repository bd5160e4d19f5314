"""A request and a response as frozen values: what arrived, byte for byte, and what will leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from bailiwick.core.once import once

Line = tuple[str, str]
"""One header line: a lower-case name, and the value decoded as Latin-1 without outer blanks.

A plain pair for a reason: a dictionary is made of plain pairs in a third of the time that it takes of others.
"""


class Header(NamedTuple):
    """A Line whose parts have names, for whoever writes requests."""

    name: str
    value: str


class Tls(NamedTuple):
    """How a connection is protected: the version of TLS and the cipher suite, as OpenSSL calls them."""

    version: str
    suite: str


class Request(msgspec.Struct, frozen=True, dict=True):
    """One HTTP request as it arrived.

    `path` and `query` are the request target as sent, percent-encoding untouched, split at the first `?`.
    `headers` are in order of arrival. `body` is before any content decoding. `source` is the peer's
    address, `secure` whether the connection was TLS, `tls` which, where the client's connection ends here.
    """

    method: str
    path: str
    query: str
    headers: tuple[Line, ...]
    body: bytes
    source: str = "127.0.0.1"
    secure: bool = False
    tls: Tls | None = None

    @once
    def fields(self) -> Mapping[str, str]:
        """The headers by name; of those that are repeated, the first."""
        return dict(self.headers[::-1])

    @property
    def protection(self) -> tuple[Tls, str] | None:
        """How the client's connection is protected, if it is, with the name of the host that it asked for."""
        return None if self.tls is None else (self.tls, self.fields.get("host", ""))

    @once
    def repeats(self) -> bool:
        """Whether some header is there more than once."""
        return len(self.fields) < len(self.headers)

    def header(self, name: str) -> str | None:
        """The value of the first header called `name` (lower case), or None."""
        return self.fields.get(name)

    def all(self, name: str) -> list[str]:
        """Every value of the header called `name` (lower case), in order of arrival."""
        if not self.repeats:
            return [self.fields[name]] if name in self.fields else []
        return [header[1] for header in self.headers if header[0] == name]


class Response(msgspec.Struct, frozen=True):
    """One HTTP response: a status, header lines with lower-case names, and the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

"""One connection to one server: TLS verified, every wait bounded, every answer of a size that was expected."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence

from bailiwick.core.errors import DirectoryUnavailable, LdapError
from bailiwick.core.ldap import ber, messages
from bailiwick.core.ldap.filters import Filter
from bailiwick.core.ldap.messages import Entry, Message, Result, Scope
from bailiwick.federation.ldap.configuration import Address

SUCCESS, TOO_MANY, BUSY = 0, 4, (51, 52, 80)
REFUSALS = frozenset((19, 32, 34, 48, 49, 50, 53))
"""The codes with which a server refuses a person: wrong password, no such entry, locked, expired, not this way."""

_MAX_MESSAGE = 1 << 20
_MAX_ANSWER = 4 << 20  # bytes of all that one search finds
_CHUNK = 65536


class Broken(DirectoryUnavailable):
    """A connection has ended, by itself or because what came over it cannot be trusted."""


class Connection:
    """An open connection, for one thread at a time. Whatever goes wrong on it raises Broken and ends it."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None, start_tls: bool, timeout: float) -> None:
        """Connect to `address`, with `tls` at once or by StartTLS. `timeout` is for each step, in seconds."""
        self.address = address
        self._timeout = timeout
        self._number = 0
        self._buffer = bytearray()
        self._socket: socket.socket | ssl.SSLSocket
        try:
            self._socket = socket.create_connection((address.host, address.port), timeout)
        except OSError as error:
            raise DirectoryUnavailable(f"{address} cannot be reached: {_reason(error)}") from None
        if tls is not None:
            try:
                self._secure(tls, start_tls)
            except BaseException:
                self.close()
                raise

    def bind(self, dn: str, password: str) -> Result:
        """What the server says to a simple bind. Neither may be empty."""
        number = self._next()
        return self._ended(self._ask(messages.bind(number, dn, password), number))

    def search(
        self, base: str, scope: Scope, wanted: Filter, attributes: Sequence[str], most: int
    ) -> tuple[list[Entry], Result]:
        """The entries that were found, and how the search ended: with TOO_MANY, if there are more than `most`."""
        number, found = self._next(), list[Entry]()
        seconds = max(1, int(self._timeout))
        message = self._ask(messages.search(number, base, scope, wanted, attributes, most, seconds), number)
        deadline, size = time.monotonic() + self._timeout, 0
        while not isinstance(message, Result):
            if isinstance(message, Entry):
                found.append(message)
                size += sum(len(value) for values in message.attributes.values() for value in values)
            if len(found) > most or size > _MAX_ANSWER:
                raise self._broken("it sent more than it was asked for")
            message = self._receive(number, deadline)
        return found, message

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def leave(self) -> None:
        """Say goodbye, and end it."""
        with contextlib.suppress(OSError):
            self._socket.sendall(messages.unbind(self._next()))
        self.close()

    def _secure(self, tls: ssl.SSLContext, start_tls: bool) -> None:
        if start_tls:
            number = self._next()
            result = self._ended(self._ask(messages.start_tls(number), number))
            if result.code != SUCCESS:
                raise self._broken(f"it refuses StartTLS ({result.code} {result.text})")
            if self._buffer:
                raise self._broken("it sent something between StartTLS and TLS, as someone on the way would")
        try:
            self._socket = tls.wrap_socket(self._socket, server_hostname=self.address.host)
        except ssl.SSLCertVerificationError as error:
            raise self._broken(f"its certificate is refused: {error.verify_message}") from None
        except OSError as error:
            raise self._broken(f"TLS fails: {_reason(error)}") from None

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _ask(self, request: bytes, number: int) -> Message:
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(request)
        except OSError as error:
            raise self._broken(_reason(error)) from None
        return self._receive(number, time.monotonic() + self._timeout)

    def _ended(self, message: Message) -> Result:
        if not isinstance(message, Result):
            raise self._broken("it answers another question than it was asked")
        return message

    def _receive(self, number: int, deadline: float) -> Message:
        try:
            message = messages.read(self._one(deadline))
        except LdapError as error:
            raise self._broken(str(error)) from None
        if message.id == 0 and isinstance(message, Result):
            raise self._broken(f"it ends the connection ({message.code} {message.text})")
        if message.id != number:
            raise self._broken("it answers a question that was not asked")
        return message

    def _one(self, deadline: float) -> bytes:
        """The bytes of the next message."""
        while True:
            size = ber.whole(self._buffer, _MAX_MESSAGE)
            if size is not None and len(self._buffer) >= size:
                found = bytes(self._buffer[:size])
                del self._buffer[:size]
                return found
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise self._broken("it does not answer in time")
            try:
                self._socket.settimeout(remaining)
                data = self._socket.recv(_CHUNK)
            except OSError as error:
                raise self._broken(_reason(error)) from None
            if not data:
                raise self._broken("it has closed the connection")
            self._buffer += data

    def _broken(self, reason: str) -> Broken:
        self.close()
        return Broken(f"{self.address}: {reason}")


def context(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer to servers whose certificate is verified, by `ca_file` or else by the system's authorities.

    Raises OSError (ssl.SSLError) for a file that has no certificates.
    """
    made = ssl.create_default_context(cafile=ca_file)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    return error.strerror or str(error)

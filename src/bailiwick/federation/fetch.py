"""One small document from somebody else's server: GET over verified TLS, and to few addresses.

The URL comes from a tenant, so it is attacked: names are resolved once, every address is checked, and the
connection goes to the address that was checked. Redirects are not followed, proxies of the environment are not
used, and the whole of it has one deadline, which bytes that drip do not stretch, and one limit of bytes. kept.py
has connections that serve more than one question.
"""

from __future__ import annotations

import hashlib
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlencode, urlsplit

from bailiwick.federation import names
from bailiwick.federation.names import Address

if TYPE_CHECKING:
    from http.client import HTTPResponse

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HEADERS = {"accept": "application/json", "user-agent": "bailiwick", "connection": "close"}
_FORM = "application/x-www-form-urlencoded"
_CHUNK = 16_384
_TRUSTED_FOR = 600.0  # seconds until the system's authorities are read again, which takes 10 to 30 ms


class FetchError(Exception):
    """What was asked for could not be had; the text says why. `reached` tells whether a server answered at all."""

    def __init__(self, reason: str, *, reached: bool) -> None:
        super().__init__(reason)
        self.reached = reached


class WrongThumbprint(FetchError):
    """The certificate of the server is neither of a trusted authority nor one of those that are pinned."""


class Question(NamedTuple):
    """What is asked for at a URL."""

    method: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Place(NamedTuple):
    """Whom a URL names, and what for there."""

    scheme: str
    host: str
    port: int
    netloc: str
    target: str

    @classmethod
    def of(cls, url: str) -> Place:
        """The place that a URL names. Raises FetchError for none that is asked."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise FetchError("the URL has no valid port", reached=False) from None
        if parts.scheme not in ("https", "http") or not host:
            raise FetchError("only https is asked", reached=False)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port, parts.netloc.rpartition("@")[2], target)


class Document(NamedTuple):
    """What a server answered; and whether a thumbprint spoke for it, not an authority (None: it had no TLS)."""

    status: int
    body: bytes
    pinned: bool | None


class Fetcher:
    """Documents by URL. `networks` are those that may be asked beside public addresses.

    `authorities` (PEM) vouch for servers, instead of those of the system.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        *,
        seconds: float = 5.0,
        limit: int = 102_400,
        authorities: str | None = None,
    ) -> None:
        self._networks = tuple(networks)
        self._authorities = authorities
        self.seconds = seconds
        self._limit = limit
        self._trusting: tuple[ssl.SSLContext, float] | None = None

    def get(self, url: str, thumbprints: Collection[str] = (), form: Mapping[str, str] | None = None) -> bytes:
        """The document at `url`: https, or http on this machine alone. With a `form` it is what that is answered.

        `thumbprints` are SHA-1 digests, in hexadecimal, of certificates to trust where no authority of the system
        vouches for the server: its own or one above it. Raises FetchError, WrongThumbprint.
        """
        return self.document(url, thumbprints, form).body

    def document(
        self, url: str, thumbprints: Collection[str] = (), form: Mapping[str, str] | None = None
    ) -> Document:
        """As `get`, with what spoke for the server."""
        question = Question("GET", _HEADERS)
        if form is not None:
            question = Question("POST", {**_HEADERS, "content-type": _FORM}, urlencode(form).encode())
        place, ends = Place.of(url), time.monotonic() + self.seconds
        connection, pinned = self.connected(place, ends, thumbprints)
        with connection, told():
            status, body, _ = self.ask(connection, place, question, ends)
        if status != 200:
            raise FetchError(f"the answer has status {status}", reached=True)
        return Document(status, body, pinned)

    def connected(
        self, place: Place, ends: float, thumbprints: Collection[str] = ()
    ) -> tuple[socket.socket, bool | None]:
        """A new connection, secured if the place is, before `ends` by the monotonic clock; and Document.pinned.

        Raises FetchError, WrongThumbprint.
        """
        with told():
            left = _left(ends)
        addresses = self._addresses(place.host, place.port, left)
        if place.scheme == "http" and not all(address.is_loopback for address in addresses):
            raise FetchError("only https is asked, and http on this machine alone", reached=False)
        with told():
            connection = self._connect(addresses, place.port, ends)
            if place.scheme == "http":
                return connection, None
            try:
                return self._secured(connection, addresses, place, ends, thumbprints)
            except BaseException:
                connection.close()
                raise

    def ask(
        self, connection: socket.socket, place: Place, question: Question, ends: float
    ) -> tuple[int, bytes, bool]:
        """Status and body of the answer on a connection, and whether that can be asked again.

        The connection stays open, whatever happens. Raises FetchError, OSError.
        """
        from http.client import HTTPConnection, HTTPException

        wire = _Wire(connection, ends)
        asking = HTTPConnection(place.netloc)
        asking.sock = cast(Any, wire)
        try:
            asking.request(question.method, place.target, question.body, question.headers)
            answer = asking.getresponse()
            body = self._body(answer)
        except ConnectionError:
            raise
        except (HTTPException, ValueError) as error:
            raise FetchError(f"no HTTP: {type(error).__name__}", reached=True) from None
        return answer.status, body, not answer.will_close and answer.isclosed() and not wire.surplus

    def _addresses(self, host: str, port: int, seconds: float) -> list[Address]:
        """The addresses of a host. Raises FetchError if there is none, or one of them may not be asked."""
        try:
            addresses = names.addresses(host, port, seconds)
        except TimeoutError as error:
            raise FetchError(f"TimeoutError: {error}", reached=False) from None
        except (OSError, UnicodeError) as error:
            raise FetchError(f"{host} has no address: {error}", reached=False) from None
        for address in addresses:
            if not self._may_be_asked(address):
                raise FetchError(f"{host} is at {address}, which may not be asked (oidc_networks)", reached=False)
        return addresses

    def _may_be_asked(self, address: Address) -> bool:
        if isinstance(address, ipaddress.IPv6Address):
            inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
            if inner is not None and not self._may_be_asked(inner):
                return False
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        return address.is_global and not address.is_multicast

    def _connect(self, addresses: Sequence[Address], port: int, ends: float) -> socket.socket:
        trouble: OSError = OSError("no address")
        for address in addresses:
            try:
                made = socket.create_connection((str(address), port), timeout=_left(ends))
            except OSError as error:
                trouble = error
            else:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return made
        raise trouble

    def _secured(
        self,
        plain: socket.socket,
        addresses: Sequence[Address],
        place: Place,
        ends: float,
        thumbprints: Collection[str],
    ) -> tuple[ssl.SSLSocket, bool]:
        """The connection under TLS, its certificate verified: by the system's authorities, or pinned."""
        context = self._context_that_trusts()
        plain.settimeout(_left(ends))
        try:
            return context.wrap_socket(plain, server_hostname=place.host), False
        except ssl.SSLCertVerificationError:
            plain.close()
            if not thumbprints:
                raise
        wanted = {thumbprint.lower() for thumbprint in thumbprints}
        for certificate in self._shown(addresses, place.host, place.port, ends):
            if hashlib.sha1(certificate, usedforsecurity=False).hexdigest() in wanted:
                pinned = _context(certificate)
                again = self._connect(addresses, place.port, ends)
                try:
                    again.settimeout(_left(ends))
                    return pinned.wrap_socket(again, server_hostname=place.host), True
                except BaseException:
                    again.close()
                    raise
        raise WrongThumbprint("no certificate of the server has a pinned thumbprint", reached=True)

    def _context_that_trusts(self) -> ssl.SSLContext:
        """TLS that trusts the authorities, as the system had them not long ago."""
        made, now = self._trusting, time.monotonic()
        if made is None or now - made[1] > _TRUSTED_FOR:
            self._trusting = made = _context(self._authorities), now
        return made[0]

    def _shown(self, addresses: Sequence[Address], host: str, port: int, ends: float) -> list[bytes]:
        """The certificates that a server shows. Nothing is proven by it, and nothing else is read of it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self._connect(addresses, port, ends) as plain:
            plain.settimeout(_left(ends))
            with context.wrap_socket(plain, server_hostname=host) as looked:
                shown: Any = looked
                if not hasattr(looked, "get_unverified_chain"):  # public from Python 3.13 on
                    shown = looked._sslobj  # type: ignore[attr-defined]
                return [_der(each) for each in shown.get_unverified_chain() or ()]

    def _body(self, answer: HTTPResponse) -> bytes:
        body = bytearray()
        while chunk := answer.read(_CHUNK):
            body += chunk
            if len(body) > self._limit:
                raise FetchError(f"the answer has more than {self._limit} bytes", reached=True)
        if answer.length:
            raise FetchError("the answer ends too soon", reached=True)
        return bytes(body)


class _Wire:
    """A connection as http.client wants one, whose reads and writes all end by one deadline."""

    def __init__(self, connection: socket.socket, ends: float) -> None:
        self._connection, self._ends = connection, ends
        self._unsent = bytearray()
        self.surplus = False
        """Whether more came than the answer."""

    def sendall(self, data: bytes) -> None:
        """Take a part of the question, which is sent as one."""
        self._unsent += data

    def makefile(self, mode: str) -> io.BufferedReader:
        """What the answer is read from, the question being sent."""
        self._connection.settimeout(_left(self._ends))
        self._connection.sendall(self._unsent)
        return _Incoming(self, _Raw(self._connection, self._ends))

    def close(self) -> None:
        """Nothing: whoever made the connection closes it."""


class _Raw(io.RawIOBase):
    def __init__(self, connection: socket.socket, ends: float) -> None:
        self._connection, self._ends = connection, ends
        self.over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.over:
            return 0
        self._connection.settimeout(_left(self._ends))
        return self._connection.recv_into(buffer)


class _Incoming(io.BufferedReader):
    def __init__(self, wire: _Wire, raw: _Raw) -> None:
        super().__init__(raw)
        self._wire, self._raw = wire, raw

    def close(self) -> None:
        """The end of the answer. What is in the buffer still belongs to none."""
        if not self.closed:
            self._raw.over = True
            self._wire.surplus = bool(self.peek(1))
        super().close()


@contextmanager
def told() -> Iterator[None]:
    """The troubles of a connection as FetchError."""
    try:
        yield
    except ssl.SSLEOFError:
        raise FetchError("the server hung up", reached=False) from None
    except ssl.SSLError as error:
        raise FetchError(f"TLS: {error.reason or error}", reached=False) from None
    except OSError as error:
        raise FetchError(f"{type(error).__name__}: {error}", reached=False) from None


def _der(certificate: Any) -> bytes:
    """A certificate of a chain, which Python 3.13 gives as bytes and those before as an object."""
    if isinstance(certificate, bytes):
        return certificate
    return ssl.PEM_cert_to_DER_cert(certificate.public_bytes())


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("the server took too long")
    return left


def _context(anchor: bytes | str | None = None) -> ssl.SSLContext:
    """TLS that verifies: against the system's authorities, or against these certificates (one in DER, or PEM)."""
    context = ssl.create_default_context(cadata=anchor)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if anchor is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context

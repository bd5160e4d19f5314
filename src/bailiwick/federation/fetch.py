"""One small document from somebody else's server: GET over verified TLS, and to few addresses.

The URL comes from a tenant, so it is attacked: names are resolved once, every address is checked, and the
connection goes to the address that was checked. Redirects are not followed, proxies of the environment are not
used, and the whole of it has one deadline and one limit of bytes.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

if TYPE_CHECKING:
    from http.client import HTTPResponse

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HEADERS = {"accept": "application/json", "user-agent": "bailiwick", "connection": "close"}
_FORM = "application/x-www-form-urlencoded"
_CHUNK = 16_384


class FetchError(Exception):
    """What was asked for could not be had; the text says why. `reached` tells whether a server answered at all."""

    def __init__(self, reason: str, *, reached: bool) -> None:
        super().__init__(reason)
        self.reached = reached


class WrongThumbprint(FetchError):
    """The certificate of the server is neither of a trusted authority nor one of those that are pinned."""


class _Question(NamedTuple):
    method: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Document(NamedTuple):
    """What a server answered; and whether a thumbprint spoke for it, not an authority (None: it had no TLS)."""

    status: int
    body: bytes
    pinned: bool | None


class Fetcher:
    """Documents by URL. `networks` are those that may be asked beside public addresses."""

    def __init__(self, networks: Sequence[Network], *, seconds: float = 5.0, limit: int = 102_400) -> None:
        self._networks = tuple(networks)
        self._seconds = seconds
        self._limit = limit

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
        question = _Question("GET", _HEADERS)
        if form is not None:
            question = _Question("POST", {**_HEADERS, "content-type": _FORM}, urlencode(form).encode())
        found = self._asked(url, question, thumbprints)
        if found.status != 200:
            raise FetchError(f"the answer has status {found.status}", reached=True)
        return found

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and the body with which `url` answers this. Raises FetchError."""
        found = self._asked(url, _Question("POST", {"user-agent": "bailiwick", **headers}, body), ())
        return found.status, found.body

    def _asked(self, url: str, question: _Question, thumbprints: Collection[str]) -> Document:
        parts = urlsplit(url)
        ends = time.monotonic() + self._seconds
        try:
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise FetchError("the URL has no valid port", reached=False) from None
        if parts.scheme not in ("https", "http") or not host:
            raise FetchError("only https is asked", reached=False)
        addresses = self._addresses(host, port)
        if parts.scheme == "http" and not all(address.is_loopback for address in addresses):
            raise FetchError("only https is asked, and http on this machine alone", reached=False)
        try:
            connection, pinned = self._connect(addresses, port, ends), None
            try:
                if parts.scheme == "https":
                    connection, pinned = self._secured(connection, addresses, host, port, ends, thumbprints)
                return Document(*self._read(connection, parts, ends, question), pinned)
            finally:
                connection.close()
        except ssl.SSLError as error:
            raise FetchError(f"TLS: {error.reason or error}", reached=False) from None
        except OSError as error:
            raise FetchError(f"{type(error).__name__}: {error}", reached=False) from None

    def _addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of a host. Raises FetchError if there is none, or one of them may not be asked."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise FetchError(f"{host} has no address: {error}", reached=False) from None
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
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
                return socket.create_connection((str(address), port), timeout=_left(ends))
            except OSError as error:
                trouble = error
        raise trouble

    def _secured(
        self,
        plain: socket.socket,
        addresses: Sequence[Address],
        host: str,
        port: int,
        ends: float,
        thumbprints: Collection[str],
    ) -> tuple[ssl.SSLSocket, bool]:
        """The connection under TLS, its certificate verified for `host`: by the system's authorities, or pinned."""
        plain.settimeout(_left(ends))
        try:
            return _context().wrap_socket(plain, server_hostname=host), False
        except ssl.SSLCertVerificationError:
            plain.close()
            if not thumbprints:
                raise
        wanted = {thumbprint.lower() for thumbprint in thumbprints}
        for certificate in self._shown(addresses, host, port, ends):
            if hashlib.sha1(certificate, usedforsecurity=False).hexdigest() in wanted:
                pinned = _context(certificate)
                again = self._connect(addresses, port, ends)
                try:
                    return pinned.wrap_socket(again, server_hostname=host), True
                except BaseException:
                    again.close()
                    raise
        raise WrongThumbprint("no certificate of the server has a pinned thumbprint", reached=True)

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

    def _read(
        self, connection: socket.socket, parts: SplitResult, ends: float, question: _Question
    ) -> tuple[int, bytes]:
        """Ask, and read the answer: its status and its body, which must be within the limits."""
        from http.client import HTTPConnection, HTTPException

        asking = HTTPConnection(parts.netloc.rpartition("@")[2])
        asking.sock = connection
        connection.settimeout(_left(ends))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            asking.request(question.method, path, question.body, question.headers)
            answer = asking.getresponse()
            return answer.status, self._body(answer, connection, ends)
        except HTTPException as error:
            raise FetchError(f"no HTTP: {type(error).__name__}", reached=True) from None

    def _body(self, answer: HTTPResponse, connection: socket.socket, ends: float) -> bytes:
        body = bytearray()
        while True:
            connection.settimeout(_left(ends))
            chunk = answer.read1(_CHUNK)
            if not chunk:
                return bytes(body)
            body += chunk
            if len(body) > self._limit:
                raise FetchError(f"the answer has more than {self._limit} bytes", reached=True)


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


def _context(anchor: bytes | None = None) -> ssl.SSLContext:
    """TLS that verifies: against the system's authorities, or against this one certificate (DER)."""
    context = ssl.create_default_context(cadata=anchor)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if anchor is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context

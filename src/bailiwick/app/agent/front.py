"""HTTP for local programs: who may connect, how much is read, and how far an answer may go.

Only this host is served, and the networks that were allowed (containers): whoever else connects is hung up on. A
request that came through a proxy, or whose Host is a name that leads here by accident (DNS rebinding), is refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
from collections.abc import Sequence
from urllib.parse import unquote

import httptools

from bailiwick.app.agent import programs
from bailiwick.app.agent.containers import Containers
from bailiwick.app.agent.metadata import Metadata
from bailiwick.app.agent.programs import NONE, Mapping, Peer
from bailiwick.app.agent.state import AgentError
from bailiwick.app.agent.web import Answer, Named, Question, refused

log = logging.getLogger("bailiwick.agent")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MOST_HEAD, _MOST_HEADERS, _MOST_BODY = 16384, 64, 1024
_MOST_CONNECTIONS = 512
_SECONDS = 15.0  # for a request to arrive, and for which an idle connection is kept
_FORWARDED = ("x-forwarded-for", "forwarded", "x-forwarded-host", "via")
_NAMES = {"localhost", "127.0.0.1", "::1", "instance-data", "169.254.169.254", "169.254.170.2", "169.254.170.23"}
_NAMES |= {"fd00:ec2::254", "fd00:ec2::23"}
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.ASCII)


class Front:
    """The sockets of the agent, and what stands behind them."""

    def __init__(
        self, metadata: Metadata, containers: Containers, mapping: Mapping, allowed: Sequence[Network] = ()
    ) -> None:
        self.metadata, self.containers, self.mapping, self.allowed = metadata, containers, mapping, allowed
        self.sockets: list[socket.socket] = []
        self.connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._hops = 0

    async def open(self, address: str, port: int) -> int:
        """Listen; returns the port. Raises AgentError for an address that is not at hand."""
        is_ipv6 = ":" in address
        listening = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
        except OSError as error:
            listening.close()
            way = f"; `ip address add {address} dev lo`" if address.startswith("169.254.") else ""
            raise AgentError(f"cannot listen on {address} port {port}: {error.strerror}{way}") from None
        self.sockets.append(listening)
        self._set_hops(listening, self._hops or 1)
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(lambda: Connection(self), sock=listening))
        return int(listening.getsockname()[1])

    def limit_hops(self, hops: int) -> None:
        """How many hops an answer lives: of connections from now on, the handshake among it."""
        if hops != self._hops:
            self._hops = hops
            for each in self.sockets:
                self._set_hops(each, hops)

    async def close(self) -> None:
        """Hear nobody any more."""
        for server in self._servers:
            server.close()
        for each in list(self.connections):
            each.end()

    def lets_in(self, address: str) -> bool:
        """Whether whoever has this address may ask: this host itself, and the networks that were allowed."""
        if len(self.connections) >= _MOST_CONNECTIONS:
            return False
        peer = ipaddress.ip_address(address)
        return any(peer in network for network in self.allowed) or _is_local(address)

    async def answer(self, asked: Question, own: str) -> Answer:
        """The answer to what was asked at this address of ours."""
        if any(name in asked.headers for name in _FORWARDED) or not _is_ours(asked.headers.get("host", ""), own):
            return refused(403)
        if self.containers.serves(asked.path):
            return await self.containers.answer(asked)
        return await self.metadata.answer(asked)

    async def profile(self, peer: Peer) -> Named | None:
        """The profile that the program at the other end gets."""
        name = self.mapping.default
        if self.mapping.program:
            name = await asyncio.to_thread(programs.profile_for, self.mapping, peer)
        return None if name == NONE else Named(programs.as_asked(name))

    @staticmethod
    def _set_hops(listening: socket.socket, hops: int) -> None:
        if listening.family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
        else:
            listening.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


class Connection(asyncio.Protocol):
    """One connection. Its requests are answered one after the other."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._peer: Peer | None = None
        self._url, self._headers, self._size, self._body = b"", dict[str, str](), 0, 0
        self._twice = False
        self._work: asyncio.Task[None] | None = None
        self._waiting: list[Question | None] = []
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look who it is."""
        assert isinstance(transport, asyncio.Transport), "a stream"
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if peer is None or not self._front.lets_in(peer[0]):
            transport.abort()
            return
        self._transport, self._peer = transport, Peer(peer[0], peer[1], own[0], own[1])
        self._front.connections.add(self)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop."""
        self._front.connections.discard(self)
        self._transport = None
        if self._timer:
            self._timer.cancel()
        if self._work:
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse; what is malformed or too large ends the connection."""
        self._size += len(data)
        try:
            if self._size > _MOST_HEAD or len(self._waiting) > 8:
                raise httptools.HttpParserError("too much")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._write(refused(400), last=True)

    def end(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    # -- The parser's findings --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin."""
        self._url, self._headers, self._body, self._twice = b"", {}, 0, False

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. One that is there twice is no good."""
        key = name.decode("latin-1").lower()
        self._twice |= key in self._headers or len(self._headers) >= _MOST_HEADERS
        self._headers[key] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Nobody needs a body here."""
        self._body += len(body)
        if self._body > _MOST_BODY:
            raise httptools.HttpParserError("too much")

    def on_message_complete(self) -> None:
        """Answer, or wait for one's turn."""
        self._size = 0
        path = self._url.partition(b"?")[0].decode("latin-1")
        good = path.startswith("/") and not self._twice
        method, peer = self._parser.get_method().decode("ascii"), self._peer
        asked = None
        if good and peer is not None:
            asked = Question(method, unquote(path), self._headers, lambda: self._front.profile(peer))
        self._waiting.append(asked)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        while self._waiting and self._transport is not None:
            asked, peer = self._waiting.pop(0), self._peer
            lasts = self._parser.should_keep_alive()
            if asked is None or peer is None:
                self._write(refused(400), last=True)
                break
            try:
                answer = await self._front.answer(asked, peer.own_address)
            except Exception:
                log.exception("a request could not be answered")
                answer = refused(503)
            self._write(answer, last=not lasts, head=asked.method == "HEAD")
        self._work = None
        self._wait()

    # -- Answers ----------------------------------------------------------------------------------------

    def _write(self, answer: Answer, *, last: bool, head: bool = False) -> None:
        if self._transport is None:
            return
        headers = {
            "Content-Type": answer.kind,
            "Content-Length": str(len(answer.body)),
            "Server": "EC2ws",
            "Connection": "close" if last else "keep-alive",
            **answer.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        line = f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, 'Refused')}\r\n"
        self._transport.write(f"{line}{lines}\r\n".encode("latin-1") + (b"" if head else answer.body))
        if last:
            self._transport.close()

    def _wait(self) -> None:
        """Close the connection unless a request comes in time."""
        if self._timer:
            self._timer.cancel()
        if self._transport is not None:
            self._timer = asyncio.get_running_loop().call_later(_SECONDS, self._late)

    def _late(self) -> None:
        if self._work is None:
            self.end()
        else:
            self._wait()


_PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


def _is_local(address: str) -> bool:
    """Whether an address is one of this host: then what is sent to it would come from it. Nothing is sent."""
    if ipaddress.ip_address(address).is_loopback:
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return False
        return bool(probe.getsockname()[0] == address)


def _is_ours(host: str, own: str) -> bool:
    """Whether a Host header names this agent."""
    found = _HOST.fullmatch(host.lower())
    return found is not None and found[1].strip("[]") in {*_NAMES, own}

"""The short way in: a request goes from the parser to the edge, and its answer to the socket, without ASGI between.

An Exchange stands where uvicorn has a RequestResponseCycle, so that the rest of uvicorn (its server, its drain at
shutdown, its flow control) sees nothing new. Requests of one connection are answered in turn: one that arrives
while another is in work waits, and so does reading. Measured in docs/decisions/0004-the-edge.md.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from bailiwick.app.edge import Body, BodyTooLarge, Edge, failure
from bailiwick.app.protocol import GuardedProtocol, Stage
from bailiwick.core.message import Request, Response, Tls

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from bailiwick.app.protocol import Limits

_NOT_IN_A_HEADER = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


class _NobodyWaits:
    """In the place of the event on which an ASGI application waits for more of its body."""

    def set(self) -> None:
        """Nothing."""


class Exchange:
    """One request and its answer."""

    # How every exchange begins. They are the class's, so that making one does not write each of them.
    message_event: ClassVar[_NobodyWaits] = _NobodyWaits()
    body: Body | None = None
    received = False  # the whole request is here
    too_large = False
    disconnected = False
    response_started = response_complete = False

    def __init__(self, protocol: DirectProtocol, *, keep_alive: bool) -> None:
        self.method = protocol.parser.get_method().decode("ascii")
        self.url = protocol.url
        self.headers = protocol.headers
        self.keep_alive = keep_alive


class Outbox:
    """Answers that are written together, once everything that has arrived was read.

    A client that waits is woken by the first of them and still busy when the others come: waking it for each
    costs a fifth of a request.
    """

    __slots__ = ("_answers", "_headers", "_joined")

    def __init__(self) -> None:
        self._answers: list[tuple[asyncio.Transport, bytes]] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._joined = b""

    def joined(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The lines of the headers that the server gives to every answer; it makes a new list every second."""
        if headers is not self._headers:
            self._headers, self._joined = headers, b"".join(b"%b: %b\r\n" % header for header in headers)
        return self._joined

    def put(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, answer: bytes) -> None:
        """Have `answer` written soon."""
        if not self._answers:
            loop.call_soon(self.flush)
        self._answers.append((transport, answer))

    def flush(self) -> None:
        """Write what waits. To be called before anything else is written or a transport is closed."""
        answers, self._answers = self._answers, []
        for transport, answer in answers:
            if not transport.is_closing():
                transport.write(answer)


class DirectProtocol(GuardedProtocol):
    """One connection whose requests the edge answers directly."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        edge: Edge,
        outbox: Outbox,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop, limits=limits)
        self._outbox = outbox
        self._edge = edge
        self._turn: Exchange | None = None  # whose answer is being made, or whose request is being received
        self._waiting: deque[Exchange] = cast("deque[Exchange]", self.pipeline)
        self._idle_since = 0.0
        self._resting: asyncio.TimerHandle | None = None
        self._source, self._secure = "", False
        self._tls: Tls | None = None

    # -- The connection ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._source = self.client[0] if self.client else ""
        self._secure = self.scheme == "https"
        if self._secure:
            self._tls = tls_of(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._waiting.clear()
        if self._resting:
            self._resting.cancel()

    def shutdown(self) -> None:
        self._outbox.flush()
        super().shutdown()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._go_on()

    # -- The parser's findings --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._begin_head()

    def _begin_exchange(self) -> None:
        parser = self.parser
        lasts = parser.get_http_version() != "1.0" and parser.should_keep_alive() and not parser.should_upgrade()
        exchange = Exchange(self, keep_alive=lasts)
        self.cycle = cast(Any, exchange)
        try:
            exchange.body = self._edge.body(self._declared, waits=self.expect_100_continue)
        except BodyTooLarge:
            exchange.too_large = True
        if self._turn is None and not self._waiting and not self.flow.write_paused:
            self._turn = exchange
            if exchange.too_large or self.expect_100_continue:  # else there is nothing to do before the body
                self._take(exchange)
        else:
            self.flow.pause_reading()
            self._waiting.appendleft(exchange)

    def on_body(self, body: bytes) -> None:
        exchange: Exchange = cast(Any, self.cycle)
        if self._refusal or exchange.body is None or exchange.response_complete or exchange.too_large:
            return
        try:
            exchange.body.add(body)
        except BodyTooLarge:
            exchange.too_large = True
            if exchange is self._turn:
                self._take(exchange)

    def on_message_complete(self) -> None:
        if self._refusal:
            return
        self._stage = Stage.NOTHING
        exchange: Exchange = cast(Any, self.cycle)
        if exchange.response_complete:
            return
        exchange.received = True
        if exchange is self._turn:
            self._take(exchange)

    # -- Answers ----------------------------------------------------------------------------------------

    def _take(self, exchange: Exchange) -> None:
        """Answer an exchange whose turn it is, as far as its request has arrived."""
        if exchange.too_large:
            self._send(exchange, self._edge.too_large(self._request(exchange, b"")))
            return
        assert exchange.body is not None
        if not exchange.received:
            if exchange.body.waits:
                exchange.body.waits = False
                self._outbox.flush()
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        try:
            body = exchange.body.whole()
        except BodyTooLarge:
            self._send(exchange, self._edge.too_large(self._request(exchange, b"")))
            return
        answer = self._edge.begin(self._request(exchange, body))
        if isinstance(answer, Response):
            self._send(exchange, answer)
            return
        task = self.loop.create_task(self._when_done(exchange, answer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _when_done(self, exchange: Exchange, work: Future[Response]) -> None:
        try:
            answer = await asyncio.wrap_future(work)
        except Exception as error:
            answer = failure(error)
        self._send(exchange, answer)

    def _request(self, exchange: Exchange, body: bytes) -> Request:
        url = exchange.url
        if url[:1] != b"/":  # absolute form (RFC 9112, 3.2.2)
            parsed = httptools.parse_url(url)
            url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        path, _, query = url.decode("ascii").partition("?")
        return self._edge.request(
            exchange.method,
            (path, query),
            exchange.headers,
            body,
            self._source,
            secure=self._secure,
            tls=self._tls,
        )

    def _send(self, exchange: Exchange, response: Response) -> None:
        self._turn = None
        exchange.response_complete = True
        if exchange.disconnected or self.transport.is_closing():
            return
        try:
            told = head_of(response)
        except ValueError as error:
            response = failure(error)
            told = head_of(response)
        if ("connection", "close") in response.headers:
            exchange.keep_alive = False
        elif not exchange.keep_alive:
            told += b"connection: close\r\n"
        body = b"" if exchange.method == "HEAD" else response.body
        ours = self._outbox.joined(self.server_state.default_headers)
        self._outbox.put(self.loop, self.transport, STATUS_LINE[response.status] + ours + told + b"\r\n" + body)
        self.server_state.total_requests += 1
        if exchange.keep_alive:
            self._go_on()
        else:
            self._end(exchange)

    def _end(self, exchange: Exchange) -> None:
        self._waiting.clear()
        self._outbox.flush()
        if exchange.received:
            self.transport.close()
        else:
            self._deaf = True
            self._linger()

    def _go_on(self) -> None:
        """Take the next exchange, if there is one and the client reads what it is sent."""
        if self._turn is not None or self.flow.write_paused or self.transport.is_closing():
            return
        if self._waiting:
            self._turn = self._waiting.pop()
            if not self._waiting:
                self.flow.resume_reading()
            self._take(self._turn)
        elif self._refusal:
            self._write_refusal()
        else:
            self.flow.resume_reading()
            self._rest()

    def _write_refusal(self) -> None:
        self._outbox.flush()
        super()._write_refusal()

    # -- Idle time --------------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Close the connection unless something comes in time. One timer serves many requests."""
        self._idle_since = self.loop.time()
        if self._resting is None:
            self._resting = self.loop.call_later(self.timeout_keep_alive, self._rested)

    def _rested(self) -> None:
        self._resting = None
        if self._turn is not None or self._stage is not Stage.NOTHING:
            return  # what is in work is followed by `_rest` again, what is received has a time of its own
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._resting = self.loop.call_later(left, self._rested)
        else:
            self.transport.close()


def tls_of(transport: asyncio.Transport) -> Tls | None:
    """How a connection is protected, whose handshake is over; None if it is not."""
    protected = transport.get_extra_info("ssl_object")
    version = protected and protected.version()
    suite = protected and protected.cipher()
    return Tls(version, suite[0]) if version and suite else None


def head_of(response: Response) -> bytes:
    """The header lines of an answer, its length among them. Raises ValueError for what no header may hold."""
    lines = [f"{name}: {value}" for name, value in response.headers]
    told = "".join(lines)
    if not told.isprintable() and _NOT_IN_A_HEADER.search(told):
        raise ValueError("a header of the answer holds a control character")
    lines.append(f"content-length: {len(response.body)}\r\n")
    return "\r\n".join(lines).encode("latin-1")

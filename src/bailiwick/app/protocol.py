"""HTTP/1.1 within limits: uvicorn's httptools protocol, which parses, with a guard around it.

What the guard adds: bounds on the request target, the number of header lines and the size of the head; times
in which head and body must have arrived (in whole, so that a trickle does not help); one framing of the body
or none; no trailers, no upgrades. A refused request is answered in its turn, after those before it on the
connection, and the connection then ends slowly enough for the client to read the answer.

The bound on the body is the edge's, because that refusal is written in the protocol of the service.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

import httptools
import msgspec
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from bailiwick.app.noise import noise
from bailiwick.core import ids
from bailiwick.measure import Tally

log = structlog.get_logger()

_LINGER = 2.0  # seconds in which a refused client may still send, unheard, while it reads the answer
_MAX_PIPELINED = 32


class Limits(msgspec.Struct, frozen=True):
    """The bounds of one request's head and of the time that it may take to arrive."""

    max_url: int
    max_headers: int
    max_header_bytes: int
    header_timeout: float
    body_timeout: float


class Refusal(Enum):
    """Every answer that the guard itself can give: a status, and a text for whoever wrote the client."""

    MALFORMED = 400, "The request is not well-formed HTTP/1.1."
    AMBIGUOUS = 400, "The length of the request body is ambiguous."
    TARGET = 400, "The request target is not acceptable."
    PIPELINED = 400, "Too many requests were sent without waiting for an answer."
    TIMEOUT = 408, "The request did not arrive in time."
    URL_LENGTH = 414, "The request target is too long."
    HEAD_SIZE = 431, "The request has too many headers, or too large ones."


refusals = {refusal: Tally() for refusal in Refusal}
"""How often each was given in this process."""


class Stage(Enum):
    """What is being received."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class GuardedProtocol(HttpToolsProtocol):
    """One connection. The callbacks `on_...` are called by the parser while it is fed."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._stage = Stage.HEAD  # a client that connects and says nothing has the same time
        self._watched = Stage.NOTHING
        self._timer: asyncio.TimerHandle | None = None
        self._heard = False
        self._refusal: Refusal | None = None
        self._deaf = False  # nothing that still arrives is read
        self._head_bytes = 0
        self._arrived = 0  # bytes that the parser is being fed
        self._declared = 0  # bytes of the body that is to come

    # -- Bytes ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._deaf = True
        self._unset_keepalive_if_required()
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._heard, self._arrived = True, len(data)
        self._unset_keepalive_if_required()
        unfinished = self._stage is Stage.HEAD
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request was read and is answered as HTTP/1.1 (RFC 9110, 7.8); what follows is not HTTP to us.
            self._deaf = True
            if self._refusal is None:
                self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(Refusal.MALFORMED)
        # The parser keeps an unfinished header to itself, so its bytes are counted here.
        if unfinished and self._stage is Stage.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.max_header_bytes:
                self._refuse(Refusal.HEAD_SIZE)
        if self._refusal:
            self._answer_in_turn()
        else:
            self._watch()

    # -- The parser's findings --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def _begin_head(self) -> None:
        self._stage = Stage.HEAD
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > self._limits.max_url:
            self._refuse(Refusal.URL_LENGTH)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._stage is Stage.HEAD:  # a field after the body is a trailer: it never becomes a header
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._refusal is None and (refusal := self._checked_head()):
            self._refuse(refusal)
        if self._refusal is None:
            self._begin_exchange()
            self._stage = Stage.BODY

    def _checked_head(self) -> Refusal | None:
        headers, limits = self.headers, self._limits
        fields = dict(headers)
        length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
        if coding is not None and (length is not None or coding.strip() != b"chunked"):
            return Refusal.AMBIGUOUS  # RFC 9112, 6.1 and 6.3
        if len(fields) < len(headers) and sum(name in _FRAMING for name, _ in headers) > 1:
            return Refusal.AMBIGUOUS
        self._declared = 0 if length is None else int(length)
        if b"expect" in fields:
            self.expect_100_continue = fields[b"expect"].lower() == b"100-continue"
        if len(headers) > limits.max_headers:
            return Refusal.HEAD_SIZE
        # What arrived is no less than the head; only where it is more than a head may be, the head is measured.
        if self._head_bytes + self._arrived > limits.max_header_bytes and self._size() > limits.max_header_bytes:
            return Refusal.HEAD_SIZE
        if not self.url.startswith((b"/", b"http://", b"https://")) or b"#" in self.url or not self.url.isascii():
            return Refusal.TARGET
        return Refusal.PIPELINED if len(self.pipeline) >= _MAX_PIPELINED else None

    def _size(self) -> int:
        """Bytes of a head: the target, and each line with what stands between and after its parts."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _begin_exchange(self) -> None:
        """Hand the request on: here to ASGI."""
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refusal:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refusal:
            self._stage = Stage.NOTHING
            super().on_message_complete()

    # -- Time -------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Let the clock run for what is being received. A request that arrives at once needs no timer."""
        if self._stage is self._watched:
            return
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._watched = self._stage
        if self._stage is not Stage.NOTHING:
            head = self._stage is Stage.HEAD
            seconds = self._limits.header_timeout if head else self._limits.body_timeout
            self._timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if not self._heard:
            self.transport.close()
        elif self.flow.read_paused:
            self._watched = Stage.NOTHING  # it is we who did not read: the client gets its time again
            self._watch()
        else:
            self._refuse(Refusal.TIMEOUT)
            self._answer_in_turn()

    # -- Refusal ----------------------------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        if self._refusal is None:
            self._refusal = refusal
            self._deaf = True

    def _answer_in_turn(self) -> None:
        """Write the refusal if no request before this one still waits for its answer."""
        if self._stage is Stage.BODY:  # the refused request is the newest one that was handed on
            if self.pipeline:
                self.pipeline.popleft()
            else:
                self._write_refusal()
        elif self.cycle is None or self.cycle.response_complete:
            self._write_refusal()

    def on_response_complete(self) -> None:
        if self._refusal and not self.pipeline:
            self.server_state.total_requests += 1
            self._write_refusal()
        else:
            super().on_response_complete()

    def _write_refusal(self) -> None:
        if self._refusal is None or self.transport.is_closing():
            return
        if self._stage is Stage.BODY and self.cycle.response_started:
            self.transport.close()
            return
        if self._stage is Stage.BODY:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        refusals[self._refusal].add()
        status, text = self._refusal.value
        request_id = ids.request_id(noise)
        log.info("refused at the edge", reason=self._refusal.name, status=status, request_id=request_id)
        lines = [STATUS_LINE[status]]
        lines += [b"%s: %s\r\n" % header for header in self.server_state.default_headers]
        lines.append(
            b"x-amzn-requestid: %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s\n" % (request_id.encode(), len(text) + 1, text.encode())
        )
        self.transport.write(b"".join(lines))
        self._linger()

    def _linger(self) -> None:
        """End our side, and the connection a little later: closing on unread bytes would lose the answer."""
        if not self.transport.can_write_eof():  # TLS has no half-closed connection
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(_LINGER, self.transport.abort)


_FRAMING = (b"content-length", b"transfer-encoding")

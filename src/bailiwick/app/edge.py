"""The HTTP edge: a Request that arrived is answered by the pipeline, here or by a thread.

What is quick is answered on the event loop, where a change of threads would cost more than the work; the rest
goes to a small pool of threads. The edge knows no service. There are two ways in: the edge is an ASGI
application, and direct.py calls `begin` without ASGI between. `/healthz` and `/readyz` are its own, and so is the
refusal of a body over the limit, which the pipeline writes in the protocol of the service and puts into the audit
trail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import msgspec
import structlog

from bailiwick import api
from bailiwick.app.metrics import Sample
from bailiwick.app.probes import Ready, plain
from bailiwick.app.proxies import Proxies
from bailiwick.app.stages import EVERY, Stages
from bailiwick.core.message import Request, Response, Tls
from bailiwick.measure import Tally
from bailiwick.pipeline import Pipeline, Received
from bailiwick.store.waiting import Leaves, Waits, here, stay_inward
from bailiwick.web.paths import is_page

log = structlog.get_logger()

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

Own = Callable[[Request], Response]
"""A handler of a request that is no AWS call."""

BELOW = "/tokens/"  # the one path whose handler answers for all that lies below it
_XKS = "/kms/xks/v1/"
_OUTWARD = 32  # threads that wait for servers of others, begun as they are needed
_DRAIN_FACTOR = 16  # how many times the limit is read and thrown away so that a client hears the refusal


class BodyTooLarge(Exception):
    """The body is over the limit."""


class ClientGone(Exception):
    """The client went away, or was sent away, before its body was complete."""


class Gate(Protocol):
    """What may have to be waited for before anything is begun: room for its audit record."""

    shut: bool

    def wait(self) -> bool:
        """Wait, in a thread, until it is open; False if that takes too long."""


class _Open:
    shut = False

    def wait(self) -> bool:
        return True


class Edge:
    """The ASGI application of one process."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        max_body: int,
        threads: int = 4,
        own: Mapping[tuple[str, str], Own] | None = None,
        proxies: Proxies | None = None,
        stored: Callable[[], Future[None]] | None = None,
        ready: Ready | None = None,
        stages: Stages | None = None,
        pages: Own | None = None,
        gate: Gate | None = None,
        xks: Own | None = None,
    ) -> None:
        """Take the pipeline and, in `own`, handlers by (method, path) for requests that are no AWS call.

        Of `proxies` it is believed for whom they ask. With `stored`, no answer leaves before what that gives is
        done. `ready` answers for what is behind the edge. Through `stages`, a view of the pipeline that measures,
        goes one request in EVERY. `pages` answers requests for pages, in a thread.
        Behind a `gate` that is shut nothing is begun. `xks` answers other key services, in a thread.
        """
        self._stored = stored
        self._proxies = proxies
        self._pipeline = pipeline
        self._max_body = max_body
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="work", initializer=stay_inward)
        # Of their own, so that servers of others which are slow or gone do not keep calls waiting.
        self._outward = ThreadPoolExecutor(_OUTWARD, thread_name_prefix="outward")
        # Of their own, so that strangers who guess passwords do not keep calls waiting; begun with the first page.
        self._visits = ThreadPoolExecutor(threads, thread_name_prefix="page")
        self._own = own or {}
        self._pages = pages
        self._gate = gate or _Open()
        self._xks = xks
        self.turned_away = Tally()
        self.ready = ready or Ready({})
        self._threads = threads
        self._stages = stages
        self._left = EVERY  # requests until one is measured

    def close(self) -> None:
        """End the threads, once what they do is done."""
        for pool in (self._pool, self._outward, self._visits):
            pool.shutdown()
        self.ready.close()

    def samples(self) -> Iterator[Sample]:
        """The state of the edge, and what was measured."""
        yield Sample("bailiwick_pool_threads", (), self._threads)
        yield Sample("bailiwick_pool_waiting", (), self._pool._work_queue.qsize())
        yield Sample("bailiwick_outward_waiting", (), self._outward._work_queue.qsize())
        if self._stages is not None:
            yield from self._stages.samples()
        yield Sample("bailiwick_audit_turned_away", (), self.turned_away.value)

    def begin(self, request: Request) -> Response | Future[Response]:
        """The answer to a request, or, where it takes longer, the work that a thread has begun on it."""
        try:
            if request.path in ("/healthz", "/readyz") and request.method in ("GET", "HEAD"):
                return plain(200, "ok\n") if request.path == "/healthz" else self.ready()
            own = self._own.get((request.method, request.path))
            if own is None and request.path.startswith(BELOW):
                own = self._own.get((request.method, BELOW))
            if own:
                return self._begun(own, request)
            if self._xks is not None and _XKS in request.path:
                return self._begun(self._gated, self._xks, request)
            if self._pages is not None and is_page(request):
                return self._visits.submit(self._gated, self._pages, request)
            if self._gate.shut:
                return self._begun(self._gated, self._pipeline.handle, request)
            pipeline = self._next()
            received = pipeline.receive(request)
            if received.quick:
                here.hurried = True
                try:
                    answer = pipeline.answer(received)
                    return answer if self._stored is None else _after(self._stored(), answer)
                except Leaves:
                    return self._outward.submit(self._answer, pipeline, received)
                except Waits:
                    pass  # something of it is not in memory
                finally:
                    here.hurried = False
            return self._begun(self._answer, pipeline, received)
        except Exception as error:  # the pipeline answers its own failures: this one is the edge's
            return failure(error)

    def _next(self) -> Pipeline:
        self._left -= 1
        if self._left or self._stages is None:
            return self._pipeline
        self._left = EVERY
        return self._stages

    def _gated(self, answer: Own, request: Request) -> Response:
        if not self._gate.wait():
            return self._turned_away(request)
        return self._kept(answer(request))

    def _turned_away(self, request: Request) -> Response:
        """The refusal of what was not begun, in the form of its service: no record could be made of it."""
        self.turned_away.add()
        received = self._pipeline.receive(request)
        log.error("turned away: the audit trail takes no records", request_id=received.request_id)
        error = api.ServiceUnavailable("The service is unavailable. Please try again shortly.")
        return self._pipeline.refused(error, received)

    def _begun(self, work: Callable[..., Response], *given: Any) -> Future[Response]:
        """Work that a thread has begun; it is begun again in another where it needs somebody else's server."""
        answered: Future[Response] = Future()
        self._pool.submit(self._work, answered, work, given)
        return answered

    def _work(self, answered: Future[Response], work: Callable[..., Response], given: tuple[Any, ...]) -> None:
        if answered.set_running_or_notify_cancel():
            try:
                _settle(answered, work, given)
            except Leaves:
                self._outward.submit(_settle, answered, work, given)

    def _answer(self, pipeline: Pipeline, received: Received) -> Response:
        return self._kept(pipeline.answer(received))

    def _kept(self, answer: Response) -> Response:
        """The answer, once what has to be written before it leaves is."""
        if self._stored is not None:
            self._stored().result()
        return answer

    def too_large(self, request: Request) -> Response:
        """The refusal of a body over the limit, in the form of the service that the head of the request names."""
        try:
            error = api.RequestTooLarge(f"The request body is larger than {self._max_body} bytes.")
            if self._gate.shut:
                answer = self._turned_away(request)
            else:
                received = msgspec.structs.replace(self._pipeline.receive(request), refused=error)
                answer = self._pipeline.answer(received)
        except Exception as error:
            answer = failure(error)
        return Response(answer.status, (*answer.headers, ("connection", "close")), answer.body)

    def body(self, declared: int, *, waits: bool) -> Body:
        """What will receive a body of `declared` bytes. `waits`: its sender does (Expect). Raises BodyTooLarge."""
        return Body(self._max_body, declared, waits=waits)

    def request(
        self,
        method: str,
        target: tuple[str, str],
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        source: str,
        *,
        secure: bool,
        tls: Tls | None = None,
    ) -> Request:
        """The Request with this path and query as sent and these header lines, their names in lower case.

        From a trusted proxy it is the request of whom that one names.
        """
        lines = [(name.decode("latin-1"), value.decode("latin-1").strip(" \t")) for name, value in headers]
        request = Request(method, *target, tuple(lines), body, source, secure, tls)
        if self._proxies is None or not self._proxies.trusts(source):
            return request
        scheme = request.header("x-forwarded-proto") or ("https" if secure else "http")
        client = self._proxies.client(source, request.all("x-forwarded-for"))
        return msgspec.structs.replace(request, source=client, secure=scheme.lower() == "https", tls=None)

    # -- The ASGI way in --------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            answer = self.begin(self._request_of(scope, await self._received(scope["headers"], receive)))
        except BodyTooLarge:
            answer = self.too_large(self._request_of(scope, b""))
        except ClientGone:
            return
        if isinstance(answer, Future):
            try:
                answer = await asyncio.wrap_future(answer)
            except Exception as error:
                answer = failure(error)
        await _write(answer, send)

    async def _received(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        fields = dict(headers)
        waits = fields.get(b"expect", b"").lower() == b"100-continue"
        body, more = self.body(int(fields.get(b"content-length", b"0")), waits=waits), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body.add(message["body"])
            more = message["more_body"]
        return body.whole()

    def _request_of(self, scope: Scope, body: bytes) -> Request:
        target = (scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii"))
        source = scope["client"][0] if scope["client"] else ""
        return self.request(
            scope["method"], target, scope["headers"], body, source, secure=scope["scheme"] == "https"
        )


class Body:
    """A body as it arrives, up to the limit."""

    def __init__(self, limit: int, declared: int, *, waits: bool) -> None:
        """Take what the head says of it, which may be already that it is too large. Raises BodyTooLarge."""
        self.limit = limit
        self.waits = waits
        self._chunks: list[bytes] = []
        self._size = 0
        if declared > limit and (self.waits or declared > limit * _DRAIN_FACTOR):
            raise BodyTooLarge

    def add(self, chunk: bytes) -> None:
        """Take what arrived. Raises BodyTooLarge when it is so much that the rest should not be read at all."""
        self._size += len(chunk)
        if self._size <= self.limit:
            self._chunks.append(chunk)
        elif self._size > self.limit * _DRAIN_FACTOR:
            raise BodyTooLarge
        else:
            self._chunks.clear()

    def whole(self) -> bytes:
        """The body, which is complete. Raises BodyTooLarge."""
        if self._size > self.limit:
            raise BodyTooLarge
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


def _settle(answered: Future[Response], work: Callable[..., Response], given: tuple[Any, ...]) -> None:
    try:
        answered.set_result(work(*given))
    except Leaves:
        raise
    except BaseException as error:
        answered.set_exception(error)


def _after(stored: Future[None], answer: Response) -> Future[Response]:
    """The answer, once that is done."""
    later: Future[Response] = Future()

    def settle(done: Future[None]) -> None:
        error = done.exception()
        if error is None:
            later.set_result(answer)
        else:
            later.set_exception(error)

    stored.add_done_callback(settle)
    return later


def failure(error: BaseException) -> Response:
    """The answer where the edge itself failed; what happened is in the log."""
    response = plain(500, "The request processing has failed because of an unknown error.\n")
    log.error("the edge failed", request_id=response.headers[0][1], exc_info=error)
    return response


async def _write(response: Response, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": False})

"""The HTTP edge as an ASGI application: a scope becomes a Request, the pipeline's Response becomes bytes.

What is quick is answered on the event loop, where a change of threads would cost more than the work; the rest
goes to a small pool of threads. The edge knows no service. `/healthz` is its own, and so is the refusal of
a body over the limit, which the pipeline writes in the protocol of the service and puts into the audit trail.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import structlog

from bailiwick import api
from bailiwick.app.proxies import Proxies
from bailiwick.core import ids
from bailiwick.core.message import Header, Request, Response
from bailiwick.pipeline import Pipeline

log = structlog.get_logger()

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_DRAIN_FACTOR = 16  # how many times the limit is read and thrown away so that a client hears the refusal


class BodyTooLarge(Exception):
    """The body is over the limit."""


class ClientGone(Exception):
    """The client went away, or was sent away, before its body was complete."""


class Edge:
    """The ASGI application of one process."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        max_body: int,
        threads: int = 4,
        own: Mapping[tuple[str, str], Callable[[Request], Response]] | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """Take the pipeline and, in `own`, handlers by (method, path) for requests that are no AWS call.

        Of `proxies` it is believed for whom they ask.
        """
        self._proxies = proxies
        self._pipeline = pipeline
        self._max_body = max_body
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._own = own or {}

    def close(self) -> None:
        """End the threads, once what they do is done."""
        self._pool.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["raw_path"] == b"/healthz" and scope["method"] in ("GET", "HEAD"):
            await _write(_plain(200, "ok\n"), send)
            return
        try:
            response = await self._answer(scope, receive)
        except ClientGone:
            return
        except Exception as error:  # the pipeline answers its own failures: this one is the edge's
            response = _plain(500, "The request processing has failed because of an unknown error.\n")
            log.error("the edge failed", request_id=response.headers[0][1], exc_info=error)
        await _write(response, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        try:
            request = request_of(scope, await self._body(scope["headers"], receive), self._proxies)
        except BodyTooLarge:
            return self._too_large(request_of(scope, b"", self._proxies))
        loop = asyncio.get_running_loop()
        own = self._own.get((request.method, request.path))
        if own:
            return await loop.run_in_executor(self._pool, own, request)
        received = self._pipeline.receive(request)
        if received.quick:
            return self._pipeline.answer(received)
        return await loop.run_in_executor(self._pool, self._pipeline.answer, received)

    async def _body(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """The whole body. Raises BodyTooLarge, if it can after reading what the client has to send."""
        declared, waits = 0, False
        for name, value in headers:
            if name == b"content-length":
                declared = int(value)
            elif name == b"expect":
                waits = value.lower() == b"100-continue"
        if declared > self._max_body and (waits or declared > self._max_body * _DRAIN_FACTOR):
            raise BodyTooLarge
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            size += len(message["body"])
            more = message["more_body"]
            if size <= self._max_body:
                chunks.append(message["body"])
            elif size > self._max_body * _DRAIN_FACTOR:
                raise BodyTooLarge
            else:
                chunks.clear()
        if size > self._max_body:
            raise BodyTooLarge
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self, request: Request) -> Response:
        """The refusal, in the form of the service that the head of the request names."""
        error = api.RequestTooLarge(f"The request body is larger than {self._max_body} bytes.")
        received = msgspec.structs.replace(self._pipeline.receive(request), refused=error)
        answer = self._pipeline.answer(received)
        return Response(answer.status, (*answer.headers, ("connection", "close")), answer.body)


def request_of(scope: Scope, body: bytes, proxies: Proxies | None = None) -> Request:
    """The Request in an ASGI scope: path and query as sent, header values without outer blanks.

    From one of `proxies` it is the request of whom that one names.
    """
    client = scope["client"]
    request = Request(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"].decode("ascii"),
        headers=tuple(
            Header(name.decode("latin-1"), value.decode("latin-1").strip(" \t")) for name, value in scope["headers"]
        ),
        body=body,
        source=client[0] if client else "",
        secure=scope["scheme"] == "https",
    )
    if proxies is None or not proxies.trusts(request.source):
        return request
    return msgspec.structs.replace(
        request,
        source=proxies.client(request.source, request.all("x-forwarded-for")),
        secure=(request.header("x-forwarded-proto") or scope["scheme"]).lower() == "https",
    )


async def _write(response: Response, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": False})


def _plain(status: int, text: str) -> Response:
    request_id = ids.request_id(os.urandom)
    headers = (("x-amzn-requestid", request_id), ("content-type", "text/plain; charset=utf-8"))
    return Response(status, headers, text.encode())

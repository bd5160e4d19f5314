"""An ASGI middleware that lets only signed requests through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from bailiwick.core.errors import SignatureError
from bailiwick.sigv4 import refusal
from bailiwick.sigv4.verifier import Verifier

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ASGIMiddleware:
    """Wraps an ASGI application. What it lets through carries a `Signer` in `scope["state"]["signer"]`.

    The body is read whole before the application sees any of it, for its hash is part of the signature. WebSockets
    are refused; lifespan events pass.
    """

    def __init__(self, app: App, verifier: Verifier, *, max_body: int = 1 << 20) -> None:
        """Take the application, the verifier, and the most bytes that a body may have."""
        self._app = app
        self._verifier = verifier
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of the server."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._body(receive)
        if body is None:
            await _refuse(send, refusal.TOO_LARGE, *refusal.too_large(self._max_body))
            return
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope.get("query_string", b"")
        target = path.decode("latin-1") + ("?" + query.decode("latin-1") if query else "")
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        try:
            signer = self._verifier.verify(scope["method"], target, lines, body)
        except SignatureError as error:
            await _refuse(send, refusal.STATUS, *refusal.headers_and_body(error))
            return
        scope.setdefault("state", {})["signer"] = signer
        await self._app(scope, _replaying(signer.body, receive), send)

    async def _body(self, receive: Receive) -> bytes | None:
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            more = message.get("more_body", False)
            if size > self._max_body:
                return None
        return b"".join(chunks)


def _replaying(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})

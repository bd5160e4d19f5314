"""A WSGI middleware that lets only signed requests through."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from bailiwick.core.errors import SignatureError
from bailiwick.sigv4 import refusal
from bailiwick.sigv4.verifier import Verifier

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

_PHRASES = {refusal.STATUS: "Forbidden", refusal.TOO_LARGE: "Content Too Large"}


class WSGIMiddleware:
    """Wraps a WSGI application. What it lets through carries a `Signer` in `environ["bailiwick.signer"]`.

    WSGI decodes the path before it hands it over. The target as it was sent is taken from `REQUEST_URI` or
    `RAW_URI`, which most servers set; without either the path is encoded again, which is not always what the client
    signed.
    """

    def __init__(self, app: App, verifier: Verifier, *, max_body: int = 1 << 20) -> None:
        """Take the application, the verifier, and the most bytes that a body may have."""
        self._app = app
        self._verifier = verifier
        self._max_body = max_body

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        length = environ.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdecimal()) or int(length) > self._max_body:
            return _refuse(start_response, refusal.TOO_LARGE, *refusal.too_large(self._max_body))
        body = environ["wsgi.input"].read(int(length))
        try:
            signer = self._verifier.verify(environ["REQUEST_METHOD"], _target(environ), _headers(environ), body)
        except SignatureError as error:
            return _refuse(start_response, refusal.STATUS, *refusal.headers_and_body(error))
        passed = {
            **environ,
            "bailiwick.signer": signer,
            "wsgi.input": io.BytesIO(signer.body),
            "CONTENT_LENGTH": str(len(signer.body)),
        }
        return self._app(passed, start_response)


def _target(environ: Environ) -> str:
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if raw and raw.startswith("/"):
        return str(raw)
    path = quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"), safe="/-_.~")
    query = environ.get("QUERY_STRING", "")
    return path + (f"?{query}" if query else "")


def _headers(environ: Environ) -> list[tuple[str, str]]:
    """The header lines, as far as WSGI keeps them apart: lines of one name arrive joined with commas."""
    found = [
        (name[5:].replace("_", "-").lower(), str(value))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    found += [
        (name.replace("_", "-").lower(), str(environ[name]))
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        if environ.get(name)
    ]
    return found


def _refuse(
    start_response: StartResponse, status: int, headers: list[tuple[str, str]], body: bytes
) -> Iterable[bytes]:
    start_response(f"{status} {_PHRASES[status]}", headers)
    return [body]

"""Signing requests that another library will send."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import sign as core
from bailiwick.core.sigv4.rules import STRICT, Rules
from bailiwick.sigv4.verifier import Credentials

_DEFAULT_PORTS = {"http": 80, "https": 443}


def sign(
    method: str,
    url: str,
    credentials: Credentials,
    *,
    region: str,
    service: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    now: float | None = None,
    rules: Rules = STRICT,
    region_set: str | None = None,
) -> dict[str, str]:
    """The headers to send a request with: those given, and Host, X-Amz-Date, X-Amz-Security-Token, Authorization.

    `url` is percent-encoded, as it will be sent. `now` is epoch seconds; None is the present. With `region_set`,
    such as `*`, the request is signed with SigV4A.
    """
    signed = core.sign(
        _request(method, url, headers, body),
        access_key_id=credentials.access_key_id,
        secret=credentials.secret_access_key,
        token=credentials.session_token,
        region=region,
        service=service,
        now=time.time() if now is None else now,
        rules=rules,
        region_set=region_set,
    )
    return dict(signed.headers)


def presign(
    method: str,
    url: str,
    credentials: Credentials,
    *,
    region: str,
    service: str,
    expires: int = 3600,
    headers: Mapping[str, str] | None = None,
    now: float | None = None,
    rules: Rules = STRICT,
    region_set: str | None = None,
) -> str:
    """The URL with its signature in the query string. Whoever sends it must send the same `headers`."""
    signed = core.presign(
        _request(method, url, headers, b""),
        access_key_id=credentials.access_key_id,
        secret=credentials.secret_access_key,
        token=credentials.session_token,
        region=region,
        service=service,
        now=time.time() if now is None else now,
        expires=expires,
        rules=rules,
        region_set=region_set,
    )
    return url.partition("?")[0] + "?" + signed.query


def _request(method: str, url: str, headers: Mapping[str, str] | None, body: bytes) -> Request:
    parts = urlsplit(url)
    lines = [Header(name.lower(), value) for name, value in (headers or {}).items()]
    if not any(name == "host" for name, _ in lines):
        has_port = parts.port is not None and parts.port != _DEFAULT_PORTS.get(parts.scheme)
        host = (parts.hostname or "") if ":" not in (parts.hostname or "") else f"[{parts.hostname}]"
        lines.insert(0, Header("host", f"{host}:{parts.port}" if has_port else host))
    return Request(method.upper(), parts.path or "/", parts.query, tuple(lines), body)

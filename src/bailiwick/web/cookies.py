"""Cookies, read narrowly and written strictly. Source: RFC 6265bis sections 4.1, 5.6; `__Host-` needs TLS."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bailiwick.core.message import Header, Request
from bailiwick.web.guard import is_loopback

_VALUE = re.compile(r"[A-Za-z0-9_.~=+/-]*", re.ASCII)
_MOST = 100  # cookies of one request that are looked at


def name_of(request: Request, name: str) -> str:
    """The name under which a cookie of ours is kept: bound to this host alone where the connection has TLS."""
    return f"__Host-bailiwick-{name}" if request.secure else f"bailiwick-{name}"


def read(request: Request, name: str) -> str | None:
    """The value of a cookie of ours; None if it is not there, or there twice, or nothing that we could have set."""
    wanted, found = name_of(request, name), []
    for line in request.all("cookie"):
        for pair in line.split(";", _MOST)[:_MOST]:
            key, is_pair, value = pair.strip(" \t").partition("=")
            if key == wanted and is_pair:
                found.append(value)
    if len(found) != 1 or _VALUE.fullmatch(found[0]) is None:
        return None
    return found[0] or None


def write(request: Request, name: str, value: str, *, seconds: int | None = None) -> Header:
    """The header that sets a cookie, for the browser's session or for so many seconds (0 takes it away)."""
    assert _VALUE.fullmatch(value), "a cookie of ours is of plain letters"
    parts = [f"{name_of(request, name)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    if request.secure:
        parts.append("Secure")
    return Header("set-cookie", "; ".join(parts))


def may_be_kept(request: Request) -> bool:
    """Whether cookies are safe here: over TLS, or where the browser talks to its own machine."""
    try:
        host = urlsplit(f"//{request.header('host') or ''}").hostname or ""
    except ValueError:
        return request.secure
    return request.secure or is_loopback(host)

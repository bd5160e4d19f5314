"""What keeps a page from being misused: headers, forged forms, addresses that lead elsewhere.

Sources: CSP level 3; the Fetch standard on `Origin`; OWASP's cheat sheets on request forgery and redirects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from bailiwick.core.loopback import is_here
from bailiwick.core.message import Header, Request
from bailiwick.core.seal import KeyRing

TOKEN_FIELD = "form_token"  # noqa: S105  # the name of a field
_LONGEST_PATH = 2048
_OWN = re.compile(r"/(?![/\\])[!-~]*", re.ASCII)  # printable ASCII, and no second slash that would begin a host

_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def headers(request: Request, *, form_action: Iterable[str] = (), cached: bool = False) -> tuple[Header, ...]:
    """The headers of every answer. `form_action` are further origins that a form's answer may lead to."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {' '.join((chr(39) + 'self' + chr(39), *form_action))}"
    )
    found = [
        Header("content-security-policy", policy),
        Header("x-frame-options", "DENY"),
        Header("x-content-type-options", "nosniff"),
        Header("referrer-policy", "same-origin"),
        Header("permissions-policy", _PERMISSIONS),
        Header("cross-origin-opener-policy", "same-origin"),
        Header("cross-origin-resource-policy", "same-origin"),
        Header("cache-control", "public, max-age=31536000, immutable" if cached else "no-store"),
    ]
    if request.secure:
        found.append(Header("strict-transport-security", "max-age=31536000"))
    return tuple(found)


def own_path(text: str | None, default: str = "/console") -> str:
    """The path and query of a page of ours that somebody names; `default` for anything that could be elsewhere."""
    if not text or len(text) > _LONGEST_PATH or _OWN.fullmatch(text) is None:
        return default
    parts = urlsplit(text)
    return default if parts.scheme or parts.netloc else text


def comes_from_here(request: Request, public_url: str) -> bool:
    """Whether the browser says that a page of ours sent this form. One that says nothing did not."""
    said = request.header("origin") or request.header("referer")
    if said is None:
        return False
    try:
        origin = urlsplit(said)
    except ValueError:
        return False
    if not origin.netloc:
        return False  # `null`, among others
    public = urlsplit(public_url)
    scheme = "https" if request.secure else "http"
    here = {(scheme, (request.header("host") or "").lower()), (public.scheme, public.netloc.lower())}
    return (origin.scheme, origin.netloc.lower()) in here


def form_token(ring: KeyRing, secret: str) -> str:
    """The token in the forms of a session, or of a browser without one: known to whoever was shown the form."""
    return ring.mac("form-token", secret.encode()).hex()


def is_token(ring: KeyRing, secret: str, token: str) -> bool:
    """Whether this is that token."""
    try:
        return ring.verifies("form-token", secret.encode(), bytes.fromhex(token))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host's name is of the machine itself."""
    return host.endswith(".localhost") or is_here(host)

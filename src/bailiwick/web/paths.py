"""Which requests are for pages. All others are calls of AWS's API, which pay some hundred nanoseconds for this."""

from __future__ import annotations

from bailiwick.core.message import Request

BELOW = ("/console/", "/signin/", "/static/", "/saml/")
"""What lies below these is a page."""

EXACT = frozenset(
    (
        *("/console", "/signin", "/federation", "/saml", "/oauth", "/switchrole", "/favicon.ico", "/robots.txt"),
        *("/v1/authorize", "/v1/sessions/confirmation", "/authorize", "/device", "/start"),
    )
)
"""And these are."""


def is_page(request: Request) -> bool:
    """Whether a page answers this request: a browser at the front door, or anyone unsigned at a page's address."""
    path = request.path
    if path == "/":
        return (
            request.method in ("GET", "HEAD")
            and not request.query
            and "text/html" in (request.header("accept") or "")
            and request.header("authorization") is None
        )
    return (path in EXACT or path.startswith(BELOW)) and request.header("authorization") is None

"""The sign-in pages, all of them: each file of this room has its own."""

from __future__ import annotations

from bailiwick.core.message import Response
from bailiwick.services.signin import (
    center,
    choosing,
    company,
    credentials,
    factors,
    federation,
    oidc,
    passwords,
    programs,
    saml,
    sessions,
)
from bailiwick.web import cookies
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()
for each in (
    passwords,
    factors,
    company,
    choosing,
    saml,
    oidc,
    federation,
    sessions,
    credentials,
    programs,
    center,
):
    pages.include(each.pages)

_A_YEAR = 365 * 24 * 3600


@pages.post("/signin/theme", open=True)
def theme(visit: Visit) -> Response:
    """Keep the colors that a browser has chosen."""
    chosen = visit.form.get("theme", "")
    known = chosen if chosen in ("light", "dark") else ""
    visit.extra.append(cookies.write(visit.request, "theme", known, seconds=_A_YEAR if known else 0))
    return visit.redirect(visit.form.get("back", "/console"))


@pages.get("/robots.txt", open=True)
def robots(visit: Visit) -> Response:
    """Nothing here is for search engines."""
    return visit.answer(200, "text/plain; charset=utf-8", b"User-agent: *\nDisallow: /\n")

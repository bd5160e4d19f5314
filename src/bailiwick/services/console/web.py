"""The console's pages."""

from __future__ import annotations

from bailiwick.core.message import Response
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()


@pages.get("/console")
def home(visit: Visit) -> Response:
    """Where a person lands who has signed in."""
    identity = visit.call("sts", "GetCallerIdentity")
    return visit.page("console/home.html", identity=identity)

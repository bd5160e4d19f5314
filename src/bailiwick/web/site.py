"""The life of a request for a page, top to bottom: find it, know who asks, refuse what is forged, answer.

It runs in a thread of the edge's pool. Whatever goes wrong becomes a page that says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

from bailiwick import api
from bailiwick.api import ApiError
from bailiwick.core.message import Header, Line, Request, Response
from bailiwick.pipeline import Pipeline
from bailiwick.store import StoreError, Unstorable
from bailiwick.web import cookies, form, guard, templating
from bailiwick.web.browser import Browser
from bailiwick.web.form import BadForm
from bailiwick.web.pages import Page, Pages
from bailiwick.web.static import Static
from bailiwick.web.visit import Visit

log = structlog.get_logger()

HERE = Path(__file__).parent
MOST_BODY = 1 << 20


class Room(NamedTuple):
    """A service's pages, and the folder that its `templates/` and `static/` are in."""

    name: str
    pages: Pages
    folder: Path


class Refused(Exception):
    """A page that says why there is no other one."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.text = text


class Site:
    """The pages of one process."""

    def __init__(self, pipeline: Pipeline, rooms: Sequence[Room], options: Mapping[str, Any] | None = None) -> None:
        """Take what each room is told by the settings, by the room's name."""
        self.pipeline = pipeline
        self.options = options or {}
        self.environment = pipeline.environment
        self.pages = Pages()
        for room in rooms:
            self.pages.include(room.pages)
        self.static, self.templates = _furniture(tuple((room.name, room.folder) for room in rooms))

    def render(self, template: str, **context: Any) -> str:
        """The text of a template."""
        return self.templates.get_template(template).render(**context)

    def __call__(self, request: Request) -> Response:
        """The answer to a request for a page. It never raises."""
        try:
            if request.path.startswith("/static/") and request.method in ("GET", "HEAD"):
                found = self.static.find(request.path)
                if found is not None:
                    kind, body = found
                    return Response(200, (Header("content-type", kind), *guard.headers(request, cached=True)), body)
            return self._answer(request)
        except Exception as error:
            log.error("a page failed", path=request.path, exc_info=error)
            headers = (Header("content-type", "text/plain; charset=utf-8"), *guard.headers(request))
            return Response(500, headers, b"Something went wrong here. It is in the server's log.\n")

    def _answer(self, request: Request) -> Response:
        now = self.environment.now()
        anonymous = msgspec.structs.replace(request, headers=_without_cookies(request))
        try:
            store = self.pipeline.store
            store.refresh()
            browser = Browser(request, store, self.pipeline.directory, now)
            visit = Visit(self, request, browser, now)
        except (StoreError, BadForm) as error:
            visit = Visit(
                self,
                msgspec.structs.replace(anonymous, query=""),
                Browser(anonymous, self.pipeline.store, self.pipeline.directory, now),
                now,
            )
            return self._finish(visit, self._refusal(visit, _told(error)))
        try:
            answer = self._page(visit)
        except Exception as error:
            told = _told(error)
            if told.status >= 500:
                log.error("a page failed", path=request.path, request_id=visit.request_id, exc_info=error)
            answer = self._refusal(visit, told)
        return self._finish(visit, answer)

    def _page(self, visit: Visit) -> Response:
        request = visit.request
        if request.path == "/":
            return visit.redirect("/console")
        method = "GET" if request.method == "HEAD" else request.method
        page, parts, known = self.pages.find(method, request.path)
        if page is None:
            if known:
                raise Refused(405, "This is not how that works", "The page does not take this method.")
            raise Refused(404, "There is no such page", "The address may be mistyped, or what was there is gone.")
        if not cookies.may_be_kept(request):
            raise Refused(
                403,
                "Signing in needs TLS",
                "On the way here others could read your password. Ask for this page with https, "
                "or on the machine of the server itself.",
            )
        if request.method == "POST":
            self._take_form(visit, page)
        if not page.open and visit.browser.present is None:
            return visit.redirect(templating.with_query("/signin", next=visit.here if method == "GET" else None))
        return page.handler(visit, **parts)

    def _take_form(self, visit: Visit, page: Page) -> None:
        """Read a form, unless it is forged: it must come from a page of ours, in this session. Raises Refused."""
        request = visit.request
        if len(request.body) > MOST_BODY:
            raise Refused(413, "That was too much", "The form is larger than what is taken here.")
        visit.form = form.read(request.header("content-type"), request.body)
        if page.foreign:
            return
        secret = visit.browser.present.secret if visit.browser.present else visit.browser.stranger
        token = visit.form.get(guard.TOKEN_FIELD, "")
        if (
            not guard.comes_from_here(request, self.environment.public_url)
            or secret is None
            or not guard.is_token(self.environment.ring, secret, token)
        ):
            raise Refused(
                403,
                "This form is out of date",
                "It was opened in another session, or before you signed in, or by another site. Go back, "
                "load the page anew, and send it again. Nothing was changed.",
            )

    def _refusal(self, visit: Visit, told: Refused) -> Response:
        return visit.page("refused.html", status=told.status, title=told.title, text=told.text)

    def _finish(self, visit: Visit, answer: Response) -> Response:
        ours = guard.headers(visit.request, form_action=visit.form_action)
        given = (Header("x-amzn-requestid", visit.request_id), *visit.browser.headers(), *visit.extra)
        return msgspec.structs.replace(answer, headers=(*answer.headers, *given, *ours))


@cache
def _furniture(rooms: tuple[tuple[str, Path], ...]) -> tuple[Static, Environment]:
    """The files and templates of these rooms; templates are compiled once in a process."""
    static = Static([HERE / "static", *(folder / "static" for _, folder in rooms)])
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        loader=ChoiceLoader(
            [
                FileSystemLoader(HERE / "templates"),
                PrefixLoader({name: FileSystemLoader(folder / "templates") for name, folder in rooms}),
            ]
        ),
    )
    made.globals["static"] = static.url
    made.filters.update(templating.FILTERS)
    # What pages of every room stand in for whoever is signed in: the console's, if there is one.
    made.globals["frame"] = made.select_template([*(f"{name}/page.html" for name, _ in rooms), "base.html"])
    return static, made


def _told(error: Exception) -> Refused:
    """What a page says of an error."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, BadForm):
        return Refused(400, "This form cannot be read", str(error))
    if isinstance(error, Unstorable):
        return Refused(400, "This cannot be read", "It holds a character that no name can have.")
    if isinstance(error, StoreError | api.ServiceUnavailable):
        return Refused(503, "Not now", "The database does not answer. Try again in a moment.")
    if isinstance(error, api.AccessDenied):
        return Refused(403, "You may not do this", str(error))
    if isinstance(error, ApiError) and not isinstance(error, api.InternalFailure):
        missing = "NotFound" in error.code or "NoSuchEntity" in error.code
        title = "This is not there" if missing else "This did not work"
        return Refused(404 if missing else 400, title, str(error))
    return Refused(500, "Something went wrong here", "What happened is in the server's log.")


def _without_cookies(request: Request) -> tuple[Line, ...]:
    return tuple(line for line in request.headers if line[0] != "cookie")

"""A Visit: what a page is given. It asks who is there, acts as that one, and answers."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bailiwick import api
from bailiwick.api import Call, Caller, Environment, Finder, Handler
from bailiwick.core import ids
from bailiwick.core.errors import SealError
from bailiwick.core.message import Header, Request, Response
from bailiwick.outside import People
from bailiwick.pipeline import ANONYMOUS, Pipeline, Received
from bailiwick.web import cookies, guard
from bailiwick.web.browser import NOTICE, Browser
from bailiwick.web.form import Fields
from bailiwick.wire import constraints

if TYPE_CHECKING:
    from bailiwick.web.site import Site

_PURPOSE = "web-notice"
_NOTICE_SECONDS = 60
_LONGEST_NOTICE = 600


class Notice(msgspec.Struct, frozen=True):
    """What the next page says at its top: `kind` is good, bad or info."""

    kind: str
    text: str


class Proven(NamedTuple):
    """A call whose caller has been proven by its input."""

    call: Call
    values: Any


class Visit:
    """One request for a page, and whoever makes it.

    `query` and `form` are its fields. `browser` has the sessions. On pages that are not open, `caller` is there.
    """

    def __init__(self, site: Site, request: Request, browser: Browser, now: float) -> None:
        self.site = site
        self.request = request
        self.browser = browser
        self.now = now
        self.request_id = ids.request_id(site.environment.noise)
        self.query = Fields(request.query)
        self.form = Fields("")
        self.region = site.environment.region
        self.extra: list[Header] = []
        self.form_action: tuple[str, ...] = ()

    @property
    def pipeline(self) -> Pipeline:
        """The way to every operation; pages use `call`."""
        return self.site.pipeline

    @property
    def environment(self) -> Environment:
        """Time, randomness, the key ring."""
        return self.site.environment

    @property
    def caller(self) -> Caller:
        """Who is signed in. For pages that are not open to strangers."""
        present = self.browser.present
        assert present is not None, "only a page that is open meets strangers"
        return present.caller

    # -- Acting -------------------------------------------------------------------------------------------

    def call(self, service: str, operation: str, *, region: str | None = None, **members: Any) -> Any:
        """Do an operation of a service as the signed-in caller; returns its typed output.

        The input's members have AWS's names; those that are None are not sent. The same bounds hold as for a signed
        request. Raises ApiError: AccessDenied, ValidationError, and those of the service.
        """
        return self.call_as(self.caller, service, operation, region=region, **members)

    def call_as(
        self,
        caller: Caller,
        service: str,
        operation: str,
        *,
        region: str | None = None,
        instead: Handler | None = None,
        on: Finder | None = None,
        **members: Any,
    ) -> Any:
        """As `call`, for a caller whom the sign-in pages have just come to know.

        With `instead` that is done in the place of the operation's own handler, once the caller may do the
        operation: for what the pages let people do in a way that the API does not have. `on` finds what that
        acts on, where it is something else.
        """
        route = self.pipeline.route(service, operation)
        if route is None:
            raise api.UnknownOperation(f"{service}:{operation} is not offered by Bailiwick.")
        values = {name: value for name, value in members.items() if value is not None}
        if route.model.input:
            constraints.check(route.model.model, route.model.input, values)
        try:
            typed = msgspec.convert(values, route.input) if route.model.input else None
        except msgspec.ValidationError as error:
            raise api.ValidationError(str(error)) from None
        received = Received(self.request, ids.request_id(self.environment.noise), self.now, None, route)
        call = self.pipeline.call(received, route, caller, typed)
        if not route.is_global:
            call.region = region or self.region
        if instead is not None:
            call.operation = msgspec.structs.replace(
                call.operation, handler=instead, find=on or call.operation.find
            )
        self.pipeline.directory.usage.note(
            caller, route.service.signing_name, route.operation.name, call.region, self.now
        )
        return self.pipeline.invoke(call, typed)

    def proven(self, service: str, operation: str, people: People | None = None, **members: Any) -> Proven:
        """An operation that proves its caller by its input (a token, an assertion, a password): what is proven.

        `people` stands in for the company's directory. Raises ApiError for what proves nothing.
        """
        route = self.pipeline.route(service, operation)
        assert route is not None, "the sign-in pages know what STS has"
        assert route.operation.by is not None, "it proves its caller"
        values = {name: value for name, value in members.items() if value is not None}
        constraints.check(route.model.model, route.model.input, values)
        typed = msgspec.convert(values, route.input)
        received = Received(self.request, ids.request_id(self.environment.noise), self.now, None, route)
        call = self.pipeline.call(received, route, ANONYMOUS, typed)
        if people is not None:
            call.environment = msgspec.structs.replace(call.environment, people=people)
        reading = self.pipeline.store.transaction(write=False)
        call.caller = route.operation.by(msgspec.structs.replace(call, transaction=reading), typed)
        return Proven(call, typed)

    def done(self, proven: Proven) -> Any:
        """The output of such an operation, once its caller is known. Raises ApiError."""
        return self.pipeline.invoke(proven.call, proven.values)

    # -- Answering ----------------------------------------------------------------------------------------

    def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A page from a template of a room (`signin/password.html`), which sees this visit as `visit`."""
        text = self.site.render(template, visit=self, notice=self._notice(), **context)
        return self.answer(status, "text/html; charset=utf-8", text.encode())

    def answer(self, status: int, kind: str, body: bytes, headers: Iterable[Header] = ()) -> Response:
        """Another answer: a file to keep, JSON."""
        return Response(status, (Header("content-type", kind), *headers), body)

    def download(self, name: str, kind: str, body: bytes) -> Response:
        """A file to keep. `name` is of plain letters."""
        return self.answer(200, kind, body, (Header("content-disposition", f'attachment; filename="{name}"'),))

    def redirect(self, path: str, *, good: str = "", bad: str = "", info: str = "") -> Response:
        """See another page of ours (303), which will say one of these at its top."""
        for kind, text in (("good", good), ("bad", bad), ("info", info)):
            if text:
                self._tell(Notice(kind, text[:_LONGEST_NOTICE]))
        return Response(303, (Header("location", guard.own_path(path, "/console")),), b"")

    def leave(self, url: str) -> Response:
        """Go to another site, which whoever calls this has reason to trust."""
        return Response(303, (Header("location", url),), b"")

    def _tell(self, notice: Notice) -> None:
        ring, entropy = self.environment.ring, self.environment.entropy
        sealed = ring.seal(_PURPOSE, msgspec.json.encode(notice), entropy)
        self.extra.append(
            cookies.write(
                self.request, NOTICE, base64.urlsafe_b64encode(sealed).decode("ascii"), seconds=_NOTICE_SECONDS
            )
        )

    def _notice(self) -> Notice | None:
        """What the page before this one wanted to be said, once."""
        told = cookies.read(self.request, NOTICE)
        if told is None:
            return None
        self.extra.append(cookies.write(self.request, NOTICE, "", seconds=0))
        try:
            opened = self.environment.ring.open(_PURPOSE, base64.urlsafe_b64decode(told))
            return msgspec.json.decode(opened, type=Notice)
        except (SealError, ValueError):
            return None

    # -- For templates --------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """Where this page is, as sent."""
        return self.request.path

    @property
    def here(self) -> str:
        """The path and query of this page."""
        return self.request.path + (f"?{self.request.query}" if self.request.query else "")

    @property
    def form_token(self) -> str:
        """The token that every form must carry."""
        secret = self.browser.form_secret(ids_secret(self.environment))
        return guard.form_token(self.environment.ring, secret)

    @property
    def theme(self) -> str:
        """The colors that this browser has chosen: light, dark, or nothing, which leaves it to the system."""
        chosen = cookies.read(self.request, "theme")
        return chosen if chosen in ("light", "dark") else ""


def ids_secret(environment: Environment) -> str:
    """A new secret for a browser without a session."""
    return base64.urlsafe_b64encode(environment.entropy(32)).decode("ascii").rstrip("=")

"""A person with a browser, without a browser: cookies, forms and redirects, answered by the Site of a World.

person = Person(world)
page = person.get("/signin")
page = page.send(email="a@example.org", password="...")     # the form of the page, its hidden fields kept
"""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from bailiwick.app.pages import make
from bailiwick.core.formats import Session, SessionKind
from bailiwick.core.message import Header, Request, Response
from bailiwick.directory import passwords, web_sessions
from bailiwick.directory.web_sessions import Kind, SignedIn
from bailiwick.web.browser import COOKIE
from bailiwick.web.site import Site
from world import World

HOST = "bailiwick.test"


def site_of(world: World) -> Site:
    """The pages of a world, made once, with its `options` if it has any."""
    if not hasattr(world, "site"):
        world.site = make(world.pipeline, getattr(world, "options", None))  # type: ignore[attr-defined]
    return world.site  # type: ignore[attr-defined]


class Page:
    """An answer, and what a person does with it."""

    def __init__(self, person: Person, url: str, response: Response) -> None:
        self.person = person
        self.url = url
        self.response = response
        self.status = response.status
        self.text = response.body.decode("utf-8", "replace")
        self.headers = {name: value for name, value in response.headers if name != "set-cookie"}
        reading = _Forms()
        reading.feed(self.text)
        self.forms = reading.forms
        self.links = reading.links
        self.words = " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<head>.*?</head>", "", self.text)).split())

    @property
    def title(self) -> str:
        """What the tab says, without the house's name."""
        found = re.search(r"<title>(.*?) · Bailiwick</title>", self.text, re.DOTALL)
        return found[1] if found else ""

    def form(self, action: str | None = None) -> dict[str, Any]:
        """The first form that is no choice of colors, or the first one sent to `action`."""
        for form in self.forms:
            if (action is None and form["action"] != "/signin/theme") or form["action"] == action:
                return form
        raise AssertionError(f"no form {action or ''} on {self.url}: {self.words[:400]}")

    def send(self, action: str | None = None, **fields: str) -> Page:
        """Fill in a form and send it."""
        form = self.form(action)
        unknown = set(fields) - set(form["fields"]) - set(form["buttons"])
        assert not unknown, f"the form has no {unknown}"
        target = urljoin(self.url, form["action"] or self.url)
        values = {**form["fields"], **fields}
        if form["method"] == "get":
            return self.person.get(f"{urlsplit(target).path}?{urlencode(values)}")
        return self.person.post(target, values)


class Person:
    """One browser. `agent` and `source` are what the server sees of it."""

    def __init__(self, world: World, *, secure: bool = True, source: str = "192.0.2.10") -> None:
        self.world = world
        self.site = site_of(world)
        self.secure = secure
        self.source = source
        self.host = HOST if secure else "127.0.0.1:4577"
        self.cookies: dict[str, str] = {}

    def get(self, url: str, *, follow: bool = True, **headers: str) -> Page:
        """The page at an address of ours."""
        return self._go("GET", url, b"", headers, follow=follow)

    def post(self, url: str, fields: dict[str, str], *, follow: bool = True, **headers: str) -> Page:
        """What a form of ours with these fields is answered."""
        scheme = "https" if self.secure else "http"
        sent = {"origin": f"{scheme}://{self.host}", "content-type": "application/x-www-form-urlencoded"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self._go("POST", url, urlencode(fields).encode(), sent, follow=follow)

    def sign_in_as(self, user: str | None = None, *, mfa: bool = False) -> SignedIn:
        """Have a session of root, or of a user of the first account, without showing a password."""
        world, now = self.world, self.world.now()
        keys = world.root if user is None else world.keys_of(user)
        caller = world.directory.credential(keys["aws_access_key_id"], None, now).caller
        session = Session(
            SessionKind.SESSION,
            caller.account,
            caller.principal.unique_id,
            "ASIA" + base64.b32encode(world.environment.entropy(10)).decode(),
            "secret",
            int(now),
            int(now) + 12 * 3600,
            mfa=int(now) if mfa else None,
        )
        kind = Kind.ROOT if user is None else Kind.USER
        with world.store.transaction(write=True) as transaction:
            if passwords.find(transaction, session.principal) is None:
                passwords.create(
                    transaction, world.environment, caller.account, session.principal, "A-Password-1", now
                )
            secret, made = web_sessions.begin(transaction, world.environment, session, kind, now)
        found = web_sessions.proven(world.directory, secret, made, now)
        assert found is not None
        name = f"{'__Host-' if self.secure else ''}bailiwick-{COOKIE}"
        self.cookies[name] = ".".join(filter(None, [secret, self.cookies.get(name)]))
        return found

    def _go(self, method: str, url: str, body: bytes, headers: dict[str, str], *, follow: bool) -> Page:
        parts = urlsplit(url)
        request = Request(
            method,
            parts.path,
            parts.query,
            (
                Header("host", self.host),
                Header("user-agent", "Person/1.0"),
                *(
                    [Header("cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items()))]
                    if self.cookies
                    else []
                ),
                *(Header(name.replace("_", "-"), value) for name, value in headers.items()),
            ),
            body,
            self.source,
            self.secure,
        )
        response = self.site(request)
        for name, value in response.headers:
            if name == "set-cookie":
                self._keep(value)
        page = Page(self, url, response)
        if follow and response.status in (302, 303):
            target = page.headers["location"]
            if target.startswith("/"):
                return self.get(target)
        return page

    def _keep(self, line: str) -> None:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        assert "HttpOnly" in attributes
        assert "SameSite=Lax" in attributes
        assert "Path=/" in attributes
        assert ("Secure" in attributes) == self.secure == name.startswith("__Host-")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


class _Forms(HTMLParser):
    """The forms and links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.links: list[str] = []
        self._select: str | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in at:
            self.links.append(at["href"])
        if tag == "form":
            self.forms.append(
                {"action": at.get("action", ""), "method": at.get("method", "get"), "fields": {}, "buttons": {}}
            )
        if not self.forms:
            return
        fields = self.forms[-1]["fields"]
        if tag == "input" and "name" in at:
            if at.get("type") in ("checkbox", "radio"):
                if "checked" in at or at["name"] not in fields:
                    fields[at["name"]] = at.get("value", "on") if "checked" in at else ""
            else:
                fields[at["name"]] = at.get("value", "")
        elif tag == "button" and "name" in at:
            self.forms[-1]["buttons"][at["name"]] = at.get("value", "")
        elif tag == "select":
            self._select = at["name"]
            fields[self._select] = None
        elif tag == "option" and self._select and ("selected" in at or fields[self._select] is None):
            fields[self._select] = at.get("value", "")
        elif tag == "textarea":
            self._area = at["name"]
            fields[self._area] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None and self.forms:
            self.forms[-1]["fields"][self._area] += data

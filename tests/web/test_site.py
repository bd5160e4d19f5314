"""Pages in general: what is a page, who is let in, what is refused, which headers every answer has."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from bailiwick.core.message import Header, Request
from bailiwick.web import cookies, guard
from bailiwick.web.form import BadForm, Fields
from bailiwick.web.pages import Pages
from bailiwick.web.paths import is_page
from person import Person
from world import World


def request(method: str = "GET", path: str = "/", query: str = "", **headers: str) -> Request:
    lines = tuple(Header(name.replace("_", "-"), value) for name, value in headers.items())
    return Request(method, path, query, lines, b"")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (request(accept="text/html,*/*"), True),
        (request(accept="*/*"), False),
        (request(accept="text/html", authorization="AWS4-HMAC-SHA256 ..."), False),
        (request(query="Action=ListUsers", accept="text/html"), False),
        (request("POST", accept="text/html"), False),
        (request(path="/console/iam/users"), True),
        (request(path="/console"), True),
        (request(path="/consoles"), False),
        (request(path="/console/iam", authorization="AWS4-HMAC-SHA256 ..."), False),
        (request(path="/federation"), True),
        (request(path="/federation/credentials"), False),  # of the portal's API
        (request(path="/trustanchors"), False),
    ],
)
def test_what_is_a_page(asked: Request, answer: bool) -> None:
    assert is_page(asked) is answer


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("/console/iam?q=1", "/console/iam?q=1"),
        ("//evil.example", "/console"),
        ("/\\evil.example", "/console"),
        ("https://evil.example", "/console"),
        ("javascript:alert(1)", "/console"),
        ("/a\r\nset-cookie: a", "/console"),
        ("/a b", "/console"),
        ("", "/console"),
        (None, "/console"),
        ("/" + "a" * 3000, "/console"),
    ],
)
def test_addresses_lead_nowhere_else(named: str | None, kept: str) -> None:
    assert guard.own_path(named) == kept


def test_every_answer_has_its_guards(world: World) -> None:
    for page in (Person(world).get("/signin"), Person(world).get("/nowhere"), Person(world).get("/robots.txt")):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "form-action 'self'" in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["strict-transport-security"]


def test_pages_have_no_script_or_style_of_their_own(world: World) -> None:
    person = Person(world)
    person.sign_in_as()
    for path in ("/signin", "/console", "/nowhere"):
        text = person.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick" not in text
        assert "<script>" not in text


def test_static_files_are_kept_by_what_is_in_them(world: World) -> None:
    person = Person(world)
    url = person.site.static.url("bailiwick.css")
    page = person.get(url)
    assert page.status == 200
    assert "immutable" in page.headers["cache-control"]
    assert person.get("/static/000000000000/bailiwick.css").status == 404


def test_the_dark_colors_are_the_same_by_choice_and_by_system(world: World) -> None:
    person = Person(world)
    style = person.get(person.site.static.url("bailiwick.css")).text
    by_system, chosen = re.findall(r":root\S*theme=\S* \{\n(.*?)\}", style, re.DOTALL)
    assert by_system.split() == chosen.split()
    assert "--ground" in chosen


def test_a_stranger_is_led_to_the_door_and_back(world: World) -> None:
    person = Person(world)
    page = person.get("/console?tab=keys", follow=False)
    assert page.status == 303
    assert page.headers["location"] == "/signin?next=%2Fconsole%3Ftab%3Dkeys"
    assert person.get("/", follow=False).headers["location"] == "/console"


def test_who_is_signed_in_is_who_acts(world: World) -> None:
    world.client("iam").create_user(UserName="alice")
    person = Person(world)
    person.sign_in_as("alice")
    page = person.get("/console")
    assert page.status == 200
    assert "user/alice" in page.words
    assert world.events[-1].caller.name == "alice"


def test_without_tls_only_on_the_machine_itself(world: World) -> None:
    assert Person(world, secure=False).get("/signin").status == 200
    person = Person(world, secure=False)
    person.host = "iam.example.org"
    assert person.get("/signin").status == 403
    person.host = "[x"
    assert person.get("/signin").status == 403


def forms() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("no origin", {"origin": ""}),
        ("another site", {"origin": "https://evil.example"}),
        ("null", {"origin": "null"}),
        ("what is no address", {"origin": "http://["}),
        ("another scheme", {"origin": "http://bailiwick.test"}),
        ("another host", {"host": "evil.example"}),
    ]


@pytest.mark.parametrize(("what", "change"), forms(), ids=lambda each: each if isinstance(each, str) else "")
def test_a_form_of_another_site_is_refused(world: World, what: str, change: dict[str, str]) -> None:
    person = Person(world)
    fields = person.get("/signin").form("/signin/theme")["fields"]
    if "host" in change:
        person.host = "other.test"
        change = {"origin": "https://bailiwick.test"}
    page = person.post("/signin/theme", {**fields, "theme": "dark"}, **change)
    assert page.status == 403
    assert "theme" not in "".join(person.cookies)


def test_a_form_without_its_token_is_refused(world: World) -> None:
    person = Person(world)
    fields = person.get("/signin").form("/signin/theme")["fields"]
    assert person.post("/signin/theme", {**fields, "form_token": "0" * 64}).status == 403
    assert person.post("/signin/theme", {"theme": "dark"}).status == 403
    assert Person(world).post("/signin/theme", fields).status == 403  # another browser's token
    assert person.post("/signin/theme", {**fields, "theme": "dark", "back": "/signin"}).status == 200
    assert 'data-theme="dark"' in person.get("/signin").text


def test_a_token_is_of_one_session(world: World) -> None:
    person = Person(world)
    stale = person.get("/signin").form("/signin/theme")["fields"]
    person.sign_in_as()
    assert person.post("/signin/theme", stale).status == 403


def test_a_form_is_read_within_bounds(world: World) -> None:
    person = Person(world)
    fields = person.get("/signin").form("/signin/theme")["fields"]
    assert person.post("/signin/theme", {**fields, "theme": "x" * (1 << 20)}).status == 413
    assert person.post("/signin/theme", fields, content_type="multipart/form-data; boundary=a").status == 400
    with pytest.raises(BadForm):
        Fields("&".join(f"a{i}=1" for i in range(3000)))
    with pytest.raises(BadForm):
        Fields("a=%ff")


def test_a_method_that_a_page_does_not_take(world: World) -> None:
    assert Person(world).post("/signin/robots.txt", {}).status == 404
    assert Person(world).get("/signin/theme").status == 405


def test_cookies_are_read_narrowly() -> None:
    def told(line: str) -> str | None:
        made = request(cookie=line)
        return cookies.read(msgspec.structs.replace(made, secure=True), "session")

    assert told("a=b; __Host-bailiwick-session=abc") == "abc"
    assert told("bailiwick-session=abc") is None  # one that could have been set without TLS
    assert told("__Host-bailiwick-session=a; __Host-bailiwick-session=b") is None
    assert told("__Host-bailiwick-session=a\x01") is None
    assert told("__Host-bailiwick-session=") is None


def test_parts_of_a_path() -> None:
    pages = Pages()
    pages.get("/console/users/{name}")(lambda visit, name: name)
    pages.get("/console/policies/{arn:path}")(lambda visit, arn: arn)
    pages.post("/console/users/{name}")(lambda visit, name: name)
    assert pages.find("GET", "/console/users/a%2Fb")[1] == {"name": "a/b"}
    assert pages.find("GET", "/console/users/a/b")[0] is None
    assert pages.find("GET", "/console/policies/arn:aws:iam::1:policy/x/y")[1] == {
        "arn": "arn:aws:iam::1:policy/x/y"
    }
    assert pages.find("PUT", "/console/users/a") == (None, {}, True)
    with pytest.raises(ValueError, match="twice"):
        pages.include(_with("/console", "/console"))


def _with(*patterns: str) -> Pages:
    pages = Pages()
    for pattern in patterns:
        pages.get(pattern)(lambda visit: visit)
    return pages


def test_a_server_without_visitors_has_no_pages_in_memory() -> None:
    import subprocess
    import sys

    heavy = "{'jinja2', 'fido2', 'bailiwick.web.site', 'bailiwick.services.console.web'}"
    program = f"import sys, bailiwick.app.serve; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_character_that_cannot_be_stored(world: World) -> None:
    assert Person(world).post("/saml/acs/%00", {"SAMLResponse": "x"}).status in (400, 403)
    assert Person(world).get("/switchrole?account=%00", follow=False).status < 500


@pytest.mark.parametrize("path", ["/signin/mfa", "/signin/password", "/signin/roles"])
def test_a_step_of_something_else_is_none(world: World, path: str) -> None:
    """One cookie is for every flow of several pages: who is in the middle of another one is led to the door."""
    person = Person(world)
    person.sign_in_as()
    fields = person.get("/signin/credentials").form("/signin/credentials/app")["fields"]
    assert person.post("/signin/credentials/key", {**fields, "device": "key"}).status == 200
    for answer in (person.get(path, follow=False), person.post(path, fields, follow=False)):
        assert (answer.status, answer.headers["location"]) == (303, "/signin")

"""A crawler: as a stranger it finds only the sign-in pages, as somebody who may only read nothing that it can change."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from person import Page, Person
from world import World

_OWN = ("/signin/", "/switchrole")
"""What everyone may do with her own sessions: no right of IAM is asked for that."""


def crawl(person: Person, start: str, most: int = 300) -> dict[str, Page]:
    """Every page that links lead to, without their queries."""
    found: dict[str, Page] = {}
    waiting = [start]
    while waiting and len(found) < most:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = page = person.get(path)
        for link in page.links:
            target = urlsplit(urljoin(page.url, link))
            if not target.netloc and target.path not in found:
                waiting.append(target.path)
    return found


def test_a_stranger_finds_the_sign_in_pages_alone(world: World) -> None:
    found = crawl(Person(world), "/")
    assert {page.url.partition("?")[0] for page in found.values()} <= {"/signin"}
    for page in found.values():
        assert {form["action"] for form in page.forms} <= {"/signin", "/signin/theme", "/signin/directory"}


def test_every_page_that_is_not_open_sends_a_stranger_to_the_door(world: World) -> None:
    person = Person(world)
    for page in person.site.pages.all():
        if page.open or "{" in page.pattern:
            continue
        answer = person.get(page.pattern, follow=False) if page.method == "GET" else person.post(page.pattern, {})
        assert answer.status in (303, 403), page.pattern


@pytest.mark.parametrize("policy", ["ReadOnlyAccess", "IAMReadOnlyAccess"])
def test_who_may_only_read_changes_nothing(world: World, policy: str) -> None:
    iam = world.client("iam")
    iam.create_user(UserName="reader")
    iam.attach_user_policy(UserName="reader", PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    person = Person(world)
    person.sign_in_as("reader")
    pages = crawl(person, "/console")
    assert "/signin/credentials" in pages
    before = len(world.events)
    for page in pages.values():
        for form in page.forms:
            if form["method"] == "post" and form["action"] not in ("/signin/out", "/signin/sessions/end"):
                _send(person, page, form)
    done = [each for each in world.events[before:] if each.route is not None and each.route.operation.writes]
    names = {each.route.operation.name for each in done if each.error is None and each.route}
    assert names <= {"GenerateCredentialReport"}  # which AWS has among what ReadOnlyAccess may do
    assert any(each.error is not None for each in done), "nothing was even tried"


def _send(person: Person, page: Page, form: dict[str, Any]) -> None:
    filled = {name: value or "x-1" for name, value in form["fields"].items()}
    for button, value in form["buttons"].items() or [("", "")]:
        person.post(urljoin(page.url, form["action"]), {**filled, **({button: value} if button else {})})

"""Sessions of the pages: how long they live, what ends them, several side by side."""

from __future__ import annotations

import time

import pytest

from bailiwick.core.formats import Session, SessionKind
from bailiwick.directory import web_sessions
from person import Person
from still_clock import Clock
from world import ACCOUNT, World


@pytest.fixture
def clock() -> Clock:
    return Clock(now=time.time())


@pytest.fixture
def world(clock: Clock) -> World:  # type: ignore[misc]
    made = World(now=clock)
    made.client("iam").create_user(UserName="alice")
    return made


def is_in(person: Person) -> bool:
    return person.get("/console", follow=False).status == 200


def test_a_session_ends_when_nobody_uses_it(world: World, clock: Clock) -> None:
    person = Person(world)
    person.sign_in_as("alice")
    for _ in range(4):
        clock.now += web_sessions.IDLE - 5
        assert is_in(person)
    clock.now += web_sessions.IDLE
    assert not is_in(person)
    assert not person.cookies.get("__Host-bailiwick-session")


def test_a_session_ends_after_twelve_hours(world: World, clock: Clock) -> None:
    person = Person(world)
    person.sign_in_as("alice")
    for _ in range(23):
        clock.now += 1800
        assert is_in(person)
    clock.now += 1800
    assert not is_in(person)


def test_a_session_of_longer_credentials_ends_after_twelve_hours_too(world: World, clock: Clock) -> None:
    now = int(clock.now)
    session = Session(SessionKind.FEDERATED, ACCOUNT, "AIDAX", "ASIAX", "secret", issued=now, expires=now + 129_600)
    with world.store.transaction(write=True) as transaction:
        begun = web_sessions.begin(transaction, world.environment, session, web_sessions.Kind.FEDERATION, clock.now)
    assert begun[1].expires == clock.now + web_sessions.LONGEST


def test_a_session_ends_with_its_user(world: World) -> None:
    person = Person(world)
    person.sign_in_as("alice")
    assert is_in(person)
    iam = world.client("iam")
    for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    iam.delete_login_profile(UserName="alice")
    assert not is_in(person)
    iam.delete_user(UserName="alice")
    assert not is_in(person)


def test_a_session_ends_with_its_password(world: World, clock: Clock) -> None:
    person = Person(world)
    person.sign_in_as("alice")
    clock.now += 10
    world.client("iam").update_login_profile(UserName="alice", Password="Another-Password-1")
    assert not is_in(person)


def test_a_session_knows_of_mfa(world: World) -> None:
    for mfa in (True, False):
        signed_in = Person(world).sign_in_as("alice", mfa=mfa)
        assert signed_in.caller.context["aws:multifactorauthpresent"] == str(mfa).lower()


def test_five_sessions_side_by_side(world: World) -> None:
    iam = world.client("iam")
    person = Person(world)
    for number in range(6):
        iam.create_user(UserName=f"user{number}")
        person.sign_in_as(f"user{number}")
    page = person.get("/console")
    assert "user/user5" in page.words
    assert len(person.cookies["__Host-bailiwick-session"].split(".")) <= 6


def test_a_secret_that_is_nobodys(world: World) -> None:
    person = Person(world)
    person.cookies["__Host-bailiwick-session"] = "A" * 43
    assert not is_in(person)
    assert "__Host-bailiwick-session" not in person.cookies


def test_what_is_over_is_swept_away(world: World, clock: Clock) -> None:
    person = Person(world)
    made = person.sign_in_as("alice")
    clock.now += web_sessions.IDLE
    with world.store.transaction(write=True) as transaction:
        web_sessions.sweep(transaction, world.environment, clock.now)
        assert web_sessions._row(transaction, made.session.id) is None

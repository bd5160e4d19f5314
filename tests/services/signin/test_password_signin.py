"""Signing in with a password: users and root, what a stranger learns, what is slowed down, what must be changed."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from bailiwick.app.noise import noise
from bailiwick.app.record import record_of
from bailiwick.core import totp
from bailiwick.directory import accounts, passwords, tables
from bailiwick.services.signin.passwords import LOCKED, TOO_OFTEN, WRONG
from bailiwick.web.events import DoorEvent
from moving_clock import Clock
from person import Page, Person
from world import ACCOUNT, World

PASSWORD, OTHER = "Correct-Horse-1", "Another-Horse-2"
WRONG_IN_HTML = WRONG


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:  # type: ignore[misc]
    made = World(now=clock)
    iam = made.client("iam")
    iam.create_user(UserName="alice")
    iam.create_login_profile(UserName="alice", Password=PASSWORD)
    iam.create_account_alias(AccountAlias="example-corp")
    return made


def enter(
    person: Person, name: str = "alice", password: str = PASSWORD, account: str = ACCOUNT, next: str = ""
) -> Page:
    page = person.get("/signin" + (f"?next={next}" if next else ""))
    return page.send("/signin", account=account, name=name, password=password)


def records(world: World, name: str = "ConsoleLogin") -> list[dict[str, Any]]:
    events = [each for each in world.events if isinstance(each, DoorEvent) and each.name == name]
    return [msgspec.json.decode(record_of(each, noise)) for each in events]


@pytest.mark.parametrize("account", [ACCOUNT, "1234-5678-9012", "example-corp", "Example-Corp", f" {ACCOUNT} "])
def test_a_user_signs_in(world: World, account: str) -> None:
    page = enter(Person(world), account=account)
    assert page.url == "/console"
    assert "user/alice" in page.words


def test_she_comes_to_where_she_wanted_to_go(world: World) -> None:
    person = Person(world)
    page = person.get("/signin/sessions").send("/signin", account=ACCOUNT, name="ALICE", password=PASSWORD)
    assert page.url == "/signin/sessions"


def test_root_signs_in_by_e_mail(world: World) -> None:
    with world.store.transaction(write=True) as transaction:
        transaction.run(tables.account.update().values(email="Root@Example.org"))
        passwords.create(transaction, world.environment, ACCOUNT, ACCOUNT, PASSWORD, world.now())
    page = Person(world).get("/signin?kind=root").send("/signin", email="root@example.org", password=PASSWORD)
    assert page.url == "/console"
    assert f"arn:aws:iam::{ACCOUNT}:root" in page.words
    record = records(world)[-1]
    assert record["userIdentity"]["type"] == "Root"


def test_an_account_without_an_e_mail_has_no_root_to_sign_in(world: World) -> None:
    page = Person(world).get("/signin?kind=root").send("/signin", email="", password=PASSWORD)
    assert page.status == 401


def test_a_sign_in_is_written_down(world: World) -> None:
    enter(Person(world))
    (record,) = records(world)
    assert record["eventSource"] == "signin.amazonaws.com"
    assert record["eventType"] == "AwsConsoleSignIn"
    assert record["responseElements"] == {"ConsoleLogin": "Success"}
    assert record["additionalEventData"]["MFAUsed"] == "No"
    assert record["userIdentity"]["userName"] == "alice"
    assert record["recipientAccountId"] == ACCOUNT
    assert PASSWORD not in str(record)


@pytest.mark.parametrize(
    ("name", "account", "shown"),
    [("alice", ACCOUNT, "alice"), ("nobody", ACCOUNT, "HIDDEN_DUE_TO_SECURITY_REASONS"), ("alice", "1" * 12, None)],
)
def test_a_failure_is_written_down(world: World, name: str, account: str, shown: str | None) -> None:
    enter(Person(world), name=name, account=account, password="wrong")
    (record,) = records(world)
    assert record["errorMessage"] == "Failed authentication"
    assert record["responseElements"] == {"ConsoleLogin": "Failure"}
    if shown:
        assert record["userIdentity"]["userName"] == shown


def test_a_stranger_learns_no_name(world: World) -> None:
    """The same text whether the account, the user, her password are there or not."""
    world.client("iam").create_user(UserName="no-password")
    seen = set()
    for name, account in (("alice", ACCOUNT), ("nobody", ACCOUNT), ("no-password", ACCOUNT), ("alice", "9" * 12)):
        page = enter(Person(world, source=f"198.51.100.{len(seen)}"), name, "wrong", account)
        text = page.text.replace(name, "NAME").replace(account, "ACCOUNT")
        token = page.form("/signin")["fields"]["form_token"]
        seen.add((page.status, text.replace(token, "TOKEN")))
    assert len(seen) == 1


def test_each_guess_costs_the_same_hash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    inner = passwords._matches
    monkeypatch.setattr(passwords, "_matches", lambda made, given: counted.append(made) or inner(made, given))
    for name in ("alice", "nobody"):
        enter(Person(world), name=name, password="wrong")
    assert len(counted) == 2
    assert counted[0].rpartition("$")[0].rpartition("$")[0] == counted[1].rpartition("$")[0].rpartition("$")[0]


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_guesses_are_slowed_down(world: World, clock: Clock, name: str) -> None:
    answers = [enter(Person(world, source=f"192.0.2.{n}"), name, f"guess {n}").status for n in range(12)]
    assert answers == [401] * 10 + [429] * 2
    page = enter(Person(world), name, PASSWORD)
    assert page.status == 429
    assert TOO_OFTEN in page.words
    clock.ahead += 3600
    assert enter(Person(world), name, PASSWORD).status == (200 if name == "alice" else 401)


def test_guesses_from_one_address_are_slowed_down(world: World) -> None:
    with world.store.transaction(write=True):
        for _ in range(50):
            world.environment.attempts.failed("signin:address:203.0.113.9", world.now(), 50)
    assert enter(Person(world, source="203.0.113.9"), "someone", "x").status == 429
    assert enter(Person(world, source="203.0.113.10"), "someone", "x").status == 401


def test_the_owner_gets_in_from_her_browser(world: World) -> None:
    owner = Person(world)
    assert enter(owner).status == 200
    owner.get("/console").send("/signin/out")
    for n in range(12):
        enter(Person(world, source=f"192.0.2.{n}"), "alice", "guess")
    assert enter(Person(world), "alice").status == 429
    assert enter(owner).url == "/console"


def test_a_known_browser_is_slowed_down_for_itself(world: World) -> None:
    owner = Person(world)
    enter(owner)
    owner.get("/console").send("/signin/out")
    answers = [enter(owner, "alice", "guess").status for _ in range(12)]
    assert answers == [401] * 10 + [429] * 2


def test_a_new_session_has_a_new_secret(world: World) -> None:
    person = Person(world)
    person.cookies["__Host-bailiwick-session"] = "A" * 43
    enter(person)
    assert person.cookies["__Host-bailiwick-session"] != "A" * 43


def test_the_same_person_has_one_session_in_a_browser(world: World) -> None:
    person = Person(world)
    enter(person)
    first = person.cookies["__Host-bailiwick-session"]
    person.get("/signin?add=1").send("/signin", account=ACCOUNT, name="alice", password=PASSWORD)
    assert "." not in person.cookies["__Host-bailiwick-session"]
    stale = Person(world)
    stale.cookies["__Host-bailiwick-session"] = first
    assert stale.get("/console", follow=False).status == 303


# -- Passwords that must be changed -----------------------------------------------------------------------------


def must_change(world: World) -> Page:
    world.client("iam").update_login_profile(UserName="alice", PasswordResetRequired=True)
    world.client("iam").update_account_password_policy(AllowUsersToChangePassword=True, PasswordReusePrevention=2)
    page = enter(Person(world))
    assert page.url == "/signin/password"
    return page


def change(page: Page, old: str = PASSWORD, new: str = OTHER, again: str | None = None) -> Page:
    return page.send(old_password=old, new_password=new, new_password_again=new if again is None else again)


def test_a_password_must_be_changed_first(world: World) -> None:
    page = must_change(world)
    assert page.person.get("/console", follow=False).status == 303
    done = change(page)
    assert done.url == "/console"
    assert enter(Person(world)).status == 401
    assert enter(Person(world), password=OTHER).url == "/console"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"old": "wrong"}, "The old password was incorrect."),
        ({"again": "else"}, "not the same"),
        ({"new": "x", "again": "x"}, "minimum length"),
        ({"new": PASSWORD}, "reuse prevention"),
    ],
)
def test_a_new_password_follows_the_rules(world: World, fields: dict[str, str], told: str) -> None:
    page = change(must_change(world), **fields)
    assert page.status == 400
    assert told in page.words
    assert change(page).url == "/console"


def test_who_may_not_change_it_is_told(world: World) -> None:
    world.client("iam").update_login_profile(UserName="alice", PasswordResetRequired=True)
    page = change(enter(Person(world)))
    assert page.status == 400
    assert "Ask your administrator" in page.words


def test_an_expired_password_must_be_changed(world: World, clock: Clock) -> None:
    world.client("iam").update_account_password_policy(MaxPasswordAge=1, AllowUsersToChangePassword=True)
    clock.ahead += 86_500
    page = enter(Person(world))
    assert page.url == "/signin/password"
    assert change(page).url == "/console"


def test_a_password_that_expired_for_good(world: World, clock: Clock) -> None:
    world.client("iam").update_account_password_policy(MaxPasswordAge=1, HardExpiry=True)
    clock.ahead += 86_500
    page = enter(Person(world))
    assert page.status == 403
    assert LOCKED in page.words


def test_a_step_cannot_be_left_out(world: World) -> None:
    person = Person(world)
    for path in ("/signin/password", "/signin/mfa", "/signin/roles"):
        assert person.get(path).url.startswith("/signin")
        assert "took too long" in person.get(path).words


# -- Codes --------------------------------------------------------------------------------------------------------


class App:
    """An authenticator app, whose clock is the server's."""

    def __init__(self, world: World, user: str = "alice") -> None:
        self.world = world
        keys = world.keys_of(user) if user != "root" else world.root
        iam = world.client("iam", keys) if user == "root" else world.client("iam")
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=f"{user}-phone")["VirtualMFADevice"]
        self.serial = made["SerialNumber"]
        self.seed = base64.b32decode(made["Base32StringSeed"])
        codes = {f"AuthenticationCode{n + 1}": self.code(n) for n in range(2)}
        iam.enable_mfa_device(UserName=user, SerialNumber=self.serial, **codes)

    def code(self, ahead: int = 0) -> str:
        return totp.code(self.seed, totp.step_at(self.world.now()) + ahead)


def test_a_code_is_asked_for(world: World, clock: Clock) -> None:
    app, person = App(world), Person(world)
    clock.ahead += 90
    page = enter(person)
    assert page.url == "/signin/mfa"
    assert person.get("/console", follow=False).status == 303
    assert page.send("/signin/mfa", code="000000").status == 401
    page = person.get("/signin/mfa").send("/signin/mfa", code=app.code())
    assert page.url == "/console"
    assert world.events[-1].caller.context["aws:multifactorauthpresent"] == "true"
    assert records(world)[-1]["additionalEventData"]["MFAUsed"] == "Yes"
    assert records(world)[-1]["additionalEventData"]["MFAIdentifier"] == app.serial
    assert [each["responseElements"]["CheckMfa"] for each in records(world, "CheckMfa")] == ["Failure", "Success"]


def test_a_code_is_good_once(world: World, clock: Clock) -> None:
    app = App(world)
    clock.ahead += 90
    code = app.code()
    assert enter(Person(world)).send("/signin/mfa", code=code).url == "/console"
    assert enter(Person(world)).send("/signin/mfa", code=code).status == 401


def test_a_clock_that_is_off_is_learnt(world: World, clock: Clock) -> None:
    app, person = App(world), Person(world)
    clock.ahead += 90
    enter(person)
    page = person.get("/signin/mfa?resync=1")
    assert page.send("/signin/mfa", code=app.code(50), code2=app.code(52)).status == 401
    page = person.get("/signin/mfa?resync=1").send("/signin/mfa", code=app.code(50), code2=app.code(51))
    assert page.url == "/console"


def test_the_code_comes_before_the_new_password(world: World, clock: Clock) -> None:
    app = App(world)
    world.client("iam").update_account_password_policy(AllowUsersToChangePassword=True)
    world.client("iam").update_login_profile(UserName="alice", PasswordResetRequired=True)
    clock.ahead += 90
    person = Person(world)
    page = enter(person)
    assert person.get("/signin/password").url == "/signin"
    page = enter(person).send("/signin/mfa", code=app.code())
    assert page.url == "/signin/password"
    assert change(page).url == "/console"


def test_a_step_is_of_one_browser_and_ends(world: World, clock: Clock) -> None:
    app, person = App(world), Person(world)
    clock.ahead += 90
    page = enter(person)
    thief = Person(world)
    assert "took too long" in thief.get("/signin/mfa").words
    clock.ahead += 700
    assert "took too long" in page.send("/signin/mfa", code=app.code()).words


def test_an_account_that_is_closed_or_gone(world: World) -> None:
    with world.store.transaction(write=True) as transaction:
        assert accounts.find(transaction, ACCOUNT) is not None
    person = Person(world)
    enter(person)
    world.client("iam").delete_login_profile(UserName="alice")
    assert person.get("/console", follow=False).status == 303

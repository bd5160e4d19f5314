"""Switching to a role, several sessions side by side, ending them; the federation endpoint."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

from bailiwick.app.noise import noise
from bailiwick.app.record import record_of
from bailiwick.directory import passwords
from bailiwick.services.signin.sessions import REFUSED
from bailiwick.web.events import DoorEvent
from moving_clock import Clock
from person import Person
from world import ACCOUNT, World

PASSWORD = "Correct-Horse-1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:  # type: ignore[misc]
    made = World(now=clock)
    iam = made.client("iam")
    iam.create_user(UserName="alice")
    allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy(allowed))
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    iam.create_role(RoleName="Auditor", Path="/team/", AssumeRolePolicyDocument=policy(trust))
    iam.create_role(
        RoleName="Closed", AssumeRolePolicyDocument=policy({**trust, "Principal": {"AWS": "999999999999"}})
    )
    return made


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def alice(world: World) -> Person:
    person = Person(world)
    person.sign_in_as("alice")
    return person


def record(world: World, name: str) -> dict[str, Any]:
    events = [each for each in world.events if isinstance(each, DoorEvent) and each.name == name]
    made: dict[str, Any] = msgspec.json.decode(record_of(events[-1], noise))
    return made


# -- Roles ----------------------------------------------------------------------------------------------------


def test_a_link_fills_the_form_in_and_a_role_is_taken(world: World) -> None:
    person = alice(world)
    page = person.get(f"/switchrole?account={ACCOUNT}&roleName=team/Auditor&displayName=Audit&color=2f4fd0")
    page = page.send("/switchrole")
    assert page.url == "/console"
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/Auditor/alice" in page.words
    assert "Audit" in page.words
    told = record(world, "SwitchRole")
    assert told["responseElements"] == {"SwitchRole": "Success"}
    assert told["additionalEventData"]["SwitchFrom"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    page = person.get("/switchrole")
    assert "Lately" in page.words
    assert "Audit" in page.words


@pytest.mark.parametrize(
    ("account", "role"),
    [(ACCOUNT, "Closed"), (ACCOUNT, "Nowhere"), ("no-such-alias", "Auditor"), ("x", "*"), (ACCOUNT, "Auditor")],
)
def test_what_is_wrong_is_told_in_one_way(world: World, account: str, role: str) -> None:
    page = alice(world).get("/switchrole").send("/switchrole", account=account, roleName=role)
    assert page.status == 400
    assert REFUSED in page.words


def test_root_cannot_switch(world: World) -> None:
    person = Person(world)
    person.sign_in_as()
    assert "The root user cannot take a role" in person.get("/switchrole").words


def test_a_role_ends_with_the_session_that_took_it(world: World, clock: Clock) -> None:
    person = alice(world)
    person.get("/switchrole").send("/switchrole", account=ACCOUNT, roleName="team/Auditor")
    clock.ahead += 5
    with world.store.transaction(write=True) as transaction:
        profile = passwords.find(
            transaction, person.get("/console").person.site.pipeline.directory.store and _id(world)
        )
        assert profile is not None
        passwords.change(transaction, profile, "Another-Password-9", world.now())
    assert person.get("/console", follow=False).status == 303


def _id(world: World) -> str:
    return str(world.client("iam").get_user(UserName="alice")["User"]["UserId"])


def test_sessions_side_by_side(world: World) -> None:
    person = alice(world)
    person.get("/switchrole").send("/switchrole", account=ACCOUNT, roleName="team/Auditor")
    page = person.get("/signin/sessions")
    assert "assumed-role/Auditor/alice present" in page.words.replace("  ", " ")
    page = page.send("/signin/sessions/use")  # of the menu, which every page has
    assert f"arn:aws:iam::{ACCOUNT}:user/alice" in page.words
    page = person.get("/console").send("/signin/out")  # of alice, and of the role that she took
    assert "You are signed out" in page.words
    assert "__Host-bailiwick-session" not in person.cookies


def test_a_session_elsewhere_is_ended(world: World) -> None:
    here, there = alice(world), alice(world)
    page = here.get("/signin/sessions")
    assert "Elsewhere, as you Browser" in page.words
    ends = [form for form in page.forms if form["action"] == "/signin/sessions/end"]
    here.post("/signin/sessions/end", ends[-1]["fields"])
    assert there.get("/console", follow=False).status == 303
    assert here.get("/console").status == 200


def test_nobody_ends_the_session_of_somebody_else(world: World) -> None:
    world.client("iam").create_user(UserName="mallory")
    victim, mallory = alice(world), Person(world)
    session = victim.get("/signin/sessions").form("/signin/sessions/end")["fields"]["session"]
    mallory.sign_in_as("mallory")
    fields = mallory.get("/signin/sessions").form("/signin/sessions/end")["fields"]
    mallory.post("/signin/sessions/end", {**fields, "session": session})
    assert victim.get("/console", follow=False).status == 200


# -- Federation -------------------------------------------------------------------------------------------------


def credentials(answer: dict[str, Any]) -> str:
    found = answer["Credentials"]
    names = {"sessionId": "AccessKeyId", "sessionKey": "SecretAccessKey", "sessionToken": "SessionToken"}
    return json.dumps({name: found[member] for name, member in names.items()})


def of_role(world: World, **more: Any) -> str:
    sts = world.client("sts", world.keys_of("alice"))
    role = f"arn:aws:iam::{ACCOUNT}:role/team/Auditor"
    return credentials(sts.assume_role(RoleArn=role, RoleSessionName="broker", **more))


def ask(world: World, session: str, **more: str) -> Any:
    fields = {"Action": "getSigninToken", "Session": session, **more}
    return Person(world).get(f"/federation?{urlencode(fields, quote_via=quote)}")


def login(world: World, token: str, **more: str) -> Any:
    fields = {"Action": "login", "Issuer": "https://broker.example.org", "SigninToken": token, **more}
    return Person(world).get(f"/federation?{urlencode(fields)}")


def test_a_broker_sends_somebody_in(world: World) -> None:
    token = json.loads(ask(world, of_role(world)).text)["SigninToken"]
    page = login(world, token, Destination="https://bailiwick.test/signin/sessions")
    assert page.url == "/signin/sessions"
    assert "assumed-role/Auditor/broker" in page.words
    told = record(world, "ConsoleLogin")
    assert told["userIdentity"]["type"] == "AssumedRole"
    assert record(world, "GetSigninToken")["responseElements"]["GetSigninToken"] == "Success"
    page = page.send("/signin/out")
    assert "https://broker.example.org" in page.links


@pytest.mark.parametrize("destination", ["https://evil.example/x", "//evil.example", "javascript:alert(1)", ""])
def test_a_destination_elsewhere_is_home(world: World, destination: str) -> None:
    token = json.loads(ask(world, of_role(world)).text)["SigninToken"]
    assert login(world, token, Destination=destination).url == "/console"


def test_a_federated_user_comes_in_as_well(world: World) -> None:
    sts = world.client("sts")
    session = credentials(
        sts.get_federation_token(Name="bob", Policy=policy({"Effect": "Allow", "Action": "*", "Resource": "*"}))
    )
    token = json.loads(ask(world, session).text)["SigninToken"]
    assert "federated-user/bob" in login(world, token).words
    assert ask(world, session, SessionDuration="3600").status == 400


def test_a_session_may_last_longer_than_the_credentials(world: World, clock: Clock) -> None:
    token = json.loads(ask(world, of_role(world, DurationSeconds=900), SessionDuration="43200").text)["SigninToken"]
    page = login(world, token)
    assert page.url == "/console"
    for _ in range(4):
        clock.ahead += 1800
        assert page.person.get("/console", follow=False).status == 200


def test_a_token_is_good_for_a_quarter_of_an_hour(world: World, clock: Clock) -> None:
    token = json.loads(ask(world, of_role(world)).text)["SigninToken"]
    clock.ahead += 901
    assert login(world, token).status == 400


def test_what_is_no_credential_is_refused(world: World) -> None:
    good = json.loads(of_role(world))
    session_token = world.client("sts", world.keys_of("alice")).get_session_token()
    bad = [
        "",
        "{}",
        "[]",
        json.dumps({**good, "sessionKey": "wrong"}),
        json.dumps({**good, "sessionToken": "wrong"}),
        json.dumps({**good, "sessionId": "ASIAWRONG"}),
        credentials(session_token),
        "x" * 20_000,
    ]
    assert [ask(world, each).status for each in bad] == [400] * len(bad)
    for wrong in ("899", "43201", "-1", "x", "0009000000000", "9" * 5000):
        assert ask(world, json.dumps(good), SessionDuration=wrong).status == 400, wrong
    assert login(world, "x").status == 400
    assert Person(world).get("/federation?Action=else").status == 400


def test_a_link_does_not_sign_out_by_itself(world: World) -> None:
    person = alice(world)
    for link in ("/federation?Action=logout", "/oauth?Action=logout&redirect_uri=https%3A%2F%2Fevil.example"):
        page = person.get(link)
        assert "Sign out?" in page.words
    assert page.send("/signin/out").status == 200
    assert person.get("/console", follow=False).status == 303


def test_a_role_taken_from_a_role_ends_with_the_first_session(world: World) -> None:
    iam = world.client("iam")
    allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_role_policy(RoleName="Auditor", PolicyName="p", PolicyDocument=policy(allowed))
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    iam.create_role(RoleName="Deeper", AssumeRolePolicyDocument=policy(trust))
    person = alice(world)
    session = person.get("/signin/sessions").form("/signin/sessions/end")["fields"]["session"]
    person.get("/switchrole").send("/switchrole", account=ACCOUNT, roleName="team/Auditor")
    page = person.get("/switchrole").send("/switchrole", account=ACCOUNT, roleName="Deeper")
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/Deeper/alice" in page.words
    fields = page.form("/signin/out")["fields"]
    kept = dict(person.cookies)
    person.post("/signin/sessions/end", {**fields, "session": session})
    person.cookies = kept
    assert person.get("/console", follow=False).status == 303

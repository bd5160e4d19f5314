"""The pages of Identity Center: signing in, letting devices and programs in."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest

from bailiwick.app.record import record_of
from bailiwick.web.events import DoorEvent
from person import Page, Person
from world import World

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
PASSWORD = "correct Horse 1"
VERIFIER = "v" * 64


class Place(msgspec.Struct):
    """A world with a person of an identity store who has a password."""

    world: World
    store: str
    user: str

    def client(self, name: str) -> Any:
        return self.world.client(name)

    def signed_in(self) -> Person:
        person = Person(self.world)
        page = person.get("/start").send("/signin/center", user="Alice", password=PASSWORD)
        assert page.title == "Your accounts"
        return person


@pytest.fixture
def place() -> Place:
    world = World()
    world.client("sso-admin").create_instance(Name="company")
    store = world.client("sso-admin").list_instances()["Instances"][0]["IdentityStoreId"]
    identity = world.client("identitystore")
    user = identity.create_user(
        IdentityStoreId=store,
        UserName="alice",
        DisplayName="Alice",
        Name={"FamilyName": "Liddell", "GivenName": "Alice"},
    )["UserId"]
    identity.update_password(IdentityStoreId=store, UserId=user, Password=PASSWORD)
    return Place(world, store, user)


def test_the_first_sign_in_asks_for_another_password(place: Place) -> None:
    identity = place.client("identitystore")
    who = {"IdentityStoreId": place.store, "UserId": place.user}
    identity.update_password(**who, Password="given By others 1", PasswordResetRequired=True)
    person = Person(place.world)
    page = person.get("/start").send("/signin/center", user="alice", password="given By others 1")
    assert page.title == "Choose a password"
    given = {"password": "given By others 1"}
    assert "another one" in page.send(**given, new_password="given By others 1").words
    assert "minimum length" in page.send(**given, new_password="short").words
    assert page.send(**given, new_password="chosen By myself 2").title == "Your accounts"
    (told,) = [
        each for each in place.world.events if isinstance(each, DoorEvent) and each.name == "PasswordUpdated"
    ]
    assert told.caller is not None
    assert told.caller.user_id == place.user
    assert "myself" not in record_of(told, os.urandom).decode()


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_wrong_names_and_wrong_passwords_look_the_same(place: Place, user: str, password: str) -> None:
    page = Person(place.world).get("/start").send("/signin/center", user=user, password=password)
    assert page.status == 400
    assert "The user name or the password is wrong." in page.words


def test_guessing_is_slowed_down(place: Place) -> None:
    for name in ("alice", "nobody"):
        statuses = []
        for number in range(14):
            person = Person(place.world, source=f"192.0.2.{number}")
            statuses.append(person.get("/start").send("/signin/center", user=name, password="x").status)
        assert statuses[0] == 400
        assert statuses[-1] == 429


def test_a_device_is_let_in_on_the_page(place: Place) -> None:
    oidc = place.client("sso-oidc")
    answer = oidc.register_client(clientName="botocore-client-x", clientType="public")
    client = {"clientId": answer["clientId"], "clientSecret": answer["clientSecret"]}
    started = oidc.start_device_authorization(**client, startUrl="https://x.awsapps.com/start")
    parts = urlsplit(started["verificationUriComplete"])
    person = Person(place.world)
    page = person.get(f"{parts.path}?{parts.query}")
    page = page.send("/signin/center", user="alice", password=PASSWORD)
    assert "botocore-client-x asks to act for you" in page.words
    assert started["userCode"] in page.words
    assert page.send("/device", answer="allow").title == "Done"
    token = oidc.create_token(**client, grantType=DEVICE, deviceCode=started["deviceCode"])
    assert place.client("sso").list_accounts(accessToken=token["accessToken"])["accountList"] == []
    assert person.get("/device").send("/device", user_code="BBBB-BBBB").status == 400


def test_a_program_is_let_in_on_the_page(place: Place) -> None:
    oidc, person = place.client("sso-oidc"), place.signed_in()
    redirect = "http://127.0.0.1:5555/oauth/callback"
    answer = oidc.register_client(
        clientName="aws",
        clientType="public",
        grantTypes=["authorization_code", "refresh_token"],
        redirectUris=["http://127.0.0.1/oauth/callback"],
        scopes=["sso:account:access"],
    )
    digest = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": answer["clientId"],
        "redirect_uri": redirect,
        "state": "s",
        "code_challenge_method": "S256",
        "scopes": "sso:account:access",
        "code_challenge": digest,
    }
    page = person.get(f"/authorize?{urlencode(query)}")
    fields = {**page.form("/authorize")["fields"], "answer": "allow"}
    done = person.post("/authorize", fields, follow=False)
    code = parse_qs(urlsplit(done.headers["location"]).query)["code"][0]
    token = oidc.create_token(
        clientId=answer["clientId"],
        clientSecret=answer["clientSecret"],
        grantType="authorization_code",
        code=code,
        redirectUri=redirect,
        codeVerifier=VERIFIER,
    )
    assert token["refreshToken"]
    for changed in (
        {"redirect_uri": "http://evil.example/"},
        {"redirect_uri": f"{redirect}\nset-cookie: a=b"},
        {"redirect_uri": f"{redirect}?x=y"},
        {"client_id": "x"},
        {"code_challenge_method": "plain"},
    ):
        wrong: Page = person.get(f"/authorize?{urlencode({**query, **changed})}")
        assert wrong.status == 400
        assert "location" not in wrong.headers


def test_codes_are_not_guessed_by_addresses_either(place: Place) -> None:
    person = place.signed_in()
    statuses = [person.get("/device?user_code=BBBB-BBBB").status for _ in range(12)]
    assert statuses == [400] * 10 + [429] * 2
    assert person.get("/device").status == 200
    assert person.get("/device").send("/device", user_code="BBBB-BBBB").status == 429


def test_signing_in_is_written_down(place: Place) -> None:
    person = Person(place.world)
    for password in ("wrong", PASSWORD):
        person.get("/start").send("/signin/center", user="alice", password=password)
    told = [json.loads(record_of(each, os.urandom)) for each in place.world.events if isinstance(each, DoorEvent)]
    assert [(each["eventName"], each["serviceEventDetails"]) for each in told] == [
        ("CredentialVerification", {"CredentialVerification": "Failure"}),
        ("CredentialVerification", {"CredentialVerification": "Success"}),
        ("UserAuthentication", {"UserAuthentication": "Success"}),
    ]
    assert {each["eventType"] for each in told} == {"AwsServiceEvent"}
    assert {each["responseElements"] for each in told} == {None}
    assert told[0]["userIdentity"]["type"] == "Unknown"
    assert "alice" not in json.dumps(told[0])
    assert told[2]["userIdentity"]["onBehalfOf"]["userId"] == place.user
    assert told[2]["additionalEventData"] == {
        "AuthWorkflowID": told[1]["additionalEventData"]["AuthWorkflowID"],
        "CredentialType": "PASSWORD",
        "LoginTo": "http://127.0.0.1:4577/start",
    }
    assert told[0]["additionalEventData"]["AuthWorkflowID"] != told[1]["additionalEventData"]["AuthWorkflowID"]


def test_signing_out_ends_it(place: Place) -> None:
    person = place.signed_in()
    kept = dict(person.cookies)
    person.get("/start").send("/signin/center/out")
    person.cookies = kept
    assert person.get("/start").title == "Sign in"


def test_the_store_of_a_start_url_is_the_one_asked(place: Place) -> None:
    page = Person(place.world).get(f"/device?store={place.store}")
    assert page.form("/signin/center")["fields"]["store"] == place.store
    page = (
        Person(place.world).get("/start?store=d-0000000000").send("/signin/center", user="alice", password=PASSWORD)
    )
    assert page.status == 400

"""My security credentials: what a person does with her own, with her own rights and no others."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from bailiwick.core import totp
from bailiwick.directory import mfa
from bailiwick.pipeline import Event
from bailiwick.web.events import DoorEvent
from moving_clock import Clock
from person import Page, Person
from world import ACCOUNT, World

PASSWORD = "A-Password-1"
HOME = "/signin/credentials"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:  # type: ignore[misc]
    made = World(now=clock)
    iam = made.client("iam")
    for name in ("alice", "limited"):
        iam.create_user(UserName=name)
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return made


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Key:
    """A security key in software: it signs what a browser would have it sign."""

    def __init__(self, origin: str = "https://bailiwick.test", host: str = "bailiwick.test") -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.id = b"credential-of-this-key"
        self.origin, self.host = origin, host
        self.count = 0

    def create(self, options: dict[str, Any]) -> str:
        credential = AttestedCredentialData.create(
            b"\0" * 16, self.id, ES256.from_cryptography_key(self.private.public_key())
        )
        data = AuthenticatorData.create(self._hash(), 0x41, self.count, bytes(credential))
        attestation = AttestationObject.create("none", data, {})
        return self._told("webauthn.create", options, attestationObject=base64url(bytes(attestation)))

    def get(self, options: dict[str, Any], flags: int = 0x01) -> str:
        self.count += 1
        data = bytes(AuthenticatorData.create(self._hash(), flags, self.count))
        client = self._client("webauthn.get", options)
        signature = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._told(
            "webauthn.get", options, authenticatorData=base64url(data), signature=base64url(signature)
        )

    def _hash(self) -> bytes:
        return hashlib.sha256(self.host.encode()).digest()

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _told(self, kind: str, options: dict[str, Any], **response: str) -> str:
        shown = {"clientDataJSON": base64url(self._client(kind, options)), **response}
        told = {"id": base64url(self.id), "rawId": base64url(self.id), "type": "public-key", "response": shown}
        return json.dumps({**told, "clientExtensionResults": {}})


def signed_in(world: World, user: str | None = "alice") -> Person:
    person = Person(world)
    person.sign_in_as(user)
    return person


def options_of(page: Page) -> dict[str, Any]:
    import html
    import re

    found = re.search(r'data-options="([^"]*)"', page.text)
    assert found is not None
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


def register(person: Person, key: Key) -> Page:
    page = person.get(HOME)
    fields = page.form(f"{HOME}/app")["fields"]
    page = person.post(f"{HOME}/key", {**fields, "device": "laptop"})
    return page.send(f"{HOME}/key/enable", credential=key.create(options_of(page)))


def enter(world: World, user: str = "alice") -> Page:
    person = Person(world)
    return person.get("/signin").send("/signin", account=ACCOUNT, name=user, password=PASSWORD)


def test_a_key_is_registered_through_the_pipeline(world: World) -> None:
    person = signed_in(world)
    page = register(person, Key())
    assert "passkey or security key is registered" in page.words
    event = next(each for each in reversed(world.events) if _is(each, "EnableMFADevice"))
    assert event.decision is not None
    assert event.decision.allowed
    (device,) = world.client("iam").list_mfa_devices(UserName="alice")["MFADevices"]
    assert device["SerialNumber"].startswith(f"arn:aws:iam::{ACCOUNT}:u2f/user/alice/laptop-")


def _is(event: Event, name: str) -> bool:
    return event.route is not None and event.route.operation.name == name


def test_who_may_not_enable_a_device_registers_none(world: World) -> None:
    person = signed_in(world, "limited")
    page = person.get(HOME)
    assert "not authorized to perform: iam:ListMFADevices" in page.words
    token = page.form("/signin/out")["fields"]["form_token"]
    page = person.post(f"{HOME}/key", {"form_token": token, "device": "laptop"})
    page = page.send(f"{HOME}/key/enable", credential=Key().create(options_of(page)))
    assert "not authorized to perform: iam:EnableMFADevice" in page.words
    assert world.client("iam").list_mfa_devices(UserName="limited")["MFADevices"] == []


def test_a_key_opens_the_door(world: World, clock: Clock) -> None:
    key = Key()
    register(signed_in(world), key)
    page = enter(world)
    assert page.url == "/signin/mfa"
    page = page.send("/signin/mfa", credential=key.get(options_of(page)))
    assert page.url == "/console"
    shown = [each for each in world.events if isinstance(each, DoorEvent) and each.name == "CheckMfa"]
    assert shown[-1].additional == {"MfaType": "WebAuthn"}


def wrong_origin(key: Key, options: dict[str, Any]) -> str:
    key.origin = "https://evil.example"
    return key.get(options)


def wrong_host(key: Key, options: dict[str, Any]) -> str:
    key.host = "evil.example"
    return key.get(options)


def wrong_key(key: Key, options: dict[str, Any]) -> str:
    key.private = ec.generate_private_key(ec.SECP256R1())
    return key.get(options)


def old_challenge(key: Key, options: dict[str, Any]) -> str:
    return key.get({**options, "challenge": base64url(b"x" * 32)})


def nobody_there(key: Key, options: dict[str, Any]) -> str:
    return key.get(options, flags=0)


def another_credential(key: Key, options: dict[str, Any]) -> str:
    key.id = b"another"
    return key.get(options)


def no_json(key: Key, options: dict[str, Any]) -> str:
    return "{"


def no_object(key: Key, options: dict[str, Any]) -> str:
    return "[]"


def a_registration(key: Key, options: dict[str, Any]) -> str:
    return key.create(options)


@pytest.mark.parametrize(
    "forge",
    [
        *(wrong_origin, wrong_host, wrong_key, old_challenge, nobody_there, another_credential, no_json, no_object),
        *(a_registration,),
    ],
)
def test_what_proves_nothing_opens_nothing(world: World, forge: Any) -> None:
    key = Key()
    register(signed_in(world), key)
    page = enter(world)
    page = page.send("/signin/mfa", credential=forge(key, options_of(page)))
    assert page.status == 401
    assert page.person.get("/console", follow=False).status == 303


def test_a_copied_key_is_noticed(world: World) -> None:
    key = Key()
    key.count = 5
    register(signed_in(world), key)
    key.count = 3
    page = enter(world)
    assert page.send("/signin/mfa", credential=key.get(options_of(page))).status == 401


def test_an_answer_is_good_once(world: World) -> None:
    key = Key()
    register(signed_in(world), key)
    page = enter(world)
    answer = key.get(options_of(page))
    before = dict(page.person.cookies)
    assert page.send("/signin/mfa", credential=answer).url == "/console"
    thief = Person(world)
    thief.cookies = before
    assert "took too long" in thief.get("/signin/mfa").words


def test_an_app_is_registered(world: World, clock: Clock) -> None:
    person = signed_in(world)
    page = person.get(HOME).send(f"{HOME}/app", device="phone")
    assert "data:image/png;base64," in page.text
    import re

    found = re.search(r'<code id="seed">([A-Z2-7]+)</code>', page.text)
    assert found is not None
    seed = base64.b32decode(found[1])
    here = totp.step_at(world.now())
    bad = page.send(f"{HOME}/app/enable", code="000000", code2="000000")
    assert bad.status == 400
    page = bad.send(f"{HOME}/app/enable", code=totp.code(seed, here), code2=totp.code(seed, here + 1))
    assert "authenticator app is registered" in page.words
    page = page.send(f"{HOME}/device", act="remove")
    assert "yours no more" in page.words
    assert world.client("iam").list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_root_has_devices_of_its_own(world: World) -> None:
    page = register(signed_in(world, None), Key())
    assert "is registered" in page.words
    with world.store.transaction() as transaction:
        (device,) = mfa.devices_of(transaction, ACCOUNT)
    assert device.serial.startswith(f"arn:aws:iam::{ACCOUNT}:u2f/root/laptop-")


def test_keys_are_made_switched_off_and_deleted(world: World) -> None:
    person = signed_in(world)
    iam = world.client("iam")
    for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    page = person.get(HOME).send(f"{HOME}/keys")
    assert "only time that the secret is shown" in page.words
    assert page.headers["cache-control"] == "no-store"
    page = person.get(HOME)
    page = page.send(f"{HOME}/keys/change", act="deactivate")
    assert "Inactive" in page.words
    page = page.send(f"{HOME}/keys/change", act="delete")
    assert "You have no access keys" in page.words


@pytest.mark.parametrize("user", ["alice", None])
def test_a_new_password_ends_the_other_sessions(world: World, clock: Clock, user: str | None) -> None:
    here, there = signed_in(world, user), signed_in(world, user)
    clock.ahead += 5
    page = here.get(HOME)
    form = f"{HOME}/password"
    new = {"new_password": "Another-Password-2", "new_password_again": "Another-Password-2"}
    assert page.send(form, old_password="wrong", **new).status == 400
    assert "not the same" in page.send(form, old_password=PASSWORD, **{**new, "new_password_again": "x"}).words
    page = page.send(form, old_password=PASSWORD, **new)
    assert "Your password was changed" in page.words
    assert here.get("/console", follow=False).status == 200
    assert there.get("/console", follow=False).status == 303


def test_a_role_has_none(world: World) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    world.client("iam").create_role(RoleName="Auditor", AssumeRolePolicyDocument=document)
    person = signed_in(world)
    person.get("/switchrole").send("/switchrole", account=ACCOUNT, roleName="Auditor")
    page = person.get(HOME)
    assert "has no password, devices or keys of its own" in page.words
    token = page.form("/signin/out")["fields"]["form_token"]
    for path in ("password", "app", "key", "keys", "device", "keys/change"):
        assert person.post(f"{HOME}/{path}", {"form_token": token, "device": "x"}).status in (400, 403)

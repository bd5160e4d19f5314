"""`bailiwick trace`: from a temporary key to its origin, over roles, services and providers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bailiwick.app import environment, home, lineage
from bailiwick.app.cli import app
from bailiwick.app.lineage import Lineage
from bailiwick.app.record import record_of
from bailiwick.app.settings import Settings
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import sign
from bailiwick.trail.files import Files
from saml_idp import IdentityProvider
from world import ACCOUNT, World

sys.path.insert(0, str(Path(__file__).parents[1] / "federation"))
from issuer import Issuer

REDSHIFT, BACKUP = "redshift.amazonaws.com", "backup.example.internal"
ARN = f"arn:aws:iam::{ACCOUNT}"


class Told(World):
    """A world that writes its events into a trail."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.shelf = Files(folder)
        self.client("iam").create_user(UserName="alice")
        self.alice = self.keys_of("alice")
        self.policy("user", "alice", "*")

    def policy(self, kind: str, name: str, action: str) -> None:
        document = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
        )
        put = getattr(self.client("iam"), f"put_{kind}_policy")
        put(**{f"{kind.title()}Name": name}, PolicyName="p", PolicyDocument=document)

    def role(self, name: str, principal: Any, action: str = "sts:AssumeRole") -> str:
        trust = {"Effect": "Allow", "Principal": principal, "Action": action}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
        self.policy("role", name, "*")
        return f"{ARN}:role/{name}"

    def assume(self, credentials: dict[str, str], role: str, name: str) -> dict[str, str]:
        sts = self.client("sts", credentials)
        return of(sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"])

    def trace(self, credentials: dict[str, str], now: float | None = None) -> Lineage:
        segment = self.shelf.begin(datetime.now(UTC))
        segment.append([record_of(event, os.urandom) for event in self.events])
        segment.close()
        self.events.clear()
        with self.store.transaction() as transaction:
            key = credentials["aws_access_key_id"]
            found = lineage.trace(self.shelf, key, now or self.now(), transaction)
        assert found is not None
        return found


def of(credentials: dict[str, Any]) -> dict[str, str]:
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def shown(found: Lineage) -> str:
    console = Console(width=160, highlight=False, markup=False)
    with console.capture() as capture:
        lineage.tell(found, console)
    return capture.get()


@pytest.fixture
def world(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_a_chain_of_roles(world: Told) -> None:
    first = world.role("First", {"AWS": f"{ARN}:user/alice"})
    second = world.role("Second", {"AWS": first})
    one = world.assume(world.alice, first, "morning")
    two = world.assume(one, second, "evening")
    world.client("kms", two).list_keys()
    found = world.trace(two)
    assert found.complete
    assert [link.event for link in found.links] == ["AssumeRole", "AssumeRole", ""]
    keys = [each["aws_access_key_id"] for each in (two, one, world.alice)]
    assert [link.access_key_id for link in found.links] == keys
    assert [link.asked_with for link in found.links] == [*keys[1:], ""]
    assert found.origin == f"{ARN}:user/alice"
    last = found.links[0]
    assert last.identity == f"arn:aws:sts::{ACCOUNT}:assumed-role/Second/evening"
    assert last.session_name == "evening"
    assert last.state == "within its time; the role exists"
    assert last.last_use >= last.time
    assert found.links[2].state == f"active, of the user alice of account {ACCOUNT}"
    text = shown(found)
    assert text.index("user/alice") < text.index("assumed-role/First/morning") < text.index("Second/evening")
    assert world.alice["aws_secret_access_key"] not in text


def test_what_is_no_more(world: Told) -> None:
    role = world.role("Gone", {"AWS": f"{ARN}:user/alice"})
    session = world.assume(world.alice, role, "s1")
    iam = world.client("iam")
    iam.delete_role_policy(RoleName="Gone", PolicyName="p")
    iam.delete_role(RoleName="Gone")
    iam.update_access_key(UserName="alice", AccessKeyId=world.alice["aws_access_key_id"], Status="Inactive")
    found = world.trace(session, world.now() + 7200)
    assert found.links[0].state == "expired; the role is no more, and so is the session"
    assert found.links[1].state == f"inactive, of the user alice of account {ACCOUNT}"
    iam.delete_access_key(UserName="alice", AccessKeyId=world.alice["aws_access_key_id"])
    assert world.trace(session).links[1].state == "the key is no more"


def test_a_service_in_its_own_name(world: Told) -> None:
    backup = world.service(BACKUP)
    session = world.assume(backup, world.role("Nightly", {"Service": BACKUP}), "tonight")
    found = world.trace(session)
    assert (found.origin, found.complete) == (BACKUP, True)
    assert found.links[0].kind == "AWSService"
    assert found.links[1].state == f"active, of the service {BACKUP}"


def test_a_service_that_acts_for_a_person(world: Told) -> None:
    role = world.role("First", {"AWS": f"{ARN}:user/alice"})
    one = world.assume(world.alice, role, "morning")
    body = b"select 1"
    signed = sign.sign(
        Request("POST", "/", "", (Header("host", "h"),), body),
        access_key_id=one["aws_access_key_id"],
        secret=one["aws_secret_access_key"],
        token=one["aws_session_token"],
        region="us-east-1",
        service="redshift",
        now=world.now(),
    )
    answer = world.client("sts", world.service(REDSHIFT)).get_forward_access_session(
        Method="POST",
        Url="/",
        Headers=[{"Name": name, "Value": value} for name, value in signed.headers],
        PayloadHash=hashlib.sha256(body).hexdigest(),
    )
    found = world.trace(of(answer["Credentials"]))
    assert [link.event for link in found.links] == ["GetForwardAccessSession", "AssumeRole", ""]
    assert found.links[0].via == (REDSHIFT,)
    assert found.links[0].by == f"arn:aws:sts::{ACCOUNT}:assumed-role/First/morning"
    assert found.origin == f"{ARN}:user/alice"
    assert REDSHIFT in shown(found)


def test_a_person_of_a_saml_provider_through_a_chain(world: Told) -> None:
    """From a provider into a role, from there into another, and then a KMS call: one command tells it all."""
    idp = IdentityProvider()
    world.client("iam").create_saml_provider(Name="corp", SAMLMetadataDocument=idp.metadata)
    provider = f"{ARN}:saml-provider/corp"
    first = world.role("First", {"Federated": provider}, "sts:AssumeRoleWithSAML")
    second = world.role("Second", {"AWS": first})
    response = idp.response(world.now(), roles=[(first, provider)], subject="carol", identifier="_the-assertion")
    answer = world.client("sts").assume_role_with_saml(
        RoleArn=first, PrincipalArn=provider, SAMLAssertion=base64.b64encode(response).decode()
    )
    one = of(answer["Credentials"])
    two = world.assume(one, second, "evening")
    world.client("kms", two).list_keys()
    found = world.trace(two)
    assert [link.event for link in found.links] == ["AssumeRole", "AssumeRoleWithSAML"]
    assert (found.origin, found.complete) == ("carol", True)
    began = found.links[1]
    assert (began.provider, began.assertion, began.asked_with) == (provider, "_the-assertion", "")
    assert began.identity == f"arn:aws:sts::{ACCOUNT}:assumed-role/First/alice@example.org"
    assert "carol, for whom" in shown(found)


def test_somebody_with_a_web_identity_through_a_chain(world: Told) -> None:
    with Issuer("/realms/shop") as issuer:
        made = world.client("iam").create_open_id_connect_provider(Url=issuer.url, ClientIDList=["bailiwick"])
        provider = made["OpenIDConnectProviderArn"]
        first = world.role("First", {"Federated": provider}, "sts:AssumeRoleWithWebIdentity")
        second = world.role("Second", {"AWS": first})
        answer = world.client("sts").assume_role_with_web_identity(
            RoleArn=first, RoleSessionName="s1", WebIdentityToken=issuer.token(world.now(), jti="the-token")
        )
    two = world.assume(of(answer["Credentials"]), second, "evening")
    found = world.trace(two)
    assert [link.event for link in found.links] == ["AssumeRole", "AssumeRoleWithWebIdentity"]
    assert (found.origin, found.complete) == ("till-7", True)
    assert (found.links[1].provider, found.links[1].assertion) == (issuer.url, "the-token")
    assert "till-7, for whom" in shown(found)


def test_a_user_for_a_while_and_a_guest(world: Told) -> None:
    sts = world.client("sts", world.alice)
    session = of(sts.get_session_token()["Credentials"])
    assert [link.event for link in world.trace(session).links] == ["GetSessionToken", ""]
    guest = of(sts.get_federation_token(Name="guest")["Credentials"])
    found = world.trace(guest)
    assert found.links[0].identity == f"arn:aws:sts::{ACCOUNT}:federated-user/guest"


def test_what_the_trail_has_lost_is_said(world: Told) -> None:
    first = world.role("First", {"AWS": f"{ARN}:user/alice"})
    second = world.role("Second", {"AWS": first})
    one = world.assume(world.alice, first, "morning")
    world.events.clear()
    found = world.trace(world.assume(one, second, "evening"))
    assert not found.complete
    assert f"{one['aws_access_key_id']}, of which the trail does not tell more" in shown(found)


def provider_record(key: str, event: str, parameters: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "eventName": event,
            "eventTime": "2026-11-24T04:00:00Z",
            "userIdentity": {"type": "SAMLUser", "userName": "carol", "identityProvider": "corp"},
            "requestParameters": {"roleArn": f"{ARN}:role/R", **parameters},
            "responseElements": {
                "credentials": {"accessKeyId": key, "expiration": "2026-11-24T05:00:00Z"},
                "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/R/carol"},
            },
        }
    ).encode()


@pytest.mark.parametrize(
    ("event", "parameters", "assertion"),
    [
        ("AssumeRoleWithSAML", {"principalArn": f"{ARN}:saml-provider/corp", "sAMLAssertionID": "_a1"}, "_a1"),
        ("AssumeRoleWithWebIdentity", {"webIdentityTokenID": "jti-1"}, "jti-1"),
        ("AssumeRoleWithWebIdentity", {"webIdentityTokenSHA256": "ab" * 32}, "ab" * 32),
    ],
)
def test_whom_a_provider_vouched_for(
    tmp_path: Path, event: str, parameters: dict[str, Any], assertion: str
) -> None:
    shelf = Files(tmp_path)
    segment = shelf.begin(datetime.now(UTC))
    segment.append([provider_record("ASIAQAAAAAAAAAAAAAAA", event, parameters)])
    segment.close()
    found = lineage.trace(shelf, "ASIAQAAAAAAAAAAAAAAA", 0.0, None)
    assert found is not None
    assert (found.origin, found.complete) == ("carol", True)
    assert found.links[0].assertion == assertion
    assert "carol, for whom" in shown(found)
    assert lineage.trace(shelf, "ASIAAAAAAAAAAAAAAAAA", 0.0, None) is None


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data=tmp_path)
    found = home.open_home(tmp_path, settings, {})
    key = home.read_credentials((tmp_path / home.ROOT_CREDENTIALS).read_text(), "here").access_key_id
    environment.on_folder(found, settings).close()
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    told = CliRunner().invoke(app, ["trace", key], catch_exceptions=False)
    assert "of the root user of account" in told.output
    as_json = json.loads(CliRunner().invoke(app, ["trace", key, "--json"], catch_exceptions=False).stdout)
    assert as_json["accessKeyId"] == key
    assert as_json["complete"] is True
    unknown = CliRunner().invoke(app, ["trace", "ASIAAAAAAAAAAAAAAAAA"])
    assert "nothing is known of ASIAAAAAAAAAAAAAAAAA" in str(unknown.exception)

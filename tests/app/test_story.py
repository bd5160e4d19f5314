"""`bailiwick explain`: the true single reason of each refusal, from what the audit trail kept."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from typer.testing import CliRunner

from bailiwick.app import story
from bailiwick.app.cli import app
from bailiwick.app.record import record_of
from bailiwick.trail.files import Files
from world import ACCOUNT, World

OTHER = "444455556666"
DOCS = Path(__file__).parents[2] / "docs" / "explain.md"


def allow(action: str = "kms:*", effect: str = "Allow", **more: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


class House(World):
    """Alice may use every key; each test takes something away."""

    def __init__(self) -> None:
        super().__init__()
        self.iam = self.client("iam")
        self.key = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.iam.create_user(UserName="alice")
        self.alice = self.keys_of("alice")

    def put(self, name: str, document: str) -> None:
        self.iam.put_user_policy(UserName="alice", PolicyName=name, PolicyDocument=document)

    def refused(self, call: Callable[[], Any]) -> dict[str, Any]:
        """The audit record of a call that is refused, as it comes back from the file."""
        with pytest.raises(ClientError):
            call()
        return json.loads(record_of(self.events[-1], os.urandom))

    def encrypt(
        self, credentials: dict[str, str] | None = None, key: str | None = None, **more: Any
    ) -> dict[str, Any]:
        client = self.client("kms", credentials or self.alice)
        return self.refused(lambda: client.encrypt(KeyId=key or self.key, Plaintext=b"x", **more))

    def role(self, session_policy: str | None = None) -> dict[str, str]:
        trust = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"},
        }
        arn = self.iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        self.iam.put_role_policy(RoleName="app", PolicyName="keys", PolicyDocument=allow())
        self.put("assume", allow("sts:AssumeRole"))
        more = {"Policy": session_policy} if session_policy else {}
        got = self.client("sts", self.alice).assume_role(RoleArn=arn, RoleSessionName="run", **more)["Credentials"]
        return {
            "aws_access_key_id": got["AccessKeyId"],
            "aws_secret_access_key": got["SecretAccessKey"],
            "aws_session_token": got["SessionToken"],
        }


def told(record: dict[str, Any]) -> str:
    out = io.StringIO()
    story.tell(record, Console(file=out, width=110))
    return out.getvalue()


def documented(name: str, text: str) -> None:
    """docs/explain.md shows this very output, but for what is random in it."""
    wanted = f"<!-- {name} -->\n```text\n{normal(text)}```\n"
    assert wanted in DOCS.read_text(), wanted


def normal(text: str) -> str:
    """An output without what is random in it, of the same width."""
    text = re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "1234abcd-12ab-34cd-56ef-1234567890ab", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-11-24T12:00:00Z", text)
    text = re.sub(r"\b([op])-[a-z0-9]{10}\b", r"\1-a1b2c3d4e5", text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def governed(house: House, text: str) -> str:
    """Have a service control policy on the unit that Alice's account is in; returns the policy's ARN."""
    api = house.client("organizations", house.account(OTHER))
    api.create_organization()
    root = api.list_roots()["Roots"][0]["Id"]
    api.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    unit = api.create_organizational_unit(ParentId=root, Name="workloads")["OrganizationalUnit"]["Id"]
    invited = api.invite_account_to_organization(Target={"Id": ACCOUNT, "Type": "ACCOUNT"})["Handshake"]["Id"]
    house.client("organizations").accept_handshake(HandshakeId=invited)
    api.move_account(AccountId=ACCOUNT, SourceParentId=root, DestinationParentId=unit)
    made = api.create_policy(Content=text, Description="", Name="guard", Type="SERVICE_CONTROL_POLICY")["Policy"]
    api.attach_policy(PolicyId=made["PolicySummary"]["Id"], TargetId=unit)
    return made["PolicySummary"]["Arn"]


def test_through_a_service_control_policy_of_the_organization(house: House) -> None:
    house.put("keys", allow())
    condition = {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}}
    policy = governed(house, allow("kms:*", "Deny", Sid="HomeRegion", Condition=condition))
    record = house.encrypt()
    assert reason(record).startswith(
        f"Statement HomeRegion of the service control policy {policy} denies kms:Encrypt."
    )
    explanation = story.explanation_of(record)
    assert explanation is not None
    assert [(layer.level, layer.says) for layer in explanation.layers if layer.level is not None] == [
        (0, "allows"),
        (1, "denies"),
        (2, "allows"),
    ]
    assert record["errorMessage"].endswith("with an explicit deny in a service control policy")
    documented("organization", told(record))


def reason(record: dict[str, Any]) -> str:
    explanation = story.explanation_of(record)
    assert explanation is not None
    assert explanation.reason in " ".join(told(record).split()).replace(" │ ", " ")
    return explanation.reason


@pytest.fixture
def house() -> House:
    return House()


def test_through_a_boundary(house: House) -> None:
    house.put("keys", allow())
    edge = house.iam.create_policy(PolicyName="edge", PolicyDocument=allow("s3:*"))["Policy"]["Arn"]
    house.iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=edge)
    record = house.encrypt()
    assert reason(record) == f"No permissions boundary allows kms:Encrypt on {house.key}."
    assert "- add to the permissions boundary:" in told(record)
    documented("boundary", told(record))


def test_through_a_session_policy(house: House) -> None:
    record = house.encrypt(house.role(session_policy=allow("s3:*")))
    assert reason(record) == f"No session policy allows kms:Encrypt on {house.key}."
    documented("session policy", told(record))


def test_missing_mfa(house: House) -> None:
    house.put("keys", allow())
    condition = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    house.put("mfa", allow("*", "Deny", Sid="OnlyWithMfa", Condition=condition))
    record = house.encrypt()
    assert reason(record) == (
        "Statement OnlyWithMfa of the identity-based policy mfa denies kms:Encrypt. "
        "It applies, since the request has no aws:MultiFactorAuthPresent."
    )
    assert "- remove or narrow statement OnlyWithMfa of mfa (identity-based policy)" in told(record)
    assert "line 4, column 5" in told(record)
    documented("mfa", told(record))


def test_a_wrong_encryption_context(house: House) -> None:
    condition = {"StringEquals": {"kms:EncryptionContext:app": "billing"}}
    house.put("keys", allow(Sid="Billing", Condition=condition))
    record = house.encrypt(EncryptionContext={"app": "sales"})
    assert reason(record) == (
        f"No identity-based policy allows kms:Encrypt on {house.key}. Statement Billing of keys would, but "
        'StringEquals kms:EncryptionContext:app wants "billing", and the request had "sales".'
    )
    documented("encryption context", told(record))


def test_across_accounts_without_a_resource_policy_that_allows(house: House) -> None:
    house.put("keys", allow())
    key = house.client("kms", house.account(OTHER)).create_key()["KeyMetadata"]["Arn"]
    record = house.encrypt(key=key)
    assert reason(record) == (
        f"No policy of the resource allows kms:Encrypt on {key}. "
        "The caller is of another account: both sides must allow."
    )
    documented("cross-account", told(record))
    assert "kms:Encrypt" not in record["errorMessage"].partition("on this resource")[2]


def test_nothing_allows_it(house: House) -> None:
    record = house.refused(lambda: house.client("iam", house.alice).list_users())
    assert reason(record).startswith("No identity-based policy allows iam:ListUsers on ")
    assert "what would turn the answer" in told(record).lower()


def test_what_was_allowed_has_a_short_story(house: House) -> None:
    house.put("keys", allow())
    house.client("kms", house.alice).encrypt(KeyId=house.key, Plaintext=b"x")
    record = json.loads(record_of(house.events[-1], os.urandom))
    assert "explanation" not in record["bailiwick"]
    assert "Allowed by statement 1 of the identity-based policy keys." in told(record)


def test_the_command_finds_a_request_in_the_trail(house: House, tmp_path: Path) -> None:
    record = house.encrypt()
    (tmp_path / "20260101T000000Z-1.jsonl").write_text(json.dumps(record) + "\n" + '{"cut sho')
    request_id = record["requestID"]
    result = CliRunner().invoke(app, ["explain", request_id, "--audit", str(tmp_path)])
    assert result.exit_code == 0
    assert "No identity-based policy allows" in result.stdout
    result = CliRunner().invoke(app, ["explain", request_id, "--audit", str(tmp_path), "--json"])
    assert json.loads(result.stdout) == record
    assert story.find(Files(tmp_path), "no-such-request") is None
    assert story.last_refusal(Files(tmp_path)) == record
    result = CliRunner().invoke(app, ["explain", "--audit", str(tmp_path)])
    assert "No identity-based policy allows" in result.stdout
    assert story.last_refusal(Files(tmp_path / "empty")) is None


def test_through_a_service_control_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    question = re.search(r"```json\n(\{.*?\})\n```", DOCS.read_text(), re.DOTALL)
    assert question is not None
    asked = json.dumps(json.loads(question[1]))
    result = CliRunner().invoke(app, ["policy", "evaluate", "--tell"], input=asked)
    assert result.stdout.startswith("No service control policy allows s3:PutObject on arn:aws:s3:::logs/today.")
    documented("scp", result.stdout)

"""Services in their own name: what they may do, whom they act for, and what is written down of it."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from services_support import ACCOUNT, allow, deny, document, refusal, session_of, trusts

from bailiwick.app.record import owners_of, record_of
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import sign
from bailiwick.directory import service_principals
from bailiwick.directory.acting import SOURCE_ACCOUNT, SOURCE_ARN
from world import World

BACKUP = "backup.example.internal"
REDSHIFT = "redshift.amazonaws.com"
BUCKET = "arn:aws:s3:::reports"
OTHER = "210987654321"


@pytest.fixture
def backup(world: World) -> dict[str, str]:
    return world.service(BACKUP)


def acting(client: Any, arn: str | None = None, account: str | None = None) -> Any:
    """A client that says in signed headers what it acts for."""

    def add(request: Any, **_: Any) -> None:
        for name, value in ((SOURCE_ARN, arn), (SOURCE_ACCOUNT, account)):
            if value is not None:
                request.headers[name] = value

    client.meta.events.register("before-sign.*.*", add)
    return client


def role(world: World, name: str, trust: str) -> str:
    arn: str = world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    return arn


def test_a_service_knows_who_it_is(world: World, backup: dict[str, str]) -> None:
    told = world.client("sts", backup).get_caller_identity()
    assert told["Account"] == "aws"
    assert told["Arn"] == f"arn:aws:iam::aws:service/{BACKUP}"
    assert told["UserId"].startswith("ASVC")


def test_a_service_assumes_the_roles_that_trust_it(world: World, backup: dict[str, str]) -> None:
    arn = role(world, "Nightly", trusts({"Service": BACKUP}))
    client = world.client("sts", backup)
    answer = client.assume_role(RoleArn=arn, RoleSessionName="tonight", DurationSeconds=3600)
    told = world.client("sts", session_of(answer)).get_caller_identity()
    assert told["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Nightly/tonight"
    another = role(world, "Others", trusts({"Service": REDSHIFT}))
    assert refusal(client.assume_role, RoleArn=another, RoleSessionName="s1") == (
        "AccessDenied",
        f"User: {BACKUP} is not authorized to perform: sts:AssumeRole on resource: {another}",
    )


@pytest.mark.parametrize(
    "principal", [{"AWS": ACCOUNT}, {"AWS": "arn:aws:iam::123456789012:root"}, {"Service": "backup.amazonaws.com"}]
)
def test_what_names_somebody_else_does_not_mean_a_service(
    world: World, backup: dict[str, str], principal: Any
) -> None:
    arn = role(world, "R", trusts(principal))
    code, _ = refusal(world.client("sts", backup).assume_role, RoleArn=arn, RoleSessionName="s1")
    assert code == "AccessDenied"


def test_a_key_policy_lets_a_service_in(world: World, backup: dict[str, str]) -> None:
    root = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    of_service = allow(["kms:Encrypt", "kms:Decrypt"], Principal={"Service": BACKUP})
    kms = world.client("kms")
    open_key = kms.create_key(Policy=document(root, of_service))["KeyMetadata"]["Arn"]
    closed = kms.create_key()["KeyMetadata"]["Arn"]
    client = world.client("kms", backup)
    blob = client.encrypt(KeyId=open_key, Plaintext=b"x")["CiphertextBlob"]
    assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert refusal(client.encrypt, KeyId=closed, Plaintext=b"x")[0] == "AccessDeniedException"
    assert refusal(client.describe_key, KeyId=open_key)[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("service", "call", "parameters"),
    [
        ("iam", "list_users", {}),
        ("iam", "create_user", {"UserName": "u"}),
        ("kms", "create_key", {}),
        ("sts", "get_session_token", {}),
        ("sts", "get_federation_token", {"Name": "guest"}),
        ("sts", "get_access_key_info", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
    ],
)
def test_a_service_may_do_nothing_that_no_resource_gives_it(
    world: World, backup: dict[str, str], service: str, call: str, parameters: dict[str, Any]
) -> None:
    code, _ = refusal(getattr(world.client(service, backup), call), **parameters)
    assert code in ("AccessDenied", "AccessDeniedException")


# -- The confused deputy ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "arn", "account", "allowed"),
    [
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:backup:*:{ACCOUNT}:plan/*"}}, None, None, False),
        (
            {"ArnLike": {"aws:SourceArn": f"arn:aws:backup:*:{ACCOUNT}:plan/*"}},
            f"arn:aws:backup:us-east-1:{ACCOUNT}:plan/1",
            None,
            True,
        ),
        (
            {"ArnLike": {"aws:SourceArn": f"arn:aws:backup:*:{ACCOUNT}:plan/*"}},
            f"arn:aws:backup:us-east-1:{OTHER}:plan/1",
            None,
            False,
        ),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, None, ACCOUNT, True),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, f"arn:aws:backup::{ACCOUNT}:plan/1", None, True),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, BUCKET, ACCOUNT, True),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, BUCKET, OTHER, False),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, BUCKET, None, False),
        ({"Bool": {"aws:PrincipalIsAWSService": "true"}}, None, None, True),
        ({"StringEquals": {"aws:PrincipalServiceName": BACKUP}}, None, None, True),
        ({"ForAnyValue:StringEquals": {"aws:PrincipalServiceNamesList": BACKUP}}, None, None, True),
        ({"Null": {"aws:PrincipalArn": "true", "aws:PrincipalAccount": "true"}}, None, None, True),
    ],
)
def test_whom_a_service_acts_for_decides(
    world: World, backup: dict[str, str], condition: Any, arn: str | None, account: str | None, allowed: bool
) -> None:
    role_arn = role(world, "R", trusts({"Service": BACKUP}, Condition=condition))
    client = acting(world.client("sts", backup), arn, account)
    if allowed:
        assert client.assume_role(RoleArn=role_arn, RoleSessionName="s1")["Credentials"]
    else:
        assert refusal(client.assume_role, RoleArn=role_arn, RoleSessionName="s1")[0] == "AccessDenied"


def test_the_organization_of_what_a_service_acts_for(world: World, backup: dict[str, str]) -> None:
    organization = world.client("organizations").create_organization(FeatureSet="ALL")["Organization"]["Id"]
    trust = trusts({"Service": BACKUP}, Condition={"StringEquals": {"aws:SourceOrgID": organization}})
    arn = role(world, "R", trust)
    world.account(OTHER)
    client = acting(world.client("sts", backup), BUCKET, ACCOUNT)
    assert client.assume_role(RoleArn=arn, RoleSessionName="s1")["Credentials"]
    outside = acting(world.client("sts", backup), BUCKET, OTHER)
    assert refusal(outside.assume_role, RoleArn=arn, RoleSessionName="s1")[0] == "AccessDenied"


def test_only_services_say_what_they_act_for(world: World) -> None:
    code, text = refusal(acting(world.client("sts"), BUCKET).get_caller_identity)
    assert code == "AccessDenied"
    assert "Only a service" in text


@pytest.mark.parametrize(
    ("arn", "account", "text"),
    [
        ("reports", None, "must be an ARN"),
        ("arn:aws:iam::aws:policy/x", None, "must be an ARN"),
        ("arn:aws:s3:::" + "x" * 2100, None, "must be an ARN"),
        (None, "12345678901", "must be an account id"),
        (None, "１２３４５６７８９０１２".encode().decode("latin-1"), "must be an account id"),
        (f"arn:aws:backup::{OTHER}:plan/1", ACCOUNT, "is not the account in"),
    ],
)
def test_what_makes_no_sense_is_refused(
    world: World, backup: dict[str, str], arn: str | None, account: str | None, text: str
) -> None:
    code, told = refusal(acting(world.client("sts", backup), arn, account).get_caller_identity)
    assert code in ("ValidationError", "SignatureDoesNotMatch")
    assert text in told


def test_what_is_not_signed_is_not_believed(world: World, backup: dict[str, str]) -> None:
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = (Header("host", "h"), Header("content-type", "application/x-www-form-urlencoded"))
    signed = sign.sign(
        Request("POST", "/", "", headers, body),
        access_key_id=backup["aws_access_key_id"],
        secret=backup["aws_secret_access_key"],
        token=None,
        region="us-east-1",
        service="sts",
        now=world.now(),
    )
    for name, value in ((SOURCE_ARN, BUCKET), (SOURCE_ACCOUNT, OTHER)):
        changed = Request("POST", "/", "", (*signed.headers, Header(name, value)), body)
        answer = world.pipeline.handle(changed)
        assert answer.status == 400
        assert b"IncompleteSignature" in answer.body
        assert f"'{name}' must be a 'SignedHeader'".encode() in answer.body.replace(b"&#39;", b"'")


# -- Their keys -------------------------------------------------------------------------------------------


def test_an_old_key_ends_at_once(world: World, backup: dict[str, str]) -> None:
    client = world.client("sts", backup)
    client.get_caller_identity()
    with world.store.transaction(write=True) as transaction:
        found = service_principals.find(transaction, BACKUP)
        assert found is not None
        key, secret = service_principals.rotate_key(transaction, world.environment, found)
    assert refusal(client.get_caller_identity)[0] == "InvalidClientTokenId"
    renewed = world.client("sts", {"aws_access_key_id": key, "aws_secret_access_key": secret})
    assert renewed.get_caller_identity()["UserId"] == found.id
    with world.store.transaction(write=True) as transaction:
        service_principals.remove(transaction, found)
    assert refusal(renewed.get_caller_identity)[0] == "InvalidClientTokenId"


def test_an_account_cannot_touch_the_key_of_a_service(world: World, backup: dict[str, str]) -> None:
    key = backup["aws_access_key_id"]
    iam = world.client("iam")
    iam.create_user(UserName="u")
    assert iam.list_access_keys(UserName="u")["AccessKeyMetadata"] == []
    assert refusal(iam.delete_access_key, UserName="u", AccessKeyId=key)[0] == "NoSuchEntity"
    assert refusal(iam.update_access_key, UserName="u", AccessKeyId=key, Status="Inactive")[0] == "NoSuchEntity"
    assert refusal(iam.get_access_key_last_used, AccessKeyId=key)[0] == "AccessDenied"
    with world.store.transaction() as transaction:
        assert service_principals.keys_of(transaction, service_principals.every(transaction)[0]) == [key]


def test_a_deny_binds_a_service(world: World, backup: dict[str, str]) -> None:
    root = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    kms = world.client("kms")
    denies = deny("kms:Encrypt", Principal={"Service": BACKUP})
    key = kms.create_key(Policy=document(root, allow("kms:*", Principal={"Service": BACKUP}), denies))
    code, text = refusal(world.client("kms", backup).encrypt, KeyId=key["KeyMetadata"]["Arn"], Plaintext=b"x")
    assert code == "AccessDeniedException"
    assert "explicitly denies access" in text


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (REDSHIFT, True),
        (BACKUP, True),
        ("a.b", True),
        ("backup", False),
        ("Backup.example", False),
        ("backup..example", False),
        ("-a.b", False),
        ("a.b\n", False),
        ("a." + "b" * 64, False),
        (".".join(["a" * 60] * 3), False),
    ],
)
def test_names(name: str, is_one: bool) -> None:
    assert service_principals.is_name(name) is is_one


# -- What is written down ---------------------------------------------------------------------------------


def test_the_record_is_that_of_the_account_whose_role_it_is(world: World, backup: dict[str, str]) -> None:
    arn = role(world, "R", trusts({"Service": BACKUP}))
    acting(world.client("sts", backup), BUCKET, OTHER).assume_role(RoleArn=arn, RoleSessionName="s1")
    event = world.events[-1]
    assert owners_of(event) == ()
    record = json.loads(record_of(event, os.urandom))
    assert record["recipientAccountId"] == ACCOUNT
    identity = {"type": "AWSService", "accessKeyId": backup["aws_access_key_id"], "invokedBy": BACKUP}
    assert record["userIdentity"] == identity
    assert record["bailiwick"]["sourceArn"] == BUCKET
    assert record["bailiwick"]["sourceAccount"] == OTHER
    assert backup["aws_secret_access_key"] not in json.dumps(record)

"""Access advisor, from what really happened. Facts: facts/iam.md section 6."""

from __future__ import annotations

import time
from typing import Any

import pytest
from services_support import ACCOUNT, allow, deny, document, refusal, session_of, trusts
from sqlalchemy import update

from bailiwick.analysis import actions
from bailiwick.analysis.granting import Granted
from bailiwick.directory.role_tables import access_job
from still_clock import Clock
from world import World

ARN = f"arn:aws:iam::{ACCOUNT}"
KMS_AND_S3 = document(allow(["kms:Generate*", "s3:GetObject"]))


@pytest.fixture
def world() -> World:
    made = World(clock := Clock(now=float(int(time.time()))))  # of botocore, which signs with it
    made.clock = clock  # type: ignore[attr-defined]
    return made


def report(iam: Any, arn: str, **more: Any) -> dict[str, dict[str, Any]]:
    job = iam.generate_service_last_accessed_details(Arn=arn, **more)["JobId"]
    answer = iam.get_service_last_accessed_details(JobId=job)
    assert answer["JobStatus"] == "COMPLETED"
    assert answer["JobType"] == more.get("Granularity", "SERVICE_LEVEL")
    assert answer["IsTruncated"] is False
    return {each["ServiceNamespace"]: each for each in answer["ServicesLastAccessed"]}


def user_with(iam: Any, name: str, policy: str) -> str:
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    iam.put_user_policy(UserName=name, PolicyName="i", PolicyDocument=policy)
    return str(arn)


def use(world: World, credentials: dict[str, str]) -> float:
    """One allowed call of KMS and one that is refused, on different seconds; returns the time of the second."""
    client = world.client("kms", credentials, region="eu-west-1")
    client.generate_random(NumberOfBytes=1)
    world.clock.now += 10  # type: ignore[attr-defined]
    refusal(client.list_keys)
    world.directory.usage.flush(world.store)
    return float(world.clock.now)  # type: ignore[attr-defined]


def test_a_user_who_did_nothing(iam: Any) -> None:
    arn = user_with(iam, "u", KMS_AND_S3)
    found = report(iam, arn)
    assert found == {
        "kms": {
            "ServiceName": "AWS Key Management Service",
            "ServiceNamespace": "kms",
            "TotalAuthenticatedEntities": 0,
        },
        "s3": {"ServiceName": "Amazon S3", "ServiceNamespace": "s3", "TotalAuthenticatedEntities": 0},
    }


def test_what_was_used_last(world: World, iam: Any) -> None:
    arn = user_with(iam, "u", KMS_AND_S3)
    last = use(world, world.keys_of("u"))
    kms = report(iam, arn)["kms"]
    assert kms["LastAuthenticated"].timestamp() == last  # an attempt counts, whatever became of it
    assert (kms["LastAuthenticatedEntity"], kms["LastAuthenticatedRegion"]) == (arn, "eu-west-1")
    assert kms["TotalAuthenticatedEntities"] == 1
    tracked = report(iam, arn, Granularity="ACTION_LEVEL")
    assert "TrackedActionsLastAccessed" not in tracked["s3"]
    listed = {each["ActionName"]: each for each in tracked["kms"]["TrackedActionsLastAccessed"]}
    assert all(name.startswith("Generate") for name in listed)
    assert listed["GenerateRandom"]["LastAccessedTime"].timestamp() == last - 10
    assert listed["GenerateRandom"]["LastAccessedEntity"] == arn
    assert listed["GenerateDataKey"] == {"ActionName": "GenerateDataKey"}


def test_groups_policies_and_roles(world: World, iam: Any) -> None:
    policy = iam.create_policy(PolicyName="p", PolicyDocument=KMS_AND_S3)["Policy"]["Arn"]
    group = iam.create_group(GroupName="g")["Group"]["Arn"]
    iam.attach_group_policy(GroupName="g", PolicyArn=policy)
    for name in ("u", "v"):
        user_with(iam, name, document(allow("sts:AssumeRole")))
        iam.add_user_to_group(GroupName="g", UserName=name)
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": f"{ARN}:root"}))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="r", PolicyArn=policy)
    use(world, world.keys_of("u"))
    answer = world.client("sts", world.keys_of("v")).assume_role(RoleArn=role, RoleSessionName="s1")
    last = use(world, session_of(answer))
    assert set(report(iam, group)) == {"kms", "s3"}
    assert report(iam, group)["kms"]["LastAuthenticatedEntity"] == f"{ARN}:user/u"
    assert report(iam, role)["kms"]["LastAuthenticatedEntity"] == role
    assert report(iam, f"{ARN}:user/v")["sts"]["TotalAuthenticatedEntities"] == 1
    assert "LastAuthenticated" not in report(iam, f"{ARN}:user/v")["kms"]
    both = report(iam, policy)["kms"]
    assert (both["TotalAuthenticatedEntities"], both["LastAuthenticatedEntity"]) == (2, role)
    job = iam.generate_service_last_accessed_details(Arn=policy)["JobId"]
    told = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="kms")
    found = {each["EntityInfo"]["Name"]: each for each in told["EntityDetailsList"]}
    assert {name: each["EntityInfo"]["Type"] for name, each in found.items()} == {
        "u": "USER",
        "v": "USER",
        "r": "ROLE",
    }
    assert found["r"]["LastAuthenticated"].timestamp() == last
    assert "LastAuthenticated" not in found["v"]
    assert found["u"]["EntityInfo"]["Arn"] == f"{ARN}:user/u"
    first = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="kms", MaxItems=2)
    assert (len(first["EntityDetailsList"]), first["IsTruncated"]) == (2, True)
    other = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="ec2")
    assert other["EntityDetailsList"] == []


def test_a_namesake_has_used_nothing(world: World, iam: Any) -> None:
    arn = user_with(iam, "u", KMS_AND_S3)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    use(world, {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]})
    iam.delete_access_key(UserName="u", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="u", PolicyName="i")
    iam.delete_user(UserName="u")
    user_with(iam, "u", KMS_AND_S3)
    assert report(iam, arn)["kms"]["TotalAuthenticatedEntities"] == 0


def test_pages_and_jobs(world: World, iam: Any) -> None:
    iam.create_user(UserName="admin")
    iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    job = iam.generate_service_last_accessed_details(Arn=f"{ARN}:user/admin")["JobId"]
    seen, marker = [], {}
    while True:
        page = iam.get_service_last_accessed_details(JobId=job, MaxItems=150, **marker)
        seen += [each["ServiceNamespace"] for each in page["ServicesLastAccessed"]]
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert seen == sorted(actions.load().services)
    stranger = world.client("iam", world.account("210987654321"))
    assert refusal(stranger.get_service_last_accessed_details, JobId=job)[0] == "NoSuchEntity"
    with world.store.transaction(write=True) as transaction:
        transaction.run(update(access_job).values(created=world.now() - 8 * 86400))
    iam.generate_service_last_accessed_details(Arn=f"{ARN}:user/admin")
    assert refusal(iam.get_service_last_accessed_details, JobId=job)[0] == "NoSuchEntity"


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (f"{ARN}:user/missing", "NoSuchEntity"),
        (f"{ARN}:role/missing", "NoSuchEntity"),
        (f"{ARN}:policy/missing", "NoSuchEntity"),
        (f"{ARN}:mfa/missing", "InvalidInput"),
        ("arn:aws:s3:::bucket/missing", "InvalidInput"),
        ("not-an-arn-of-anything", "InvalidInput"),
    ],
)
def test_what_is_no_subject(iam: Any, arn: str, code: str) -> None:
    assert refusal(iam.generate_service_last_accessed_details, Arn=arn)[0] == code


def test_policies_that_grant(iam: Any) -> None:
    arn = user_with(iam, "u", document(allow("kms:*")))
    managed = iam.create_policy(PolicyName="p", PolicyDocument=KMS_AND_S3)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="u", PolicyArn=managed)
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="j", PolicyDocument=document(allow("s3:*")))
    iam.add_user_to_group(GroupName="g", UserName="u")
    answer = iam.list_policies_granting_service_access(Arn=arn, ServiceNamespaces=["s3", "kms", "ec2"])
    assert answer["IsTruncated"] is False
    inline = {"PolicyName": "i", "PolicyType": "INLINE", "EntityType": "USER", "EntityName": "u"}
    of_group = {"PolicyName": "j", "PolicyType": "INLINE", "EntityType": "GROUP", "EntityName": "g"}
    of_policy = {"PolicyName": "p", "PolicyType": "MANAGED", "PolicyArn": managed}
    assert answer["PoliciesGrantingServiceAccess"] == [
        {"ServiceNamespace": "s3", "Policies": [of_policy, of_group]},
        {"ServiceNamespace": "kms", "Policies": [inline, of_policy]},
        {"ServiceNamespace": "ec2", "Policies": []},
    ]


EVERY = set(actions.load().services)


@pytest.mark.parametrize(
    ("statements", "services"),
    [
        ([allow("*")], EVERY),
        ([allow("S3:getObject"), allow("nosuchservice:Do")], {"s3"}),
        ([{"Effect": "Allow", "NotAction": ["iam:*", "s3:GetObject"], "Resource": "*"}], EVERY - {"iam"}),
        ([allow(["s3:*", "ec2:*"]), deny("s3:*")], {"ec2"}),
        ([allow(["s3:*", "ec2:*"]), deny("s3:*", "arn:aws:s3:::x")], {"s3", "ec2"}),
        ([allow("s3:*"), deny("*", Condition={"Bool": {"aws:SecureTransport": "false"}})], {"s3"}),
        ([allow("s3:*"), deny("*")], set()),
        ([allow("*"), {"Effect": "Deny", "NotAction": ["s3:GetObject"], "Resource": "*"}], {"s3"}),
        ([deny("s3:*")], set()),
    ],
)
def test_services_that_policies_allow(statements: list[dict[str, Any]], services: set[str]) -> None:
    assert set(Granted([document(*statements)], actions.load()).services()) == services


def test_actions_that_policies_allow() -> None:
    granted = Granted([document(allow("kms:*Alias"), deny("kms:Delete*"))], actions.load())
    assert granted.actions("kms") == ["CreateAlias", "UpdateAlias"]
    assert granted.actions("s3") == []
    assert granted.actions("nosuchservice") == []
    but = {"Effect": "Allow", "NotAction": "kms:[!C]*", "Resource": "*"}
    assert "CreateAlias" in Granted([document(but)], actions.load()).actions("kms")

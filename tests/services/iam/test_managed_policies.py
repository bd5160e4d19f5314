"""AWS managed policies: which there are, what they allow, and that nobody changes them. How policies are listed."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from services_support import refusal
from sqlalchemy import event, literal, select

from bailiwick.analysis import actions
from bailiwick.core.policy.document import check_managed
from bailiwick.directory import managed, quotas
from world import ACCOUNT, World

AWS = "arn:aws:iam::aws:policy"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy"
DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
)
OURS = [policy for policy in managed.every("aws") if not policy.is_linked]


def statements(name: str) -> list[dict[str, Any]]:
    found = managed.find(f"{AWS}/{name}")
    assert found is not None
    return json.loads(found.document or "")["Statement"]  # type: ignore[no-any-return]


def patterns(statement: dict[str, Any]) -> list[str]:
    named = statement.get("Action") or statement["NotAction"]
    return [named] if isinstance(named, str) else named


def test_every_document_is_one_and_names_actions_that_exist() -> None:
    data = actions.load()
    assert len(OURS) > 100
    for policy in managed.every("aws"):
        check_managed(policy.document or "")
    for policy in OURS:
        for statement in json.loads(policy.document or "")["Statement"]:
            assert [each for each in patterns(statement) if each != "*" and not data.expand(each)] == []


@pytest.mark.parametrize("name", ["ReadOnlyAccess", "SecurityAudit", "job-function/ViewOnlyAccess"])
def test_what_reads_only_reads_and_gives_no_secret_away(name: str) -> None:
    data = actions.load()
    (statement,) = statements(name)
    allowed = {each for pattern in patterns(statement) for each in data.expand(pattern)}
    assert {each.level for each in allowed} <= {"Read", "List"}
    names = {each.full_name for each in allowed}
    assert names >= {"s3:ListAllMyBuckets", "iam:ListUsers", "kms:ListKeys", "ec2:DescribeInstances"}
    assert not names & {
        "secretsmanager:GetSecretValue",
        "secretsmanager:BatchGetSecretValue",
        "sts:GetSessionToken",
        "sts:GetFederationToken",
        "sts:AssumeRole",
        "signin:CreateOAuth2Token",
        "cognito-identity:GetCredentialsForIdentity",
        "kms:Decrypt",
        "s3:GetDataAccess",
        "ecr:GetAuthorizationToken",
    }
    assert ("s3:GetObject" in names) == (name == "ReadOnlyAccess")
    assert ("iam:GetCredentialReport" in names) == (name != "job-function/ViewOnlyAccess")


def test_ids_and_dates_are_stable_and_ids_are_unique() -> None:
    assert len({policy.id for policy in managed.every("aws")}) == len(managed.every("aws"))
    found = managed.find(f"{AWS}/AdministratorAccess")
    assert found is not None
    assert (found.id, found.created, found.default_version) == ("ANPA7FSB3TBLYXKMD5DSD", 1423247986.0, 1)


def test_other_partitions_have_them_under_their_own_name() -> None:
    found = managed.find("arn:aws-cn:iam::aws:policy/IAMUserChangePassword")
    assert found is not None
    assert found.document is not None
    assert "arn:aws-cn:iam::*:user/${aws:username}" in found.document
    assert "arn:aws:" not in found.document


@pytest.mark.parametrize(
    ("name", "version"), [("ReadOnlyAccess", "v188"), ("IAMUserChangePassword", "v5"), ("AWSDenyAll", "v1")]
)
def test_the_default_version_is_aws_s_and_the_only_one(iam: Any, name: str, version: str) -> None:
    arn = f"{AWS}/{name}"
    found = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (found["DefaultVersionId"], found["Tags"], found["IsAttachable"]) == (version, [], True)
    listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(each["VersionId"], each["IsDefaultVersion"]) for each in listed] == [(version, True)]
    read = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
    assert read["CreateDate"] == listed[0]["CreateDate"] == found["UpdateDate"]
    assert refusal(iam.get_policy_version, PolicyArn=arn, VersionId="v200") == (
        "NoSuchEntity",
        f"Policy {arn} version v200 does not exist or is not attachable.",
    )


@pytest.mark.parametrize(
    ("operation", "more", "told"),
    [
        ("delete_policy", {}, "Cannot delete policies outside your own account."),
        (
            "delete_policy_version",
            {"VersionId": "v1"},
            "Cannot delete policy versions for policies outside your own account.",
        ),
        ("create_policy_version", {"PolicyDocument": DOCUMENT}, "Cannot update policies outside your own account."),
        ("set_default_policy_version", {"VersionId": "v1"}, "Cannot update policies outside your own account."),
        ("tag_policy", {"Tags": [{"Key": "k", "Value": "v"}]}, "Cannot update policies outside your own account."),
    ],
)
def test_nobody_changes_them(iam: Any, operation: str, more: dict[str, Any], told: str) -> None:
    assert refusal(getattr(iam, operation), PolicyArn=f"{AWS}/ReadOnlyAccess", **more) == ("AccessDenied", told)


def test_a_policy_for_service_linked_roles_is_for_nobody_else(iam: Any) -> None:
    arn = f"{AWS}/aws-service-role/AWSSSOServiceRolePolicy"
    iam.create_service_linked_role(AWSServiceName="sso.amazonaws.com")
    attached = iam.list_attached_role_policies(RoleName="AWSServiceRoleForSSO")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSSSOServiceRolePolicy", "PolicyArn": arn}]
    iam.create_user(UserName="u")
    assert refusal(iam.attach_user_policy, UserName="u", PolicyArn=arn)[0] == "PolicyNotAttachable"


def names_of(iam: Any, **filters: Any) -> list[str]:
    pages = iam.get_paginator("list_policies").paginate(**filters)
    return [policy["PolicyName"] for page in pages for policy in page["Policies"]]


@pytest.fixture
def used(iam: Any) -> Any:
    """An account with four policies: one attached, one a boundary, one both, one neither; and two of AWS's in use."""
    for name in ("attached", "boundary", "both", "neither"):
        iam.create_policy(PolicyName=name, Path="/p/" if name == "both" else "/", PolicyDocument=DOCUMENT)
    iam.create_group(GroupName="g", Path="/p/")
    iam.create_user(UserName="u", PermissionsBoundary=f"{POLICY}/boundary")
    iam.create_user(UserName="v", PermissionsBoundary=f"{POLICY}/p/both", Path="/p/")
    iam.attach_user_policy(UserName="u", PolicyArn=f"{POLICY}/attached")
    iam.attach_user_policy(UserName="u", PolicyArn=f"{POLICY}/p/both")
    iam.attach_group_policy(GroupName="g", PolicyArn=f"{POLICY}/p/both")
    iam.attach_user_policy(UserName="v", PolicyArn=f"{AWS}/ReadOnlyAccess")
    iam.put_user_permissions_boundary(UserName="v", PermissionsBoundary=f"{AWS}/PowerUserAccess")
    return iam


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"Scope": "Local"}, ["attached", "boundary", "neither", "both"]),
        ({"Scope": "Local", "OnlyAttached": True}, ["attached", "boundary", "both"]),
        ({"Scope": "Local", "PolicyUsageFilter": "PermissionsPolicy"}, ["attached", "both"]),
        ({"Scope": "Local", "PolicyUsageFilter": "PermissionsBoundary"}, ["boundary"]),
        ({"Scope": "Local", "PathPrefix": "/p/"}, ["both"]),
        ({"OnlyAttached": True}, ["attached", "boundary", "both", "PowerUserAccess", "ReadOnlyAccess"]),
        ({"Scope": "AWS", "OnlyAttached": True}, ["PowerUserAccess", "ReadOnlyAccess"]),
        ({"Scope": "AWS", "PolicyUsageFilter": "PermissionsBoundary"}, ["PowerUserAccess"]),
        ({"Scope": "AWS", "PolicyUsageFilter": "PermissionsPolicy", "PathPrefix": "/job-function/"}, []),
    ],
)
def test_policies_are_listed_by_scope_use_and_path(used: Any, filters: dict[str, Any], expected: list[str]) -> None:
    assert names_of(used, **filters) == expected
    assert names_of(used, **filters, PaginationConfig={"PageSize": 1}) == expected


def test_lists_tell_how_often_a_policy_is_used(used: Any) -> None:
    listed = {policy["PolicyName"]: policy for policy in used.list_policies(OnlyAttached=True)["Policies"]}
    assert {
        name: (policy["AttachmentCount"], policy["PermissionsBoundaryUsageCount"])
        for name, policy in listed.items()
    } == {
        "attached": (1, 0),
        "boundary": (0, 1),
        "both": (2, 0),
        "ReadOnlyAccess": (1, 0),
        "PowerUserAccess": (0, 1),
    }
    assert "Description" not in listed["both"]
    assert "Tags" not in listed["both"]


def test_a_page_takes_as_many_queries_as_any_other(world: World, used: Any) -> None:
    ran: list[str] = []
    with world.store.transaction() as transaction:
        transaction.one(select(literal(1)))
        engine = transaction._connection.engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *a: ran.append(a[2]))
    used.list_policies(Scope="AWS", MaxItems=1)
    few = len(ran)
    ran.clear()
    used.list_policies(MaxItems=300, OnlyAttached=True)
    assert few <= len(ran) <= few + 3


def test_a_later_version_moves_the_date_and_a_default_does_not() -> None:
    clock = [float(int(time.time()))]
    start = clock[0]
    iam = World(lambda: clock[0]).client("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    clock[0] += 10
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=DOCUMENT)
    changed = iam.get_policy(PolicyArn=arn)["Policy"]["UpdateDate"]
    assert changed.timestamp() == start + 10
    clock[0] += 10
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    found = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (found["UpdateDate"], found["DefaultVersionId"]) == (changed, "v2")


@pytest.mark.parametrize("of_account", [False, True])
def test_a_quota_can_be_raised(world: World, iam: Any, of_account: bool) -> None:
    with world.store.transaction(write=True) as transaction:
        quotas.put(transaction, "GroupsPerAccount", 1)
        quotas.put(transaction, "GroupsPerUser", 0, ACCOUNT)
    iam.create_group(GroupName="a")
    told = ("LimitExceeded", "Cannot exceed quota for GroupsPerAccount: 1")
    assert refusal(iam.create_group, GroupName="b") == told
    with world.store.transaction(write=True) as transaction:
        quotas.put(transaction, "GroupsPerAccount", 2, ACCOUNT if of_account else None)
    iam.create_group(GroupName="b")
    assert refusal(iam.create_group, GroupName="c")[1].endswith(": 2")
    iam.create_user(UserName="u")
    assert refusal(iam.add_user_to_group, GroupName="a", UserName="u")[1].endswith("GroupsPerUser: 0")

"""Roles, managed and inline policies, attachments and boundaries. Texts: facts/iam.md section 5."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services_support import ACCOUNT, allow, deny, document, refusal, session_of, trusts

from world import World

ROOT_ARN = f"arn:aws:iam::{ACCOUNT}:root"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/p"
DOCUMENT = document(allow("s3:GetObject"))


def members(shape: dict[str, Any]) -> set[str]:
    return set(shape) - {"ResponseMetadata"}


BASIC = {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"}


def test_a_role_as_created_read_and_listed(iam: Any) -> None:
    made = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": ROOT_ARN}))["Role"]
    assert members(made) == BASIC
    assert made["AssumeRolePolicyDocument"] == json.loads(trusts({"AWS": ROOT_ARN}))
    assert members(iam.get_role(RoleName="r")["Role"]) == BASIC | {"MaxSessionDuration", "RoleLastUsed"}
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"] == {}
    assert members(iam.list_roles()["Roles"][0]) == BASIC | {"MaxSessionDuration"}
    whole = iam.create_role(
        RoleName="s",
        Path="/x/",
        AssumeRolePolicyDocument=trusts({"Service": "ec2.amazonaws.com"}),
        Description="d",
        MaxSessionDuration=7200,
        Tags=[{"Key": "k", "Value": "v"}],
        PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess",
    )["Role"]
    assert members(whole) == BASIC | {"MaxSessionDuration", "Tags", "PermissionsBoundary"}
    assert iam.get_role(RoleName="s")["Role"]["Description"] == "d"
    assert whole["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/PowerUserAccess",
    }


def test_a_role_is_updated(iam: Any) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": ROOT_ARN}))
    iam.update_role(RoleName="r", Description="d", MaxSessionDuration=43200)
    role = iam.get_role(RoleName="r")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("d", 43200)
    updated = iam.update_role_description(RoleName="r", Description="e")["Role"]
    assert members(updated) == BASIC | {"Description"}  # recorded: without MaxSessionDuration
    assert updated["Description"] == "e"
    iam.update_role(RoleName="r")  # recorded: what is not given stays
    assert iam.get_role(RoleName="r")["Role"]["MaxSessionDuration"] == 43200
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trusts({"Service": "x.amazonaws.com"}))
    shown = iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"Service": "x.amazonaws.com"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        (
            trusts({"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}),
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/nobody"',
        ),
        (trusts({"AWS": "*"}, "s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trusts({"AWS": "*"}, Resource="*"), "Has prohibited field Resource"),
    ],
)
def test_a_trust_policy_that_is_none(iam: Any, text: str, message: str) -> None:
    create = refusal(iam.create_role, RoleName="r", AssumeRolePolicyDocument=text)
    assert create == ("MalformedPolicyDocument", message)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": "*"}))
    assert refusal(iam.update_assume_role_policy, RoleName="r", PolicyDocument=text) == create


def test_a_principal_that_is_gone_is_shown_by_its_id(iam: Any) -> None:
    user = iam.create_user(UserName="u")["User"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": user["Arn"]}))
    principal = lambda: iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]  # noqa: E731
    assert principal() == {"AWS": user["Arn"]}
    iam.update_user(UserName="u", NewUserName="v")
    assert principal() == {"AWS": user["Arn"].replace("user/u", "user/v")}
    iam.delete_user(UserName="v")
    assert principal() == {"AWS": user["UserId"]}


def test_a_namesake_is_somebody_else(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    arn = iam.get_user(UserName="u")["User"]["Arn"]
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": arn}))["Role"]["Arn"]
    old = world.client("sts", world.keys_of("u"))
    assert old.assume_role(RoleArn=role, RoleSessionName="s1")["AssumedRoleUser"]
    for key in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="u", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="u")
    iam.create_user(UserName="u")
    new = world.client("sts", world.keys_of("u"))
    assert refusal(new.assume_role, RoleArn=role, RoleSessionName="s1")[0] == "AccessDenied"


@pytest.mark.parametrize("name", ["RoleName", "UserName"])
def test_a_deleted_role_is_missing(iam: Any, name: str) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": "*"}))
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=DOCUMENT)
    assert refusal(iam.delete_role, RoleName="r") == (
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
    )
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    iam.delete_role(RoleName="r")
    assert refusal(iam.get_role, RoleName="r") == ("NoSuchEntity", "The role with name r cannot be found.")


def test_a_policy_as_created_read_and_listed(iam: Any) -> None:
    made = iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT, Description="d")["Policy"]
    always = {
        *("PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId", "AttachmentCount"),
        *("PermissionsBoundaryUsageCount", "IsAttachable", "CreateDate", "UpdateDate"),
    }
    assert members(made) == always
    assert (made["Arn"], made["DefaultVersionId"], made["AttachmentCount"]) == (POLICY, "v1", 0)
    read = iam.get_policy(PolicyArn=POLICY)["Policy"]
    assert members(read) == always | {"Description", "Tags"}
    assert (read["Description"], read["Tags"]) == ("d", [])
    assert [members(each) for each in iam.list_policies(Scope="Local")["Policies"]] == [always]
    assert refusal(iam.create_policy, PolicyName="P", PolicyDocument=DOCUMENT) == (
        "EntityAlreadyExists",
        "A policy called P already exists. Duplicate names are not allowed.",
    )


def test_documents_come_back_as_submitted(iam: Any) -> None:
    text = '{ "Version":"2012-10-17",\n\t"Statement": {"Effect":"Allow","Action":"*","Resource":"*"} }'
    iam.create_policy(PolicyName="p", PolicyDocument=text)
    raw: list[bytes] = []
    iam.meta.events.register("after-call.*.*", lambda http_response, **_: raw.append(http_response.content))
    iam.get_policy_version(PolicyArn=POLICY, VersionId="v1")
    from urllib.parse import quote

    assert f"<Document>{quote(text, safe='-_.~')}</Document>".encode() in raw[0]


def test_versions(iam: Any) -> None:
    iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)
    for _ in range(4):
        made = iam.create_policy_version(PolicyArn=POLICY, PolicyDocument=DOCUMENT)["PolicyVersion"]
        assert members(made) == {"VersionId", "IsDefaultVersion", "CreateDate"}
    assert refusal(iam.create_policy_version, PolicyArn=POLICY, PolicyDocument=DOCUMENT) == (
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing "
        "version.",
    )
    assert refusal(iam.delete_policy_version, PolicyArn=POLICY, VersionId="v1") == (
        "DeleteConflict",
        "Cannot delete the default version of a policy.",
    )
    iam.set_default_policy_version(PolicyArn=POLICY, VersionId="v3")
    iam.delete_policy_version(PolicyArn=POLICY, VersionId="v1")
    iam.create_policy_version(PolicyArn=POLICY, PolicyDocument=DOCUMENT, SetAsDefault=True)
    listed = iam.list_policy_versions(PolicyArn=POLICY)["Versions"]
    assert [v["VersionId"] for v in listed] == ["v6", "v5", "v4", "v3", "v2"]
    assert [v["VersionId"] for v in listed if v["IsDefaultVersion"]] == ["v6"]
    assert refusal(iam.get_policy_version, PolicyArn=POLICY, VersionId="v9") == (
        "NoSuchEntity",
        f"Policy {POLICY} version v9 does not exist or is not attachable.",
    )
    assert refusal(iam.delete_policy, PolicyArn=POLICY)[0] == "DeleteConflict"


@pytest.mark.parametrize(
    ("operation", "parameters", "told"),
    [
        ("get_policy", {}, "does not exist or is not attachable."),
        ("get_policy_version", {"VersionId": "v1"}, "version v1 does not exist or is not attachable."),
        ("set_default_policy_version", {"VersionId": "v1"}, "version v1 does not exist or is not attachable."),
        ("delete_policy_version", {"VersionId": "v1"}, "version v1 does not exist or is not attachable."),
        ("list_policy_versions", {}, "does not exist or is not attachable."),
        ("list_entities_for_policy", {}, "does not exist or is not attachable."),
        ("delete_policy", {}, "was not found."),
        ("tag_policy", {"Tags": [{"Key": "k", "Value": "v"}]}, "was not found."),
        ("attach_user_policy", {"UserName": "u"}, "does not exist or is not attachable."),
        ("detach_user_policy", {"UserName": "u"}, "was not found."),
    ],
)
def test_a_policy_that_is_missing(iam: Any, operation: str, parameters: Any, told: str) -> None:
    iam.create_user(UserName="u")
    found = refusal(getattr(iam, operation), PolicyArn=POLICY, **parameters)
    assert found == ("NoSuchEntity", f"Policy {POLICY} {told}")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("x", "MalformedPolicyDocument", "Syntax errors in policy."),
        (
            json.dumps({"Version": "2008-10-17", "Statement": [allow("s3:*")]}),
            "MalformedPolicyDocument",
            "Policy document must be version 2012-10-17 or greater.",
        ),
        (
            document({"Effect": "Allow", "Action": "s3:*"}),
            "MalformedPolicyDocument",
            "Policy statement must contain resources.",
        ),
        (
            document(allow(["s3:" + "x" * 100] * 62)),
            "LimitExceeded",
            "Cannot exceed quota for PolicySize: 6144",
        ),
    ],
)
def test_a_document_that_is_refused(iam: Any, text: str, code: str, message: str) -> None:
    assert refusal(iam.create_policy, PolicyName="p", PolicyDocument=text) == (code, message)


def test_inline_policies_of_each_kind(iam: Any) -> None:
    iam.create_user(UserName="x")
    iam.create_group(GroupName="x")
    iam.create_role(RoleName="x", AssumeRolePolicyDocument=trusts({"AWS": "*"}))
    for kind, size in (("user", 2048), ("group", 5120), ("role", 10240)):
        name = {f"{kind.title()}Name": "x"}
        operation = lambda verb, noun="policy", kind=kind: getattr(iam, f"{verb}_{kind}_{noun}")  # noqa: E731
        operation("put")(**name, PolicyName="p", PolicyDocument=DOCUMENT)
        assert operation("get")(**name, PolicyName="p")["PolicyDocument"] == json.loads(DOCUMENT)
        assert operation("list", "policies")(**name)["PolicyNames"] == ["p"]
        large = document(allow(["s3:" + "x" * 100] * (size // 106 + 1)))
        assert refusal(operation("put"), **name, PolicyName="q", PolicyDocument=large) == (
            "LimitExceeded",
            f"Maximum policy size of {size} bytes exceeded for {kind} x",
        )
        operation("delete")(**name, PolicyName="p")
        assert refusal(operation("get"), **name, PolicyName="p") == (
            "NoSuchEntity",
            f"The {kind} policy with name p cannot be found.",
        )


def test_attachments_of_each_kind(iam: Any) -> None:
    iam.create_user(UserName="x")
    iam.create_group(GroupName="x")
    iam.create_role(RoleName="x", AssumeRolePolicyDocument=trusts({"AWS": "*"}))
    iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)
    for number, kind in enumerate(("user", "group", "role"), 1):
        name = {f"{kind.title()}Name": "x"}
        for _ in range(2):
            getattr(iam, f"attach_{kind}_policy")(**name, PolicyArn=POLICY)
        attached = getattr(iam, f"list_attached_{kind}_policies")(**name)["AttachedPolicies"]
        assert attached == [{"PolicyName": "p", "PolicyArn": POLICY}]
        assert iam.get_policy(PolicyArn=POLICY)["Policy"]["AttachmentCount"] == number
    users = iam.list_entities_for_policy(PolicyArn=POLICY)
    assert [len(users[f"Policy{kind}"]) for kind in ("Users", "Groups", "Roles")] == [1, 1, 1]
    only = iam.list_entities_for_policy(PolicyArn=POLICY, EntityFilter="Role")
    assert [len(only[f"Policy{kind}"]) for kind in ("Users", "Groups", "Roles")] == [0, 0, 1]
    assert refusal(iam.delete_policy, PolicyArn=POLICY) == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    )
    for kind in ("user", "group", "role"):
        getattr(iam, f"detach_{kind}_policy")(**{f"{kind.title()}Name": "x"}, PolicyArn=POLICY)
    iam.delete_policy(PolicyArn=POLICY)


def test_ten_policies_and_no_more(iam: Any) -> None:
    iam.create_user(UserName="u")
    for number in range(11):
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=DOCUMENT)
    for number in range(10):
        iam.attach_user_policy(UserName="u", PolicyArn=f"{POLICY}{number}")
    assert refusal(iam.attach_user_policy, UserName="u", PolicyArn=f"{POLICY}10") == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerUser: 10",
    )


def test_aws_managed_policies_are_read_and_never_changed(iam: Any) -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Action"] == "*"
    names = [policy["PolicyName"] for policy in iam.list_policies(Scope="AWS")["Policies"]]
    assert "AdministratorAccess" in names
    assert refusal(iam.delete_policy, PolicyArn=arn) == (
        "AccessDenied",
        "Cannot delete policies outside your own account.",
    )
    assert refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=DOCUMENT) == (
        "AccessDenied",
        "Cannot update policies outside your own account.",
    )


def test_a_boundary_limits_and_holds_its_policy(world: World, iam: Any) -> None:
    iam.create_policy(PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))
    iam.create_user(UserName="u", PermissionsBoundary=POLICY)
    iam.attach_user_policy(UserName="u", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    mine = world.client("iam", world.keys_of("u"))
    assert len(mine.list_users()["Users"]) == 1
    assert refusal(mine.list_roles)[1].endswith("because no permissions boundary allows the iam:ListRoles action")
    assert iam.get_policy(PolicyArn=POLICY)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    assert refusal(iam.delete_policy, PolicyArn=POLICY)[0] == "DeleteConflict"
    iam.delete_user_permissions_boundary(UserName="u")
    assert mine.list_roles()["Roles"] == []
    iam.delete_policy(PolicyArn=POLICY)


def test_conditions_on_what_is_attached_and_bounded(world: World, iam: Any) -> None:
    """The delegation pattern: create users only with a boundary, attach only one policy."""
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    iam.create_user(UserName="u")
    iam.put_user_policy(
        UserName="u",
        PolicyName="delegate",
        PolicyDocument=document(
            allow("iam:CreateUser", Condition={"StringEquals": {"iam:PermissionsBoundary": boundary}}),
            allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": boundary}}),
            allow("iam:TagUser", Condition={"StringEquals": {"aws:RequestTag/team": "blue"}}),
            deny("iam:*", Condition={"StringEquals": {"aws:ResourceTag/locked": "yes"}}),
        ),
    )
    mine = world.client("iam", world.keys_of("u"))
    assert refusal(mine.create_user, UserName="v")[0] == "AccessDenied"
    mine.create_user(UserName="v", PermissionsBoundary=boundary)
    assert refusal(
        mine.create_user,
        UserName="w",
        PermissionsBoundary=boundary,
        Tags=[{"Key": "team", "Value": "red"}],
    )[1].startswith(f"User: arn:aws:iam::{ACCOUNT}:user/u is not authorized to perform: iam:TagUser")
    mine.create_user(UserName="w", PermissionsBoundary=boundary, Tags=[{"Key": "Team", "Value": "blue"}])
    mine.attach_user_policy(UserName="v", PolicyArn=boundary)
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert refusal(mine.attach_user_policy, UserName="v", PolicyArn=administrator)[0] == "AccessDenied"
    iam.tag_user(UserName="v", Tags=[{"Key": "locked", "Value": "yes"}])
    assert refusal(mine.attach_user_policy, UserName="v", PolicyArn=boundary)[1].endswith(
        "with an explicit deny in an identity-based policy"
    )


def test_the_last_use_of_a_role(world: World, iam: Any) -> None:
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": "*"}))["Role"]
    iam.create_user(UserName="u")
    assumed = world.client("sts", world.keys_of("u")).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    world.client("sts", session_of(assumed), region="eu-west-1").get_caller_identity()
    world.directory.usage.flush(world.store)
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"]["Region"] == "eu-west-1"

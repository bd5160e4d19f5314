"""Instance profiles. Field presence and texts are recorded: facts/iam.md sections 4 and 5."""

from __future__ import annotations

from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal, trusts

from world import World

EC2 = trusts({"Service": "ec2.amazonaws.com"})
MISSING = ("NoSuchEntity", "Instance Profile missing cannot be found.")
BASIC = {"Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate", "Roles"}


@pytest.fixture
def profile(iam: Any) -> Any:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2)
    return iam.create_instance_profile(InstanceProfileName="p", Path="/x/")["InstanceProfile"]


def test_a_profile_as_created_read_and_listed(iam: Any, profile: Any) -> None:
    assert set(profile) == BASIC
    assert profile["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/x/p"
    assert profile["InstanceProfileId"].startswith("AIPA")
    assert profile["Roles"] == []
    read = iam.get_instance_profile(InstanceProfileName="P")["InstanceProfile"]
    assert read == profile | {"Tags": []}
    listed = iam.list_instance_profiles()
    assert listed["InstanceProfiles"] == [profile]
    assert listed["IsTruncated"] is False
    assert iam.list_instance_profiles(PathPrefix="/x")["InstanceProfiles"] == [profile]
    assert iam.list_instance_profiles(PathPrefix="/y/")["InstanceProfiles"] == []


def test_profiles_in_pages(iam: Any) -> None:
    for name in ("c", "A", "b"):
        iam.create_instance_profile(InstanceProfileName=name)
    first = iam.list_instance_profiles(MaxItems=2)
    assert [each["InstanceProfileName"] for each in first["InstanceProfiles"]] == ["A", "b"]
    rest = iam.list_instance_profiles(Marker=first["Marker"])
    assert [each["InstanceProfileName"] for each in rest["InstanceProfiles"]] == ["c"]


def test_a_profile_holds_one_role(iam: Any, profile: Any) -> None:
    iam.update_role(RoleName="r", Description="not told here")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    (held,) = iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Roles"]
    assert set(held) == {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"}
    (found,) = iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"]
    assert found["Roles"] == [held]
    iam.create_role(RoleName="s", AssumeRolePolicyDocument=EC2)
    assert iam.list_instance_profiles_for_role(RoleName="s")["InstanceProfiles"] == []
    told = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
    for role in ("r", "s"):
        assert refusal(iam.add_role_to_instance_profile, InstanceProfileName="p", RoleName=role) == (
            "LimitExceeded",
            told,
        )


def test_what_is_held_is_not_deleted(iam: Any, profile: Any) -> None:
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    iam.put_role_policy(RoleName="r", PolicyName="i", PolicyDocument=document(allow("s3:*")))
    conflict = ("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
    assert refusal(iam.delete_instance_profile, InstanceProfileName="p") == conflict
    assert refusal(iam.delete_role, RoleName="r") == conflict
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    assert refusal(iam.delete_role, RoleName="r")[1] == "Cannot delete entity, must delete policies first."
    iam.delete_instance_profile(InstanceProfileName="p")
    assert iam.list_instance_profiles()["InstanceProfiles"] == []


def test_what_is_missing(iam: Any, profile: Any) -> None:
    for operation in (iam.get_instance_profile, iam.delete_instance_profile, iam.list_instance_profile_tags):
        assert refusal(operation, InstanceProfileName="missing") == MISSING
    no_role = ("NoSuchEntity", "The role with name missing cannot be found.")
    for operation in (iam.add_role_to_instance_profile, iam.remove_role_from_instance_profile):
        assert refusal(operation, InstanceProfileName="missing", RoleName="r") == MISSING
        assert refusal(operation, InstanceProfileName="p", RoleName="missing") == no_role
    assert refusal(iam.remove_role_from_instance_profile, InstanceProfileName="p", RoleName="r") == (
        "NoSuchEntity",
        "Role r in Instance Profile p cannot be found.",
    )
    assert refusal(iam.list_instance_profiles_for_role, RoleName="missing") == no_role
    assert refusal(iam.create_instance_profile, InstanceProfileName="P") == (
        "EntityAlreadyExists",
        "Instance Profile P already exists.",
    )


def test_tags_of_a_profile(iam: Any) -> None:
    tags = [{"Key": "k", "Value": "v"}, {"Key": "K", "Value": "w"}]  # their letter case matters
    made = iam.create_instance_profile(InstanceProfileName="p", Tags=tags)["InstanceProfile"]
    assert made["Tags"] == tags
    iam.untag_instance_profile(InstanceProfileName="p", TagKeys=["K"])
    iam.tag_instance_profile(InstanceProfileName="p", Tags=[{"Key": key, "Value": ""} for key in ("abc", "K", "a")])
    listed = iam.list_instance_profile_tags(InstanceProfileName="p")
    assert [tag["Key"] for tag in listed["Tags"]] == ["K", "a", "k", "abc"]  # the short ones first
    assert iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Tags"] == listed["Tags"]
    pages = iam.get_paginator("list_instance_profile_tags").paginate(
        InstanceProfileName="p", PaginationConfig={"PageSize": 1}
    )
    assert [tag for page in pages for tag in page["Tags"]] == listed["Tags"]
    twice = [tags[0], tags[0]]
    assert refusal(iam.tag_instance_profile, InstanceProfileName="p", Tags=twice) == (
        "InvalidInput",
        "Duplicate tag keys found.",
    )


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        (None, True),
        ({"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}, True),
        ({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}, False),
    ],
)
def test_who_adds_a_role_must_be_allowed_to_pass_it(
    world: World, iam: Any, profile: Any, condition: Any, allowed: bool
) -> None:
    iam.create_user(UserName="u")
    user = world.client("iam", world.keys_of("u"))
    add = allow("iam:AddRoleToInstanceProfile", profile["Arn"])
    iam.put_user_policy(UserName="u", PolicyName="add", PolicyDocument=document(add))
    code, told = refusal(user.add_role_to_instance_profile, InstanceProfileName="p", RoleName="r")
    assert (code, "iam:PassRole on resource: arn:aws:iam::123456789012:role/r" in told) == ("AccessDenied", True)
    passing = allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/r")
    passing |= {"Condition": condition} if condition else {}
    iam.put_user_policy(UserName="u", PolicyName="pass", PolicyDocument=document(passing))
    if allowed:
        user.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    else:
        assert refusal(user.add_role_to_instance_profile, InstanceProfileName="p", RoleName="r")[0] == code

"""Users, groups and access keys, as boto3 sees them. Texts: facts/iam.md section 5."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal

from bailiwick.core import ids
from world import World


def members(shape: dict[str, Any]) -> set[str]:
    return set(shape) - {"ResponseMetadata"}


def test_a_user_as_created_read_and_listed(iam: Any) -> None:
    made = iam.create_user(UserName="Alice", Path="/team/", Tags=[{"Key": "k", "Value": "v"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/Alice"
    assert made["UserId"].startswith("AIDA")
    assert ids.account_of(made["UserId"]) == ACCOUNT
    assert members(made) == {"Path", "UserName", "UserId", "Arn", "CreateDate", "Tags"}
    assert iam.get_user(UserName="alice")["User"] == made
    assert members(iam.list_users()["Users"][0]) == {"Path", "UserName", "UserId", "Arn", "CreateDate"}
    assert "Tags" not in iam.create_user(UserName="bob")["User"]


def test_names_are_unique_without_regard_to_case(iam: Any) -> None:
    iam.create_user(UserName="Alice")
    assert refusal(iam.create_user, UserName="aLICE") == (
        "EntityAlreadyExists",
        "User with name aLICE already exists.",
    )
    iam.create_group(GroupName="Team")
    assert refusal(iam.create_group, GroupName="team") == (
        "EntityAlreadyExists",
        "Group with name team already exists.",
    )


def test_one_of_many_who_create_the_same_name_wins(world: World) -> None:
    outcomes: list[str] = []

    def create(client: Any) -> None:
        try:
            client.create_user(UserName="same")
            outcomes.append("made")
        except client.exceptions.EntityAlreadyExistsException:
            outcomes.append("taken")

    threads = [threading.Thread(target=create, args=(world.client("iam"),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + ["taken"] * 5


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("get_user", {"UserName": "x"}, "The user with name x cannot be found."),
        ("delete_user", {"UserName": "x"}, "The user with name x cannot be found."),
        ("update_user", {"UserName": "x"}, "The user with name x cannot be found."),
        ("create_access_key", {"UserName": "x"}, "The user with name x cannot be found."),
        ("list_groups_for_user", {"UserName": "x"}, "The user with name x cannot be found."),
        ("get_group", {"GroupName": "x"}, "The group with name x cannot be found."),
        ("delete_group", {"GroupName": "x"}, "The group with name x cannot be found."),
        ("add_user_to_group", {"GroupName": "x", "UserName": "u"}, "The group with name x cannot be found."),
        ("add_user_to_group", {"GroupName": "g", "UserName": "x"}, "The user with name x cannot be found."),
        ("add_user_to_group", {"GroupName": "x", "UserName": "x"}, "The user with name x cannot be found."),
        ("remove_user_from_group", {"GroupName": "x", "UserName": "u"}, "The group with name x cannot be found."),
        ("remove_user_from_group", {"GroupName": "x", "UserName": "x"}, "The user with name x cannot be found."),
        (
            "delete_access_key",
            {"UserName": "u", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
            "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.",
        ),
    ],
)
def test_what_is_missing(iam: Any, operation: str, parameters: dict[str, str], message: str) -> None:
    iam.create_user(UserName="u")
    iam.create_group(GroupName="g")
    assert refusal(getattr(iam, operation), **parameters) == ("NoSuchEntity", message)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (
            lambda iam: iam.attach_user_policy(UserName="u", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll"),
            "Cannot delete entity, must detach all policies first.",
        ),
        (
            lambda iam: iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(allow("s3:*"))),
            "Cannot delete entity, must delete policies first.",
        ),
        (
            lambda iam: iam.add_user_to_group(UserName="u", GroupName="g"),
            "Cannot delete entity, must remove users from group first.",
        ),
        (
            lambda iam: iam.create_access_key(UserName="u"),
            "Cannot delete entity, must delete access keys first.",
        ),
    ],
)
def test_what_holds_a_user(iam: Any, prepare: Any, message: str) -> None:
    iam.create_user(UserName="u")
    iam.create_group(GroupName="g")
    prepare(iam)
    assert refusal(iam.delete_user, UserName="u") == ("DeleteConflict", message)


def test_a_deleted_user_leaves_nothing(iam: Any) -> None:
    first = iam.create_user(UserName="u", Tags=[{"Key": "k", "Value": "v"}])["User"]
    iam.delete_user(UserName="u")
    second = iam.create_user(UserName="u")["User"]
    assert second["UserId"] != first["UserId"]
    assert iam.list_user_tags(UserName="u")["Tags"] == []


def test_a_renamed_user_keeps_what_she_has(world: World, iam: Any) -> None:
    before = iam.create_user(UserName="u")["User"]
    keys = world.keys_of("u")
    iam.update_user(UserName="u", NewUserName="v", NewPath="/p/")
    after = iam.get_user(UserName="v")["User"]
    assert (after["UserId"], after["Arn"]) == (before["UserId"], f"arn:aws:iam::{ACCOUNT}:user/p/v")
    assert world.client("sts", keys).get_caller_identity()["Arn"] == after["Arn"]


def test_pages_hold_everyone_once(iam: Any) -> None:
    names = {f"user-{n:02}" for n in range(23)}
    for name in names:
        iam.create_user(UserName=name)
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Users"]) for page in pages] == [5, 5, 5, 5, 3]
    assert [page["IsTruncated"] for page in pages] == [True] * 4 + [False]
    assert "Marker" not in pages[-1]
    listed = [user["UserName"] for page in pages for user in page["Users"]]
    assert (sorted(names), len(listed)) == (listed, 23)


def test_a_marker_of_ones_own_making_is_refused(iam: Any) -> None:
    for n in range(3):
        iam.create_user(UserName=f"u{n}")
    marker = iam.list_users(MaxItems=1)["Marker"]
    assert refusal(iam.list_users, Marker="x" + marker) == ("ValidationError", "Invalid Marker.")
    assert refusal(iam.list_groups, Marker=marker) == ("ValidationError", "Invalid Marker.")


def test_lists_by_path(iam: Any) -> None:
    for path in ("/a/", "/a/b/", "/ab/", "/A_/"):
        iam.create_user(UserName=path.strip("/").replace("/", "-"), Path=path)
    under = lambda prefix: [user["Path"] for user in iam.list_users(PathPrefix=prefix)["Users"]]  # noqa: E731
    assert under("/a/") == ["/a/", "/a/b/"]
    assert under("/a") == ["/a/", "/a/b/", "/ab/"]
    assert under("/A_") == ["/A_/"]


def test_tags_of_users(iam: Any) -> None:
    iam.create_user(UserName="u", Tags=[{"Key": "One", "Value": "1"}])
    iam.tag_user(UserName="u", Tags=[{"Key": "two", "Value": ""}, {"Key": "ONE", "Value": "x"}])
    assert iam.get_user(UserName="u")["User"]["Tags"] == [{"Key": "ONE", "Value": "x"}, {"Key": "two", "Value": ""}]
    iam.untag_user(UserName="u", TagKeys=["one", "absent"])
    assert iam.list_user_tags(UserName="u")["Tags"] == [{"Key": "two", "Value": ""}]
    assert refusal(iam.tag_user, UserName="u", Tags=[{"Key": k, "Value": ""} for k in ("a", "A")]) == (
        "InvalidInput",
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    )
    many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    assert refusal(iam.tag_user, UserName="u", Tags=many) == (
        "LimitExceeded",
        "The number of tags has reached the maximum limit.",
    )


def test_two_access_keys_and_no_more(iam: Any) -> None:
    iam.create_user(UserName="u")
    first = iam.create_access_key(UserName="u")["AccessKey"]
    assert ids.account_of(first["AccessKeyId"]) == ACCOUNT
    assert members(first) == {"UserName", "AccessKeyId", "Status", "SecretAccessKey", "CreateDate"}
    iam.create_access_key(UserName="u")
    assert refusal(iam.create_access_key, UserName="u") == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    listed = iam.list_access_keys(UserName="u")["AccessKeyMetadata"]
    assert [members(key) for key in listed] == [{"UserName", "AccessKeyId", "Status", "CreateDate"}] * 2


def test_an_access_key_from_birth_to_death(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    keys = world.keys_of("u")
    key_id = keys["aws_access_key_id"]
    sts = world.client("sts", keys)
    unused = iam.get_access_key_last_used(AccessKeyId=key_id)
    assert unused["AccessKeyLastUsed"] == {"Region": "N/A", "ServiceName": "N/A"}
    sts.get_caller_identity()
    world.directory.usage.flush(world.store)
    used = iam.get_access_key_last_used(AccessKeyId=key_id)
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == ("u", "sts")
    iam.update_access_key(UserName="u", AccessKeyId=key_id, Status="Inactive")
    invalid = ("InvalidClientTokenId", "The security token included in the request is invalid.")
    assert refusal(sts.get_caller_identity) == invalid
    iam.update_access_key(UserName="u", AccessKeyId=key_id, Status="Active")
    assert sts.get_caller_identity()["Arn"].endswith(":user/u")
    iam.delete_access_key(UserName="u", AccessKeyId=key_id)
    assert refusal(sts.get_caller_identity) == invalid


def test_a_user_may_speak_of_herself_without_her_name(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    own = f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"
    iam.put_user_policy(UserName="u", PolicyName="self", PolicyDocument=document(allow("iam:*", own)))
    mine = world.client("iam", world.keys_of("u"))
    assert mine.get_user()["User"]["UserName"] == "u"
    assert len(mine.list_access_keys()["AccessKeyMetadata"]) == 1
    assert refusal(mine.get_user, UserName="other") == (
        "AccessDenied",
        f"User: arn:aws:iam::{ACCOUNT}:user/u is not authorized to perform: iam:GetUser on resource: user other "
        "because no identity-based policy allows the iam:GetUser action",
    )


def test_the_root_user_has_keys_of_its_own(world: World, iam: Any) -> None:
    made = iam.create_access_key()["AccessKey"]
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 2
    iam.delete_access_key(AccessKeyId=world.root["aws_access_key_id"])
    second = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    assert world.client("sts", second).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_what_a_group_is_given_its_members_have(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    made = iam.create_group(GroupName="g")["Group"]
    assert members(made) == {"Path", "GroupName", "GroupId", "Arn", "CreateDate"}
    mine = world.client("iam", world.keys_of("u"))
    assert refusal(mine.list_users)[0] == "AccessDenied"
    iam.add_user_to_group(GroupName="g", UserName="u")
    iam.add_user_to_group(GroupName="g", UserName="u")
    assert [user["UserName"] for user in iam.get_group(GroupName="g")["Users"]] == ["u"]
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))
    assert len(mine.list_users()["Users"]) == 1
    iam.delete_group_policy(GroupName="g", PolicyName="p")
    assert refusal(mine.list_users)[0] == "AccessDenied"
    iam.attach_group_policy(GroupName="g", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    assert len(mine.list_users()["Users"]) == 1
    for _ in range(2):  # who is no member any more is removed as well
        iam.remove_user_from_group(GroupName="g", UserName="u")
        assert refusal(mine.list_users)[0] == "AccessDenied"


def test_the_summary_counts(iam: Any) -> None:
    iam.create_user(UserName="u")
    iam.create_policy(PolicyName="p", PolicyDocument=document(allow("s3:*")))
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["Policies"], summary["PolicyVersionsInUse"], summary["Groups"]) == (
        1,
        1,
        1,
        0,
    )
    assert (summary["AccountAccessKeysPresent"], summary["UsersQuota"]) == (1, 5000)
    assert iam.list_account_aliases()["AccountAliases"] == []


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "message"),
    [
        (
            "create_user",
            {"UserName": "a b"},
            "ValidationError",
            "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the "
            "following: +=,.@_-",
        ),
        (
            "create_user",
            {"UserName": "a", "Path": "x"},
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "
            "characters and/or / characters.",
        ),
        (
            "create_user",
            {"UserName": "a" * 65},
            "ValidationError",
            "1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must have length "
            "less than or equal to 64",
        ),
        (
            "create_user",
            {"UserName": "a", "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/none"},
            "NoSuchEntity",
            f"Scope ARN: arn:aws:iam::{ACCOUNT}:policy/none does not exist or is not attachable.",
        ),
        (
            "create_user",
            {"UserName": "a", "PermissionsBoundary": "arn:aws:iam::aws:thing/x"},
            "InvalidInput",
            "ARN arn:aws:iam::aws:thing/x is not valid.",
        ),
    ],
)
def test_what_is_not_acceptable(iam: Any, operation: str, parameters: Any, code: str, message: str) -> None:
    assert refusal(getattr(iam, operation), **parameters) == (code, message)

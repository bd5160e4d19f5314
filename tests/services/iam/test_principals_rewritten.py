"""Whom a stored policy means: users and roles are kept by unique id (facts/policy.md section 1.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal, session_of, trusts

from world import World

USER = f"arn:aws:iam::{ACCOUNT}:user/u"


def principal(iam: Any, role: str = "r") -> Any:
    statement = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    return statement["Principal"]["AWS"]


def user_who_may_assume(world: World, iam: Any) -> Any:
    iam.create_user(UserName="u")
    assuming = document(allow("sts:AssumeRole"))
    iam.put_user_policy(UserName="u", PolicyName="i", PolicyDocument=assuming)
    return world.client("sts", world.keys_of("u"))


def remove_user(iam: Any) -> None:
    for key in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="u", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="u", PolicyName="i")
    iam.delete_user(UserName="u")


def test_a_namesake_is_a_stranger_until_it_is_named_anew(world: World, iam: Any) -> None:
    first = user_who_may_assume(world, iam)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": USER}))
    role = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "RoleSessionName": "s1"}
    first.assume_role(**role)
    unique_id = iam.get_user(UserName="u")["User"]["UserId"]
    remove_user(iam)
    assert principal(iam) == unique_id
    assert iam.list_roles()["Roles"][0]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "AWS": unique_id
    }
    second = user_who_may_assume(world, iam)
    assert principal(iam) == unique_id
    iam.delete_user_policy(UserName="u", PolicyName="i")  # which would allow it where the trust is the account's
    assert refusal(second.assume_role, **role)[0] == "AccessDenied"
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trusts({"AWS": USER}))
    second.assume_role(**role)


@pytest.mark.parametrize("unique_id", ["AIDAQQQQQQQQQQQQQQQQQ", "AROAQQQQQQQQQQQQQQQQQ"])
def test_the_id_of_nobody_is_refused(iam: Any, unique_id: str) -> None:
    told = ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{unique_id}"')
    assert refusal(iam.create_role, RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": unique_id})) == told


def test_the_id_of_somebody_is_shown_as_the_arn(world: World, iam: Any) -> None:
    caller = user_who_may_assume(world, iam)
    unique_id = iam.get_user(UserName="u")["User"]["UserId"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": [unique_id]}))
    assert principal(iam) == [USER]
    caller.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", RoleSessionName="s1")
    iam.update_user(UserName="u", NewUserName="v", NewPath="/p/")
    assert principal(iam) == [f"arn:aws:iam::{ACCOUNT}:user/p/v"]


def test_the_role_in_a_key_policy_that_was_made_again_is_a_stranger(world: World, iam: Any, kms: Any) -> None:
    root = f"arn:aws:iam::{ACCOUNT}:root"
    assumable = trusts({"AWS": root})
    made = iam.create_role(RoleName="r", AssumeRolePolicyDocument=assumable)["Role"]
    policy = document(
        allow("kms:*", Principal={"AWS": root}), allow("kms:GenerateDataKey", Principal={"AWS": made["Arn"]})
    )
    key = kms.create_key(Policy=policy)["KeyMetadata"]["KeyId"]
    ask = {"KeyId": key, "KeySpec": "AES_256"}

    def session() -> Any:
        iam.create_user(UserName="u")
        iam.put_user_policy(UserName="u", PolicyName="i", PolicyDocument=document(allow("sts:AssumeRole")))
        sts = world.client("sts", world.keys_of("u"))
        answer = sts.assume_role(RoleArn=made["Arn"], RoleSessionName="s1")
        remove_user(iam)
        return world.client("kms", session_of(answer))

    session().generate_data_key(**ask)
    iam.delete_role(RoleName="r")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=assumable)
    assert refusal(session().generate_data_key, **ask)[0] == "AccessDeniedException"
    shown = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    assert shown["Statement"][1]["Principal"] == {"AWS": made["RoleId"]}

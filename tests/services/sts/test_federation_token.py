"""GetFederationToken as boto3 sees it: who may, what the session has, and what it may not. Texts: facts/sts.md."""

from __future__ import annotations

import time
from typing import Any

import pytest
from services_support import ACCOUNT, allow, deny, document, refusal, session_of

from world import World

GUEST = f"arn:aws:sts::{ACCOUNT}:federated-user/guest"
INVALID = ("InvalidClientTokenId", "The security token included in the request is invalid.")


@pytest.fixture
def user(world: World, iam: Any) -> Any:
    """The STS client of a user who may do everything with STS and KMS."""
    iam.create_user(UserName="u")
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(allow(["sts:*", "kms:*", "iam:*"])))
    return world.client("sts", world.keys_of("u"))


def test_an_answer(world: World, user: Any) -> None:
    before = int(time.time())
    answer = user.get_federation_token(Name="guest")
    assert set(answer) == {"Credentials", "FederatedUser", "PackedPolicySize", "ResponseMetadata"}
    assert answer["PackedPolicySize"] == 0
    assert answer["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:guest", "Arn": GUEST}
    assert 43_200 <= answer["Credentials"]["Expiration"].timestamp() - before <= 43_202
    me = world.client("sts", session_of(answer)).get_caller_identity()
    assert (me["UserId"], me["Account"], me["Arn"]) == (f"{ACCOUNT}:guest", ACCOUNT, GUEST)


def test_of_the_root_user_it_lasts_an_hour_and_has_what_is_passed_on(world: World) -> None:
    answer = world.client("sts").get_federation_token(
        Name="guest", DurationSeconds=129_600, Policy=document(allow("kms:ListKeys"))
    )
    assert answer["Credentials"]["Expiration"].timestamp() - time.time() <= 3600
    kms = world.client("kms", session_of(answer))
    assert kms.list_keys()["Keys"] == []
    assert refusal(kms.list_aliases)[0] == "AccessDeniedException"


def test_it_has_what_both_the_user_and_the_session_policy_allow(world: World, iam: Any, user: Any) -> None:
    policy = document(allow(["kms:ListKeys", "organizations:DescribeOrganization"]))
    answer = user.get_federation_token(Name="guest", Policy=policy)
    assert 0 < answer["PackedPolicySize"] < 20
    session = session_of(answer)
    assert world.client("kms", session).list_keys()["Keys"] == []
    assert refusal(world.client("kms", session).list_aliases)[1].endswith(
        "because no session policy allows the kms:ListAliases action"
    )
    assert refusal(world.client("organizations", session).describe_organization)[1].endswith(
        "because no identity-based policy allows the organizations:DescribeOrganization action"
    )
    bare = session_of(user.get_federation_token(Name="guest"))
    assert refusal(world.client("kms", bare).list_keys)[1].endswith(
        "because no session policy allows the kms:ListKeys action"
    )


def test_a_resource_policy_may_grant_it_by_name(world: World, kms: Any, user: Any) -> None:
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {"Effect": "Allow", "Principal": {"AWS": GUEST}, "Action": "kms:DescribeKey", "Resource": "*"},
    ]
    key = kms.create_key(Policy=document(*statements))["KeyMetadata"]["KeyId"]
    bare = world.client("kms", session_of(user.get_federation_token(Name="guest")))
    assert bare.describe_key(KeyId=key)["KeyMetadata"]["KeyId"] == key
    other = world.client("kms", session_of(user.get_federation_token(Name="other")))
    assert refusal(other.describe_key, KeyId=key)[0] == "AccessDeniedException"


def test_it_may_not_call_iam_nor_sts(world: World, user: Any) -> None:
    session = session_of(user.get_federation_token(Name="guest", Policy=document(allow("*"))))
    sts = world.client("sts", session)
    assert refusal(world.client("iam", session).list_users) == INVALID
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    denied = f"User: {GUEST} is not authorized to perform: sts:AssumeRole on resource: {role}"
    assert refusal(sts.assume_role, RoleArn=role, RoleSessionName="s1") == ("AccessDenied", denied)
    for call, parameters in (
        (sts.get_access_key_info, {"AccessKeyId": "ASIAQNZGKIQY56JQ7WML"}),
        (sts.decode_authorization_message, {"EncodedMessage": "x"}),
        (sts.get_session_token, {}),
        (sts.get_federation_token, {"Name": "again"}),
    ):
        assert refusal(call, **parameters)[0] == "AccessDenied"


def test_a_session_has_no_federated_users(world: World, user: Any) -> None:
    sts = world.client("sts", session_of(user.get_session_token()))
    told = refusal(sts.get_federation_token, Name="guest")
    assert told == ("AccessDenied", "Cannot call GetFederationToken with session credentials")


def test_it_needs_permission_on_the_name_and_for_tags(world: World, iam: Any, user: Any) -> None:
    only = f"arn:aws:sts::{ACCOUNT}:federated-user/other"
    iam.put_user_policy(
        UserName="u", PolicyName="p", PolicyDocument=document(allow("sts:GetFederationToken", [only, GUEST]))
    )
    assert user.get_federation_token(Name="other")["Credentials"]
    code, text = refusal(user.get_federation_token, Name="third")
    assert (code, text.partition(" because")[0]) == (
        "AccessDenied",
        f"User: arn:aws:iam::{ACCOUNT}:user/u is not authorized to perform: sts:GetFederationToken on resource: "
        f"arn:aws:sts::{ACCOUNT}:federated-user/third",
    )
    tags = [{"Key": "team", "Value": "blue"}]
    assert "perform: sts:TagSession on resource" in refusal(user.get_federation_token, Name="guest", Tags=tags)[1]
    tagging = allow("sts:TagSession", GUEST, Condition={"StringEquals": {"aws:RequestTag/team": "blue"}})
    iam.put_user_policy(UserName="u", PolicyName="t", PolicyDocument=document(tagging))
    assert user.get_federation_token(Name="guest", Tags=tags)["PackedPolicySize"] > 0
    assert (
        refusal(user.get_federation_token, Name="guest", Tags=[{"Key": "team", "Value": "red"}])[0]
        == "AccessDenied"
    )


def test_tags_go_with_it(world: World, iam: Any, user: Any) -> None:
    iam.tag_user(UserName="u", Tags=[{"Key": "Team", "Value": "red"}])
    policy = document(allow("kms:ListKeys", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}))
    plain = world.client("kms", session_of(user.get_federation_token(Name="guest", Policy=policy)))
    assert refusal(plain.list_keys)[0] == "AccessDeniedException"
    tags = [{"Key": "team", "Value": "blue"}]
    tagged = world.client("kms", session_of(user.get_federation_token(Name="guest", Policy=policy, Tags=tags)))
    assert tagged.list_keys()["Keys"] == []


LONG = " " * 2049


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (
            {"Policy": LONG},
            (
                "ValidationError",
                f"1 validation error detected: Value '{LONG}' at 'policy' failed to satisfy constraint: Member must "
                "have length less than or equal to 2048",
            ),
        ),
        (
            {"DurationSeconds": 129_601},
            (
                "ValidationError",
                "1 validation error detected: Value '129601' at 'durationSeconds' failed to satisfy constraint: "
                "Member must have value less than or equal to 129600",
            ),
        ),
        (
            {"Tags": [{"Key": "k", "Value": "1"}, {"Key": "K", "Value": "2"}]},
            (
                "InvalidParameterValue",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ),
        ),
    ],
)
def test_what_it_does_not_accept(user: Any, parameters: Any, told: tuple[str, str]) -> None:
    assert refusal(user.get_federation_token, Name="guest", **parameters) == told


def test_inactive_users_and_older_sessions(world: World, iam: Any, user: Any) -> None:
    session = session_of(user.get_federation_token(Name="guest", Policy=document(allow("kms:*"))))
    kms = world.client("kms", session)
    assert kms.list_keys()["Keys"] == []
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    revoke = deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": later}})
    iam.put_user_policy(UserName="u", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document(revoke))
    assert "explicit deny" in refusal(kms.list_keys)[1]
    for name in ("p", "AWSRevokeOlderSessions"):
        iam.delete_user_policy(UserName="u", PolicyName=name)
    for key in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="u", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="u")
    assert refusal(kms.list_keys)[0] == "UnrecognizedClientException"

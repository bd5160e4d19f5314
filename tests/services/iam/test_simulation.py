"""The policy simulator through boto3: facts/policy.md section 5.5."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from world import ACCOUNT, World

BUCKET = "arn:aws:s3:::logs"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/team/alice"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)


def allow(action: Any = "s3:*", resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def bucket_policy(principal: Any, effect: str = "Allow") -> str:
    return document(allow("s3:GetObject", f"{BUCKET}/*", effect, Principal=principal))


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    iam = world.client("iam")
    iam.create_user(UserName="alice", Path="/team/")
    iam.create_group(GroupName="readers")
    iam.add_user_to_group(GroupName="readers", UserName="alice")
    own = document(allow("s3:GetObject", BUCKET + "/${aws:username}/*"))
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=own)
    iam.put_group_policy(GroupName="readers", PolicyName="list", PolicyDocument=document(allow("s3:List*")))
    more = iam.create_policy(PolicyName="more", PolicyDocument=document(allow("kms:Decrypt")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="alice", PolicyArn=more)
    return world


@pytest.fixture(scope="module")
def iam(world: World) -> Any:
    return world.client("iam")


def custom(iam: Any, *policies: str, action: str = "s3:GetObject", **more: Any) -> dict[str, Any]:
    found = iam.simulate_custom_policy(PolicyInputList=list(policies), ActionNames=[action], **more)
    assert found["IsTruncated"] is False
    (result,) = found["EvaluationResults"]
    return result


def test_the_three_decisions(iam: Any) -> None:
    assert custom(iam, document(allow()))["EvalDecision"] == "allowed"
    assert custom(iam, document(allow("ec2:*")))["EvalDecision"] == "implicitDeny"
    assert custom(iam, document(allow()), document(allow(effect="Deny")))["EvalDecision"] == "explicitDeny"


def test_matched_statements_stand_where_they_are_said_to(iam: Any) -> None:
    policy = document(allow("ec2:*"), allow())
    result = custom(iam, policy)
    (matched,) = result["MatchedStatements"]
    assert (matched["SourcePolicyId"], matched["SourcePolicyType"]) == ("PolicyInputList.1", "IAM Policy")
    lines = policy.splitlines()
    start, end = matched["StartPosition"], matched["EndPosition"]
    assert lines[start["Line"] - 1][start["Column"] - 1] == "{"
    assert lines[end["Line"] - 1][end["Column"] - 2] == "}"
    assert '"s3:*"' in "".join(lines[start["Line"] - 1 : end["Line"]])
    assert custom(iam, document(allow("ec2:*")))["MatchedStatements"] == []


def test_several_resources_and_what_each_says(iam: Any) -> None:
    policy = document(allow(resource=f"{BUCKET}/a/*"))
    result = custom(iam, policy, ResourceArns=[f"{BUCKET}/a/1", f"{BUCKET}/b/1"])
    assert result["EvalDecision"] == "implicitDeny"
    specific = {
        each["EvalResourceName"]: each["EvalResourceDecision"] for each in result["ResourceSpecificResults"]
    }
    assert specific == {f"{BUCKET}/a/1": "allowed", f"{BUCKET}/b/1": "implicitDeny"}
    assert custom(iam, policy, ResourceArns=[f"{BUCKET}/a/1"])["EvalDecision"] == "allowed"


def test_context_entries_and_what_is_missing(iam: Any) -> None:
    policy = document(
        allow(
            resource="arn:aws:s3:::${aws:PrincipalTag/team}/*",
            Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "Bool": {"aws:SecureTransport": "true"}},
        )
    )
    result = custom(iam, policy)
    assert sorted(result["MissingContextValues"]) == [
        "aws:PrincipalTag/team",
        "aws:SecureTransport",
        "aws:SourceIp",
    ]
    entries = [
        {"ContextKeyName": "aws:sourceip", "ContextKeyValues": ["192.0.2.7"], "ContextKeyType": "ip"},
        {"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": ["true"], "ContextKeyType": "boolean"},
        {"ContextKeyName": "aws:PrincipalTag/team", "ContextKeyValues": ["red"], "ContextKeyType": "string"},
    ]
    result = custom(iam, policy, ContextEntries=entries, ResourceArns=["arn:aws:s3:::red/x"])
    assert result["EvalDecision"] == "allowed"
    assert result["ResourceSpecificResults"][0].get("MissingContextValues", []) == []
    tags = {"ContextKeyName": "aws:TagKeys", "ContextKeyValues": ["a", "b"], "ContextKeyType": "stringList"}
    wanted = allow(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}})
    assert custom(iam, document(wanted), ContextEntries=[tags])["EvalDecision"] == "implicitDeny"


def test_boundary_and_organization(iam: Any) -> None:
    everything = document(allow("*"))
    result = custom(iam, everything, PermissionsBoundaryPolicyInputList=[document(allow("ec2:*"))])
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    levels = [
        {"ServiceControlPolicyInputList": [everything]},
        {"ServiceControlPolicyInputList": [document(allow("ec2:*"))]},
    ]
    result = custom(iam, everything, OrderedOrganizationPolicyInputList=levels)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    assert custom(iam, everything, OrderedOrganizationPolicyInputList=levels[:1])["EvalDecision"] == "allowed"


def test_resource_policies_in_the_account_and_across(iam: Any) -> None:
    there = f"{BUCKET}/x"
    own = {"ResourceArns": [there], "CallerArn": ALICE}
    assert custom(iam, ResourcePolicy=bucket_policy({"AWS": ALICE}), **own)["EvalDecision"] == "allowed"
    assert custom(iam, ResourcePolicy=bucket_policy({"AWS": ACCOUNT}), **own)["EvalDecision"] == "implicitDeny"
    away = {
        **own,
        "ResourceOwner": "arn:aws:iam::444455556666:root",
        "ResourcePolicy": bucket_policy({"AWS": ALICE}),
    }
    result = custom(iam, **away)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    assert custom(iam, document(allow()), **away)["EvalDecision"] == "allowed"
    with pytest.raises(ClientError, match="CallerArn"):
        custom(iam, ResourcePolicy=bucket_policy("*"), ResourceArns=[there])


def principal(iam: Any, action: str, **more: Any) -> dict[str, Any]:
    found = iam.simulate_principal_policy(PolicySourceArn=ALICE, ActionNames=[action], **more)
    result: dict[str, Any] = found["EvaluationResults"][0]
    return result


def test_a_user_with_her_groups(iam: Any) -> None:
    result = principal(iam, "s3:GetObject", ResourceArns=[f"{BUCKET}/alice/1"])
    assert result["EvalDecision"] == "allowed"
    assert result["MatchedStatements"][0]["SourcePolicyId"] == "user_alice_own"
    assert principal(iam, "s3:GetObject", ResourceArns=[f"{BUCKET}/bob/1"])["EvalDecision"] == "implicitDeny"
    assert principal(iam, "s3:ListBucket")["MatchedStatements"][0]["SourcePolicyId"] == "group_readers_list"
    assert principal(iam, "kms:Decrypt")["MatchedStatements"][0]["SourcePolicyId"] == "more"
    assert (
        principal(iam, "ec2:RunInstances", PolicyInputList=[document(allow("ec2:*"))])["EvalDecision"] == "allowed"
    )


@pytest.mark.parametrize(
    "excluded",
    [
        {"PolicyType": "user-managed"},
        {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/m*"},
    ],
)
def test_policies_can_be_left_out(iam: Any, excluded: dict[str, Any]) -> None:
    assert principal(iam, "kms:Decrypt", PolicyExclusionList=[excluded])["EvalDecision"] == "implicitDeny"


def test_an_inline_policy_can_be_left_out(iam: Any) -> None:
    name = {"PolicyName": "list", "AttachmentType": "group", "AttachmentName": "readers"}
    result = principal(iam, "s3:ListBucket", PolicyExclusionList=[{"InlinePolicyIdentifier": name}])
    assert result["EvalDecision"] == "implicitDeny"


def test_context_keys(iam: Any) -> None:
    condition = {"StringEquals": {"aws:RequestTag/a": "${aws:PrincipalTag/a}", "AWS:requesttag/A": "x"}}
    policy = document(allow(Condition=condition, resource="arn:aws:s3:::${aws:username}"))
    found = iam.get_context_keys_for_custom_policy(PolicyInputList=[policy])["ContextKeyNames"]
    assert found == ["aws:PrincipalTag/a", "aws:RequestTag/a", "aws:username"]
    assert iam.get_context_keys_for_principal_policy(PolicySourceArn=ALICE)["ContextKeyNames"] == ["aws:username"]


def test_pages(iam: Any) -> None:
    actions = [f"s3:Action{number}" for number in range(5)]
    more: dict[str, Any] = {}
    seen = []
    while True:
        page = iam.simulate_custom_policy(
            PolicyInputList=[document(allow())], ActionNames=actions, MaxItems=2, **more
        )
        seen += [result["EvalActionName"] for result in page["EvaluationResults"]]
        if not page["IsTruncated"]:
            break
        more = {"Marker": page["Marker"]}
    assert seen == actions


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"PolicyInputList": ["{}"], "ActionNames": ["s3:GetObject"]}, "InvalidInput"),
        ({"PolicyInputList": [document(allow())], "ActionNames": ["s3:*"]}, "InvalidInput"),
        (
            {"PolicyInputList": [document(allow())], "ActionNames": ["s3:GetObject"], "CallerArn": "bob"},
            "InvalidInput",
        ),
    ],
)
def test_what_is_refused(iam: Any, call: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        iam.simulate_custom_policy(**call)
    assert refused.value.response["Error"]["Code"] == code


def test_nobody_of_that_name(iam: Any) -> None:
    for source, code in (
        (f"arn:aws:iam::{ACCOUNT}:user/bob", "NoSuchEntity"),
        ("arn:aws:s3:::some-bucket", "InvalidInput"),
    ):
        with pytest.raises(ClientError) as refused:
            iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=["s3:GetObject"])
        assert refused.value.response["Error"]["Code"] == code

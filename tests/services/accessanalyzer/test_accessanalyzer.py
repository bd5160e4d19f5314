"""Access Analyzer through boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from world import World


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
WRITE = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Sid": "Write"}
PASS = {"Effect": "Allow", "Action": ["iam:PassRole", "s3:GetObjct"], "Resource": "*"}


@pytest.fixture(scope="module")
def analyzer() -> Any:
    return World().client("accessanalyzer")


def test_findings_have_their_place(analyzer: Any) -> None:
    text = document(PASS)
    found = analyzer.validate_policy(policyDocument=text, policyType="IDENTITY_POLICY")["findings"]
    assert [(each["findingType"], each["issueCode"]) for each in found] == [
        ("ERROR", "INVALID_ACTION"),
        ("SECURITY_WARNING", "PASS_ROLE_WITH_STAR_IN_RESOURCE"),
    ]
    (location,) = found[0]["locations"]
    assert location["path"] == [{"value": "Statement"}, {"index": 0}, {"value": "Action"}, {"index": 1}]
    start, end = location["span"]["start"], location["span"]["end"]
    assert text[start["offset"] : end["offset"]] == '"s3:GetObjct"'
    assert (start["line"], start["column"]) == (1, start["offset"])
    assert found[0]["learnMoreLink"].endswith("-error-invalid-action")


def test_findings_come_in_pages(analyzer: Any) -> None:
    pages = analyzer.get_paginator("validate_policy").paginate(
        policyDocument=document(PASS), policyType="IDENTITY_POLICY", PaginationConfig={"PageSize": 1}
    )
    assert [len(page["findings"]) for page in pages] == [1, 1]


def test_a_trust_policy(analyzer: Any) -> None:
    trust = document({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"})
    found = analyzer.validate_policy(
        policyDocument=trust,
        policyType="RESOURCE_POLICY",
        validatePolicyResourceType="AWS::IAM::AssumeRolePolicyDocument",
    )
    assert found["findings"] == []


def test_the_custom_checks(analyzer: Any) -> None:
    asked = {"policyType": "IDENTITY_POLICY"}
    access = [{"actions": ["s3:PutObject"]}]
    found = analyzer.check_access_not_granted(policyDocument=document(READ), access=access, **asked)
    assert (found["result"], found["reasons"]) == ("PASS", [])
    found = analyzer.check_access_not_granted(policyDocument=document(READ, WRITE), access=access, **asked)
    assert found["result"] == "FAIL"
    assert (found["reasons"][0]["statementIndex"], found["reasons"][0]["statementId"]) == (1, "Write")
    old, new = document(READ), document(WRITE)
    same = analyzer.check_no_new_access(newPolicyDocument=old, existingPolicyDocument=new, **asked)
    more = analyzer.check_no_new_access(newPolicyDocument=new, existingPolicyDocument=old, **asked)
    assert (same["result"], more["result"]) == ("PASS", "FAIL")
    public = document({**READ, "Principal": "*"})
    found = analyzer.check_no_public_access(policyDocument=public, resourceType="AWS::S3::Bucket")
    assert found["result"] == "FAIL"


def test_what_is_no_policy_is_refused(analyzer: Any) -> None:
    with pytest.raises(ClientError) as refused:
        analyzer.check_no_public_access(policyDocument="{}", resourceType="AWS::S3::Bucket")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


def test_it_needs_permission() -> None:
    world = World()
    world.client("iam").create_user(UserName="alice")
    stranger = world.client("accessanalyzer", world.keys_of("alice"))
    with pytest.raises(ClientError, match="access-analyzer:ValidatePolicy"):
        stranger.validate_policy(policyDocument=document(READ), policyType="IDENTITY_POLICY")

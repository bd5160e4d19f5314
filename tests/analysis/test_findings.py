"""The checker: each code for what it is about, nothing for what is well, and where a finding stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bailiwick.analysis.findings import PolicyKind, check, kind_of
from bailiwick.app.cli import app

IDENTITY, RESOURCE, TRUST, SCP, RCP = PolicyKind


def document(*statements: dict[str, Any], **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def allow(action: Any = "s3:GetObject", resource: Any = "arn:aws:s3:::b/*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def when(operator: str, key: str, value: Any, **more: Any) -> dict[str, Any]:
    return allow(Condition={operator: {key: value}}, **more)


def trust(principal: Any, action: str = "sts:AssumeRole", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, **more}


def codes(text: str, kind: PolicyKind = IDENTITY) -> list[str]:
    return [each.finding.code for each in check(text, kind)]


GITHUB = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
SUB = {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:me/mine:*"}}
GOOD: list[tuple[str, PolicyKind]] = [
    (document(allow()), IDENTITY),
    (document(allow("s3:*", "*")), IDENTITY),
    (document(allow("iam:PassRole", "*", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})), IDENTITY),
    (document(when("ForAnyValue:StringLike", "aws:TagKeys", "team-*")), IDENTITY),
    (document(when("Bool", "aws:SecureTransport", True)), IDENTITY),
    (document(allow(resource="arn:aws:s3:::b/${aws:username, 'none'}/*")), IDENTITY),
    (document(trust({"AWS": "arn:aws:iam::111122223333:root"})), TRUST),
    (document(trust({"Service": "ec2.amazonaws.com"})), TRUST),
    (document(trust({"Federated": GITHUB}, "sts:AssumeRoleWithWebIdentity", Condition=SUB)), TRUST),
    (document(allow(Principal={"AWS": "111122223333"})), RESOURCE),
    (document({"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}), SCP),
    (document({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}), RCP),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), GOOD)
def test_nothing_is_said_of_what_is_well(text: str, kind: PolicyKind) -> None:
    assert codes(text, kind) == []


BAD: list[tuple[str, str, PolicyKind]] = [
    ("JSON_SYNTAX_ERROR", "{", IDENTITY),
    ("DATA_TYPE_MISMATCH", "[]", IDENTITY),
    ("MISSING_VERSION", json.dumps({"Statement": allow()}), IDENTITY),
    ("INVALID_VERSION", document(allow(), Version="2012"), IDENTITY),
    ("MISSING_STATEMENT", document(), IDENTITY),
    ("INVALID_POLICY_ELEMENT", document(allow(Colour="red")), IDENTITY),
    ("DUPLICATE_KEYS_WITH_DIFFERENT_CASE", document(allow(action="x", effect="Allow")), IDENTITY),
    ("MISSING_EFFECT", document({"Action": "*", "Resource": "*"}), IDENTITY),
    ("INVALID_EFFECT", document(allow() | {"Effect": "allow"}), IDENTITY),
    ("MISSING_ACTION", document({"Effect": "Allow", "Resource": "*"}), IDENTITY),
    ("MISSING_RESOURCE", document({"Effect": "Allow", "Action": "*"}), IDENTITY),
    ("UNSUPPORTED_ELEMENT_COMBINATION", document(allow(NotAction="*")), IDENTITY),
    ("UNSUPPORTED_PRINCIPAL", document(allow(Principal="*")), IDENTITY),
    ("MISSING_PRINCIPAL", document(allow()), RESOURCE),
    ("SCP_SYNTAX_ERROR_PRINCIPAL", document(allow(Principal="*")), SCP),
    ("UNSUPPORTED_SID", document(allow(Sid="a b")), IDENTITY),
    ("UNIQUE_SIDS_REQUIRED", document(allow(Sid="a"), allow("s3:PutObject", Sid="a")), IDENTITY),
    ("EMPTY_SID_VALUE", document(allow(Sid="")), IDENTITY),
    ("EMPTY_ARRAY_ACTION", document(allow([])), IDENTITY),
    ("EMPTY_ARRAY_RESOURCE", document(allow(resource=[])), IDENTITY),
    ("INVALID_ACTION", document(allow("s3:GetObjct")), IDENTITY),
    ("INVALID_ACTION", document(allow("s3")), IDENTITY),
    ("INVALID_SERVICE_IN_ACTION", document(allow("s4:GetObject")), IDENTITY),
    ("WILDCARD_IN_SERVICE_NAME", document(allow("s*:GetObject")), IDENTITY),
    ("REDUNDANT_ACTION", document(allow(["s3:Get*", "s3:GetObject"])), IDENTITY),
    ("REDUNDANT_RESOURCE", document(allow(resource=["*", "arn:aws:s3:::b"])), IDENTITY),
    ("UNSUPPORTED_ACTION_IN_POLICY", document(trust({"AWS": "111122223333"}, "s3:GetObject")), TRUST),
    ("INVALID_ARN_PREFIX", document(allow(resource="b/*")), IDENTITY),
    ("MISSING_ARN_FIELD", document(allow(resource="arn:aws:s3:b")), IDENTITY),
    ("INVALID_PARTITION", document(allow(resource="arn:azure:s3:::b")), IDENTITY),
    ("INVALID_SERVICE", document(allow(resource="arn:aws:s4:::b")), IDENTITY),
    ("INVALID_ARN_SERVICE_CASE", document(allow(resource="arn:aws:S3:::b")), IDENTITY),
    ("INVALID_ARN_REGION", document(allow(resource="arn:aws:sqs:moon:111122223333:q")), IDENTITY),
    ("INVALID_ARN_ACCOUNT", document(allow(resource="arn:aws:sqs:us-east-1:1:q")), IDENTITY),
    ("ARN_REGION_NOT_ALLOWED", document(allow(resource="arn:aws:s3:us-east-1::b")), IDENTITY),
    ("ARN_ACCOUNT_NOT_ALLOWED", document(allow(resource="arn:aws:s3::111122223333:b")), IDENTITY),
    ("INVALID_ARN_RESOURCE", document(allow(resource="arn:aws:s3:::")), IDENTITY),
    ("INVALID_CONDITION_OPERATOR", document(when("StringIs", "aws:username", "x")), IDENTITY),
    ("NULL_WITH_IF_EXISTS", document(when("NullIfExists", "aws:username", "true")), IDENTITY),
    ("NULL_WITH_QUALIFIER", document(when("ForAnyValue:Null", "aws:TagKeys", "true")), IDENTITY),
    ("INVALID_CONDITION_KEY_FORMAT", document(when("StringEquals", "username", "x")), IDENTITY),
    ("INVALID_GLOBAL_CONDITION_KEY", document(when("StringEquals", "aws:user", "x")), IDENTITY),
    ("INVALID_SERVICE_CONDITION_KEY", document(when("StringEquals", "s3:user", "x")), IDENTITY),
    ("MISSING_TAG_KEY_IN_CONDITION", document(when("StringEquals", "aws:RequestTag/", "x")), IDENTITY),
    ("MISSING_QUALIFIER", document(when("StringEquals", "aws:TagKeys", "x")), IDENTITY),
    ("FORALLVALUES_WITH_SINGLE_VALUED_KEY", document(when("ForAllValues:StringEquals", "aws:username", "x")), IDENTITY),
    ("INVALID_CONDITION_MULTIPLE_BOOLEAN", document(when("Bool", "aws:SecureTransport", [True, False])), IDENTITY),
    ("TYPE_MISMATCH_BOOLEAN", document(when("Bool", "aws:SecureTransport", "yes")), IDENTITY),
    ("TYPE_MISMATCH_NUMBER", document(when("NumericEquals", "s3:max-keys", "ten")), IDENTITY),
    ("TYPE_MISMATCH_DATE", document(when("DateLessThan", "aws:CurrentTime", "soon")), IDENTITY),
    ("TYPE_MISMATCH_IP_RANGE", document(when("IpAddress", "aws:SourceIp", "here")), IDENTITY),
    ("TYPE_MISMATCH", document(when("NumericEquals", "aws:username", "1")), IDENTITY),
    ("PRIVATE_IP_ADDRESS_SUBSET", document(when("IpAddress", "aws:SourceIp", "10.0.0.0/8")), IDENTITY),
    ("IMPROVE_IP_RANGE", document(when("IpAddress", "aws:SourceIp", "8.8.8.8/8")), IDENTITY),
    ("WILDCARD_WITHOUT_LIKE_OPERATOR", document(when("StringEquals", "aws:username", "a*")), IDENTITY),
    ("EMPTY_ARRAY_CONDITION", document(when("StringEquals", "aws:username", [])), IDENTITY),
    ("EMPTY_OBJECT_CONDITION", document(allow(Condition={})), IDENTITY),
    ("DEPRECATED_GLOBAL_CONDITION_KEY", document(when("StringEquals", "aws:ARN", "x")), IDENTITY),
    ("VARIABLE_UNSUPPORTED_IN_ELEMENT", document(allow("s3:${aws:username}")), IDENTITY),
    ("VARIABLE_UNSUPPORTED_IN_VERSION", document(allow(resource="arn:aws:s3:::${aws:username}"), Version="2008-10-17"), IDENTITY),
    ("MISSING_BRACE_IN_VARIABLE", document(allow(resource="arn:aws:s3:::${aws:username")), IDENTITY),
    ("MISSING_QUOTE_IN_VARIABLE", document(allow(resource="arn:aws:s3:::${aws:username, x}")), IDENTITY),
    ("EMPTY_VARIABLE", document(allow(resource="arn:aws:s3:::${}")), IDENTITY),
    ("UNSUPPORTED_SPACE_IN_VARIABLE", document(allow(resource="arn:aws:s3:::${aws: username}")), IDENTITY),
    ("INVALID_VARIABLE_FOR_OPERATOR", document(when("NumericEquals", "s3:max-keys", "${aws:username}")), IDENTITY),
    ("PASS_ROLE_WITH_STAR_IN_RESOURCE", document(allow("iam:PassRole", "*")), IDENTITY),
    ("PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE", document(allow("*", "*")), IDENTITY),
    ("PASS_ROLE_WITH_STAR_IN_RESOURCE_AND_NOTACTION", document({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}), IDENTITY),
    ("ALLOW_WITH_NOTPRINCIPAL", document(allow(NotPrincipal={"AWS": "111122223333"})), RESOURCE),
    ("UNSUPPORTED_WILDCARD_IN_PRINCIPAL", document(allow(Principal={"AWS": "arn:aws:iam::111122223333:user/*"})), RESOURCE),
    ("INVALID_PRINCIPAL_FORMAT", document(allow(Principal={"AWS": "bob"})), RESOURCE),
    ("INVALID_PRINCIPAL_KEY", document(allow(Principal={"User": "bob"})), RESOURCE),
    ("INVALID_SERVICE_PRINCIPAL_FORMAT", document(allow(Principal={"Service": "sns"})), RESOURCE),
    ("RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", document(allow(Principal={"Service": "sns.amazonaws.com"})), RESOURCE),
    ("FEDERATED_PRINCIPAL_NOT_SUPPORTED", document(allow(Principal={"Federated": GITHUB})), RESOURCE),
    ("ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE", document(trust({"AWS": "111122223333"}, Resource="*")), TRUST),
    ("ROLE_TRUST_POLICY_UNSUPPORTED_WILDCARD_IN_PRINCIPAL", document(trust("*")), TRUST),
    ("MISMATCHED_ACTION_FOR_PRINCIPAL", document(trust({"Federated": GITHUB}, Condition=SUB)), TRUST),
    ("MISSING_GITHUB_REPO_CONDITION_KEY", document(trust({"Federated": GITHUB}, "sts:AssumeRoleWithWebIdentity")), TRUST),
    ("MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL", document(trust({"Federated": GITHUB[:44] + "example.com"}, "sts:AssumeRoleWithWebIdentity")), TRUST),
    ("POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA", document(*[allow(resource=f"arn:aws:s3:::{n:0>90}") for n in range(60)]), IDENTITY),
    ("POLICY_SIZE_EXCEEDS_SCP_QUOTA", document(*[allow(resource=f"arn:aws:s3:::{n:0>90}") for n in range(90)]), SCP),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "kind"), BAD)
def test_each_code_is_found(code: str, text: str, kind: PolicyKind) -> None:
    assert code in codes(text, kind)


def test_a_finding_stands_where_it_is_said_to() -> None:
    text = json.dumps(json.loads(document(allow(["s3:GetObject", "s3:GetObjct"]))), indent=2)
    (found,) = check(text, IDENTITY)
    assert text[found.start : found.end] == '"s3:GetObjct"'
    line = text.splitlines()[found.begins.line - 1]
    assert line[found.begins.column - 1 : found.ends.column - 1] == '"s3:GetObjct"'


def test_what_kind_of_policy_it_is() -> None:
    for text, kind in GOOD[:10]:
        assert kind_of(text) is kind
    assert kind_of("{") is IDENTITY


@pytest.mark.parametrize("kind", list(PolicyKind))
@given(text=st.text(max_size=60))
def test_any_text_can_be_checked(kind: PolicyKind, text: str) -> None:
    check(text, kind)


_ELEMENTS = st.sampled_from(
    [
        "Version",
        "Statement",
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "Principal",
        "Condition",
        "AWS",
        "x",
    ]
)
_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["*", "", "s3:Get*", "arn:aws:s3:::b", "${a}", "Allow"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ELEMENTS, inner, max_size=4),
    max_leaves=15,
)


@given(_ANY, st.sampled_from(PolicyKind))
def test_any_json_can_be_checked(value: object, kind: PolicyKind) -> None:
    check(json.dumps(value), kind)


def test_the_command(tmp_path: Path) -> None:
    good, bad, risky = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "risky.json"
    good.write_text(document(allow()))
    bad.write_text(document(allow("s3:GetObjct") | {"Effect": "allow"}))
    risky.write_text(document(allow("iam:PassRole", "*")))

    def run(*arguments: Any) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["policy", "check", *map(str, arguments)])
        return result.exit_code, result.stdout

    assert run(good) == (0, f"{good}: no findings\n")
    status, told = run(bad)
    assert status == 1
    column = bad.read_text().index('"s3:GetObjct"') + 1
    assert f"{bad}:1:{column}: ERROR INVALID_ACTION\n    The service s3 has no action `GetObjct`.\n" in told
    assert "IAM would refuse it: The policy failed legacy parsing" in told
    assert run(risky)[0] == 0
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff")
    assert run(binary)[0] == 2
    assert run("--strict", risky)[0] == 1
    found = [json.loads(line) for line in run("--json", bad)[1].splitlines()]
    assert {each["issueCode"] for each in found} == {"INVALID_EFFECT", "INVALID_ACTION"}

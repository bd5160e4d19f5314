"""What AWS says to identity policies: facts/policy.md section 1.7 (a), facts/iam.md section 5.6.

The texts are recorded ones (R) unless a case says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import Document, check_identity, check_managed

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
VERSION = "Policy document must be version 2012-10-17 or greater."
PRINCIPAL = "Policy document should not specify a principal."
SIDS = "Statement IDs (SID) in a single policy must be unique."
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
COLON = "Actions/Condition can contain only one colon."
IAM_PATH = (
    'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, '
    "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, "
    "report/, access-report/."
)

GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"}


def refusal(check: Callable[[str], Document], text: str) -> str | None:
    try:
        check(text)
    except PolicyError as error:
        return str(error)
    return None


def doc(statement: Any, **elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement, **elements})


def with_(**elements: Any) -> dict[str, Any]:
    return {**GOOD, **elements}


def without(*names: str, **elements: Any) -> dict[str, Any]:
    return {name: value for name, value in with_(**elements).items() if name not in names}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        # 1: the grammar
        ([], SYNTAX),
        ("x", SYNTAX),
        (["x"], SYNTAX),
        ([[GOOD]], SYNTAX),
        ({}, SYNTAX),
        (with_(Unknown="x"), SYNTAX),
        (with_(effect="Allow"), SYNTAX),
        (with_(Sid=["x"]), SYNTAX),
        (with_(Sid=None), SYNTAX),
        (without("Effect"), SYNTAX),
        (with_(Effect="Permit"), SYNTAX),
        (with_(Effect=True), SYNTAX),
        (with_(NotAction="s3:*"), SYNTAX),
        (with_(NotResource="*"), SYNTAX),
        (with_(Resource={"a": "b"}), SYNTAX),
        (with_(Action={}), SYNTAX),
        (with_(Action=[["s3:ListBucket"]]), SYNTAX),
        (with_(Action=5), SYNTAX),
        (with_(Condition=["a"]), SYNTAX),
        (with_(Condition="a"), SYNTAX),
        (with_(Condition={"a": "b"}), SYNTAX),
        (with_(Condition={"StringEquals": []}), SYNTAX),
        (with_(Condition={"StringEquals": {"a": {"b": "c"}}}), SYNTAX),
        (with_(Condition={"StringEquals": {"a": None}}), SYNTAX),
        (with_(Condition={"anything": {"a": "b"}}), SYNTAX),
        (with_(Condition={"NullIfExists": {"a": "true"}}), SYNTAX),
        # 3: the older parser
        (with_(Effect="allow"), LEGACY),
        (with_(Effect="denY"), LEGACY),
        (with_(Condition={"DateGreaterThan": {"a": "sdfdsf"}}), LEGACY),
        (with_(Condition={"DateLessThan": {"a": "9223372036854775808"}}), LEGACY),
        (with_(Condition={"ArnLike": {"a": "topic"}}), LEGACY),
        (with_(Resource="arn:aws:s3::bucket"), LEGACY),
        (with_(Resource="arn:aws::fdsasf:us-east-1:1:x"), LEGACY),
        # 4
        (with_(Principal="*"), PRINCIPAL),
        (with_(NotPrincipal={"AWS": "*"}), PRINCIPAL),
        # 5
        ([with_(Sid="a"), with_(Sid="a")], SIDS),
        # 6
        (without("Action"), NO_ACTIONS),
        (with_(Action=[]), NO_ACTIONS),
        (without("Action", NotAction=[]), NO_ACTIONS),
        # 7
        (with_(Resource="bucket"), 'Resource bucket must be in ARN format or "*".'),
        (with_(Resource=""), 'Resource  must be in ARN format or "*".'),
        (with_(Resource="a:b:c"), 'Partition "b" is not valid for resource "arn:b:c:*:*:*".'),
        (with_(Resource="arn:x:s3:::b"), 'Partition "x" is not valid for resource "arn:x:s3:::b".'),
        (
            with_(Resource="arn:aws"),
            "Resource vendor must be fully qualified and cannot contain regexes.",
        ),
        (
            with_(Resource="arn:aws:iam:us-east-1:1:user/x"),
            "IAM resource arn:aws:iam:us-east-1:1:user/x cannot contain region information.",
        ),
        (
            with_(Resource="arn:aws:s3:us-east-1::bucket"),
            "Resource arn:aws:s3:us-east-1::bucket can not contain region information.",
        ),
        (with_(Resource="arn:aws:iam::1:users/x"), IAM_PATH),
        (with_(Resource=["aaa", "zzz", "*"]), 'Resource aaa must be in ARN format or "*".'),
        # 8
        (with_(Action="invalid"), VENDOR),
        (without("Action", NotAction=""), VENDOR),
        (with_(Action="a:b:c"), COLON),
        (with_(Action="a a:List"), "Vendor a a is not valid"),
        (with_(Action="*:*"), "Vendor * is not valid"),
        # 9
        (without("Resource"), NO_RESOURCES),
        (with_(Resource=[]), NO_RESOURCES),
        (without("Resource", NotResource=[]), NO_RESOURCES),
    ],
)
def test_refused(statement: Any, expected: str) -> None:
    assert refusal(check_managed, doc(statement)) == expected
    assert refusal(check_identity, doc(statement)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        '"text"',
        "5",
        "null",
        '{"Version": "2012-10-17"}',
        '{"Version": "2012-10-18", "Statement": []}',
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": NaN}}',
        doc(GOOD, Extra="x"),
        doc(GOOD, Id=5),
        doc(GOOD, Version="2012-10-18"),
        doc(GOOD, Version=None),
        doc(GOOD).replace('"Effect"', '"Effect": "Deny", "Effect"'),
        doc(GOOD) + "x",
        "\ufeff" + doc(GOOD),
        doc(GOOD).replace("ListBucket", "\\ud800"),
        "[" * 100_000,
        '{"a":' * 1000 + "1" + "}" * 1000,
        doc(with_(Condition={"NumericEquals": {"a": 1}})).replace(" 1}", " " + "1" * 131_072 + "}"),
    ],
    ids=range(20),
)
def test_no_policy_at_all(text: str) -> None:
    assert refusal(check_managed, text) == SYNTAX
    assert refusal(check_identity, text) == SYNTAX


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_only_a_managed_policy_must_be_of_the_current_version(version: str | None) -> None:
    elements = {"Statement": GOOD} if version is None else {"Version": version, "Statement": GOOD}
    text = json.dumps(elements)
    assert refusal(check_managed, text) == VERSION
    assert check_identity(text).version == version


@pytest.mark.parametrize(
    "statement",
    [
        GOOD,
        [GOOD],
        [with_(Sid=""), with_(Sid="")],
        with_(Condition={}),
        with_(Condition={"DateGreaterThan": {}}),
        with_(Condition={"DateGreaterThan": {"a": []}}),
        with_(Condition={"anything": {}}),
        with_(Condition={"DateGreaterThan": {"a": "01T"}}),
        with_(Condition={"DateGreaterThan": {"a": "-292275054"}}),
        with_(Condition={"DateGreaterThan": {"a": "2016-12-13t2:00:00.593194+23"}}),
        with_(Condition={"ArnLike": {"a": "arn:aws:iam::*:user/${aws:username}"}}),
        with_(Condition={"ArnLike": {"a": "${aws:PrincipalArn}"}}),
        with_(Condition={"Bool": {"a": True}, "NumericLessThan": {"b": [1, 2.5]}}),
        with_(Action="iam: asdf safdsf af "),
        with_(Action="unknown-service.x:Unknown*"),
        with_(Action="*"),
        with_(Resource="*"),
        with_(Resource="arn:aws:fdsasf"),
        with_(Resource="arn:aws:iam::123456789012:root"),
        with_(Resource="arn:aws:iam::*:role/x/*"),
        with_(Resource="arn:aws:s3:us-east-1:123456789012:accesspoint/x"),
        with_(Resource="arn:aws-us-gov:dynamodb:*:*:table/x"),
        without("Action", NotAction="iam:*"),
        without("Resource", NotResource=["arn:aws:s3:::a"]),
    ],
)
def test_accepted(statement: Any) -> None:
    assert refusal(check_managed, doc(statement)) is None
    assert refusal(check_managed, doc(statement, Id="anything")) is None


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([with_(Effect="allow", Resource="bad"), with_(Unknown=1)], SYNTAX),
        ([with_(Sid="a", Action=[]), with_(Sid="a")], SIDS),
        ([with_(Principal="*", Effect="allow")], LEGACY),
        ([with_(Action=[], Resource="bad")], NO_ACTIONS),
        ([with_(Action="bad", Resource="bad")], 'Resource bad must be in ARN format or "*".'),
        ([with_(Action="bad", Resource=[])], VENDOR),
        ([with_(Resource=[]), with_(Action=[])], NO_ACTIONS),
    ],
)
def test_the_first_rule_that_fails_anywhere_is_reported(statements: Any, expected: str) -> None:
    assert refusal(check_managed, doc(statements)) == expected


def test_the_version_comes_before_the_older_parser() -> None:
    assert refusal(check_managed, json.dumps({"Statement": with_(Effect="allow")})) == VERSION
    assert refusal(check_managed, json.dumps({"Statement": with_(Effect="Permit")})) == SYNTAX


def test_sid_characters() -> None:
    # the text is AWS's, from memory of its replies; its place among the rules is ours (U)
    assert refusal(check_identity, doc(with_(Sid="a b"))) == (
        "Statement IDs (SID) must be alpha-numeric. "
        "Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )


def test_a_null_among_actions_is_refused() -> None:
    # AWS is said to accept it (T); in NotAction it would allow everything
    assert refusal(check_identity, doc(without("Action", NotAction=[None]))) == SYNTAX


def test_the_document_is_returned() -> None:
    found = check_managed(
        doc(
            with_(
                Sid="One",
                Resource=["arn:aws:s3:::${aws:username}", "arn:aws:s3:::${AWS:USERNAME}/*"],
                Condition={
                    "StringLike": {"s3:prefix": "${aws:PrincipalTag/team}/*"},
                    "Bool": {"S3:Prefix": True},
                },
            ),
            Id="named",
        )
    )
    assert (found.version, found.id, len(found.statements)) == ("2012-10-17", "named", 1)
    assert found.statements[0].action == ("s3:ListBucket",)
    assert found.condition_keys() == ("aws:username", "s3:prefix", "aws:PrincipalTag/team")
    assert found.principals() == {}

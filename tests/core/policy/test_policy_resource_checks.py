"""What AWS says to trust, key and session policies: facts/policy.md section 1.7 (b, d), facts/kms.md 11.3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import Document, check_key, check_session, check_trust

ACCOUNT = "111111111111"
USER = f"arn:aws:iam::{ACCOUNT}:user/a/alice"
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
GITHUB_TEXT = (
    f"Trust policy with trusted principal {GITHUB} must evaluate, using StringEquals, StringLike or "
    "StringEqualsIgnoreCase, token.actions.githubusercontent.com:sub or "
    "token.actions.githubusercontent.com:job_workflow_ref which is not scoped to all."
)
FEDERATED = "Federated principals must be valid domain names or SAML metadata ARNs"
PRINCIPALS = "Policy contains a statement with one or more invalid principals."
ACTIONS = "AssumeRole policy may only specify STS AssumeRole actions."

TRUST: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole"}
SESSION: dict[str, Any] = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
KEY: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "kms:*", "Resource": "*"}


def refusal(check: Callable[[str], Document], text: str) -> str | None:
    try:
        check(text)
    except PolicyError as error:
        return str(error)
    return None


def doc(*statements: Any, **elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **elements})


def trust(*drop: str, **elements: Any) -> str:
    return doc({name: value for name, value in {**TRUST, **elements}.items() if name not in drop})


def key(*drop: str, **elements: Any) -> str:
    return doc({name: value for name, value in {**KEY, **elements}.items() if name not in drop})


@pytest.mark.parametrize("check", [check_trust, check_session, check_key])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "This policy contains invalid Json"),
        ("{", "This policy contains invalid Json"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17"}', "This policy contains invalid Json"),
        ("[" * 100_000, "This policy contains invalid Json"),
        ("[]", "Syntax error in policy."),
        ("{}", "Missing required field Statement"),
        (doc(Extra=1), "Unknown field Extra"),
        (doc(), "Could not parse the policy: Statement is empty!"),
        (doc("x"), "Syntax error in policy."),
        (doc({"Efect": "Allow"}), "Unknown field Efect"),
        (doc(Version="2020-01-01"), "The policy must contain a valid version string"),
    ],
    ids=range(11),
)
def test_common_grammar(check: Callable[[str], Document], text: str, expected: str) -> None:
    assert refusal(check, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (trust(Resource="*"), "Has prohibited field Resource"),
        (trust(NotResource="*"), "AssumeRole policy must not contain resources."),
        (trust("Effect"), "Missing required field Effect"),
        (trust(Effect="allow"), "Invalid effect: allow"),
        (trust(Effect=["Allow"]), "Syntax error in policy."),
        (trust("Principal", NotPrincipal={"AWS": USER}), "Allow with NotPrincipal is not allowed."),
        (
            trust("Principal", Effect="Deny", NotPrincipal={"AWS": USER}),
            "AssumeRole policy must not contain NotPrincipal field.",
        ),
        (trust("Principal"), "Missing required field Principal"),
        (trust(Principal={}), "Missing required field Principal cannot be empty!"),
        (trust(Principal={"AWS": []}), "Missing required field Principal cannot be empty!"),
        (trust(Principal="*"), "Principal must be a JSON object."),
        (trust("Action"), "Missing required field Action"),
        (trust(Action=[]), "Missing required field Action"),
        (trust(Action="s3:GetObject"), ACTIONS),
        (trust(Action="*"), ACTIONS),
        (trust(Action=["sts:AssumeRole", "sts:GetFederationToken"]), ACTIONS),
        (trust(Condition={"Unknown": {"a": "b"}}), "Syntax error in policy."),
        (trust(Condition={"DateLessThan": {"a": "b"}}), "Syntax error in policy."),
        (trust(Sid=5), "Syntax error in policy."),
        (doc({**TRUST, "Sid": "a"}, {**TRUST, "Sid": "a"}), "The Statement Ids in the policy are not unique"),
        (trust(Principal={"AWS": "alice"}), 'Invalid principal in policy: "AWS":"alice"'),
        (trust(Principal={"AWS": USER + "*"}), f'Invalid principal in policy: "AWS":"{USER}*"'),
        (trust(Principal={"AWS": "arn:aws:iam::111111111111:group/x"}),
         'Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:group/x"'),
        (trust(Principal={"Service": "*"}), 'Invalid principal in policy: "SERVICE":"*"'),
        (trust(Principal={"Federated": "*"}), FEDERATED),
        (trust(Principal={"Federated": USER}), FEDERATED),
        (trust(Principal={"Person": "x"}), "Syntax error in policy."),
        (trust(Principal={"Federated": "cognito-identity.amazonaws.com"}),
         "A condition block must be present for the Cognito provider"),
        (trust(Principal={"Federated": GITHUB}), GITHUB_TEXT),
        (trust(Principal={"Federated": GITHUB}, Condition={
            "StringLike": {"token.actions.githubusercontent.com:sub": "*"}}), GITHUB_TEXT),
        (trust(Principal={"Federated": GITHUB}, Condition={
            "StringNotLike": {"token.actions.githubusercontent.com:sub": "repo:a/*"}}), GITHUB_TEXT),
    ],
    ids=range(31),
)  # fmt: skip
def test_trust_refused(text: str, expected: str) -> None:
    assert refusal(check_trust, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        trust(),
        json.dumps({"Statement": TRUST}),
        trust(Sid="with spaces"),
        trust(Action=["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext"]),
        trust(Action="sts:*"),
        trust(Action="sts:Assume*"),
        trust("Action", NotAction="sts:TagSession"),
        trust(Effect="Deny"),
        trust(Principal={"AWS": "*"}),
        trust(Principal={"AWS": ACCOUNT}),
        trust(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        trust(Principal={"AWS": [f"arn:aws:iam::{ACCOUNT}:role/service/path/x", "AROA0000000000000DEPL"]}),
        trust(Principal={"AWS": f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/x/y@z"}),
        trust(Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/x"}),
        trust(Principal={"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"], "AWS": USER}),
        trust(Principal={"Federated": "accounts.google.com"}),
        trust(Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/Corp"}),
        trust(Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/id.example.com/a/b"}),
        trust(
            Principal={"Federated": GITHUB},
            Condition={"StringLike": {"token.actions.githubusercontent.com:sub": ["*", "repo:a/*"]}},
        ),
        trust(Condition={"StringEquals": {"sts:ExternalId": "x"}}),
    ],
    ids=range(20),
)
def test_trust_accepted(text: str) -> None:
    assert refusal(check_trust, text) is None


def session(*drop: str, **elements: Any) -> str:
    return doc({name: value for name, value in {**SESSION, **elements}.items() if name not in drop})


@pytest.mark.parametrize(  # how STS words these is not known (U): family (b), then that of identity policies
    ("text", "expected"),
    [
        (session(Principal="*"), "Has prohibited field Principal"),
        (session(NotPrincipal="*"), "Has prohibited field NotPrincipal"),
        (session("Effect"), "Missing required field Effect"),
        (session("Action"), "Missing required field Action"),
        (session(Action="bad"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (session(Resource="bad"), 'Resource bad must be in ARN format or "*".'),
        (session("Resource"), "Policy statement must contain resources."),
        (session(), None),
        (json.dumps({"Statement": SESSION}), None),
    ],
    ids=range(9),
)
def test_session(text: str, expected: str | None) -> None:
    assert refusal(check_session, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (key(), None),
        (key(Sid="Enable IAM User Permissions"), None),
        (key(Principal="*"), None),
        (key(Principal={"AWS": [ACCOUNT, USER], "Service": "lambda.amazonaws.com"}), None),
        (key("Action"), "Missing required field Action"),
        (key(Action=[]), "Missing required field Action"),
        (key("Action", NotAction="kms:Decrypt"), None),
        (key("Resource"), "Missing required field Resource"),
        (key(Resource=[]), "Missing required field Resource"),
        (key("Resource", NotResource="*"), "Missing required field Resource"),
        (key("Principal", Effect="Deny", NotPrincipal={"AWS": USER}), None),
        (key("Principal"), "Missing required field Principal"),
        (key("Principal", NotPrincipal={"AWS": USER}), "Allow with NotPrincipal is not allowed."),
        (key(Principal={}), PRINCIPALS),
        (key(Principal={"AWS": "alice"}), PRINCIPALS),
        (key(Principal={"AWS": []}), PRINCIPALS),
        (key(Principal={"Federated": "accounts.google.com"}), PRINCIPALS),
        (key(Principal={"CanonicalUser": "a" * 64}), PRINCIPALS),
        (key("Principal", Effect="Deny", NotPrincipal={"AWS": "alice"}), PRINCIPALS),
        (key(Condition={"StringEquals": {"kms:EncryptionContext:a": "b"}}), None),
        (key(Condition={"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "b"}}), None),
        (
            key(Condition={"ForAllValues:StringEquals": {"kms:encryptioncontext:a": "b"}}),
            "OverlyPermissiveCondition:EncryptionContext: Using the ForAllValues set operator with a "
            "single-valued condition key matches requests without the specified encryption context or with "
            "an unspecified encryption context. To fix, remove ForAllValues.",
        ),
    ],
    ids=range(22),
)
def test_key(text: str, expected: str | None) -> None:
    assert refusal(check_key, text) == expected


def test_what_was_stored_before_it_was_refused_is_read() -> None:
    for left_out in ("Action", "Resource"):
        assert len(check_key(key(left_out), lax=True).statements) == 1
    with pytest.raises(PolicyError):
        check_key(key("Principal"), lax=True)


def test_principals_are_listed_once_by_key() -> None:
    found = check_key(
        doc(
            {**KEY, "Principal": {"AWS": [USER, ACCOUNT]}},
            {**KEY, "Principal": "*"},
            {"Effect": "Deny", "NotPrincipal": {"AWS": USER, "Service": "x.amazonaws.com"}, "Action": "kms:*"},
        ),
        lax=True,
    )
    assert found.principals() == {"AWS": (USER, ACCOUNT, "*"), "Service": ("x.amazonaws.com",)}

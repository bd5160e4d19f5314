"""Variables, their defaults, and what they may not do."""

from __future__ import annotations

import json

import pytest
from policy_cases import QUESTION, USER, allows, layer

from bailiwick.core.policy import variables
from bailiwick.core.policy.patterns import Wildcard
from bailiwick.core.policy.question import Context

CONTEXT: Context = {
    "aws:username": "alice",
    "aws:principaltag/team": "blue",
    "aws:principaltag/star": "*",
    "aws:tagkeys": ("a", "b"),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", ("plain",)),
        ("${aws:username}", ("alice",)),
        ("${AWS:UserName}", ("alice",)),
        ("a/${aws:PrincipalTag/team}/*", ("a/", "blue", "/", Wildcard.ANY)),
        ("${aws:PrincipalTag/star}", ("*",)),
        ("${*}${?}${$}", ("*", "?", "$")),
        ("${missing}", None),
        ("${missing, 'none'}", ("none",)),
        ("${missing, ''}", ("",)),
        ("${aws:username, 'none'}", ("alice",)),
        ("${missing,'none'}", None),
        ("${missing, none}", None),
        ("${}", None),
        ("${aws:user name}", None),
        ("${aws:TagKeys}", None),
        ("${aws:TagKeys, 'none'}", None),
        ("${aws:username", ("${aws:username",)),
        ("$aws:username", ("$aws:username",)),
    ],
)
def test_resolution(text: str, expected: tuple[object, ...] | None) -> None:
    assert variables.template(text, variables=True, wildcards=True).resolve(CONTEXT) == expected


def test_without_variables_everything_is_text() -> None:
    template = variables.template("${aws:username}", variables=False, wildcards=True)
    assert template.resolve(CONTEXT) == ("${aws:username}",)


def test_keys() -> None:
    assert variables.keys("${aws:username}/${*}/${aws:PrincipalTag/a, 'x'}") == [
        "aws:username",
        "aws:PrincipalTag/a",
    ]


def statement(**elements: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": "s3:Get", "Resource": "*", **elements}


def permits(elements: dict[str, object], resource: str, version: str = "2012-10-17") -> bool:
    text = json.dumps({"Version": version, "Statement": elements})
    return allows(identity=layer(text), action="s3:Get", on=resource, context=CONTEXT)


@pytest.mark.parametrize(
    ("pattern", "resource", "version", "expected"),
    [
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/alice/x", "2012-10-17", True),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/bob/x", "2012-10-17", False),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/alice/x", "2008-10-17", False),
        ("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/${aws:username}", "2008-10-17", True),
        ("arn:aws:s3:::b/${aws:PrincipalTag/star}", "arn:aws:s3:::b/anything", "2012-10-17", False),
        ("arn:aws:s3:::b/${aws:PrincipalTag/star}", "arn:aws:s3:::b/*", "2012-10-17", True),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/anything", "2012-10-17", False),
        ("arn:aws:s3:::${missing}", "arn:aws:s3:::", "2012-10-17", False),
        ("arn:aws:s3:${aws:PrincipalTag/team}::b", "arn:aws:s3:blue::b", "2012-10-17", False),
    ],
)
def test_variables_in_resource(pattern: str, resource: str, version: str, expected: bool) -> None:
    assert permits(statement(Resource=pattern), resource, version) is expected


def test_unresolved_not_resource_fails_closed_by_effect() -> None:
    unresolved = "arn:aws:s3:::${missing}"
    elsewhere = "arn:aws:s3:::other"
    allow = {"Effect": "Allow", "Action": "s3:Get", "NotResource": unresolved}
    assert not permits(allow, elsewhere)
    deny = [statement(), {**allow, "Effect": "Deny"}]
    text = json.dumps({"Version": "2012-10-17", "Statement": deny})
    assert not allows(identity=layer(text), action="s3:Get", on=elsewhere, context=CONTEXT)
    named = [statement(), {**allow, "Effect": "Deny", "NotResource": [unresolved, elsewhere]}]
    text = json.dumps({"Version": "2012-10-17", "Statement": named})
    assert allows(identity=layer(text), action="s3:Get", on=elsewhere, context=CONTEXT)


def test_an_action_has_no_variables() -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": statement(Action="s3:${aws:username}")})
    assert not allows(identity=layer(text), action="s3:alice", context=CONTEXT)
    assert QUESTION.principal is USER

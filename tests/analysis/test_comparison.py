"""Policies compared as sets; hypothesis looks for a request that proves a PASS wrong."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.analysis.comparison import covers, new_access, not_granted, overlap, public_access
from bailiwick.core.policy import syntax
from bailiwick.core.policy.patterns import glob, pieces
from reference.evaluator import evaluate
from reference.generator import ACTIONS, RESOURCES, Aim, document, question

PATTERNS = st.text("ab*?", max_size=6)


@given(PATTERNS, PATTERNS, st.text("ab", max_size=6))
def test_covers_and_overlap_tell_the_truth(one: str, other: str, text: str) -> None:
    in_one, in_other = glob(pieces(one))(text), glob(pieces(other))(text)
    if covers(one, other):
        assert in_one or not in_other
    if in_one and in_other:
        assert overlap(one, other)
    assert overlap(one, other) == overlap(other, one)
    assert covers(one, one)


def read(*statements: dict[str, Any]) -> syntax.Document:
    return syntax.parse(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def allow(action: Any = "s3:GetObject", resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


ORG = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}


@pytest.mark.parametrize(
    ("new", "existing", "passes"),
    [
        ([allow()], [allow("s3:*")], True),
        ([allow("S3:getobject")], [allow("s3:Get*")], True),
        ([allow("s3:*")], [allow()], False),
        ([allow(resource="arn:aws:s3:::b/a/*")], [allow(resource="arn:aws:s3:::b/*")], True),
        ([allow(resource="arn:aws:s3:::b/*")], [allow(resource="arn:aws:s3:::b/a/*")], False),
        ([allow(Condition=ORG)], [allow()], True),
        ([allow()], [allow(Condition=ORG)], False),
        ([allow()], [allow(), allow("s3:*", effect="Deny")], False),
        ([allow()], [allow(), allow("ec2:*", effect="Deny")], True),
        ([allow(), allow("s3:*", effect="Deny")], [allow(), allow("s3:*", effect="Deny")], True),
        ([allow(Principal={"AWS": "arn:aws:iam::111122223333:user/a"})], [allow(Principal={"AWS": "111122223333"})], False),  # an account leaves it to its users' policies
        ([allow(Principal={"AWS": "arn:aws:iam::111122223333:root"})], [allow(Principal={"AWS": "111122223333"})], True),
        ([allow(resource="arn:aws:s3:::b/alice/k")], [{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/${aws:username}/*"}], False),
        ([allow(resource="arn:aws:s3:::b/${aws:username}")], [allow(resource="arn:aws:s3:::b/" + "?" * 15)], False),
        ([allow(resource="arn:aws:s3:::b/${aws:username}")], [allow(resource="arn:aws:s3:::b/*")], True),
        ([allow(Principal="*")], [allow(Principal={"AWS": "111122223333"})], False),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], [allow("*")], True),
        ([allow()], [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], True),
        ([allow("*")], [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], False),
    ],
)  # fmt: skip
def test_new_access(new: list[dict[str, Any]], existing: list[dict[str, Any]], passes: bool) -> None:
    assert (new_access(read(*new), read(*existing)) == []) is passes


@pytest.mark.parametrize(
    ("statements", "actions", "resources", "passes"),
    [
        ([allow()], ["s3:PutObject"], [], True),
        ([allow()], ["s3:GetObject"], [], False),
        ([allow("s3:*")], ["s3:GetObject"], ["arn:aws:s3:::b/k"], False),
        ([allow("s3:*", "arn:aws:s3:::a/*")], ["s3:GetObject"], ["arn:aws:s3:::b/k"], True),
        ([allow("s3:*"), allow("s3:Get*", effect="Deny")], ["s3:GetObject"], [], True),
        ([allow("s3:*"), allow("s3:Get*", effect="Deny", Condition=ORG)], ["s3:GetObject"], [], False),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], ["s3:GetObject"], [], True),
    ],
)
def test_access_not_granted(
    statements: list[dict[str, Any]], actions: list[str], resources: list[str], passes: bool
) -> None:
    assert (not_granted(read(*statements), actions, resources) == []) is passes


@pytest.mark.parametrize(
    ("statement", "passes"),
    [
        (allow(Principal="*"), False),
        (allow(Principal={"AWS": "*"}), False),
        (allow(Principal={"AWS": "111122223333"}), True),
        (allow(Principal="*", Condition=ORG), True),
        (allow(Principal="*", Condition={"StringLike": {"aws:PrincipalOrgID": "*"}}), False),
        (allow(Principal="*", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}), False),
        (allow(Principal="*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), True),
        (allow(Principal="*", Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), False),
        (allow(Principal="*", Condition={"Bool": {"aws:SecureTransport": "true"}}), False),
        (allow(NotPrincipal={"AWS": "111122223333"}), False),
        (allow(Principal="*", effect="Deny"), True),
    ],
)
def test_public_access(statement: dict[str, Any], passes: bool) -> None:
    assert (public_access(read(statement)) == []) is passes


@given(st.randoms(use_true_random=False), st.sampled_from(["identity", "resource"]))
def test_what_passes_is_never_new(draw: random.Random, kind: str) -> None:
    """If nothing is new, no question that the old policy refuses is allowed by the new one."""
    asked = [question(draw) for _ in range(6)]
    aim = Aim(draw.choice(ACTIONS), draw.choice(RESOURCES), asked[0]["principal"])
    old = document(draw, aim, kind)
    new = document(draw, aim, kind) if draw.random() < 0.3 else {**old, "Version": "2012-10-17"}
    if draw.random() < 0.5 and isinstance(new["Statement"], list):
        new = {**new, "Statement": draw.sample(new["Statement"], len(new["Statement"]) - 1) or new["Statement"]}
    if old.get("Version") != new.get("Version") or new_access(*map(_parsed, (new, old))):
        return
    for q in asked:
        if q["principal"]["kind"] == "root":
            continue  # allowed without any statement
        q["policies"] = {
            "identity": None,
            "resource": None,
            "boundary": None,
            "session": None,
            "scp": [],
            "rcp": [],
        }
        q |= {"rule": "ordinary", "account": q["principal"]["account"]}
        layer = {"identity": "identity", "resource": "resource"}[kind]
        before, after = ({**q, "policies": {**q["policies"], layer: [text]}} for text in (old, new))
        if evaluate(after)[0] == "allowed":
            assert evaluate(before)[0] == "allowed"


def _parsed(value: dict[str, Any]) -> syntax.Document:
    return syntax.parse(json.dumps(value))

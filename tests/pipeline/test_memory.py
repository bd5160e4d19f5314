"""Policies of any size: what is remembered of them is bounded by weight, not only by number."""

from __future__ import annotations

import json
from typing import Any

from bailiwick.api import Call, Caller, Target
from bailiwick.authorization import _BYTES, Authorizer
from bailiwick.core.policy import compile as policies
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Principal, PrincipalKind
from world import ACCOUNT, World

LETTERS = 100_000


def large(number: int) -> str:
    """A policy of about LETTERS letters that allows one action, after much else."""
    padding = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::" + "x" * LETTERS}
    allow = {"Sid": f"n{number}", "Effect": "Allow", "Action": "sts:GetAccessKeyInfo", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [padding, allow]})


def caller(number: int) -> Caller:
    arn = f"arn:aws:iam::{ACCOUNT}:user/u{number}"
    principal = Principal(PrincipalKind.USER, "aws", ACCOUNT, arn, arn, f"AIDA{number}")
    layer = Layer([Attached(compile_policy(large(number)), "large", None)])
    return Caller(principal, user_id=f"AIDA{number}", identity=layer)


def test_decisions_on_large_policies_keep_few_of_them_alive() -> None:
    world, authorizer = World(), Authorizer()
    made: dict[str, Any] = {
        "operation": world.pipeline.route("sts", "GetAccessKeyInfo").operation,  # type: ignore[union-attr]
        "region": "us-east-1",
        "now": world.now(),
        "request_id": "r",
        "environment": world.environment,
        "source": "127.0.0.1",
    }
    for number in range(60):
        with world.store.transaction() as transaction:
            call = Call(caller=caller(number), transaction=transaction, **made)
            assert authorizer.authorize(call, Target(account=ACCOUNT)).decision.allowed
    halves = (authorizer.remembered._young, authorizer.remembered._old)
    kept = {id(known[0]): known[0] for half in halves for known in half.values()}
    assert 0 < sum(weight for each in kept.values() for _, weight in each.parts) <= _BYTES
    texts = {text for half in (policies.remembered._young, policies.remembered._old) for text, _ in half}
    assert sum(map(len, texts)) * policies.BYTES_PER_LETTER <= 16 << 20

"""Answers that are remembered: they are those that would be given, and keep nothing else alive."""

from __future__ import annotations

import json
import random
from typing import Any
from weakref import ref

import msgspec
import pytest

from bailiwick import authorization
from bailiwick.api import AccessDenied, Call, Caller, Membership, Target
from bailiwick.authorization import Authorizer, context_of
from bailiwick.core.formats import Session, SessionKind
from bailiwick.core.policy import compile as policies
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Principal, PrincipalKind
from world import ACCOUNT, World

KEYS = (
    *("kms:encryptioncontext:a", "aws:principaltag/team", "aws:sourceip", "aws:requestedregion", "aws:useragent"),
    *("aws:multifactorauthage", "aws:currenttime", "aws:resourceorgid", "kms:viaservice", "aws:calledviafirst"),
)
VALUES = ("blue", "red", "127.0.0.1", "us-east-1", "sdk/1", "2000-01-01T00:00:00Z", "o-1", "600")


def layer(*statements: dict[str, Any]) -> Layer:
    return Layer([Attached(compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statements})), "p")])


def statement(draw: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"Effect": draw.choice(["Allow", "Allow", "Deny"]), "Action": "sts:*", "Resource": "*"}
    if draw.random() < 0.3:
        made["Resource"] = "arn:aws:sts:::${aws:PrincipalTag/team, 'blue'}"
    operator = draw.choice(["StringEquals", "StringNotEquals", "StringLikeIfExists", "ForAnyValue:StringEquals"])
    if draw.random() < 0.8:
        value = draw.choice([*VALUES, "${aws:PrincipalTag/team}"])
        made["Condition"] = {operator: {draw.choice(KEYS): value}}
    return made


class Scene:
    """Calls that differ in everything that a condition can name."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.world = World()
        self.callers = [self.caller(number) for number in range(3)]
        self.layers = [layer(*(statement(draw) for _ in range(2))) for _ in range(2)]

    def caller(self, number: int) -> Caller:
        arn = f"arn:aws:iam::{ACCOUNT}:user/u{number}"
        principal = Principal(PrincipalKind.USER, "aws", ACCOUNT, arn, arn, f"AIDA{number}")
        via = (("secretsmanager.amazonaws.com",), ())[number % 2]
        session = Session(SessionKind.SESSION, ACCOUNT, "AIDA", "ASIA", "s", 0, 1, mfa=0, via=via)
        return Caller(
            principal,
            user_id=f"AIDA{number}",
            session=session if number else None,
            context={"aws:principaltag/team": self.draw.choice(["blue", "red"])},
            identity=layer(*(statement(self.draw) for _ in range(3))),
            membership=Membership("o-1", "o-1/r-1/") if number == 2 else None,
        )

    def call(self) -> tuple[Call, Target]:
        draw, route = self.draw, self.world.pipeline.route("sts", "GetAccessKeyInfo")
        assert route is not None
        call = Call(
            operation=route.operation,
            caller=draw.choice(self.callers),
            region=draw.choice(["us-east-1", "eu-west-1"]),
            now=draw.choice([946684800.0, 600.0, 1_000_000_000.0]),
            request_id="r",
            transaction=self.world.store.transaction(),
            environment=self.world.environment,
            source=draw.choice(["127.0.0.1", "10.0.0.1"]),
            user_agent=draw.choice(["sdk/1", ""]),
        )
        context: dict[str, Any] = {"aws:principaltag/team": "forged"} if draw.random() < 0.5 else {}
        if draw.random() < 0.7:
            context["kms:encryptioncontext:a"] = draw.choice(["blue", "red", ("blue",), "x" * 2000])
        arn = draw.choice(["arn:aws:sts:::blue", "arn:aws:sts:::red"])
        return call, Target(account=ACCOUNT, arn=arn, policy=draw.choice([None, *self.layers]), context=context)


def answer(authorizer: Authorizer, call: Call, target: Target) -> Any:
    try:
        return authorizer.authorize(call, target)
    except AccessDenied as refused:
        return str(refused)


def test_what_is_remembered_is_what_would_be_answered() -> None:
    hits = 0
    for seed in range(25):
        scene, authorizer = Scene(random.Random(seed)), Authorizer()
        for _ in range(150):
            call, target = scene.call()
            assert answer(authorizer, call, target) == answer(Authorizer(), call, target)
        hits += authorizer.use.hits
    assert hits > 500


def test_the_keys_of_a_request_are_known_as_such() -> None:
    scene = Scene(random.Random(0))
    seen: set[str] = set()
    for _ in range(300):
        call, target = scene.call()
        call.referer = "https://example.com/"
        seen |= (
            set(context_of(call, target, call.caller.membership)) - set(call.caller.context) - set(target.context)
        )
    assert seen == authorization._OF_REQUEST


def test_an_answer_that_rests_on_the_time_is_given_anew() -> None:
    scene, authorizer = Scene(random.Random(0)), Authorizer()
    condition = {"DateLessThan": {"aws:CurrentTime": "2001-01-01T00:00:00Z"}}
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    call, target = scene.call()
    call.caller, target = msgspec.structs.replace(scene.callers[0], identity=layer(allow)), Target(account=ACCOUNT)
    call.now = 946684800.0
    assert authorizer.authorize(call, target).allowed
    call.now = 1_000_000_000.0
    with pytest.raises(AccessDenied):
        authorizer.authorize(call, target)


def test_of_many_contexts_a_few_are_remembered() -> None:
    scene, authorizer = Scene(random.Random(0)), Authorizer()
    condition = {"StringLike": {"kms:EncryptionContext:a": "*"}}
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    call, _ = scene.call()
    call.caller = msgspec.structs.replace(scene.callers[0], identity=layer(allow))
    for number in range(100):
        target = Target(account=ACCOUNT, context={"kms:encryptioncontext:a": str(number)})
        assert authorizer.authorize(call, target).allowed
    (known,) = authorizer._remembered._young.values()
    assert len(known.answers) == authorization._ANSWERS


def test_callers_and_policies_that_are_gone_are_not_kept_alive() -> None:
    scene, authorizer = Scene(random.Random(0)), Authorizer()
    before = len(policies.alive)
    call, _ = scene.call()
    gone = []
    for number in range(50):
        allow = {"Sid": f"n{number}", "Effect": "Allow", "Action": "*", "Resource": "*"}
        call.caller = msgspec.structs.replace(scene.callers[0], identity=layer(allow))
        target = Target(account=ACCOUNT, policy=layer({**allow, "Principal": "*", "Sid": f"k{number}"}))
        assert authorizer.authorize(call, target).allowed
        gone += [ref(call.caller), ref(target.policy)]
    call.caller, target = scene.callers[0], Target(account=ACCOUNT)
    assert {each() for each in gone} == {None}
    assert len(policies.alive) <= before

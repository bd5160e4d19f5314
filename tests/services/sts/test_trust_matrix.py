"""Trust policies of every kind of principal, with conditions that hold or not, by every kind of caller.

The reference evaluator (tests/reference) is told the same and must say the same. It never sees how the service gets to
its answer; of the service it takes the context of the call, which has tests of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError
from services_support import ACCOUNT, allow, deny, document, session_of

from reference.evaluator import evaluate
from world import World

OTHER = "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/target"
USER, PLAIN = f"arn:aws:iam::{ACCOUNT}:user/named", f"arn:aws:iam::{ACCOUNT}:user/plain"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/between/run"
GUEST = f"arn:aws:iam::{OTHER}:user/guest"

EVERYTHING = allow("sts:*")
PRINCIPALS: dict[str, Any] = {
    "everyone": {"AWS": "*"},
    "the account": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "the account by number": {"AWS": ACCOUNT},
    "another account": {"AWS": f"arn:aws:iam::{OTHER}:root"},
    "a user": {"AWS": USER},
    "a role": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/between"},
    "a session": {"AWS": SESSION},
    "someone of another account": {"AWS": GUEST},
    "a service": {"Service": "ec2.amazonaws.com"},
    "several": {"AWS": [USER, OTHER], "Service": "ec2.amazonaws.com"},
}
CONDITIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "external id": {"StringEquals": {"sts:ExternalId": "right"}},
    "wrong external id": {"StringEquals": {"sts:ExternalId": "wrong"}},
    "no external id": {"Null": {"sts:ExternalId": "true"}},
    "session name": {"StringLike": {"sts:RoleSessionName": "s?"}},
    "own account": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
    "who": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}},
    "tag": {"StringEquals": {"aws:PrincipalTag/team": "blue"}},
    "MFA": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    "name of the user": {"StringEquals": {"aws:username": ["named", "guest"]}},
}


class Cast:
    """The callers, each with what is attached to it: name -> (STS client, identity policies)."""

    def __init__(self) -> None:
        self.world = world = World()
        iam = world.client("iam")
        iam.create_role(RoleName="target", AssumeRolePolicyDocument=self.trust({"AWS": ACCOUNT}, {}))
        self.iam = iam
        self.callers: dict[str, tuple[Any, list[dict[str, Any]]]] = {}
        for name, statements in (
            ("named", []),
            ("plain", [EVERYTHING]),
            ("denied", [EVERYTHING, deny("sts:AssumeRole")]),
        ):
            iam.create_user(UserName=name, Tags=[{"Key": "team", "Value": "blue" if name == "named" else "red"}])
            self.callers[name] = world.client("sts", world.keys_of(name)), self.attached(iam, name, statements)
        other = world.client("iam", world.account(OTHER))
        for name, statements in (("guest", [EVERYTHING]), ("stranger", [])):
            other.create_user(UserName=name)
            made = other.create_access_key(UserName=name)["AccessKey"]
            keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
            self.callers[name] = world.client("sts", keys), self.attached(other, name, statements)
        iam.create_role(RoleName="between", AssumeRolePolicyDocument=self.trust({"AWS": ACCOUNT}, {}))
        self.callers["plain session"] = (
            world.client("sts", session_of(self.callers["plain"][0].get_session_token())),
            self.callers["plain"][1],
        )
        answer = self.callers["plain"][0].assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/between", RoleSessionName="run"
        )
        self.callers["role session"] = world.client("sts", session_of(answer)), []

    @staticmethod
    def trust(principal: Any, condition: dict[str, Any], effect: str = "Allow") -> str:
        more = {"Condition": condition} if condition else {}
        return document({"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **more})

    @staticmethod
    def attached(iam: Any, user: str, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not statements:
            return []
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(*statements))
        return [json.loads(document(*statements))]

    def allowed(self, caller: str, **more: str) -> bool:
        try:
            self.callers[caller][0].assume_role(RoleArn=ROLE, RoleSessionName="s1", **more)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return False
        return True

    def expected(self, caller: str, trust: str) -> bool:
        """What the reference says to the call that was just made."""
        event = self.world.events[-1]
        assert event.caller is not None
        asked, who = self.world.rulings[-1].question, event.caller.principal
        q = {
            "principal": {name: str(getattr(who, name)) for name in who.__struct_fields__},
            "action": "sts:AssumeRole",
            "resource": ROLE,
            "account": ACCOUNT,
            "rule": "trust",
            "context": {k: list(v) if isinstance(v, tuple) else v for k, v in asked.context.items()},
            "policies": {
                "identity": self.callers[caller][1],
                "boundary": None,
                "session": None,
                "resource": [json.loads(trust)],
                "scp": [],
                "rcp": [],
            },
        }
        return evaluate(q)[0] == "allowed"


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_service_agrees_with_the_reference(cast: Cast, condition: str) -> None:
    seen: Counter[bool] = Counter()
    for principal in PRINCIPALS.values():
        trust = cast.trust(principal, CONDITIONS[condition])
        cast.iam.update_assume_role_policy(RoleName="target", PolicyDocument=trust)
        for caller in cast.callers:
            found = cast.allowed(caller, ExternalId="right")
            assert found == cast.expected(caller, trust), (caller, trust)
            seen[found] += 1
    assert seen[False] > 20
    assert seen[True] or condition in ("wrong external id", "no external id", "MFA")


def test_without_an_external_id_and_with_a_deny(cast: Cast) -> None:
    for name, effect in (("external id", "Allow"), ("no external id", "Allow"), ("none", "Deny")):
        trust = cast.trust(PRINCIPALS["everyone"], CONDITIONS[name], effect)
        cast.iam.update_assume_role_policy(RoleName="target", PolicyDocument=trust)
        for caller in cast.callers:
            assert cast.allowed(caller) == cast.expected(caller, trust), (caller, trust)

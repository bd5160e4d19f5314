"""Trust policies (principals by conditions) by callers: AssumeRole through the pipeline, and the reference evaluator.

Every caller asks for every role. What the pipeline decided on, with the condition keys that it gathered, is asked of
the reference evaluator as well, which shares no code with the engine.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory.acting import SOURCE_ACCOUNT, SOURCE_ARN
from reference.evaluator import evaluate
from world import ACCOUNT, World

OTHER = "210987654321"
BACKUP, REDSHIFT = "backup.example.internal", "redshift.amazonaws.com"
PLAN = f"arn:aws:backup:us-east-1:{ACCOUNT}:plan/1"
HERE = f"arn:aws:iam::{ACCOUNT}"
ASSUME = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}],
}

NAMED: dict[str, Any] = {
    "everyone": {"AWS": "*"},
    "account": {"AWS": ACCOUNT},
    "other-account": {"AWS": OTHER},
    "alice": {"AWS": f"{HERE}:user/alice"},
    "bob": {"AWS": f"{HERE}:user/bob"},
    "role": {"AWS": f"{HERE}:role/Start"},
    "session": {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/Start/run"},
    "backup": {"Service": BACKUP},
    "services": {"Service": [BACKUP, REDSHIFT]},
    "both": {"AWS": f"{HERE}:user/bob", "Service": REDSHIFT},
}
CONDITIONS: dict[str, Any] = {
    "none": None,
    "external": {"StringEquals": {"sts:ExternalId": "x-1"}},
    "source-arn": {"ArnLike": {"aws:SourceArn": f"arn:aws:backup:*:{ACCOUNT}:plan/*"}},
    "source-account": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    "service": {"Bool": {"aws:PrincipalIsAWSService": "true"}},
    "no-service": {"Bool": {"aws:PrincipalIsAWSService": "false"}},
    "principal-arn": {"ArnLike": {"aws:PrincipalArn": f"{HERE}:*"}},
    "not-alice": {"ArnNotEquals": {"aws:PrincipalArn": f"{HERE}:user/alice"}},
    "principal-account": {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, OTHER]}},
    "if-exists": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
}


CALLERS = (
    *("alice", "alice with the external id", "bob", "session", "pat", "pat with the external id"),
    *("backup", "backup for a plan", "backup for another's plan", "redshift for an account"),
)


class Who(NamedTuple):
    """A caller, and what it says in its request."""

    credentials: dict[str, str]
    external_id: str | None = None
    arn: str | None = None
    account: str | None = None


class Scene:
    """A world with a role for each trust policy, and the callers."""

    def __init__(self) -> None:
        self.world = world = World()
        iam = world.client("iam")
        for name in ("alice", "bob"):  # alice is allowed to assume every role, bob has no policy
            iam.create_user(UserName=name)
        iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=json.dumps(ASSUME))
        alice, bob = world.keys_of("alice"), world.keys_of("bob")
        start = self.role("Start", {"AWS": f"{HERE}:user/alice"}, None)
        iam.put_role_policy(RoleName="Start", PolicyName="p", PolicyDocument=json.dumps(ASSUME))
        began = world.client("sts", alice).assume_role(RoleArn=start, RoleSessionName="run")["Credentials"]
        session = {
            "aws_access_key_id": began["AccessKeyId"],
            "aws_secret_access_key": began["SecretAccessKey"],
            "aws_session_token": began["SessionToken"],
        }
        stranger_iam = world.client("iam", world.account(OTHER))
        stranger_iam.create_user(UserName="pat")
        stranger_iam.put_user_policy(UserName="pat", PolicyName="p", PolicyDocument=json.dumps(ASSUME))
        key = stranger_iam.create_access_key(UserName="pat")["AccessKey"]
        pat = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        backup, redshift = world.service(BACKUP), world.service(REDSHIFT)
        self.callers = {
            "alice": Who(alice),
            "alice with the external id": Who(alice, "x-1"),
            "bob": Who(bob, "x-2"),
            "session": Who(session),
            "pat": Who(pat),
            "pat with the external id": Who(pat, "x-1"),
            "backup": Who(backup),
            "backup for a plan": Who(backup, None, PLAN),
            "backup for another's plan": Who(backup, None, PLAN.replace(ACCOUNT, OTHER)),
            "redshift for an account": Who(redshift, "x-1", None, ACCOUNT),
        }
        self.roles = {
            (named, condition): self.role(f"{named}.{condition}", NAMED[named], CONDITIONS[condition])
            for named in NAMED
            for condition in CONDITIONS
        }

    def role(self, name: str, principal: Any, condition: Any) -> str:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        if condition is not None:
            statement["Condition"] = condition
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made = self.world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        arn: str = made["Role"]["Arn"]
        return arn

    def client(self, who: Who) -> Any:
        sts = self.world.client("sts", who.credentials)

        def add(request: Any, **_: Any) -> None:
            for name, value in ((SOURCE_ARN, who.arn), (SOURCE_ACCOUNT, who.account)):
                if value is not None:
                    request.headers[name] = value

        sts.meta.events.register("before-sign.*.*", add)
        return sts


@cache
def scene() -> Scene:
    return Scene()


def as_reference(world: World, named: str, condition: str) -> dict[str, Any]:
    """The question that the last call raised, in the reference's form."""
    asked = world.rulings[-1].question
    who = asked.principal
    statement = {"Effect": "Allow", "Principal": NAMED[named], "Action": "sts:AssumeRole"}
    if CONDITIONS[condition] is not None:
        statement["Condition"] = CONDITIONS[condition]
    has_policy = who.kind is not PrincipalKind.SERVICE and not who.arn.endswith("user/bob")
    return {
        "principal": {
            "kind": who.kind.value,
            "partition": who.partition,
            "account": who.account,
            "arn": who.arn,
            "issuer_arn": who.issuer_arn,
            "unique_id": who.unique_id,
        },
        "action": asked.action,
        "resource": asked.resource,
        "account": asked.account,
        "context": {
            key: list(value) if isinstance(value, tuple) else value for key, value in asked.context.items()
        },
        "rule": "trust",
        "policies": {
            "identity": [ASSUME] if has_policy else [],
            "boundary": None,
            "session": None,
            "scp": [],
            "rcp": [],
            "resource": [{"Version": "2012-10-17", "Statement": [statement]}],
        },
    }


def may_assume(sts: Any, arn: str, extra: dict[str, str]) -> bool:
    try:
        sts.assume_role(RoleArn=arn, RoleSessionName="matrix", **extra)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


@pytest.mark.parametrize("caller", CALLERS)
def test_every_role_by(caller: str) -> None:
    house = scene()
    who = house.callers[caller]
    sts, answers = house.client(who), set()
    extra = {} if who.external_id is None else {"ExternalId": who.external_id}
    for (named, condition), arn in house.roles.items():
        allowed = may_assume(sts, arn, extra)
        expected = evaluate(as_reference(house.world, named, condition))[0] == "allowed"
        assert allowed is expected, (caller, named, condition)
        answers.add(allowed)
    assert answers == {True, False}

"""A service of this house takes a role in its own name: what the role's trust policy says of it decides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bailiwick.api import AccessDenied, Call
from bailiwick.core.formats import open_session
from bailiwick.core.policy.question import Value
from bailiwick.directory.service_principals import of_house
from bailiwick.pipeline import ANONYMOUS
from world import ACCOUNT, REGION, World

SOURCE = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0"


@pytest.fixture
def world() -> World:
    return World()


def role(world: World, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": statement | ({"Condition": condition} if condition else {})}
    made = world.client("iam").create_role(RoleName="host", AssumeRolePolicyDocument=json.dumps(document))
    return str(made["Role"]["Arn"])


def taken(world: World, role_arn: str, name: str = "ec2.amazonaws.com", **said: Value) -> Any:
    route = world.pipeline.route("sts", "AssumeRole")
    assert route is not None
    transaction = world.store.transaction(write=False)
    call = Call(route.operation, ANONYMOUS, REGION, world.now(), "1", transaction, world.environment)
    with transaction:
        service = of_house(transaction, "aws", name, source_arn=SOURCE, account=ACCOUNT, said=said)
        request = {"RoleArn": role_arn, "RoleSessionName": "i-0123456789abcdef0"}
        return world.pipeline.inside(call, service, "sts", "AssumeRole", request)


def test_the_role_is_taken_and_the_session_carries_what_the_service_says(world: World) -> None:
    output = taken(world, role(world), **{"ec2:sourceinstancearn": SOURCE})
    session = open_session(world.environment.ring, output.Credentials.SessionToken)
    assert session.said == {"ec2:sourceinstancearn": SOURCE}
    assert output.AssumedRoleUser.Arn.endswith(":assumed-role/host/i-0123456789abcdef0")
    assert world.events[-1].caller.name == "ec2.amazonaws.com"  # type: ignore[union-attr]


def test_another_service_is_refused(world: World) -> None:
    with pytest.raises(AccessDenied):
        taken(world, role(world), "rolesanywhere.amazonaws.com")


@pytest.mark.parametrize(("account", "let_in"), [(ACCOUNT, True), ("210987654321", False)])
def test_conditions_see_for_whom_it_acts(world: World, account: str, let_in: bool) -> None:
    role_arn = role(world, StringEquals={"aws:SourceAccount": account}, ArnEquals={"aws:SourceArn": SOURCE})
    if let_in:
        assert taken(world, role_arn).Credentials.AccessKeyId.startswith("ASIA")
    else:
        with pytest.raises(AccessDenied):
            taken(world, role_arn)

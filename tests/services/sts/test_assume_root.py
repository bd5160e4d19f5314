"""AssumeRoot: the root user of a member account for one task; and roles of accounts that are closed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal, session_of

from world import World

sys.path.insert(0, str(Path(__file__).parent.parent / "organizations"))
from estate import Estate

TASKS = "arn:aws:iam::aws:policy/root-task/"
AUDIT = {"arn": f"{TASKS}IAMAuditRootUserCredentials"}


@pytest.fixture
def estate(world: World) -> Estate:
    """An organization in which root sessions are enabled."""
    found = Estate(world)
    found.api.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    world.client("iam", found.chief).enable_organizations_root_sessions()
    return found


def assumed(estate: Estate, **more: Any) -> dict[str, str]:
    sts = estate.world.client("sts", estate.chief)
    return session_of(sts.assume_root(TargetPrincipal=estate.account, TaskPolicyArn=AUDIT, **more))


def denied(account: str) -> str:
    return (
        f"User: arn:aws:iam::{ACCOUNT}:user/chief is not authorized to perform: sts:AssumeRoot on resource: "
        f"arn:aws:iam::{account}:root because no resource-based policy allows the sts:AssumeRoot action"
    )


def test_it_is_the_root_user_for_its_task_alone(estate: Estate) -> None:
    world, session = estate.world, assumed(estate)
    me = world.client("sts", session).get_caller_identity()
    assert (me["UserId"], me["Account"]) == (estate.account, estate.account)
    assert me["Arn"] == f"arn:aws:iam::{estate.account}:root"
    iam = world.client("iam", session)
    assert iam.list_access_keys()["AccessKeyMetadata"] == []
    assert iam.get_account_summary()["SummaryMap"]["Users"] == 0
    code, text = refusal(iam.create_user, UserName="x")
    assert (code, text.rpartition("with ")[2]) == ("AccessDenied", "an explicit deny in a session policy")
    role = f"arn:aws:iam::{estate.account}:role/OrganizationAccountAccessRole"
    told = refusal(world.client("sts", session).assume_role, RoleArn=role, RoleSessionName="s1")
    assert told == ("AccessDenied", "Roles may not be assumed by root accounts.")


def test_conditions_tell_it_apart(estate: Estate) -> None:
    estate.enable()
    estate.attach(
        document(
            {
                "Effect": "Deny",
                "Action": "iam:*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:AssumedRoot": "true"}},
            }
        ),
        estate.account,
    )
    iam = estate.world.client("iam", assumed(estate))
    assert refusal(iam.list_access_keys)[1].endswith("an explicit deny in a service control policy")


def test_its_time(estate: Estate) -> None:
    sts = estate.world.client("sts", estate.chief)
    for given, seconds in (({}, 900), ({"DurationSeconds": 60}, 60)):
        answer = sts.assume_root(
            TargetPrincipal=f"arn:aws:iam::{estate.account}:root", TaskPolicyArn=AUDIT, **given
        )
        left = answer["Credentials"]["Expiration"].timestamp() - estate.world.now()
        assert seconds - 2 <= left <= seconds
    code, _ = refusal(sts.assume_root, TargetPrincipal=estate.account, TaskPolicyArn=AUDIT, DurationSeconds=901)
    assert code == "ValidationError"


def test_who_may_not(estate: Estate) -> None:
    world = estate.world
    sts = world.client("sts", estate.chief)
    for account in (ACCOUNT, "999999999999"):  # the management account itself, and one of elsewhere
        told = refusal(sts.assume_root, TargetPrincipal=account, TaskPolicyArn=AUDIT)
        assert (told[0], told[1].partition(" because")[0]) == (
            "AccessDenied",
            denied(account).partition(" because")[0],
        )
    root = refusal(world.client("sts").assume_root, TargetPrincipal=estate.account, TaskPolicyArn=AUDIT)
    assert root[0] == "AccessDenied"
    member = world.client("sts", estate.member)
    other = estate.new_account("other")
    assert refusal(member.assume_root, TargetPrincipal=other, TaskPolicyArn=AUDIT)[0] == "AccessDenied"
    estate.api.register_delegated_administrator(AccountId=estate.account, ServicePrincipal="iam.amazonaws.com")
    assert member.assume_root(TargetPrincipal=other, TaskPolicyArn=AUDIT)["Credentials"]
    world.client("iam", estate.chief).disable_organizations_root_sessions()
    told = refusal(sts.assume_root, TargetPrincipal=estate.account, TaskPolicyArn=AUDIT)
    assert told == ("AccessDenied", denied(estate.account))


def test_permission_can_be_for_one_task(estate: Estate) -> None:
    world, iam = estate.world, estate.world.client("iam")
    iam.create_user(UserName="auditor")
    condition = {"StringEquals": {"sts:TaskPolicyArn": AUDIT["arn"]}}
    root = f"arn:aws:iam::{estate.account}:root"
    only = document(allow("sts:AssumeRoot", root, Condition=condition))
    iam.put_user_policy(UserName="auditor", PolicyName="p", PolicyDocument=only)
    sts = world.client("sts", world.keys_of("auditor"))
    assert sts.assume_root(TargetPrincipal=estate.account, TaskPolicyArn=AUDIT)["Credentials"]
    unlock = {"arn": f"{TASKS}S3UnlockBucketPolicy"}
    told = refusal(sts.assume_root, TargetPrincipal=estate.account, TaskPolicyArn=unlock)
    assert told[1].endswith("because no identity-based policy allows the sts:AssumeRoot action")


@pytest.mark.parametrize(
    "parameters",
    [
        {"TargetPrincipal": "not-an-account"},
        {"TargetPrincipal": "arn:aws:iam::123456789012:user/u"},
        {"TargetPrincipal": "arn:aws:iam::123456789012"},
        {"TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}},
        {"TaskPolicyArn": {}},
    ],
)
def test_what_it_does_not_accept(world: World, parameters: Any) -> None:
    given = {"TargetPrincipal": ACCOUNT, "TaskPolicyArn": AUDIT} | parameters
    assert refusal(world.client("sts").assume_root, **given)[0] == "ValidationError"


def test_both_accounts_have_it_in_their_trail(estate: Estate) -> None:
    assumed(estate)
    event = estate.world.events[-1]
    assert [target.account for target in event.targets] == [estate.account]
    assert event.decision is not None
    assert event.decision.allowed


def test_roles_and_root_users_of_a_closed_account_are_nobodys(estate: Estate) -> None:
    world, session = estate.world, assumed(estate)
    estate.api.close_account(AccountId=estate.account)
    sts = world.client("sts", estate.chief)
    role = f"arn:aws:iam::{estate.account}:role/OrganizationAccountAccessRole"
    told = refusal(sts.assume_role, RoleArn=role, RoleSessionName="s1")
    chief = f"arn:aws:iam::{ACCOUNT}:user/chief"
    assert told == (
        "AccessDenied",
        f"User: {chief} is not authorized to perform: sts:AssumeRole on resource: {role}",
    )
    assert refusal(sts.assume_root, TargetPrincipal=estate.account, TaskPolicyArn=AUDIT)[0] == "AccessDenied"
    assert refusal(world.client("iam", session).list_access_keys)[0] == "InvalidClientTokenId"

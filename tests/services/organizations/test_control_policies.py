"""Service and resource control policies, as the callers meet them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from estate import RCP, SCP, Estate, allows, denies
from hypothesis import given, settings
from hypothesis import strategies as st
from services_support import allow, deny, document, refusal, session_of

from bailiwick.store.transaction import Transaction
from world import ACCOUNT, World


@pytest.fixture
def estate(world: World) -> Estate:
    return Estate(world)


def listed(estate: Estate, credentials: dict[str, str] | None = None) -> Any:
    """The call that the tests try: ListUsers in the member account."""
    return estate.world.client("iam", credentials or estate.member).list_users


def told(layer: str) -> str:
    return f"is not authorized to perform: iam:ListUsers on resource: * {layer}"


NO_SCP = told("because no service control policy allows the iam:ListUsers action")
DENIED = told("with an explicit deny in a service control policy")


@pytest.mark.parametrize("place", ["root", "outer", "inner", "account"])
def test_a_deny_at_any_level_binds_the_account_below(estate: Estate, place: str) -> None:
    estate.enable()
    listed(estate)()
    estate.attach(denies("iam:ListUsers"), getattr(estate, place))
    assert refusal(listed(estate))[1].endswith(DENIED)
    estate.world.client("iam", estate.member).list_roles()


@pytest.mark.parametrize("place", ["root", "outer", "inner", "account"])
def test_every_level_must_allow(estate: Estate, place: str) -> None:
    estate.enable()
    estate.only(allows("sts:*"), getattr(estate, place))
    assert refusal(listed(estate))[1].endswith(NO_SCP)
    estate.world.client("sts", estate.member).get_caller_identity()


def test_nothing_binds_until_the_type_is_enabled_nor_after(estate: Estate) -> None:
    estate.enable()
    estate.attach(denies("*"), estate.root)
    assert refusal(listed(estate))[0] == "AccessDenied"
    estate.api.disable_policy_type(RootId=estate.root, PolicyType=SCP)
    listed(estate)()
    estate.enable()
    listed(estate)()  # what was attached was detached


def test_the_management_account_is_bound_by_nothing(estate: Estate) -> None:
    estate.enable()
    estate.attach(denies("*"), estate.root)
    estate.world.client("iam", estate.chief).list_users()
    estate.world.client("iam").list_users()


def test_a_brother_is_not_bound(estate: Estate) -> None:
    other = estate.session_in(estate.new_account("other", estate.outer))
    estate.enable()
    estate.attach(denies("iam:*"), estate.inner)
    assert refusal(listed(estate))[1].endswith(DENIED)
    listed(estate, other)()


def test_users_and_the_root_user_of_a_member_are_bound(estate: Estate) -> None:
    iam = estate.world.client("iam", estate.member)
    iam.create_user(UserName="u")
    iam.attach_user_policy(UserName="u", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    user = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    guest = estate.world.account("210987654321")  # an account with a root key, which joins
    invited = estate.api.invite_account_to_organization(Target={"Id": "210987654321", "Type": "ACCOUNT"})
    guests = estate.world.client("organizations", guest)
    guests.accept_handshake(HandshakeId=invited["Handshake"]["Id"])
    estate.enable()
    estate.attach(denies("iam:ListUsers"), estate.root)
    for credentials in (user, guest):
        assert refusal(listed(estate, credentials))[1].endswith(DENIED)
    guests.leave_organization()
    listed(estate, guest)()


def test_service_linked_roles_are_not_bound(estate: Estate) -> None:
    from sqlalchemy import update

    from bailiwick.directory import tables

    with estate.world.store.transaction(write=True) as transaction:  # as CreateServiceLinkedRole would make it
        where = tables.role.c.account == estate.account
        transaction.run(update(tables.role).where(where).values(path="/aws-service-role/x.amazonaws.com/"))
        row = transaction.one(tables.role.select().where(where))
        assert row is not None
        transaction.changed(f"principal:{row.id}")
    estate.enable()
    estate.attach(denies("*"), estate.root)
    listed(estate)()


def test_moving_an_account_changes_what_binds_it_at_once(estate: Estate) -> None:
    estate.enable()
    estate.attach(denies("iam:*"), estate.inner)
    assert refusal(listed(estate))[0] == "AccessDenied"
    estate.api.move_account(AccountId=estate.account, SourceParentId=estate.inner, DestinationParentId=estate.outer)
    listed(estate)()


def test_a_changed_policy_is_obeyed_at_once(estate: Estate) -> None:
    estate.enable()
    policy = estate.attach(denies("s3:*"), estate.inner)
    listed(estate)()
    estate.api.update_policy(PolicyId=policy, Content=denies("iam:*"))
    assert refusal(listed(estate))[0] == "AccessDenied"
    estate.api.detach_policy(PolicyId=policy, TargetId=estate.inner)
    listed(estate)()


def test_a_closed_account_cannot_call(estate: Estate) -> None:
    listed(estate)()
    estate.api.close_account(AccountId=estate.account)
    assert refusal(listed(estate))[0] == "InvalidClientTokenId"


def test_a_service_control_policy_grants_nothing(estate: Estate) -> None:
    iam = estate.world.client("iam", estate.member)
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    nobody = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    estate.enable()
    estate.attach(allows("*"), estate.inner)
    assert refusal(listed(estate, nobody))[1].endswith(
        told("because no identity-based policy allows the iam:ListUsers action")
    )


def test_the_story_of_a_refusal_tells_level_and_policy(estate: Estate) -> None:
    from bailiwick.core.policy.explain import explain

    estate.enable()
    policy = estate.attach(denies("iam:ListUsers"), estate.outer)
    refusal(listed(estate))
    ruling = estate.world.rulings[-1]
    assert ruling.decision.match is not None
    assert ruling.decision.match.policy_arn == (
        f"arn:aws:organizations::{ACCOUNT}:policy/{estate.id}/service_control_policy/{policy}"
    )
    told = explain(ruling.question, ruling.layers, ruling.decision)
    levels = [each for each in told.layers if each.kind == "service control policy"]
    assert [each.level for each in levels] == [0, 1, 2, 3]
    assert [name.rpartition("/")[2] for name in levels[1].policies] == ["p-FullAWSAccess", policy]


# -- Resource control policies --------------------------------------------------------------------------


def rcp(action: str, **more: Any) -> str:
    return document(deny(action, Principal="*", **more))


def a_key(estate: Estate, credentials: dict[str, str]) -> str:
    """A key of the member that everyone with identity policies may use."""
    policy = document(allow("kms:*", Principal={"AWS": "*"}))
    made = estate.world.client("kms", credentials).create_key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    return made["KeyMetadata"]["Arn"]


def test_a_resource_control_policy_binds_whoever_uses_the_key(estate: Estate) -> None:
    key = a_key(estate, estate.member)
    stranger = estate.world.account("210987654321")
    callers = [estate.member, estate.chief, stranger]
    for caller in callers:
        estate.world.client("kms", caller).describe_key(KeyId=key)
    estate.enable(RCP)
    estate.attach(rcp("kms:DescribeKey"), estate.outer, RCP)
    for caller in callers:
        assert refusal(estate.world.client("kms", caller).describe_key, KeyId=key)[0] == "AccessDeniedException"
    _, text = refusal(estate.world.client("kms", estate.member).describe_key, KeyId=key)
    assert text.endswith(
        "kms:DescribeKey on resource: " + key + " with an explicit deny in a resource control policy"
    )


def test_a_perimeter_lets_the_organization_in_and_nobody_else(estate: Estate) -> None:
    key = a_key(estate, estate.member)
    stranger = estate.world.account("210987654321")
    estate.enable(RCP)
    perimeter = rcp("kms:*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": estate.id}})
    estate.attach(perimeter, estate.root, RCP)
    estate.world.client("kms", estate.member).describe_key(KeyId=key)
    estate.world.client("kms", estate.chief).describe_key(KeyId=key)
    assert refusal(estate.world.client("kms", stranger).describe_key, KeyId=key)[0] == "AccessDeniedException"


def test_a_resource_control_policy_closes_a_role(estate: Estate) -> None:
    estate.enable(RCP)
    policy = estate.attach(rcp("sts:AssumeRole"), estate.account, RCP)
    role = f"arn:aws:iam::{estate.account}:role/OrganizationAccountAccessRole"
    sts = estate.world.client("sts", estate.chief)
    assert refusal(sts.assume_role, RoleArn=role, RoleSessionName="s2")[0] == "AccessDenied"
    estate.api.detach_policy(PolicyId=policy, TargetId=estate.account)
    session_of(sts.assume_role(RoleArn=role, RoleSessionName="s2"))


def test_resources_of_the_management_account_and_other_services_are_not_bound(estate: Estate) -> None:
    key = a_key(estate, estate.chief)
    estate.enable(RCP)
    estate.attach(rcp("*"), estate.root, RCP)
    estate.world.client("kms", estate.chief).describe_key(KeyId=key)
    listed(estate)()  # IAM has no resource control policies


# -- Condition keys -------------------------------------------------------------------------------------


def seen(estate: Estate) -> dict[str, Any]:
    return dict(estate.world.rulings[-1].question.context)


def test_the_condition_keys_of_organizations(estate: Estate) -> None:
    key = a_key(estate, estate.member)
    path = f"{estate.id}/{estate.root}/{estate.outer}/{estate.inner}/"
    estate.world.client("kms", estate.chief).describe_key(KeyId=key)
    context = seen(estate)
    assert context["aws:principalorgid"] == context["aws:resourceorgid"] == estate.id
    assert context["aws:principalorgpaths"] == (f"{estate.id}/{estate.root}/",)
    assert context["aws:resourceorgpaths"] == (path,)
    listed(estate)()
    assert seen(estate)["aws:principalorgpaths"] == (path,)
    stranger = estate.world.account("210987654321")
    estate.world.client("kms", stranger).describe_key(KeyId=key)
    assert not {"aws:principalorgid", "aws:principalorgpaths"} & seen(estate).keys()
    assert seen(estate)["aws:resourceorgid"] == estate.id
    estate.world.client("iam", stranger).list_users()
    assert not [name for name in seen(estate) if "org" in name]


# -- Speed and properties -------------------------------------------------------------------------------


def test_a_warm_request_reads_nothing(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    key = a_key(estate, estate.member)
    estate.enable()
    estate.enable(RCP)
    estate.attach(denies("s3:*"), estate.inner)
    estate.attach(rcp("s3:*"), estate.inner, RCP)
    calls = [estate.world.client("kms", each).describe_key for each in (estate.member, estate.chief)]
    for call in calls:
        call(KeyId=key)

    def opened(self: Transaction) -> None:
        raise AssertionError("a warm request reads the database not at all")

    monkeypatch.setattr(Transaction, "_open", opened)
    for call in calls:
        call(KeyId=key)


ACTIONS = ["iam:ListUsers", "iam:ListRoles", "iam:*", "iam:List*", "kms:*", "*", "s3:Get*"]


@settings(max_examples=40, deadline=None)
@given(
    first=st.lists(st.tuples(st.booleans(), st.sampled_from(ACTIONS)), min_size=1, max_size=3),
    added=st.lists(st.tuples(st.booleans(), st.sampled_from(ACTIONS)), min_size=1, max_size=3),
    level=st.integers(0, 3),
)
def test_another_level_or_a_deny_never_adds_access(
    first: list[tuple[bool, str]], added: list[tuple[bool, str]], level: int
) -> None:
    """Whatever one more level says, and whatever is denied on a present one, nobody may do more than before."""
    from bailiwick.core.policy.compile import compile_policy
    from bailiwick.core.policy.decide import Layers, decide
    from bailiwick.core.policy.layer import Attached, Layer
    from bailiwick.core.policy.question import Principal, PrincipalKind, Question

    def layer(said: list[tuple[bool, str]]) -> Layer:
        statements = [(allow if each else deny)(action) for each, action in said]
        return Layer(
            [Attached(compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statements})), "p")]
        )

    who = Principal(PrincipalKind.USER, "aws", ACCOUNT, "arn:aws:iam::1:user/u", "arn:aws:iam::1:user/u", "AIDA")
    everything = layer([(True, "*")])
    before = [everything, layer(first), everything]
    after = [*before[:level], layer(added), *before[level:]]
    denied = layer([*first, *((False, action) for _, action in added)])
    for action in ("iam:ListUsers", "iam:ListRoles", "kms:Decrypt", "s3:GetObject"):
        question = Question(who, action, "*", ACCOUNT, {})
        may = decide(question, Layers(identity=everything, scps=tuple(before))).allowed
        for scps in (tuple(after), (everything, denied, everything)):
            assert may or not decide(question, Layers(identity=everything, scps=scps)).allowed


def test_the_simulator_knows_what_binds_a_member(estate: Estate) -> None:
    iam = estate.world.client("iam", estate.member)
    asking = {
        "PolicySourceArn": f"arn:aws:iam::{estate.account}:role/OrganizationAccountAccessRole",
        "ActionNames": ["s3:GetObject"],
    }
    [found] = iam.simulate_principal_policy(**asking)["EvaluationResults"]
    assert (found["EvalDecision"], "OrganizationsDecisionDetail" in found) == ("allowed", False)
    estate.enable()
    estate.attach(denies("s3:*"), estate.outer)
    [found] = iam.simulate_principal_policy(**asking)["EvaluationResults"]
    assert found["EvalDecision"] == "explicitDeny"
    assert found["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    [found] = iam.simulate_principal_policy(**asking, PolicyExclusionList=[{"PolicyType": "scp"}])[
        "EvaluationResults"
    ]
    assert found["EvalDecision"] == "allowed"

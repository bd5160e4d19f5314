"""The text of refusals: facts/policy.md sections 5.1 and 5.2."""

from __future__ import annotations

import pytest
from policy_cases import ANONYMOUS, AWAY, KEY, ROLE, ROLE_ARN, ROOT, SESSION_ARN, USER, USER_ARN

from bailiwick.core.policy.question import Decision, LayerKind, Match, Principal, Question, Rule
from bailiwick.core.policy.refusal import access_denied

DECRYPT = f"User: {USER_ARN} is not authorized to perform: kms:Decrypt"
VEIL = (
    "on this resource because the resource does not exist in this Region, no resource-based policies allow "
    "access, or a resource-based policy explicitly denies access"
)


def ask(rule: Rule = Rule.ORDINARY, principal: Principal = USER, account: str = USER.account) -> Question:
    return Question(principal, "kms:Decrypt", KEY, account, {}, rule)


@pytest.mark.parametrize(
    ("layer", "implicit", "explicit"),
    [
        (LayerKind.IDENTITY, "no identity-based policy", "an identity-based policy"),
        (LayerKind.RESOURCE, "no resource-based policy", "a resource-based policy"),
        (LayerKind.BOUNDARY, "no permissions boundary", "a permissions boundary"),
        (LayerKind.SESSION, "no session policy", "a session policy"),
        (LayerKind.SCP, "no service control policy", "a service control policy"),
        (LayerKind.RCP, "no resource control policy", "a resource control policy"),
    ],
)
@pytest.mark.parametrize("rule", [Rule.ORDINARY, Rule.KEY])
def test_reasons(layer: LayerKind, implicit: str, explicit: str, rule: Rule) -> None:
    assert (
        access_denied(ask(rule), Decision(False, layer))
        == f"{DECRYPT} on resource: {KEY} because {implicit} allows the kms:Decrypt action"
    )
    assert (
        access_denied(ask(rule), Decision(False, layer, explicit=True))
        == f"{DECRYPT} on resource: {KEY} with an explicit deny in {explicit}"
    )


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("layer", list(LayerKind))
def test_taking_a_role_is_refused_without_a_reason(layer: LayerKind, explicit: bool) -> None:
    question = Question(ROLE, "sts:AssumeRole", ROLE_ARN, ROLE.account, {}, Rule.TRUST)
    assert (
        access_denied(question, Decision(False, layer, explicit))
        == f"User: {SESSION_ARN} is not authorized to perform: sts:AssumeRole on resource: {ROLE_ARN}"
    )


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("layer", list(LayerKind))
def test_of_a_key_elsewhere_nothing_is_told(layer: LayerKind, explicit: bool) -> None:
    assert (
        access_denied(ask(Rule.KEY, account=AWAY), Decision(False, layer, explicit), "key abc")
        == f"{DECRYPT} {VEIL}"
    )


@pytest.mark.parametrize(
    ("principal", "resource", "label", "expected"),
    [
        (USER, "*", None, f"User: {USER_ARN} is not authorized to perform: iam:GetUser on resource: *"),
        (
            ROOT,
            USER_ARN,
            "user alice",
            f"User: {ROOT.arn} is not authorized to perform: iam:GetUser on resource: user alice",
        ),
        (ANONYMOUS, "*", None, "User: anonymous is not authorized to perform: iam:GetUser on resource: *"),
    ],
)
def test_who_and_on_what(principal: Principal, resource: str, label: str | None, expected: str) -> None:
    question = Question(principal, "iam:GetUser", resource, USER.account, {})
    assert (
        access_denied(question, Decision(False, LayerKind.IDENTITY), label)
        == f"{expected} because no identity-based policy allows the iam:GetUser action"
    )


def test_a_managed_policy_that_denied_is_named_where_that_is_wanted() -> None:
    managed = "arn:aws:iam::111111111111:policy/Guard"
    decision = Decision(False, LayerKind.IDENTITY, explicit=True, match=Match("Guard", managed, 0, None))
    text = f"{DECRYPT} on resource: {KEY} with an explicit deny in an identity-based policy"
    assert access_denied(ask(), decision) == text
    assert access_denied(ask(), decision, names_policy=True) == f"{text}: {managed}"
    assert access_denied(ask(account=AWAY), decision, names_policy=True) == text
    inline = Decision(False, LayerKind.IDENTITY, explicit=True, match=Match("own", None, 0, None))
    assert access_denied(ask(), inline, names_policy=True) == text

"""The text of a refusal, in AWS's words. Source: facts/policy.md sections 5.1 and 5.2."""

from __future__ import annotations

from bailiwick.core.policy.question import Decision, LayerKind, PrincipalKind, Question, Rule

_VEIL = (
    "on this resource because the resource does not exist in this Region, no resource-based policies allow "
    "access, or a resource-based policy explicitly denies access"
)
_EXPLICIT = {
    LayerKind.SCP: "a service control policy",
    LayerKind.RCP: "a resource control policy",
    LayerKind.SESSION: "a session policy",
    LayerKind.BOUNDARY: "a permissions boundary",
    LayerKind.IDENTITY: "an identity-based policy",
    LayerKind.RESOURCE: "a resource-based policy",
    LayerKind.TRUST: "the role trust policy",
}


def access_denied(
    question: Question, decision: Decision, label: str | None = None, *, names_policy: bool = False
) -> str:
    """AWS's AccessDenied text for a refusal; `label` names the resource where AWS does not print its ARN.

    `names_policy` adds the ARN of a managed policy that denied, as AWS began to do in 2026, within one account.
    Taking a role is refused without a reason. Across accounts, what is said of a key is the same whether
    or not it exists, and whatever refused.
    """
    action = question.action
    if question.principal.kind is PrincipalKind.PROVIDER:
        return f"Not authorized to perform {label or action}"  # who has no ARN yet is told no more
    refusal = f"User: {question.principal.arn} is not authorized to perform: {action}"
    if question.rule is Rule.KEY and question.principal.account != question.account:
        return f"{refusal} {_VEIL}"
    refusal = f"{refusal} on resource: {label or question.resource}"
    if question.rule is Rule.TRUST or decision.layer is None:
        return refusal
    if decision.explicit:
        refusal = f"{refusal} with an explicit deny in {_EXPLICIT[decision.layer]}"
        policy_arn = decision.match.policy_arn if decision.match else None
        at_home = question.principal.account == question.account
        return f"{refusal}: {policy_arn}" if names_policy and policy_arn and at_home else refusal
    return f"{refusal} because no {decision.layer.value} allows the {action} action"

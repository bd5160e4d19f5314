"""Trust policies: checked when saved, shown with today's names when read."""

from __future__ import annotations

from bailiwick.api import Call, Transaction
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_trust
from bailiwick.core.policy.render import render
from bailiwick.directory import entities, quotas
from bailiwick.directory.entities import Role
from bailiwick.services.iam import names
from bailiwick.services.iam.shapes import LimitExceededException, MalformedPolicyDocumentException


def checked(call: Call, text: str) -> dict[str, str]:
    """Check a trust policy; returns its pins: what each user and role that it names is now.

    Raises MalformedPolicyDocument for what AWS would refuse, a user or role that does not exist among it, and
    LimitExceeded for more characters than a trust policy may have.
    """
    try:
        document = check_trust(text)
    except PolicyError as error:
        raise MalformedPolicyDocumentException(str(error)) from None
    most = quotas.allowed(call.transaction, call.account, "ACLSizePerRole")
    if names.size(text) > most:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {most}")
    named = document.principals().get("AWS", ())
    entity_arns = [value for value in named if ":user/" in value or ":role/" in value]
    found = entities.pins(call.transaction, call.partition, entity_arns)
    unique_ids = [value for value in named if value.startswith(("AIDA", "AROA"))]
    for value in unique_ids:
        if entities.current_arn(call.transaction, call.partition, value) is not None:
            found[value] = value  # and it will be shown as the ARN of whom it means
    for value in (*entity_arns, *unique_ids):
        if value not in found:
            raise MalformedPolicyDocumentException(f'Invalid principal in policy: "AWS":"{value}"')
    return found


def text(transaction: Transaction, partition: str, role: Role) -> str:
    """A role's trust policy, with the present ARNs of those it names."""
    return render(role.trust, role.pins, lambda pin: entities.current_arn(transaction, partition, pin))


def shown(call: Call, role: Role) -> str:
    """A role's trust policy as responses show it: percent-encoded."""
    return names.encoded(text(call.transaction, call.partition, role))

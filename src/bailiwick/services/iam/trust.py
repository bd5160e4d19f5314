"""Trust policies: checked when saved, shown with today's names when read."""

from __future__ import annotations

from bailiwick.api import Call
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_trust
from bailiwick.core.policy.render import render
from bailiwick.directory import entities
from bailiwick.directory.entities import Role
from bailiwick.services.iam import names
from bailiwick.services.iam.shapes import LimitExceededException, MalformedPolicyDocumentException

MAX_SIZE = 2048


def checked(call: Call, text: str) -> dict[str, str]:
    """Check a trust policy; returns its pins: what each user and role that it names is now.

    Raises MalformedPolicyDocument for what AWS would refuse, a user or role that does not exist among it, and
    LimitExceeded for more than 2,048 characters.
    """
    try:
        document = check_trust(text)
    except PolicyError as error:
        raise MalformedPolicyDocumentException(str(error)) from None
    if names.size(text) > MAX_SIZE:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {MAX_SIZE}")
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


def shown(call: Call, role: Role) -> str:
    """A role's trust policy as responses show it: percent-encoded, with the present ARNs of those it names."""
    text = render(role.trust, role.pins, lambda pin: entities.current_arn(call.transaction, call.partition, pin))
    return names.encoded(text)

"""What is asked of control policies: identity policies on accounts (SCPs), resource policies on accounts (RCPs).

Organizations tells none of the rules apart: a document that breaks any is refused in the same words. Source:
facts/policy.md sections 1.1, 1.2 and 1.4.
"""

from __future__ import annotations

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import checks_identity, syntax
from bailiwick.core.policy.syntax import Document, Statement

_ARN_COLONS = 5
_EVERYONE = {"AWS": ("*",)}  # which is what `"*"` is read as


def check_scp(text: str) -> Document:
    """Check a service control policy: an identity policy of Version 2012-10-17.

    An ARN with fewer than six fields must end with `*`. Returns the document. Raises PolicyError.
    """
    found = checks_identity.check_managed(text)
    for statement in found.statements:
        if any(_is_short(each) and not each.endswith("*") for each in statement.resources):
            raise PolicyError("A resource that is cut short must end with `*`.")
    return found


def check_rcp(text: str) -> Document:
    """Check a resource control policy: it can only deny, and means everyone.

    Returns the document. Raises PolicyError.
    """
    found = syntax.parse(text)
    if not found.has_variables:
        raise PolicyError("Policy document must be version 2012-10-17 or greater.")
    checks_identity.check_sids(found)
    for statement in found.statements:
        checks_identity.check_legacy(statement)
        _check_denies_everyone(statement)
        checks_identity.check_has_actions(statement)
        checks_identity.check_resources(statement)
        checks_identity.check_actions(statement)
        if not statement.resources or any(map(_is_short, statement.resources)):
            raise PolicyError("Policy statement must contain resources, each `*` or a whole ARN.")
    return found


def _check_denies_everyone(statement: Statement) -> None:
    if statement.effect != "Deny":
        raise PolicyError("A resource control policy can only deny.")
    if statement.not_principal is not None or statement.principal != _EVERYONE:
        raise PolicyError("The principal of a resource control policy is `*`.")
    if statement.not_action is not None:
        raise PolicyError("A resource control policy names actions.")


def _is_short(resource: str) -> bool:
    return resource != "*" and resource.count(":") < _ARN_COLONS

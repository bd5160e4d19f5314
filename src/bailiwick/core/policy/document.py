"""Policy documents: read, and checked as AWS checks each kind of them before it is stored.

    check_identity   an inline policy of a user, group or role
    check_managed    a managed policy
    check_trust      the trust policy of a role
    check_session    an inline session policy
    check_key        a key policy
    check_scp        a service control policy
    check_rcp        a resource control policy

Each returns the Document, or raises PolicyError with AWS's text.
"""

from __future__ import annotations

from bailiwick.core.policy.checks_control import check_rcp, check_scp
from bailiwick.core.policy.checks_identity import check_identity, check_managed
from bailiwick.core.policy.checks_resource import check_key, check_session, check_trust
from bailiwick.core.policy.syntax import Condition, Document, Statement, parse

__all__ = [
    "Condition",
    "Document",
    "Statement",
    "check_identity",
    "check_key",
    "check_managed",
    "check_rcp",
    "check_scp",
    "check_session",
    "check_trust",
    "parse",
]

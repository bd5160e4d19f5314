"""Roles that only AWS changes: those linked to a service, and those of Identity Center.

Their description and tags may be changed, and nothing else (facts/iam.md section 5.7).
"""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import Call, Target
from bailiwick.directory.entities import Role
from bailiwick.services.iam.shapes import UnmodifiableEntityException
from bailiwick.services.iam.targets import role_named

SERVICE_LINKED = "/aws-service-role/"
RESERVED = (SERVICE_LINKED, "/aws-reserved/")


def is_protected(role: Role) -> bool:
    """Whether only AWS may change this role."""
    return role.path.startswith(RESERVED)


def refusal(role: Role) -> UnmodifiableEntityException:
    """The error for trying."""
    return UnmodifiableEntityException(
        f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS"
    )


def role_to_change(call: Call, request: Any) -> Target:
    """The role that RoleName names; one that only AWS changes is refused. The record is a Role."""
    target = role_named(call, request)
    role: Role | None = target.record
    if role is None or not is_protected(role):
        return target
    return msgspec.structs.replace(target, absent=refusal(role))

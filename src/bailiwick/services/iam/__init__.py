"""IAM: users, groups, roles, policies and access keys. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.iam import (
    access_keys,
    account,
    attachments,
    boundaries,
    groups,
    inline,
    instance_profiles,
    policies,
    policy_versions,
    refused,
    roles,
    root_features,
    service_linked,
    simulation,
    users,
)
from bailiwick.services.iam.service import iam

__all__ = [
    "access_keys",
    "account",
    "attachments",
    "boundaries",
    "groups",
    "iam",
    "inline",
    "instance_profiles",
    "policies",
    "policy_versions",
    "refused",
    "roles",
    "root_features",
    "service_linked",
    "simulation",
    "users",
]

"""Organizations: accounts in a tree, and the policies that bound them. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.organizations import (
    accounts,
    attachments,
    delegation,
    handshakes,
    organization,
    policies,
    refused,
    tags,
    units,
)
from bailiwick.services.organizations.service import organizations

__all__ = [
    "accounts",
    "attachments",
    "delegation",
    "handshakes",
    "organization",
    "organizations",
    "policies",
    "refused",
    "tags",
    "units",
]

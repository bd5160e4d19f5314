"""KMS: keys that never leave, aliases for them, policies on them. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.kms import (
    aliases,
    cryptography,
    custom_key_stores,
    data_keys,
    granting,
    importing,
    keys,
    last_use,
    policies,
    replication,
    rotation,
    sharing,
    signing,
    synchronizing,
    tags,
)
from bailiwick.services.kms.service import kms

__all__ = [
    "aliases",
    "cryptography",
    "custom_key_stores",
    "data_keys",
    "granting",
    "importing",
    "keys",
    "kms",
    "last_use",
    "policies",
    "replication",
    "rotation",
    "sharing",
    "signing",
    "synchronizing",
    "tags",
]

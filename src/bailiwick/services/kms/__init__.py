"""KMS: keys that never leave, aliases for them, policies on them. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.kms import aliases, cryptography, keys, policies, tags
from bailiwick.services.kms.service import kms

__all__ = ["aliases", "cryptography", "keys", "kms", "policies", "tags"]

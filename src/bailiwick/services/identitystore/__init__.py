"""The identity store of IAM Identity Center: people and groups. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.identitystore import groups, password, stores, tokens, users
from bailiwick.services.identitystore.service import identitystore

__all__ = ["groups", "identitystore", "password", "stores", "tokens", "users"]

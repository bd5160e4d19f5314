"""SCIM 2.0: a company's directory keeps an identity store up to date. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.scim import groups, users
from bailiwick.services.scim.service import scim

__all__ = ["groups", "scim", "users"]

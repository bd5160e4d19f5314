"""IAM Identity Center's access portal. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.sso import portal
from bailiwick.services.sso.service import sso

__all__ = ["portal", "sso"]

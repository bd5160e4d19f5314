"""IAM Identity Center's administration. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.sso_admin import assignments, instances, permission_sets, refused
from bailiwick.services.sso_admin.service import sso_admin

__all__ = ["assignments", "instances", "permission_sets", "refused", "sso_admin"]

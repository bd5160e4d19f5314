"""IAM Roles Anywhere: roles for workloads with certificates. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.rolesanywhere import anchors, crls, profiles, sessions, subjects, tags
from bailiwick.services.rolesanywhere.service import rolesanywhere

__all__ = ["anchors", "crls", "profiles", "rolesanywhere", "sessions", "subjects", "tags"]

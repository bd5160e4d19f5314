"""CloudTrail: the past of an account. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.cloudtrail import events
from bailiwick.services.cloudtrail.service import cloudtrail

__all__ = ["cloudtrail", "events"]

"""IAM Access Analyzer: policies validated and compared. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.accessanalyzer import checks, validation
from bailiwick.services.accessanalyzer.service import accessanalyzer

__all__ = ["accessanalyzer", "checks", "validation"]

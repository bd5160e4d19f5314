"""What the operations on an account as a whole are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

CALLS: dict[str, dict[str, Any]] = {"iam:GetAccountAuthorizationDetails": {}}

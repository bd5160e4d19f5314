"""Calls of test_matrix.py: what KMS tells of the use of keys."""

from __future__ import annotations

from typing import Any

CALLS: dict[str, dict[str, Any]] = {
    "kms:GetKeyLastUsage": {"KeyId": "KEY"},
}

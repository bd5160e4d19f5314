"""What the operations for service principals are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

CALLS: dict[str, dict[str, Any]] = {
    "iam:PassRole": {"RoleArn": "arn:aws:iam::123456789012:role/r"},
    "sts:GetForwardAccessSession": {"Method": "POST", "Url": "/", "PayloadHash": "0" * 64},
}

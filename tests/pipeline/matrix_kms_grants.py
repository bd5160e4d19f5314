"""Calls of test_matrix.py: grants of a key."""

from __future__ import annotations

from typing import Any

KEY = {"KeyId": "KEY"}
USER = "arn:aws:iam::123456789012:user/u"

CALLS: dict[str, dict[str, Any]] = {
    "kms:CreateGrant": KEY | {"GranteePrincipal": USER, "Operations": ["Encrypt"]},
    "kms:ListGrants": KEY,
    "kms:ListRetirableGrants": {"RetiringPrincipal": USER},
    "kms:RetireGrant": KEY | {"GrantId": "0" * 64},
    "kms:RevokeGrant": KEY | {"GrantId": "0" * 64},
}

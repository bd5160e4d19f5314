"""What AssumeRoleWithLDAPIdentity is called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

CALLS: dict[str, dict[str, Any]] = {
    "sts:AssumeRoleWithLDAPIdentity": {"LDAPUsername": "alice", "LDAPPassword": "password"},
}

"""What the further operations of STS are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

TASK = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}

CALLS: dict[str, dict[str, Any]] = {
    "sts:AssumeRoot": {"TargetPrincipal": "444455556666", "TaskPolicyArn": TASK},
    "sts:GetFederationToken": {"Name": "guest"},
}

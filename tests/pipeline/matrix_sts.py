"""What the further operations of STS are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

TASK = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}

CALLS: dict[str, dict[str, Any]] = {
    "sts:AssumeRoot": {"TargetPrincipal": "444455556666", "TaskPolicyArn": TASK},
    "sts:AssumeRoleWithWebIdentity": {
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "RoleSessionName": "s1",
        "WebIdentityToken": "no.good.token",
    },
    "sts:GetFederationToken": {"Name": "guest"},
    "sts:GetWebIdentityToken": {"Audience": ["https://api.example"], "SigningAlgorithm": "RS256"},
}

"""What the operations around roles are called with in test_matrix.py: profiles, providers, service-linked roles."""

from __future__ import annotations

from typing import Any

TAGS = [{"Key": "k", "Value": "v"}]
PROFILE, ROLE = {"InstanceProfileName": "ip"}, {"RoleName": "r"}

CALLS: dict[str, dict[str, Any]] = {
    "iam:AddRoleToInstanceProfile": PROFILE | ROLE,
    "iam:CreateInstanceProfile": {"InstanceProfileName": "new"},
    "iam:DeleteInstanceProfile": PROFILE,
    "iam:GetInstanceProfile": PROFILE,
    "iam:ListInstanceProfileTags": PROFILE,
    "iam:ListInstanceProfiles": {},
    "iam:ListInstanceProfilesForRole": ROLE,
    "iam:RemoveRoleFromInstanceProfile": PROFILE | ROLE,
    "iam:TagInstanceProfile": PROFILE | {"Tags": TAGS},
    "iam:UntagInstanceProfile": PROFILE | {"TagKeys": ["k"]},
}

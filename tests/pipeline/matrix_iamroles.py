"""What the operations around roles are called with in test_matrix.py: profiles, providers, service-linked roles."""

from __future__ import annotations

from typing import Any

TAGS = [{"Key": "k", "Value": "v"}]
PROFILE, ROLE = {"InstanceProfileName": "ip"}, {"RoleName": "r"}

TASK = {"DeletionTaskId": "task/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch/0"}
CALLS: dict[str, dict[str, Any]] = {
    "iam:AddRoleToInstanceProfile": PROFILE | ROLE,
    "iam:CreateInstanceProfile": {"InstanceProfileName": "new"},
    "iam:CreateServiceLinkedRole": {"AWSServiceName": "ecs.amazonaws.com"},
    "iam:DeleteInstanceProfile": PROFILE,
    "iam:DeleteServiceLinkedRole": {"RoleName": "AWSServiceRoleForBatch"},
    "iam:GetInstanceProfile": PROFILE,
    "iam:GetServiceLinkedRoleDeletionStatus": TASK,
    "iam:ListInstanceProfileTags": PROFILE,
    "iam:ListInstanceProfiles": {},
    "iam:ListInstanceProfilesForRole": ROLE,
    "iam:RemoveRoleFromInstanceProfile": PROFILE | ROLE,
    "iam:TagInstanceProfile": PROFILE | {"Tags": TAGS},
    "iam:UntagInstanceProfile": PROFILE | {"TagKeys": ["k"]},
}

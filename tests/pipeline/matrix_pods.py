"""What the operations of EKS Pod Identity are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

_ONE = {"clusterName": "c", "associationId": "a-0123456789abcdef"}

CALLS: dict[str, dict[str, Any]] = {
    "eks:CreatePodIdentityAssociation": {
        "clusterName": "c",
        "namespace": "n",
        "serviceAccount": "s",
        "roleArn": "arn:aws:iam::123456789012:role/r",
    },
    "eks:DeletePodIdentityAssociation": _ONE,
    "eks:DescribePodIdentityAssociation": _ONE,
    "eks:ListPodIdentityAssociations": {"clusterName": "c"},
    "eks:UpdatePodIdentityAssociation": _ONE,
    "eks-auth:AssumeRoleForPodIdentity": {"clusterName": "c", "token": "a.b.c"},
}

"""EKS Auth: credentials for pods. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.eks_auth import assuming
from bailiwick.services.eks_auth.service import eks_auth

__all__ = ["assuming", "eks_auth"]

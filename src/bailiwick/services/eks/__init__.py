"""EKS, as far as Pod Identity needs it. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.eks import associations
from bailiwick.services.eks.service import eks

__all__ = ["associations", "eks"]

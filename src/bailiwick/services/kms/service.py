"""The service that the operations of this folder register with."""

from __future__ import annotations

from bailiwick.api import Service
from bailiwick.services.kms.quotas import QUOTA

kms = Service("kms", quota=QUOTA)

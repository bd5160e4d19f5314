"""The service that the operations of this folder register with."""

from __future__ import annotations

from bailiwick.api import Service
from bailiwick.core.sigv4.rules import Rules

sts = Service("sts", rules=Rules(asymmetric=True))

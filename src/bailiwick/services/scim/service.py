"""The service that the operations of this folder register with."""

from __future__ import annotations

from bailiwick.api import Service

scim = Service("scim")

"""What the agents of hosts ask: an extension of Bailiwick. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.hosts import credentials, document, facts, joining
from bailiwick.services.hosts.service import hosts

__all__ = ["credentials", "document", "facts", "hosts", "joining"]

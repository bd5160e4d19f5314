"""The database: transactions, caches that are never stale, migrations; SQLite or PostgreSQL.

Services use `call.transaction` (api.Transaction) and nothing else of this package but `Duplicate`.
"""

from __future__ import annotations

from bailiwick.store.errors import Aborted, Duplicate, NewerDatabase, StoreError, StoreUnavailable, Unstorable
from bailiwick.store.store import Store

__all__ = ["Aborted", "Duplicate", "NewerDatabase", "Store", "StoreError", "StoreUnavailable", "Unstorable"]

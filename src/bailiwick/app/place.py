"""Where the audit trail of a deployment lies, and who signs it: for the server and for the commands alike."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from bailiwick.app import home
from bailiwick.app.settings import Settings
from bailiwick.core.seal import KeyRing
from bailiwick.store import Store
from bailiwick.trail.database import Database
from bailiwick.trail.digest import Signer
from bailiwick.trail.files import Files
from bailiwick.trail.shelf import Shelf

_DIGESTS = "audit-digests"  # the purpose of the key that signs the digests of the trail
_INDEXES = "audit-indexes"  # a folder in the data folder: indexes of segments that lie in the database


@overload
def shelf_of(settings: Settings, folder: Path, store: Store | None) -> Shelf: ...
@overload
def shelf_of(settings: Settings, folder: None, store: Store) -> Shelf | None: ...
def shelf_of(settings: Settings, folder: Path | None, store: Store | None) -> Shelf | None:
    """The trail's place; None for a server in memory that was given none.

    `folder` is the data folder, None in memory; `store` is needed only where `audit_store` says `database`.
    """
    if settings.audit_store == "database":
        assert store is not None, "a trail in the database needs the database"
        return Database(store, folder / _INDEXES if folder else None)
    where = settings.audit or (folder / home.AUDIT if folder else None)
    return Files(where) if where else None


def signer_of(ring: KeyRing) -> Signer:
    """Who signs the digests of the trail."""
    return Signer(ring.mac(_DIGESTS, b""))

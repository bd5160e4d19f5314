"""Where the audit trail of a deployment lies, and who signs it: for the server and for the commands alike."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from bailiwick.app import home
from bailiwick.app.settings import Settings
from bailiwick.core.seal import KeyRing
from bailiwick.trail.digest import Signer
from bailiwick.trail.files import Files
from bailiwick.trail.shelf import Shelf

_DIGESTS = "audit-digests"  # the purpose of the key that signs the digests of the trail


@overload
def shelf_of(settings: Settings, folder: Path) -> Shelf: ...
@overload
def shelf_of(settings: Settings, folder: None) -> Shelf | None: ...
def shelf_of(settings: Settings, folder: Path | None) -> Shelf | None:
    """The trail's place; None for a server in memory that was given none. `folder` is the data folder."""
    where = settings.audit or (folder / home.AUDIT if folder else None)
    return Files(where) if where else None


def signer_of(ring: KeyRing) -> Signer:
    """Who signs the digests of the trail."""
    return Signer(ring.mac(_DIGESTS, b""))

"""What a kind of database has to know of itself; everything else about a store is the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection, Engine

from bailiwick.measure import Histogram
from bailiwick.store.cache import Cache


class Backend(Protocol):
    """A kind of database, opened and of the newest form."""

    engine: Engine
    looks: Histogram  # how long it took to ask the database what others have changed

    def connect(self, *, write: bool) -> Connection:
        """A connection with a transaction begun on it; `release` it afterwards."""

    def release(self, connection: Connection) -> None:
        """Give a connection back."""

    def announce(self, connection: Connection) -> None:
        """Within a transaction that has noted changes: have the others told when it commits."""

    def committed(self, topics: Sequence[str], cache: Cache) -> None:
        """A transaction of this store has committed changes of these topics."""

    def refresh(self, cache: Cache) -> None:
        """Have `cache` forget what others have changed. Raises StoreUnavailable where that cannot be known."""

    @property
    def silent(self) -> float:
        """Seconds for which nobody has known what others may have changed."""

    def close(self) -> None:
        """Close every connection."""


class Position:
    """How far the table of changes has been read."""

    def __init__(self, last: int) -> None:
        self.last = last

    def advance(self, changes: Sequence[tuple[int, str]], cache: Cache) -> None:
        """Forget what these later changes, in order, name. A gap means that some are gone: forget everything."""
        if not changes:
            return
        if changes[0][0] == self.last + 1:
            cache.forget([topic for _, topic in changes])
        else:
            cache.clear()
        self.last = changes[-1][0]

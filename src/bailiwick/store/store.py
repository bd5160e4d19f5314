"""A database and the memory of what was read from it, the same for every kind of database."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bailiwick.measure import Distribution, Histogram
from bailiwick.store import reasons, waiting
from bailiwick.store.backend import Backend
from bailiwick.store.cache import MISSING, Cache
from bailiwick.store.errors import StoreUnavailable
from bailiwick.store.sqlite import Folder, Memory
from bailiwick.store.transaction import Transaction

T = TypeVar("T")

_CACHED_VALUES = 20_000


class Store:
    """A database and its cache. Make one for each process, after any fork."""

    def __init__(self, place: Path | str) -> None:
        """Open the database at `place`: a folder for SQLite, or the URL of a PostgreSQL database.

        It is created or migrated as needed. Raises StoreUnavailable for what cannot be used, NewerDatabase for a
        database of a later version.
        """
        self._begin()
        self._backend: Backend = Folder(place) if isinstance(place, Path) else _server(place)
        self.refresh()

    @classmethod
    def in_memory(cls) -> Store:
        """A store that lives in this process only."""
        store = cls.__new__(cls)
        store._begin()
        store._backend = Memory()
        return store

    def _begin(self) -> None:
        self.cache = Cache(_CACHED_VALUES)
        self.reads, self.writes, self.commits = Histogram(), Histogram(), Histogram()

    @property
    def is_memory(self) -> bool:
        """Whether nothing outlives this process."""
        return isinstance(self._backend, Memory)

    @property
    def looks(self) -> Distribution:
        """How long it took to ask the database what others have changed."""
        return self._backend.looks.distribution

    @property
    def silent(self) -> float:
        """Seconds for which this process has not heard what others may have changed."""
        return self._backend.silent

    def transaction(self, *, write: bool = False) -> Transaction:
        """A new transaction, for a `with` statement."""
        return Transaction(self, write=write)

    def remembered(self, kind: str, key: Hashable, load: Callable[[Transaction], tuple[T, Iterable[str]]]) -> T:
        """What `remember` gives in a read transaction of its own, for which there is no need if it is in memory."""
        value: T | object = self.cache.get(kind, key)
        if value is MISSING:
            with self.transaction() as transaction:
                return transaction.remember(kind, key, load)
        return value  # type: ignore[return-value]  # what was put under this kind and key was a T

    def refresh(self) -> None:
        """Forget what others have changed since the last call. Raises StoreUnavailable, waiting.Waits."""
        self._backend.refresh(self.cache)

    def clear(self) -> None:
        """Empty every table of a store in memory, and forget everything."""
        assert isinstance(self._backend, Memory), "a store on disk is not emptied"
        self._backend.empty()
        self.cache.clear()

    def close(self) -> None:
        """Close every connection."""
        self._backend.close()

    # -- For transactions ---------------------------------------------------------------------------------

    def connect(self, *, write: bool) -> Connection:
        """A connection with a transaction begun on it; `release` it afterwards. Raises waiting.Waits."""
        waiting.check()
        return self._backend.connect(write=write)

    def release(self, connection: Connection) -> None:
        """Give a connection back."""
        self._backend.release(connection)

    def announce(self, connection: Connection) -> None:
        """Within a transaction that has noted changes: have the others told when it commits."""
        self._backend.announce(connection)

    def committed(self, topics: Sequence[str]) -> None:
        """A transaction of this store has changed `topics`."""
        self._backend.committed(topics, self.cache)


def _server(url: str) -> Backend:
    from bailiwick.store.postgres import Postgres  # its driver is slow to import, and most have no use for it

    try:
        return Postgres(url)
    except DBAPIError as error:
        raise StoreUnavailable(reasons.told(error.orig)) from None

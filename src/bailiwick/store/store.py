"""The store on SQLite: a folder with one database in WAL mode, shared by threads and processes; or memory.

Every request begins with `refresh`. On a folder that is one `PRAGMA data_version`, which moves when another
connection, of this process or any other, has committed; only then is the table of changes read
(docs/decisions/0002-one-table-of-changes.md).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, RLock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from bailiwick.store import migrate
from bailiwick.store.cache import Cache
from bailiwick.store.errors import StoreUnavailable
from bailiwick.store.schema import metadata
from bailiwick.store.transaction import Transaction

FILE = "bailiwick.db"
_CACHED_VALUES = 20_000
_BUSY_MILLISECONDS = 10_000


class Store:
    """A database and the memory of what was read from it. Make one for each process, after any fork."""

    def __init__(self, folder: Path) -> None:
        """Open the database in `folder`, which must exist; create or migrate it as needed.

        Raises StoreUnavailable for a folder that cannot be used, NewerDatabase for a database of a later version.
        """
        path = folder / FILE
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        self.cache = Cache(_CACHED_VALUES)
        self._memory_lock: RLock | None = None
        self._engine = _engine(f"sqlite:///{path}", poolclass=QueuePool, pool_size=8, max_overflow=8)
        migrate.to_newest(self._engine, folder)
        self._watch = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._watch_lock = Lock()
        self._version = -1
        self._last = self._newest_change()
        self.refresh()

    @classmethod
    def in_memory(cls) -> Store:
        """A store that lives in this process only. Its transactions take turns on one connection."""
        store = cls.__new__(cls)
        store.cache = Cache(_CACHED_VALUES)
        store._memory_lock = RLock()
        store._engine = _engine("sqlite://", poolclass=StaticPool)
        metadata.create_all(store._engine)
        return store

    @property
    def is_memory(self) -> bool:
        """Whether nothing outlives this process."""
        return self._memory_lock is not None

    def transaction(self, *, write: bool = False) -> Transaction:
        """A new transaction, for a `with` statement."""
        return Transaction(self, write=write)

    def refresh(self) -> None:
        """Forget what other transactions have changed since the last call. Raises StoreUnavailable."""
        if self._memory_lock is not None:
            return  # `committed` has told the cache already
        try:
            with self._watch_lock:
                version = self._watch.execute("PRAGMA data_version").fetchone()[0]
                if version != self._version:
                    self._catch_up()
                    self._version = version
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error

    def clear(self) -> None:
        """Empty every table of a store in memory, and forget everything."""
        assert self._memory_lock is not None, "a store on disk is not emptied"
        with self._memory_lock, self._engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        self.cache.clear()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        if self._memory_lock is None:
            self._watch.close()

    # -- For transactions ---------------------------------------------------------------------------------

    def connect(self, *, write: bool) -> Connection:
        """A connection with a transaction begun on it; `release` it afterwards."""
        if self._memory_lock is not None:
            self._memory_lock.acquire()
        try:
            connection = self._engine.connect().execution_options(bailiwick_write=write)
            connection.begin()
        except BaseException:
            if self._memory_lock is not None:
                self._memory_lock.release()
            raise
        return connection

    def release(self, connection: Connection) -> None:
        """Give a connection back."""
        try:
            connection.close()
        finally:
            if self._memory_lock is not None:
                self._memory_lock.release()

    def committed(self, topics: Sequence[str]) -> None:
        """A transaction of this store has changed `topics`. On a folder, `refresh` will see it like any other."""
        if self._memory_lock is not None and topics:
            self.cache.forget(topics)

    # -- Freshness ----------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Read the changes since the last time. A gap means that the table was trimmed: forget everything."""
        rows = self._watch.execute("SELECT seq, topic FROM change WHERE seq > ? ORDER BY seq", (self._last,))
        changes: list[tuple[int, str]] = rows.fetchall()
        if not changes:
            return
        if changes[0][0] == self._last + 1:
            self.cache.forget([topic for _, topic in changes])
        else:
            self.cache.clear()
        self._last = changes[-1][0]

    def _newest_change(self) -> int:
        found = self._watch.execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()
        return int(found[0])


def _engine(url: str, **options: Any) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False}, **options)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `begin` below does
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("bailiwick_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine

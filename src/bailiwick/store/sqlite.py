"""The store on SQLite: a folder with one database in WAL mode, shared by threads and processes; or memory.

Every request begins with `refresh`. On a folder that is a look at the WAL index (walindex.py), which moves when
any connection of any process has committed; only then is the table of changes read
(docs/decisions/0002-one-table-of-changes.md).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, RLock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from bailiwick.measure import Histogram
from bailiwick.store import migrate, reasons, waiting, wal
from bailiwick.store.backend import Position
from bailiwick.store.cache import Cache
from bailiwick.store.errors import StoreUnavailable, Unstorable
from bailiwick.store.schema import metadata
from bailiwick.store.walindex import WalIndex

FILE = "bailiwick.db"
_BUSY_MILLISECONDS = 10_000
_SECOND_LOOK = 1.0  # seconds after which the database is asked, whatever the WAL index says


class Folder:
    """A database in a folder. Make one for each process, after any fork."""

    def __init__(self, folder: Path) -> None:
        """Open the database in `folder`, which must exist; create or migrate it as needed.

        Raises StoreUnavailable for a folder that cannot be used, NewerDatabase for a database of a later version.
        """
        path = folder / FILE
        self.looks = Histogram()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        self.engine = _engine(f"sqlite:///{path}", poolclass=QueuePool, pool_size=8, max_overflow=8)
        migrate.folder_to_newest(self.engine, folder)
        self._watch = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._watch_lock = Lock()
        self._log = wal.Log(path)
        self._index: WalIndex | None = None
        self._header, self._looked, self._version = b"", 0.0, -1
        try:
            self._position = Position(self._newest_change())
            self._index = WalIndex(path)
        except sqlite3.Error as error:
            raise StoreUnavailable(reasons.told(error)) from error
        except OSError:
            pass  # then the database is asked each time

    def connect(self, *, write: bool) -> Connection:
        connection = self.engine.connect().execution_options(bailiwick_write=write)
        connection.begin()
        return connection

    def release(self, connection: Connection) -> None:
        connection.close()
        self._log.look()

    def announce(self, connection: Connection) -> None:
        """The commit itself is the announcement."""

    def committed(self, topics: Sequence[str], cache: Cache) -> None:
        """`refresh` will see it like any other."""

    def refresh(self, cache: Cache) -> None:
        index, now = self._index, time.monotonic()
        if index is not None and index.header() == self._header and now - self._looked < _SECOND_LOOK:
            return
        # Even a thread that must not wait may look: what it reads was written just now, so it is in memory.
        hurried = waiting.here.hurried
        if not self._watch_lock.acquire(blocking=not hurried):
            raise waiting.Waits
        try:
            header = index.header() if index is not None else b""  # before the look, so that it is not too new
            self._watch.execute(f"PRAGMA busy_timeout = {0 if hurried else _BUSY_MILLISECONDS}")
            version = self._watch.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._position.advance(self._changes(), cache)
                self._version = version
            self._header, self._looked = header, now
            self.looks.observe(time.monotonic() - now)
        except sqlite3.Error as error:
            if hurried and reasons.is_busy(error):
                raise waiting.Waits from None
            raise StoreUnavailable(reasons.told(error)) from error
        finally:
            self._watch_lock.release()

    @property
    def silent(self) -> float:
        return 0.0  # every request looks for itself

    def close(self) -> None:
        self._log.close()
        self.engine.dispose()
        self._watch.close()
        if self._index is not None:
            self._index.close()

    def _changes(self) -> list[tuple[int, str]]:
        sql = "SELECT seq, topic FROM change WHERE seq > ? ORDER BY seq"
        return self._watch.execute(sql, (self._position.last,)).fetchall()

    def _newest_change(self) -> int:
        found = self._watch.execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()
        return int(found[0])


class Memory:
    """A database that lives in this process only. Its transactions take turns on one connection."""

    silent = 0.0

    def __init__(self) -> None:
        self._lock = RLock()
        self.looks = Histogram()
        self.engine = _engine("sqlite://", poolclass=StaticPool)
        metadata.create_all(self.engine)

    def connect(self, *, write: bool) -> Connection:
        self._lock.acquire()
        try:
            connection = self.engine.connect().execution_options(bailiwick_write=write)
            connection.begin()
        except BaseException:
            self._lock.release()
            raise
        return connection

    def release(self, connection: Connection) -> None:
        try:
            connection.close()
        finally:
            self._lock.release()

    def announce(self, connection: Connection) -> None:
        """There is nobody else."""

    def committed(self, topics: Sequence[str], cache: Cache) -> None:
        if topics:
            cache.forget(topics)

    def refresh(self, cache: Cache) -> None:
        """`committed` has told the cache already."""

    def empty(self) -> None:
        """Delete every row of every table."""
        with self._lock, self.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str, **options: Any) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False}, **options)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `begin` below does
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # what is committed is on disk: one fsync of the log
            f"journal_size_limit = {wal.KEPT}",
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("bailiwick_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    @event.listens_for(engine, "before_cursor_execute")
    def check(_c: object, _cursor: object, _text: str, parameters: Any, _x: object, many: bool) -> None:
        """SQLite would keep a null character and PostgreSQL has none: neither is given one."""
        for row in parameters if many else (parameters,):
            for value in row.values() if isinstance(row, dict) else row:
                if type(value) is str and "\0" in value:
                    raise Unstorable("a null character cannot be stored")

    return engine

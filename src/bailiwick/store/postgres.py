"""The store on PostgreSQL: one database, any number of processes and machines.

Writers take turns, as on SQLite: each write transaction begins by taking one advisory lock, so that handlers need
not think of concurrent writers, and changes get their numbers in the order in which they commit.

A thread listens for the notices of other nodes and reads the table of changes at each, and every quarter of a
second without one. So a change is obeyed by every node in milliseconds, and within half a second if a notice is
lost. While the database cannot be reached, what is in memory is still good for `patience` seconds; after that
every request is refused, because nobody knows any more whether a key was deactivated. What needs the database
while it is known to be away is refused at once: a request that waited would hold up those that need nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import psycopg
import structlog
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import QueuePool

from bailiwick.measure import Histogram
from bailiwick.store import migrate, reasons
from bailiwick.store.backend import Position
from bailiwick.store.cache import Cache
from bailiwick.store.errors import Aborted, StoreUnavailable

log = structlog.get_logger()

PATIENCE = 10.0
"""Seconds for which a node that cannot reach the database goes on with what it has in memory."""

_CHANNEL = "bailiwick_change"
_WRITERS = 0x6261696C697769  # the advisory lock of those who write: "bailiwi" in ASCII
_POLL = 0.25
_FIRST = 15.0  # seconds that the first contact may take
_SILENCE = 2.0  # seconds after which a database that says nothing is taken to be away
_AGAIN = 0.2  # seconds between attempts to connect
_OPTIONS = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "application_name": "bailiwick",
    "options": "-c lock_timeout=10000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000",
}


class Postgres:
    """A PostgreSQL database. Make one for each process, after any fork."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Connect to `url` (postgresql://user:password@host:port/database); create or migrate as needed.

        Several hosts may be given, as libpq has it: the one that takes writes is used. Raises StoreUnavailable
        for a database that cannot be used, NewerDatabase for one of a later version.
        """
        try:
            self._url = make_url(url).set(drivername="postgresql+psycopg")
        except ArgumentError:
            raise StoreUnavailable("the database URL cannot be read; postgresql://user@host/database") from None
        self.engine = _engine(self._url)
        self.looks = Histogram()
        self._patience = patience
        migrate.server_to_newest(self.engine)
        self._listener = _Listener(self)
        self._listener.start()
        if not self._listener.ready.wait(_FIRST):
            self.close()
            raise StoreUnavailable("the database does not answer")

    def connect(self, *, write: bool) -> Connection:
        listener = self._listener
        if listener.away or time.monotonic() - listener.heard > _SILENCE:
            raise Aborted("the database cannot be reached; the server goes on by itself when it can")
        try:
            return self._begun(write=write)
        except OperationalError as error:
            if not error.connection_invalidated:
                raise
            return self._begun(write=write)  # nothing had happened on the one that broke

    def release(self, connection: Connection) -> None:
        connection.close()

    def announce(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"NOTIFY {_CHANNEL}")

    def committed(self, topics: Sequence[str], cache: Cache) -> None:
        if topics:
            cache.forget(topics)  # this node obeys its own changes at once

    def refresh(self, cache: Cache) -> None:
        listener = self._listener
        if listener.cache is None:
            listener.cache = cache
        silent = self.silent
        if silent > self._patience:
            raise StoreUnavailable(f"the database has not answered for {silent:.0f} seconds")

    @property
    def silent(self) -> float:
        return time.monotonic() - self._listener.heard

    def close(self) -> None:
        self._listener.end()
        self.engine.dispose()

    def _begun(self, *, write: bool) -> Connection:
        connection = self.engine.connect().execution_options(bailiwick_write=write)
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return connection

    def open_listener(self) -> psycopg.Connection[Any]:
        """A connection of its own for the thread that listens."""
        arguments = self.engine.dialect.create_connect_args(self._url)[1]
        return psycopg.connect(autocommit=True, **{**arguments, **_OPTIONS, "target_session_attrs": "read-write"})


class _Listener(threading.Thread):
    """Reads the changes of other nodes as they are announced."""

    def __init__(self, backend: Postgres) -> None:
        super().__init__(name="changes", daemon=True)
        self.cache: Cache | None = None  # there is nothing to forget before the first refresh
        self.heard = time.monotonic()
        self.away = False  # whether the last attempt to connect has failed
        self.ready = threading.Event()
        self._backend = backend
        self._position: Position | None = None
        self._ended = threading.Event()

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.is_set():
            connected = False
            try:
                with self._backend.open_listener() as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._resume(connection)
                    connected, self.away = True, False
                    while not self._ended.is_set():
                        for _ in connection.notifies(timeout=_POLL, stop_after=1):
                            pass
                        self._catch_up(connection)
            except (psycopg.Error, OSError) as error:
                log.warning("the database does not tell of changes; trying again", reason=reasons.told(error))
                if not connected:
                    self.away = True
                    self._ended.wait(_AGAIN)

    def _resume(self, connection: psycopg.Connection[Any]) -> None:
        """Begin where the database is now, with nothing in memory.

        After a failover it may lack commits that were seen before it, and have others under their numbers.
        """
        row = connection.execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()
        self._position = Position(int(row[0]) if row else 0)
        if self.cache is not None:
            self.cache.clear()
        self.ready.set()

    def _catch_up(self, connection: psycopg.Connection[Any]) -> None:
        assert self._position is not None
        begun = time.monotonic()
        sql = "SELECT seq, topic FROM change WHERE seq > %s ORDER BY seq"
        rows = connection.execute(sql, (self._position.last,)).fetchall()
        if self.cache is None:
            self._position.last = rows[-1][0] if rows else self._position.last
        else:
            self._position.advance(rows, self.cache)
        self.heard = begun
        self._backend.looks.observe(time.monotonic() - begun)


def _engine(url: Any) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=8,
        pool_timeout=5,
        pool_pre_ping=True,
        connect_args={**_OPTIONS, "target_session_attrs": "read-write"},
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("bailiwick_migrates"):  # it waits for another node that does the same, and takes its time
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0")
        if options.get("bailiwick_write", True):
            # READ COMMITTED: what is read after the lock is had is what the writer before has left.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    return engine

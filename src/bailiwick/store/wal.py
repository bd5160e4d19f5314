"""The write-ahead log of a SQLite database, kept within bounds.

SQLite moves the log's pages into the database by itself after each thousand of them, but begins the log anew only
when no reader uses it. Where readers always overlap it would grow without end: beyond LIMIT a thread waits for the
readers of that moment, and those that come after them need the log no more (sqlite.org/wal.html, sections 2.2, 6).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import structlog

log = structlog.get_logger()

LIMIT = 32 << 20
KEPT = 8 << 20
"""Bytes of the file that stay when it is begun anew."""

_PAUSE = 5.0  # seconds between attempts
_PATIENCE = 0.2  # seconds that an attempt waits for readers; writers wait as long


class Log:
    """The write-ahead log of one database."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = Path(f"{database}-wal")
        self._next = 0.0
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Have the log shortened if it is too long. Called after each transaction; most times it does nothing."""
        now = time.monotonic()
        if now < self._next or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = now + _PAUSE
        try:
            long = self._path.stat().st_size > LIMIT
        except OSError:
            return
        if long:
            self._thread = threading.Thread(target=self.shorten, name="checkpoint", daemon=True)
            self._thread.start()

    def shorten(self) -> None:
        """Move what the log holds into the database, and begin it anew."""
        try:
            with closing(sqlite3.connect(self._database, timeout=_PATIENCE, isolation_level=None)) as connection:
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if busy:
                log.warning(
                    "the write-ahead log is long, and somebody reads from it", bytes=self._path.stat().st_size
                )
        except (sqlite3.Error, OSError) as error:
            log.warning("the write-ahead log could not be shortened", reason=str(error))

    def close(self) -> None:
        """Return when nothing is under way."""
        if self._thread is not None:
            self._thread.join()

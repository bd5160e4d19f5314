"""What a driver's error means for whoever runs the server, and what to do about it."""

from __future__ import annotations

import sqlite3

# The primary result codes of SQLite (https://www.sqlite.org/rescode.html) that an operator can do something about.
_SQLITE = {
    sqlite3.SQLITE_BUSY: "another process holds the database; the call may be sent again",
    sqlite3.SQLITE_READONLY: "the data folder cannot be written; mend its permissions or its mount",
    sqlite3.SQLITE_IOERR: "the disk fails or is full; look at the system's log",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; stop the server, run `bailiwick doctor`, restore a backup",
    sqlite3.SQLITE_FULL: "the disk is full; make room on it, nothing else is needed",
    sqlite3.SQLITE_CANTOPEN: "a file cannot be opened; mend the data folder's permissions or its mount",
    sqlite3.SQLITE_NOTADB: "the file is no database; put it back from a backup",
}

# SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRES = {
    "28P01": "the password is wrong; mend the database URL",
    "3D000": "there is no such database; create it, or mend the database URL",
    "42501": "this user of the database lacks a right; it must own the tables",
    "53100": "the database's disk is full; make room on it, nothing else is needed",
    "53300": "the database takes no more connections; raise max_connections",
    "55P03": "another writer took too long; the call may be sent again",
    "57014": "the statement took too long",
    "25006": "this server only reads; name all hosts in the database URL, so that the primary is found",
    "XX001": "the database is damaged; restore a backup",
}

_CERTAIN = {"40001", "40P01"}  # serialization failure, deadlock: the transaction was rolled back


def told(error: BaseException | None) -> str:
    """A driver's error in one line: what it says, and what to do where that is known."""
    text = str(error).strip().partition("\n")[0]
    code = getattr(error, "sqlite_errorcode", None)
    advice = _SQLITE.get(code & 0xFF) if isinstance(code, int) else _POSTGRES.get(_state(error))
    return f"{text}: {advice}" if advice else text


def is_busy(error: sqlite3.Error) -> bool:
    """Whether SQLite would not wait for another connection."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def undone(error: BaseException | None) -> bool:
    """Whether a commit that ended with this error has certainly not happened."""
    return _state(error) in _CERTAIN


def _state(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or ""

"""Bringing a database to the form that this version of Bailiwick knows.

Most starts find it so with one read; Alembic is imported only when there is something to do. A lock (a file for
SQLite, an advisory lock for PostgreSQL) keeps two processes that start at once from migrating together.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from bailiwick.store import reasons
from bailiwick.store.errors import NewerDatabase, StoreUnavailable

_VERSIONS = Path(__file__).parent / "migrations" / "versions"

REVISIONS = tuple(sorted(path.name[:4] for path in _VERSIONS.glob("[0-9]*.py")))
"""Every revision in order; the last is the one that the tables declare."""


def folder_to_newest(engine: Engine, folder: Path) -> None:
    """Migrate the SQLite database in `folder` forward to the newest revision, if it is not there.

    Raises NewerDatabase for a revision that this version does not know, StoreUnavailable for a database that
    cannot be read.
    """
    try:
        with engine.connect() as connection:
            if revision(connection) == REVISIONS[-1]:
                return
        with (folder / ".migrating").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with engine.begin() as connection:
                if revision(connection) != REVISIONS[-1]:
                    upgrade(connection)
    except DBAPIError as error:
        raise StoreUnavailable(reasons.told(error.orig)) from error
    except OSError as error:
        raise StoreUnavailable(f"{folder}: {error.strerror}") from error


def server_to_newest(engine: Engine) -> None:
    """Migrate a PostgreSQL database forward to the newest revision, if it is not there.

    Raises NewerDatabase for a revision that this version does not know, StoreUnavailable for a database that
    cannot be read.
    """
    try:
        with engine.connect().execution_options(bailiwick_write=False) as connection:
            if revision(connection) == REVISIONS[-1]:
                return
        # The lock of those who write: nobody changes a row meanwhile, and of two nodes the second finds it done.
        with engine.connect().execution_options(bailiwick_migrates=True) as connection, connection.begin():
            if revision(connection) != REVISIONS[-1]:
                upgrade(connection)
    except DBAPIError as error:
        raise StoreUnavailable(reasons.told(error.orig)) from error


def revision(connection: Connection) -> str | None:
    """The revision of a database, None for an empty one. Raises NewerDatabase for an unknown one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found not in REVISIONS:
        raise NewerDatabase(
            f"this database has revision {found}; this version of Bailiwick knows up to {REVISIONS[-1]}. "
            "Install the version that made it, or a later one."
        )
    return found


def upgrade(connection: Connection, target: str = REVISIONS[-1]) -> None:
    """Bring a database to a revision, the newest if none is named, within the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, target)

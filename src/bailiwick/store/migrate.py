"""Bringing a database to the form that this version of Bailiwick knows.

Most starts find it so with one read. A new SQLite database is made at once by newest.sql, which scripts/migration
writes; Alembic, which takes 0.1 s and 15 MB to import, is there for databases of an earlier version. A lock (a
file for SQLite, an advisory lock for PostgreSQL) keeps two processes that start at once from migrating together.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from bailiwick.store import reasons
from bailiwick.store.errors import NewerDatabase, StoreUnavailable

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
NEWEST = Path(__file__).parent / "migrations" / "newest.sql"

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
                found = revision(connection)
                if found is None and not inspect(connection).get_table_names():
                    create(connection)
                elif found != REVISIONS[-1]:
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


def create(connection: Connection) -> None:
    """Make an empty SQLite database what all migrations would make of it, within the connection's transaction."""
    for statement in NEWEST.read_text(encoding="utf-8").split(";\n\n"):
        connection.exec_driver_sql(statement)


def script(connection: Connection) -> str:
    """What `create` runs to make an SQLite database that is empty the same as this one, which holds no rows."""
    found = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name"
    )
    statements = [row[0].replace("\n\n", "\n") for row in found]
    statements.append(f"INSERT INTO alembic_version (version_num) VALUES ('{revision(connection)}')")
    return ";\n\n".join(statements) + "\n"

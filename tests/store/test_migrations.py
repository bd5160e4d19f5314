"""Migrations, from every revision there was, with rows in every table; and one that is killed in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, LargeBinary, MetaData, String, Table, create_engine, select
from sqlalchemy.pool import NullPool

import bailiwick.trail.tables  # noqa: F401  (each declares its tables)
from bailiwick.services import ALL  # noqa: F401  (declares every table)
from bailiwick.store import Store, migrate
from bailiwick.store.schema import metadata
from bailiwick.store.sqlite import FILE


@pytest.fixture(params=["folder", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path if request.param == "folder" else str(request.getfixturevalue("postgres_server").new_database())


@contextmanager
def opened(place: Path | str) -> Iterator[Connection]:
    """A connection in a transaction, without any of the store's care."""
    url = (
        f"sqlite:///{place / FILE}"
        if isinstance(place, Path)
        else place.replace("postgresql:", "postgresql+psycopg:")
    )
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def tables_in(connection: Connection) -> list[Table]:
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def row_of(table: Table, number: int) -> dict[str, Any]:
    """A row with a value in every column: text that is JSON as well, for some of it is read as that."""
    return {column.name: _value(column.type, number) for column in table.columns}


def _value(kind: Any, number: int) -> Any:
    if isinstance(kind, Boolean):
        return number % 2 == 1
    if isinstance(kind, LargeBinary):
        return bytes([number]) * 40
    if isinstance(kind, String):
        return f"[{number}]"
    return number + 1


def filled(place: Path | str, revision: str) -> dict[str, list[dict[str, Any]]]:
    """Build a database at a revision, with rows in every table; returns them by table."""
    rows = {}
    with opened(place) as connection:
        migrate.upgrade(connection, revision)
        for table in tables_in(connection):
            rows[table.name] = [row_of(table, number) for number in (3, 4)]
            connection.execute(table.insert(), rows[table.name])
    return rows


def check(place: Path | str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """The rows are there still: of each table that is declared, in each column that was there."""
    with opened(place) as connection:
        for name, expected in rows.items():
            if name not in metadata.tables:
                continue
            kept = [column for column in expected[0] if column in metadata.tables[name].columns]
            found = connection.execute(select(*(metadata.tables[name].c[column] for column in kept))).all()
            values = [{column: row[column] for column in kept} for row in expected]
            there = [dict(row._mapping) for row in found]
            assert [value for value in values if value not in there] == [], f"rows of {name}"
            # A migration may lay down a fact of its own; nothing else comes out of it.
            assert name == "setting" or len(there) == len(values), f"rows of {name}"


@pytest.mark.parametrize("revision", migrate.REVISIONS)
def test_a_database_of_every_revision_is_brought_forward_with_its_rows(place: Path | str, revision: str) -> None:
    rows = filled(place, revision)
    assert len(rows) > 10
    Store(place).close()
    check(place, rows)
    with opened(place) as connection:
        assert migrate.revision(connection) == migrate.REVISIONS[-1]
        Table("setting", MetaData(), autoload_with=connection)


_KILLED = """
import os, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from bailiwick.services import ALL
from bailiwick.store import Store
place, left = sys.argv[1], int(sys.argv[2])
@event.listens_for(Engine, "after_cursor_execute")
def count(connection, cursor, statement, *rest):
    global left
    if statement.lstrip().upper().startswith(("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")):
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), 9)
Store(place if "://" in place else Path(place))
"""


@pytest.mark.parametrize("statements", [1, 3])
@pytest.mark.parametrize("revision", [None, migrate.REVISIONS[0]])
def test_a_migration_that_is_killed_leaves_what_was_there(
    place: Path | str, revision: str | None, statements: int
) -> None:
    rows = filled(place, revision) if revision else {}
    command = [sys.executable, "-c", _KILLED, str(place), str(statements)]
    killed = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    if revision != migrate.REVISIONS[-1]:
        assert killed.returncode == -9, killed.stderr
    with opened(place) as connection:
        assert migrate.revision(connection) == revision, "what was half done is undone"
    with closing(Store(place)) as store, store.transaction() as transaction:
        transaction.one(select(metadata.tables["setting"]))
    check(place, rows)


def test_a_new_database_is_what_all_migrations_make() -> None:
    made = []
    for make in (migrate.create, migrate.upgrade):
        with create_engine("sqlite://").begin() as connection:
            make(connection)
            made.append(migrate.script(connection))
    assert made[0] == made[1], "run scripts/migration --newest"
    assert made[0] == migrate.NEWEST.read_text()

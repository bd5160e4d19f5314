"""What every store promises; run on memory, on a folder and on PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, insert, inspect, select, text
from sqlalchemy.pool import NullPool

import bailiwick.trail.tables  # noqa: F401  (each declares its tables)
from bailiwick.directory import tables
from bailiwick.services import ALL  # noqa: F401  (declares every table)
from bailiwick.store import Duplicate, NewerDatabase, Store, StoreUnavailable, migrate, settings, waiting
from bailiwick.store.schema import change, metadata
from bailiwick.store.sqlite import FILE, Folder
from bailiwick.store.transaction import KEPT_CHANGES, Transaction

KINDS = ["memory", "folder", "postgresql"]


@pytest.fixture(params=KINDS[1:])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where several stores can share a database."""
    return tmp_path if request.param == "folder" else str(request.getfixturevalue("postgres_server").new_database())


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        made = Store.in_memory()
    elif request.param == "folder":
        made = Store(tmp_path)
    else:
        made = Store(request.getfixturevalue("postgres_server").new_database())
    with closing(made):
        yield made


def put(store: Store, name: str, value: str, *topics: str) -> None:
    with store.transaction(write=True) as transaction:
        settings.put(transaction, name, value)
        transaction.changed(*topics)


def get(store: Store, name: str) -> str | None:
    with store.transaction() as transaction:
        return settings.get(transaction, name)


def remembered(store: Store, name: str) -> str | None:
    store.refresh()
    with store.transaction() as transaction:
        return transaction.remember("setting", name, lambda tx: (settings.get(tx, name), [f"setting:{name}"]))


@pytest.mark.parametrize("value", ["", "plain", "grün ✓ 𝄞", "x" * 200_000, "a\nb\tc'\"\\"])
def test_what_is_written_is_read(store: Store, value: str) -> None:
    put(store, "name", value)
    assert get(store, "name") == value


def test_an_exception_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction(write=True) as transaction:
        settings.put(transaction, "name", "value")
        raise ZeroDivisionError
    assert get(store, "name") is None


def test_a_taken_key_is_a_duplicate(store: Store) -> None:
    row = {"id": "123456789012", "name": "n", "email": "", "created": 1.0}
    with store.transaction(write=True) as transaction:
        transaction.run(insert(tables.account).values(**row))
    with pytest.raises(Duplicate), store.transaction(write=True) as transaction:
        transaction.run(insert(tables.account).values(**row))


def test_an_unused_transaction_touches_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*, write: bool) -> None:
        raise AssertionError("a connection was taken")

    monkeypatch.setattr(store, "connect", connect)
    with store.transaction(write=True):
        pass


def test_a_read_transaction_changes_nothing(store: Store) -> None:
    with pytest.raises(AssertionError), store.transaction() as transaction:
        settings.put(transaction, "name", "value")


def test_a_remembered_value_is_read_once(store: Store) -> None:
    put(store, "name", "one")
    assert remembered(store, "name") == "one"
    put(store, "name", "two")  # says nothing to the caches, so this is what they may still hold
    assert remembered(store, "name") == "one"
    put(store, "name", "three", "setting:name")
    assert remembered(store, "name") == "three"


def test_within_a_write_nothing_is_remembered(store: Store) -> None:
    with store.transaction(write=True) as transaction:
        settings.put(transaction, "name", "mine")
        found = transaction.remember("setting", "name", lambda tx: (settings.get(tx, "name"), ["setting:name"]))
        assert found == "mine"
    assert len(store.cache) == 0


def test_a_value_older_than_an_eviction_is_not_kept(store: Store) -> None:
    """The race of docs/decisions/0002: read before the commit, put after the eviction."""
    put(store, "name", "old", "setting:name")
    store.refresh()

    def slow(transaction: Transaction) -> tuple[str | None, list[str]]:
        found = settings.get(transaction, "name")
        store.cache.forget(["setting:name"])  # somebody else's refresh has seen somebody else's commit
        return found, ["setting:name"]

    with store.transaction() as transaction:
        assert transaction.remember("setting", "name", slow) == "old"
    assert len(store.cache) == 0


def test_threads_take_turns_and_lose_nothing(store: Store) -> None:
    def count() -> None:
        for _ in range(25):
            with store.transaction(write=True) as transaction:
                current = int(settings.get(transaction, "counter") or 0)
                settings.put(transaction, "counter", str(current + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get(store, "counter") == "100"


def test_two_stores_on_one_folder_see_each_other_at_once(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as one, closing(Store(tmp_path)) as two:
        for number in range(5):
            put(one, "name", str(number), "setting:name")
            assert remembered(two, "name") == str(number)
            assert remembered(one, "name") == str(number)


def test_a_thread_that_must_not_wait_sees_a_change_at_once(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as one, closing(Store(tmp_path)) as two:
        assert remembered(two, "name") is None
        put(one, "name", "new", "setting:name")
        waiting.here.hurried = True
        try:
            two.refresh()
            with pytest.raises(waiting.Waits):  # forgotten, so it has to be read
                remembered(two, "name")
        finally:
            waiting.here.hurried = False
        assert remembered(two, "name") == "new"


def test_it_does_not_wait_for_another_that_looks(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        put(store, "name", "new", "setting:name")
        backend = store._backend
        assert isinstance(backend, Folder)
        waiting.here.hurried = True
        try:
            with backend._watch_lock, pytest.raises(waiting.Waits):
                store.refresh()
            store.refresh()
        finally:
            waiting.here.hurried = False


def test_a_change_is_seen_by_every_other_store_in_time(place: Path | str) -> None:
    with ExitStack() as stack:
        nodes = [stack.enter_context(closing(Store(place))) for _ in range(4)]
        for number in range(5):
            put(nodes[number % 4], "name", str(number), "setting:name")
            assert remembered(nodes[number % 4], "name") == str(number), "its own change at once"
            for node in nodes:
                assert eventually(lambda: remembered(node, "name") == str(number), 1.0)  # noqa: B023


def eventually(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
    return True


def test_who_fell_behind_the_kept_changes_forgets_everything(place: Path | str) -> None:
    with closing(Store(place)) as one, closing(Store(place)) as two:
        falls_behind(one, two)


def falls_behind(one: Store, two: Store) -> None:
    put(one, "name", "old", "setting:name")
    assert remembered(two, "name") == "old"
    with one.transaction(write=True) as transaction:
        settings.put(transaction, "name", "new")
        transaction.changed("setting:name", *(f"noise:{n}" for n in range(KEPT_CHANGES + 2000)))
    with one.transaction() as transaction:
        row = transaction.one(select(func.count().label("rows")).select_from(change))
    assert row is not None
    assert row.rows <= KEPT_CHANGES
    assert eventually(lambda: unless_it_is_behind(two) == "new", 10.0)


def unless_it_is_behind(store: Store) -> str | None:
    """What is remembered, or nothing: where all is so busy that the notices are late, a store says that."""
    try:
        return remembered(store, "name")
    except StoreUnavailable:
        return None


def test_memory_is_emptied_whole() -> None:
    store = Store.in_memory()
    put(store, "name", "value", "setting:name")
    assert remembered(store, "name") == "value"
    store.clear()
    assert remembered(store, "name") is None


def test_the_migrations_make_the_declared_tables(place: Path | str) -> None:
    Store(place).close()
    url = (
        f"sqlite:///{place / FILE}"
        if isinstance(place, Path)
        else place.replace("postgresql:", "postgresql+psycopg:")
    )
    with create_engine(url, poolclass=NullPool).connect() as connection:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        made = set(inspect(connection).get_table_names())
    assert made == {*metadata.tables, "alembic_version"}


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with create_engine(f"sqlite:///{tmp_path / 'bailiwick.db'}").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="revision 9999"):
        Store(tmp_path)


def test_the_revisions_are_numbered_one_after_another() -> None:
    assert [int(revision) for revision in migrate.REVISIONS] == list(range(1, len(migrate.REVISIONS) + 1))


def test_what_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "bailiwick.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreUnavailable):
        Store(tmp_path)


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Store(tmp_path / "missing")


def test_order_and_equality_are_by_code_point(store: Store) -> None:
    names = ["a", "B", "_", "é", "Z", "aa", "-", "ab", "\U0001f600"]
    rows = [{"id": str(n), "name": name, "email": "", "created": 1.0} for n, name in enumerate(names)]
    with store.transaction(write=True) as transaction:
        transaction.run(insert(tables.account), rows)
        found = transaction.all(select(tables.account.c.name).order_by(tables.account.c.name))
        assert [row.name for row in found] == sorted(names)
        assert transaction.one(select(tables.account).where(tables.account.c.name == "b")) is None


@pytest.mark.parametrize("seconds", [0.0, 1795000000.123456, 4102444800.999])
def test_times_come_back_as_they_were(store: Store, seconds: float) -> None:
    with store.transaction(write=True) as transaction:
        transaction.run(insert(tables.account).values(id="1", name="", email="", created=seconds))
    with store.transaction() as transaction:
        row = transaction.one(select(tables.account.c.created))
    assert row is not None
    assert row.created == seconds


def test_a_reader_sees_one_state_while_others_write(place: Path | str) -> None:
    with closing(Store(place)) as one, closing(Store(place)) as two:
        put(one, "name", "before")
        with two.transaction() as reading:
            assert settings.get(reading, "name") == "before"
            put(one, "name", "after")
            assert settings.get(reading, "name") == "before"
        assert get(two, "name") == "after"


def test_a_reader_that_rests_holds_nobody_up_and_sees_what_came_meanwhile(store: Store) -> None:
    put(store, "name", "before")
    with store.transaction() as reading:
        assert settings.get(reading, "name") == "before"
        reading.rest()
        reading.rest()
        put(store, "name", "after")
        assert settings.get(reading, "name") == "after"
        reading.rest()
    with store.transaction(write=True) as writing:
        settings.put(writing, "name", "later")
        writing.rest()
    assert get(store, "name") == "later"


def test_a_writer_waits_for_the_one_before(place: Path | str) -> None:
    with closing(Store(place)) as one, closing(Store(place)) as two:
        begun = threading.Event()

        def second() -> None:
            begun.set()
            with two.transaction(write=True) as transaction:
                settings.put(transaction, "name", (settings.get(transaction, "name") or "") + "b")

        thread = threading.Thread(target=second)
        with one.transaction(write=True) as transaction:
            settings.put(transaction, "name", "a")
            thread.start()
            assert begun.wait(10)
        thread.join(10)
        assert get(one, "name") == "ab"


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    Store(tmp_path)
    assert (tmp_path / "bailiwick.db").stat().st_mode & 0o777 == 0o600

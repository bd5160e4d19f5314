"""What both databases promise beside test_store.py: isolation, uniqueness, text, size, and what is done again."""

from __future__ import annotations

import multiprocessing
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from bailiwick.directory import tables
from bailiwick.services import ALL  # noqa: F401  (declares every table)
from bailiwick.services.kms import tables as kms_tables
from bailiwick.store import Aborted, Duplicate, Store, StoreUnavailable, Unstorable, settings, wal
from bailiwick.store.sqlite import FILE


@pytest.fixture(params=["folder", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where several stores can share a database."""
    return tmp_path if request.param == "folder" else str(request.getfixturevalue("postgres_server").new_database())


@pytest.fixture
def two(place: Path | str) -> Iterator[tuple[Store, Store]]:
    with closing(Store(place)) as one, closing(Store(place)) as other:
        yield one, other


def put(store: Store, **values: str) -> None:
    with store.transaction(write=True) as transaction:
        for name, value in values.items():
            settings.put(transaction, name, value)


def get(store: Store, name: str) -> str | None:
    with store.transaction() as transaction:
        return settings.get(transaction, name)


# -- Isolation ----------------------------------------------------------------------------------------------


def test_a_reader_sees_a_whole_transaction_or_none(two: tuple[Store, Store]) -> None:
    """The sum of two rows that each transaction changes together is never another one."""
    one, other = two
    put(one, a="50", b="50")
    ended = threading.Event()

    def transfer() -> None:
        for number in range(60):
            put(one, a=str(number), b=str(100 - number))
        ended.set()

    writer = threading.Thread(target=transfer)
    writer.start()
    sums = set()
    while not ended.is_set():
        with other.transaction() as transaction:
            sums.add(int(settings.get(transaction, "a") or 0) + int(settings.get(transaction, "b") or 0))
    writer.join()
    assert sums == {100}


def test_write_skew_is_impossible(two: tuple[Store, Store]) -> None:
    """Two that each read both rows and give up one of them, as long as the other stays: one stays."""
    put(two[0], a="held", b="held")
    start = threading.Barrier(2)

    def give_up(store: Store, mine: str) -> None:
        start.wait(10)
        with store.transaction(write=True) as transaction:
            if all(settings.get(transaction, name) == "held" for name in "ab"):
                settings.put(transaction, mine, "given up")

    threads = [threading.Thread(target=give_up, args=each) for each in zip(two, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted([get(two[0], "a") or "", get(two[0], "b") or ""]) == ["given up", "held"]


# -- Uniqueness and writing from two processes --------------------------------------------------------------

NAMES = 40


def create_all(place: Path | str, mark: str, start: Barrier, told: Queue[Any]) -> None:
    """The life of a process: create every name, tell which ones it won, and what else went wrong."""
    won, failed = [], []
    with closing(Store(place)) as store:
        start.wait(30)
        for number in range(NAMES):
            row = {"id": f"{mark}{number}", "account": "1", "name": f"N{number}", "folded": f"n{number}"}
            try:
                with store.transaction(write=True) as transaction:
                    transaction.run(insert(tables.user).values(**row, path="/", created=1.0))
                    transaction.changed(f"principal:{number}")
                won.append(number)
            except Duplicate:
                pass
            except Exception as error:
                failed.append(repr(error))
    told.put((mark, won, failed))


def test_of_two_processes_that_create_a_name_exactly_one_wins(place: Path | str) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, told = spawn.Barrier(2), spawn.Queue()
    with closing(Store(place)) as store:
        processes = [spawn.Process(target=create_all, args=(place, mark, start, told)) for mark in "ab"]
        for process in processes:
            process.start()
        answers = [told.get(timeout=60) for _ in processes]
        for process in processes:
            process.join(30)
        assert [failed for _, _, failed in answers] == [[], []]
        assert sorted(number for _, won, _ in answers for number in won) == list(range(NAMES))
        with store.transaction() as transaction:
            rows = transaction.all(select(tables.user.c.id, tables.user.c.folded))
        assert {row.id for row in rows} == {f"{mark}{number}" for mark, won, _ in answers for number in won}


# -- Text and size ------------------------------------------------------------------------------------------


def test_text_is_neither_composed_nor_decomposed(two: tuple[Store, Store]) -> None:
    forms = [unicodedata.normalize(form, "Ångström é") for form in ("NFC", "NFD")]
    with two[0].transaction(write=True) as transaction:
        for number, name in enumerate(forms):
            transaction.run(insert(tables.account).values(id=str(number), name=name, email="", created=1.0))
    with two[1].transaction() as transaction:
        for number, name in enumerate(forms):
            rows = transaction.all(select(tables.account).where(tables.account.c.name == name))
            assert [(row.id, row.name) for row in rows] == [(str(number), name)]


@pytest.mark.parametrize(
    "text", ["👩🏽‍🚀", "\U0010ffff", "￾", "\u200f\u202e", "line\u2028end", "\ufeff", "\x01\x7f"]
)
def test_any_character_is_kept(two: tuple[Store, Store], text: str) -> None:
    put(two[0], name=text)
    assert get(two[1], "name") == text


@pytest.mark.parametrize("text", ["a\0b", "\0", "lone \ud800 surrogate"])
def test_what_is_no_character_everywhere_is_refused_everywhere(two: tuple[Store, Store], text: str) -> None:
    put(two[0], name="before")
    with pytest.raises(Unstorable):
        put(two[0], name=text)
    with pytest.raises(Unstorable), two[0].transaction() as transaction:
        transaction.one(select(tables.account).where(tables.account.c.name == text))
    assert get(two[1], "name") == "before"


def test_large_values_come_back_whole(two: tuple[Store, Store]) -> None:
    sealed, text = bytes(range(256)) * 8192, "ü" * 1_000_000
    put(two[0], name=text)
    with two[0].transaction(write=True) as transaction:
        transaction.run(insert(kms_tables.material).values(key_arn="k", id="m", sealed=sealed, created=1.0))
    with two[1].transaction() as transaction:
        row = transaction.one(select(kms_tables.material.c.sealed))
    assert row is not None
    assert (bytes(row.sealed), get(two[1], "name")) == (sealed, text)


# -- Failures that leave no doubt, and one that does --------------------------------------------------------


def test_a_failure_before_the_commit_says_that_nothing_has_happened(
    two: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = two[0]._backend.engine
    put(two[0], name="before")

    def broken(*_: object) -> None:
        raise engine.dialect.loaded_dbapi.OperationalError("the line broke")

    with pytest.raises(Aborted), two[0].transaction(write=True) as transaction:
        settings.put(transaction, "name", "after")
        monkeypatch.setattr(engine.dialect, "do_execute", broken)
        settings.put(transaction, "name", "later")
    monkeypatch.undo()
    assert get(two[1], "name") == "before"

    monkeypatch.setattr(engine.dialect, "do_commit", broken)
    with pytest.raises(StoreUnavailable) as caught:
        put(two[0], name="perhaps")
    assert not isinstance(caught.value, Aborted), "whether the commit has happened nobody can say"
    monkeypatch.undo()
    put(two[0], name="again")
    assert get(two[1], "name") == "again"


def test_a_connection_that_died_in_the_pool_is_replaced(postgres_server: Any) -> None:
    with closing(Store(postgres_server.new_database())) as store:
        put(store, name="one")
        postgres_server.end_connections()
        put(store, name="two")
        assert get(store, "name") == "two"


def test_who_finds_every_connection_taken_is_told_to_come_again(place: Path | str) -> None:
    with closing(Store(place)) as store:
        pool: Any = store._backend.engine.pool
        pool._timeout = 0.01
        taken = [store._backend.connect(write=False) for _ in range(pool.size() + pool._max_overflow)]
        with pytest.raises(Aborted, match="in use"):
            get(store, "name")
        for connection in taken:
            store._backend.release(connection)
        assert get(store, "name") is None


# -- SQLite's log -------------------------------------------------------------------------------------------


def test_the_log_is_begun_anew_when_the_readers_of_the_moment_are_gone(tmp_path: Path) -> None:
    log = Path(f"{tmp_path / FILE}-wal")
    with closing(Store(tmp_path)) as store, closing(Store(tmp_path)) as other:
        with other.transaction() as reading:
            settings.get(reading, "name")
            for number in range(40):
                put(store, name=f"{number}" + "x" * 200_000)
            assert log.stat().st_size > 4 << 20, "a reader keeps it growing"
        wal.Log(tmp_path / FILE).shorten()
        assert log.stat().st_size == 0
        put(store, name="after")
        assert get(other, "name") == "after"


def test_a_log_beyond_its_limit_is_shortened_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "LIMIT", 1 << 20)
    monkeypatch.setattr(wal, "_PAUSE", 0.0)
    log = Path(f"{tmp_path / FILE}-wal")
    with closing(Store(tmp_path)) as store, closing(Store(tmp_path)) as other:
        with other.transaction() as reading:
            settings.get(reading, "name")
            monkeypatch.setattr(wal, "LIMIT", 1 << 30)
            for number in range(10):
                put(store, name=f"{number}" + "x" * 200_000)
        monkeypatch.setattr(wal, "LIMIT", 1 << 20)
        assert log.stat().st_size > wal.LIMIT
        get(other, "name")  # the end of any transaction is an occasion to look
        other._backend._log.close()  # type: ignore[attr-defined]  # waits for what it has begun
        assert log.stat().st_size == 0


def test_every_connection_waits_for_its_disk(tmp_path: Path) -> None:
    """synchronous = FULL (2) in WAL mode: a commit returns when its log is on disk."""
    seen: list[tuple[Any, ...]] = []
    with closing(Store(tmp_path)) as store:
        for write in (True, False):
            connection = store._backend.connect(write=write)
            pragmas = ("synchronous", "journal_mode", "busy_timeout")
            seen.append(tuple(connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas))
            store._backend.release(connection)
    assert seen == [(2, "wal", 10_000)] * 2


def test_a_slow_disk_delays_and_loses_nothing(place: Path | str) -> None:
    """A commit that takes its time keeps the next writer waiting; nobody is refused."""
    with closing(Store(place)) as store:
        delay = threading.Event()
        event.listen(store._backend.engine, "commit", lambda _: delay.wait(0.02))
        failures: list[BaseException] = []

        def write(name: str) -> None:
            try:
                for number in range(5):
                    put(store, **{name: str(number)})
            except BaseException as error:
                failures.append(error)

        run_together([lambda n=n: write(f"w{n}") for n in range(6)])
        assert failures == []
        assert [get(store, f"w{n}") for n in range(6)] == ["4"] * 6


def run_together(work: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

"""Failed guesses are counted by all processes of a deployment together, on both databases (directory/guesses.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from bailiwick.core.attempts import FORGOTTEN, Attempts
from bailiwick.core.seal import KeyRing
from bailiwick.directory import guesses
from bailiwick.directory.credential_tables import guess
from bailiwick.directory.guesses import Guesses
from bailiwick.store import Store, StoreUnavailable
from world import World

NOW = 1_795_492_800.0
FREE = 10


class Process:
    """One process: its memory, and what it shares."""

    def __init__(self, store: Store) -> None:
        self.attempts = Attempts(b"secret")
        self.guesses = Guesses(store, self.attempts)

    def fails(self, key: str, times: int = 1, now: float = NOW) -> None:
        for _ in range(times):
            self.attempts.failed(key, now, FREE)

    def waits(self, key: str, now: float = NOW) -> bool:
        return self.attempts.waits(key, now, FREE)


@pytest.fixture(params=["folder", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    place = tmp_path if request.param == "folder" else request.getfixturevalue("postgres_server").new_database()
    with closing(Store(place)) as one, closing(Store(place)) as other:
        yield one, other


def share(*processes: Process, now: float = NOW) -> None:
    """What a second or two bring, with the notices of PostgreSQL heard at once."""
    for process in (*processes, *processes):
        process.guesses._store.cache.forget([guesses._TOPIC])
        process.guesses.share(now)


def test_processes_count_together(stores: tuple[Store, Store]) -> None:
    one, other = Process(stores[0]), Process(stores[1])
    one.fails("alice", 6)
    other.fails("alice", 3)
    share(one, other)
    assert not one.waits("alice")
    other.fails("alice")
    share(one, other)
    assert one.waits("alice")
    assert other.waits("alice")
    assert not one.waits("bob")
    assert not one.waits("alice", NOW + 30), "the first wait is as long as it is in one process"
    one.fails("alice", now=NOW + 30)
    share(one, other, now=NOW + 31)
    assert other.waits("alice", NOW + 89)
    assert not other.waits("alice", NOW + 90)


def test_guesses_that_were_spread_make_the_wait_no_longer(stores: tuple[Store, Store]) -> None:
    """A stranger who guesses at once everywhere cannot lock a name for an hour that way."""
    processes = [Process(stores[number % 2]) for number in range(4)]
    for process in processes:
        process.fails("alice", 50)
    share(*processes)
    assert all(process.waits("alice", NOW + 29) for process in processes)
    assert not any(process.waits("alice", NOW + 30) for process in processes)


def test_a_success_is_known_everywhere(stores: tuple[Store, Store]) -> None:
    one, other = Process(stores[0]), Process(stores[1])
    one.fails("alice", FREE)
    share(one, other)
    other.attempts.succeeded("alice")
    share(other, one, now=NOW + 1)
    assert not one.waits("alice")
    one.fails("alice", FREE - 1, NOW + 2)
    share(one, other, now=NOW + 2)
    assert not other.waits("alice", NOW + 2)


def test_a_process_that_is_started_knows(stores: tuple[Store, Store]) -> None:
    one = Process(stores[0])
    one.fails("alice", FREE)
    one.guesses.share(NOW)
    later = Process(stores[1])
    later.guesses.share(NOW + 5)
    assert later.waits("alice", NOW + 5)


def test_nothing_is_read_or_written_where_nothing_happens(stores: tuple[Store, Store]) -> None:
    one = Process(stores[0])
    one.guesses.share(NOW)
    one.attempts.succeeded("alice")  # who has not failed before
    begun: list[bool] = []
    original = Store.connect

    def connect(store: Store, *, write: bool) -> object:
        begun.append(write)
        return original(store, write=write)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "connect", connect)
        one.guesses.share(NOW + 1)
    assert begun == []


def test_what_cannot_be_told_is_told_later(stores: tuple[Store, Store]) -> None:
    one, other = Process(stores[0]), Process(stores[1])
    one.fails("alice", FREE)

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "connect", away)
        with pytest.raises(StoreUnavailable):
            one.guesses.share(NOW)
    assert one.waits("alice"), "meanwhile it counts for itself"
    share(one, other)
    assert other.waits("alice")


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "MOST", 10)
    world = World(lambda: NOW)
    rows = [{"name": f"{number:032}", "failures": 1, "last": NOW - number} for number in range(30)]
    old = {"name": "f" * 32, "failures": 1, "last": NOW - FORGOTTEN - 3600}
    with world.store.transaction(write=True) as transaction:
        transaction.run(insert(guess), [*rows, old])
        guesses.sweep(transaction, world.environment, NOW)
        assert [row.last for row in transaction.all(select(guess).order_by(guess.c.last.desc()))] == [
            NOW - number for number in range(10)
        ]
        assert transaction.one(select(func.count()).select_from(guess)) == (10,)


def test_the_digests_are_the_deployments_own() -> None:
    rings = KeyRing(b"a" * 32), KeyRing(b"a" * 32), KeyRing(b"b" * 32)
    names = []
    for ring in rings:
        attempts = Attempts(ring.derive(ring.primary, "guesses", b""))
        attempts.failed("signin:user:123456789012:alice", NOW)
        names += list(attempts.take_news())
    assert names[0] == names[1] != names[2]

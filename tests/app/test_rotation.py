"""Servers that rotate their root key while they run: who waits for whom, and a crash at every step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from bailiwick.app import home, keyring, rekey, rotation
from bailiwick.app.keyring import RootKeyError
from bailiwick.app.rotation import DONE, SEALING, WAITING, Keeper
from bailiwick.app.settings import Settings
from bailiwick.core.errors import SealError
from bailiwick.core.formats import make_marker, read_marker
from bailiwick.core.seal import KeyRing
from bailiwick.services.kms import tables as kms
from bailiwick.store import Store, StoreError
from postgres_server import PostgresServer, binaries
from still_clock import Clock

VALUES = 25


class Deployment:
    """A database, and the data folders of its nodes."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.top, self.url, self.clock = folder, url, Clock(now=1_800_000_000.0)
        first = self.folder("first")
        found = home.open_home(first, self.settings(first), {})
        self.store = Store(found.database)
        with self.store.transaction(write=True) as transaction:
            for number in range(VALUES):
                self.put(transaction, found.ring, f"key|{number}")

    def folder(self, name: str) -> Path:
        return self.top / name if self.url else self.top / "first"

    def settings(self, folder: Path) -> Settings:
        return Settings(data=folder, database=self.url)

    def node(self, name: str = "first") -> tuple[Keeper, KeyRing, Path]:
        """A process that has just started, with a root key file of its own."""
        folder = self.folder(name)
        if not (folder / keyring.FILE).exists():
            folder.mkdir(mode=0o700)
            keyring.write_private(folder / keyring.FILE, (self.folder("first") / keyring.FILE).read_bytes())
        found = home.open_home(folder, self.settings(folder), {})
        return Keeper(self.store, found.ring, folder, found.held, self.clock), found.ring, folder

    def put(self, transaction: Any, ring: KeyRing, name: str) -> None:
        arn, _, number = name.partition("|")
        sealed = ring.seal("kms-material", name.encode(), os.urandom, name.encode())
        transaction.run(insert(kms.material).values(key_arn=arn, id=number, sealed=sealed, created=0.0))

    def opens(self, ring: KeyRing) -> int:
        """How many values there are, all of which this ring opens."""
        with self.store.transaction() as transaction:
            rows = transaction.all(select(kms.material.c.key_arn, kms.material.c.id, kms.material.c.sealed))
        for row in rows:
            name = f"{row.key_arn}|{row.id}".encode()
            assert ring.open("kms-material", row.sealed, name) == name
        return len(rows)

    def add(self, folder: Path) -> str:
        """`bailiwick root-key add`."""
        new = os.urandom(32)
        path = folder / keyring.FILE
        keys = [*keyring.parsed(path.read_bytes(), ""), new]
        keyring.write_private(path, keyring.lines(keys))
        return KeyRing(new).primary


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer | None]:
    server = PostgresServer() if binaries() is not None else None
    yield server
    if server is not None:
        server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def deployment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    monkeypatch.setattr(rekey, "_AT_ONCE", 10)
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        if server is None:
            pytest.skip("no PostgreSQL here: its initdb was not found")
        url = server.new_database()
    made = Deployment(tmp_path, url)
    with closing(made.store):
        yield made


def test_two_nodes_rotate_while_they_serve(deployment: Deployment) -> None:
    (one, ring_one, here), (two, ring_two, there) = deployment.node(), deployment.node("second")
    old = ring_one.primary
    assert one.look() is None
    two.look()
    new = deployment.add(here)
    one.look()
    assert ring_one.roots == (old, new), "the file was read again"
    rotation.ask(deployment.store, ring_one, deployment.clock.now)
    deployment.clock.now += 1
    if there != here:
        at = one.look()
        assert at is not None
        assert (at.stage, at.waits_for, ring_one.primary) == (WAITING, (two.name,), old)
        keyring.write_private(there / keyring.FILE, (here / keyring.FILE).read_bytes())
    deployment.clock.now += 5
    two._speak(two.refresh())  # not `look`: it might lead as well
    at = one.look()
    assert at is not None
    assert (at.stage, ring_one.primary, ring_two.primary) == (SEALING, new, old)
    # In between: what either seals opens at the other.
    with deployment.store.transaction(write=True) as transaction:
        deployment.put(transaction, ring_one, "between|1")
        deployment.put(transaction, ring_two, "between|2")
    for ring in (ring_one, ring_two):
        assert deployment.opens(ring) == VALUES + 2
        for other in (ring_one, ring_two):
            assert read_marker(ring, "list", make_marker(other, "list", "k")) == "k"
            assert ring.mac("kms-imported-material", b"x") == other.mac("kms-imported-material", b"x")
    at = one.look()
    assert at is not None
    assert (at.stage, at.waits_for) == (SEALING, (two.name,)), "the other may still write under the old one"
    two.look()
    assert ring_two.primary == new
    at = one.look()
    assert at is not None
    assert (at.stage, at.left) == (DONE, 0)
    assert rekey.count(deployment.store, old) == 0
    assert deployment.node("second")[1].primary == new, "a later start seals under it, whatever the file's order"
    keyring.write_private(
        here / keyring.FILE, keyring.lines(keyring.parsed((here / keyring.FILE).read_bytes(), "")[1:])
    )
    one.look()
    assert ring_one.roots == (new,)
    assert deployment.opens(ring_one) == VALUES + 2
    with pytest.raises(SealError):
        ring_one.open("p", KeyRing(bytes(32)).seal("p", b"", os.urandom))


def crashing(store: Store, monkeypatch: pytest.MonkeyPatch, after: int) -> Callable[[], None]:
    """Have the process die in its n-th write from now on, before it commits."""
    left = [after]
    begin = Store.transaction

    def transaction(self: Store, *given: Any, **options: Any) -> Any:
        if options.get("write"):
            left[0] -= 1
            if left[0] < 0:
                raise StoreError("killed")
        return begin(self, *given, **options)

    monkeypatch.setattr(Store, "transaction", transaction)
    return lambda: monkeypatch.setattr(Store, "transaction", begin)


@pytest.mark.parametrize("deployment", ["sqlite"], indirect=True)
def test_a_crash_before_any_write_is_made_good_by_the_next_process(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many rotations as one has writes; each dies at another, and another process ends it after the lease."""
    for after in range(40):
        keeper, ring, folder = deployment.node()
        new = deployment.add(folder)
        keeper.look()
        rotation.ask(deployment.store, ring, deployment.clock.now)
        mend = crashing(deployment.store, monkeypatch, after)
        died = False
        try:
            for _ in range(5):
                keeper.look()
        except StoreError:
            died = True
        mend()
        successor, its_ring, _ = deployment.node()
        assert deployment.opens(its_ring) == VALUES
        stages = []
        for _ in range(30):
            deployment.clock.now += 7  # so that the lease and the silence of the dead one end
            at = successor.look()
            assert at is not None
            assert deployment.opens(its_ring) == VALUES
            stages.append(at.stage)
            if at.stage == DONE:
                break
        assert stages[-1] == DONE
        assert its_ring.primary == new
        assert rekey.count(deployment.store, new) == VALUES + 1  # and the root user's access key
        successor.leave()
        path = folder / keyring.FILE
        keyring.write_private(path, keyring.lines(keyring.parsed(path.read_bytes(), "")[-1:]))
        if not died:
            assert after > 10
            return
    pytest.fail("a rotation has fewer writes than that")


def test_a_node_that_lacks_the_root_says_so(deployment: Deployment) -> None:
    keeper, ring, folder = deployment.node()
    new = deployment.add(folder)
    other = Keeper(
        deployment.store, KeyRing(bytes(32)), folder / "nowhere", keyring.Held(KeyRing(bytes(32))), deployment.clock
    )
    keeper.look()
    assert keeper.trouble() is None
    rotation.ask(deployment.store, ring, deployment.clock.now)
    for _ in range(4):
        at = keeper.look()
    assert at is not None
    assert at.stage == DONE
    other.refresh()
    assert other.trouble() == f"the root key {new} is not at hand"
    with pytest.raises(RootKeyError, match="not at hand"):
        rotation.ask(deployment.store, KeyRing(bytes(32)), 0.0)

"""Keys in tokens that are no KMS key's, when tokens fail or are slow and processes die, between any two steps."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from kms_chores import do_chores
from sqlalchemy import delete, select

from bailiwick.core.errors import HsmUnavailable
from bailiwick.core.happened import Happened
from bailiwick.services.kms import keys, leftovers, tables
from bailiwick.services.kms.service import kms
from bailiwick.store import Store
from bailiwick.store.transaction import Transaction
from softhsm import PIN, MemoryToken
from world import World

CLUSTER, OTHER = "cluster-frankfurthsm", "cluster-amsterdamhsm"
DUE = 8 * 86400.0
DELETES = kms.chores.index(keys.delete_what_is_due) + 1
DESTROYS = len(kms.chores) + 1
"""Which commits of a round are those that delete a KMS key, and that note that its token has forgotten it."""


class Killed(BaseException):
    """A process dies. What it had not committed is rolled back; what a token did is done."""


class Token(MemoryToken):
    """One that tells what it is about to do, and what it has done."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Callable[[str], None] = lambda step: None

    def _answers(self) -> None:
        super()._answers()
        self.asked("asked")

    def make(self, key: bytes, label: str) -> None:
        self.asked("before make")
        super().make(key, label)
        self.asked("after make")

    def destroy(self, key: bytes) -> None:
        self.asked("before destroy")
        super().destroy(key)
        self.asked("after destroy")


class House:
    """A world on a disk with two tokens, and a connected store on the first."""

    def __init__(self, folder: Path) -> None:
        self.token, self.other = Token(), Token()
        self.world = World(hsms={CLUSTER: self.token, OTHER: self.other}, store=Store(folder))
        self.kms = self.world.client("kms")
        self.now = time.time()
        self.store = self.kms.create_custom_key_store(
            CustomKeyStoreName="hsm", CloudHsmClusterId=CLUSTER, TrustAnchorCertificate="a", KeyStorePassword=PIN
        )["CustomKeyStoreId"]
        self.kms.connect_custom_key_store(CustomKeyStoreId=self.store)

    def key(self, **parameters: Any) -> str:
        call = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": self.store} | parameters
        return str(self.kms.create_key(**call)["KeyMetadata"]["Arn"])

    def due(self, count: int = 1) -> list[str]:
        """Keys whose waiting period will be over at DUE."""
        made = [self.key() for _ in range(count)]
        for each in made:
            self.kms.schedule_key_deletion(KeyId=each, PendingWindowInDays=7)
        return made

    def chores(self, after: float) -> list[Happened]:
        return do_chores(self.world, self.now + after)

    def left(self) -> list[tuple[str, bool]]:
        with self.world.store.transaction() as transaction:
            return [(row.state, row.failed) for row in transaction.all(select(tables.left))]

    def materials(self) -> set[bytes]:
        """What the database says that the token has for KMS keys."""
        with self.world.store.transaction() as transaction:
            return {bytes.fromhex(row.material) for row in transaction.all(select(tables.key))}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.world.store.close()


def status(told: Happened) -> str:
    (only,) = json.loads(told.additional["backingKeysDeletionStatus"])
    return str(only["deletionStatus"])


@contextlib.contextmanager
def killed(house: House, step: str, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the process die at a step of what is done in this block: one of a token, or of the n-th commit."""
    commits = [0]

    def at(place: str) -> None:
        if place == step:
            raise Killed

    note, exits = Transaction._note_changes, Transaction.__exit__

    def noting(self: Transaction, connection: Any) -> None:
        commits[0] += 1
        at(f"before commit {commits[0]}")
        note(self, connection)

    def exiting(self: Transaction, *error: Any) -> None:
        written = commits[0]
        exits(self, *error)
        if commits[0] > written:
            at(f"after commit {commits[0]}")

    with patch.context() as patched, pytest.raises(Killed):
        patched.setattr(Transaction, "_note_changes", noting)
        patched.setattr(Transaction, "__exit__", exiting)
        house.token.asked = at
        yield
    house.token.asked = lambda step: None


@pytest.mark.parametrize(
    ("step", "is_made"),
    [
        ("before commit 1", False),
        ("after commit 1", False),
        ("before make", False),
        ("after make", False),
        ("before commit 2", False),
        ("after commit 2", True),
    ],
)
def test_a_creation_that_dies(house: House, monkeypatch: pytest.MonkeyPatch, step: str, is_made: bool) -> None:
    house.key()
    before = house.materials()
    with killed(house, step, monkeypatch):
        house.key()
    assert len(house.materials()) == len(before) + is_made
    assert house.chores(leftovers.PATIENCE - 60) == []
    assert set(house.token.keys) >= house.materials()
    assert house.chores(leftovers.PATIENCE + 60) == []
    assert set(house.token.keys) == house.materials()
    assert house.left() == []


@pytest.mark.parametrize(
    ("step", "is_there"),
    [
        (f"before commit {DELETES}", True),
        (f"after commit {DELETES}", True),
        ("before destroy", True),
        ("after destroy", False),
        (f"before commit {DESTROYS}", False),
    ],
)
def test_a_deletion_that_dies(house: House, monkeypatch: pytest.MonkeyPatch, step: str, is_there: bool) -> None:
    kept = house.key()
    stays = house.materials()
    (goes,) = house.due()
    told: list[Happened] = []
    with killed(house, step, monkeypatch):
        told += house.chores(DUE)
    assert (len(house.token.keys) == 2, stays <= set(house.token.keys)) == (is_there, True)
    told += house.chores(DUE)
    assert [(each.name, each.arn, status(each)) for each in told] == [("DeleteKey", goes, "SUCCESS")]
    assert (set(house.token.keys), house.materials(), house.left()) == (stays, stays, [])
    assert house.kms.encrypt(KeyId=kept, Plaintext=b"x")["CiphertextBlob"]


def test_what_a_token_did_not_destroy_is_told_once_and_destroyed_later(house: House) -> None:
    goes = house.due(3)
    house.token.away = True
    first = house.chores(DUE)
    assert sorted(each.arn for each in first) == sorted(goes)
    assert {status(each) for each in first} == {"FAILURE"}
    house.kms.disconnect_custom_key_store(CustomKeyStoreId=house.store)
    house.kms.delete_custom_key_store(CustomKeyStoreId=house.store)
    for minute in range(1, 4):
        assert house.chores(DUE + 60 * minute) == []
    assert house.left() == [(leftovers.DELETED, True)] * 3
    house.token.away = False
    later = house.chores(DUE + 300)
    assert sorted(each.arn for each in later) == sorted(goes)
    assert {status(each) for each in later} == {"SUCCESS"}
    assert (house.token.keys, house.left(), house.chores(DUE + 360)) == ({}, [], [])


def test_a_key_that_a_token_never_gives_up_holds_no_other_up(house: House) -> None:
    house.due(4)
    held = min(house.materials())
    destroy = house.token.destroy

    def stubborn(key: bytes) -> None:
        if key == held:
            raise HsmUnavailable("it may not be destroyed")
        destroy(key)

    house.token.destroy = stubborn  # type: ignore[method-assign]
    for minute in range(5):
        house.chores(DUE + 60 * minute)
    assert set(house.token.keys) == {held}
    assert house.left() == [(leftovers.DELETED, True)]


def test_a_token_that_is_away_holds_no_other_up(house: House) -> None:
    other = house.kms.create_custom_key_store(
        CustomKeyStoreName="two", CloudHsmClusterId=OTHER, TrustAnchorCertificate="a", KeyStorePassword=PIN
    )["CustomKeyStoreId"]
    house.kms.connect_custom_key_store(CustomKeyStoreId=other)
    goes = house.key(CustomKeyStoreId=other)
    house.kms.schedule_key_deletion(KeyId=goes, PendingWindowInDays=7)
    house.due(2)
    house.token.away = True
    told = {each.arn: status(each) for each in house.chores(DUE)}
    assert (told.pop(goes), sorted(told.values())) == ("SUCCESS", ["FAILURE", "FAILURE"])
    assert house.other.keys == {}


def test_two_processes_destroy_the_same_key_and_one_tells(house: House) -> None:
    (goes,) = house.due()
    told: list[Happened] = []

    def other(step: str) -> None:
        if step == "before destroy":
            house.token.asked = lambda step: None
            told.extend(house.chores(DUE))

    house.token.asked = other
    told += house.chores(DUE)
    assert [(each.arn, status(each)) for each in told] == [(goes, "SUCCESS")]


def test_a_creation_that_took_too_long_is_refused_and_leaves_nothing(house: House) -> None:
    def slow(step: str) -> None:
        if step == "after make":
            house.chores(leftovers.PATIENCE + 60)

    house.token.asked = slow
    with pytest.raises(ClientError, match="DependencyTimeoutException"):
        house.key()
    house.chores(leftovers.PATIENCE + 120)
    assert (house.token.keys, house.materials(), house.left()) == ({}, set(), [])


@pytest.mark.parametrize("step", ["before make", "after make"])
def test_a_token_that_fails_at_a_creation(house: House, step: str) -> None:
    def fails(at: str) -> None:
        if at == step:
            raise HsmUnavailable("it hangs")

    house.token.asked = fails
    with pytest.raises(ClientError, match="CloudHsmClusterInvalidConfigurationException"):
        house.key()
    assert house.left() == [(leftovers.MAKING, False)]
    house.token.asked = lambda step: None
    assert house.chores(leftovers.PATIENCE + 60) == []
    assert (house.token.keys, house.left()) == ({}, [])


def test_a_cancellation_before_the_deletion_keeps_the_key_in_the_token(house: House) -> None:
    (key,) = house.due()
    house.kms.cancel_key_deletion(KeyId=key)
    assert house.chores(DUE) == []
    house.kms.enable_key(KeyId=key)
    assert house.kms.encrypt(KeyId=key, Plaintext=b"x")


def test_nobody_waits_for_a_token_to_write(house: House) -> None:
    """Another connection writes each time when a token is asked: it would wait, were the lock of writers held."""
    asked: list[str] = []

    def writes(step: str) -> None:
        asked.append(step)
        with house.world.store.transaction(write=True) as transaction:
            transaction.run(delete(tables.left).where(tables.left.c.id == "nobody's"))

    house.token.asked = house.other.asked = writes
    kms = house.kms
    (key, goes), store = house.due(2), {"CustomKeyStoreId": house.store}
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.generate_random(NumberOfBytes=1, **store)
    kms.disconnect_custom_key_store(**store)
    house.other.keys.update(house.token.keys)
    kms.update_custom_key_store(CloudHsmClusterId=OTHER, **store)
    kms.connect_custom_key_store(**store)
    (told,) = house.chores(DUE)
    assert (told.arn, told.additional["clusterId"], status(told)) == (goes, OTHER, "SUCCESS")
    assert {"before make", "after make", "before destroy", "after destroy"} <= set(asked)


def test_what_was_learned_of_another_token_connects_nothing(house: House) -> None:
    """Whoever knows one PIN must not come into another token by changing the store while it is connected."""
    kms, store = house.kms, {"CustomKeyStoreId": house.store}
    kms.disconnect_custom_key_store(**store)
    house.other.password = "another-pin"
    changed: list[str] = []

    def other(step: str) -> None:
        if not changed:
            changed.append(step)
            kms.update_custom_key_store(CloudHsmClusterId=OTHER, **store)

    house.token.asked = other
    with pytest.raises(ClientError, match="CustomKeyStoreInvalidStateException"):
        kms.connect_custom_key_store(**store)
    (entry,) = kms.describe_custom_key_stores()["CustomKeyStores"]
    assert (entry["CloudHsmClusterId"], entry["ConnectionState"]) == (OTHER, "DISCONNECTED")


def test_two_stores_do_not_get_one_token(house: House) -> None:
    kms, store = house.kms, {"CustomKeyStoreId": house.store}
    kms.disconnect_custom_key_store(**store)
    made: list[str] = []

    def another(step: str) -> None:
        if not made:
            made.append(step)
            kms.create_custom_key_store(
                CustomKeyStoreName="two",
                CloudHsmClusterId=OTHER,
                TrustAnchorCertificate="a",
                KeyStorePassword=PIN,
            )

    house.other.asked = another
    with pytest.raises(ClientError, match="CloudHsmClusterInUseException"):
        kms.update_custom_key_store(CloudHsmClusterId=OTHER, **store)


def test_another_token_that_fails_when_it_is_asked_for_the_keys(house: House) -> None:
    house.key()
    house.kms.disconnect_custom_key_store(CustomKeyStoreId=house.store)

    def fails(key: bytes) -> bool:
        raise HsmUnavailable("it fails")

    house.other.holds = fails  # type: ignore[method-assign]
    with pytest.raises(ClientError, match="CloudHsmClusterNotActiveException"):
        house.kms.update_custom_key_store(CustomKeyStoreId=house.store, CloudHsmClusterId=OTHER)

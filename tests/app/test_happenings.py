"""What services do by themselves, in the audit trail: whatever dies in between, and wherever the trail lies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select

from bailiwick import services
from bailiwick.app import environment, happenings
from bailiwick.app.audit import Trail
from bailiwick.app.happenings import Happenings
from bailiwick.app.settings import Settings
from bailiwick.core.happened import Happened
from bailiwick.store import Store
from bailiwick.trail import tables
from bailiwick.trail.database import Database
from bailiwick.trail.files import Files
from bailiwick.trail.search import Query, Search

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:eu-central-1:123456789012:key/{ID}"
DELETED = Happened(
    *("kms", "DeleteKey", "123456789012", "eu-central-1", ARN, {"keyId": ID}), additional={"clusterId": "cluster-a"}
)
THEN = 1_790_000_000.0
LATER = THEN + happenings._LEFT


def records_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


class House:
    """A store and a trail on disk, and what happens in them."""

    def __init__(self, folder: Path, *, in_database: bool = False) -> None:
        self.store = Store(folder)
        self.folder = folder / "audit"
        self.folder.mkdir()
        self.shelf: Any = Database(self.store, None) if in_database else Files(self.folder)
        self.trail = Trail(self.shelf)
        self.happenings = Happenings(self.store, self.trail)

    def happens(self, *, dies: bool = False, at: float = THEN) -> None:
        with self.store.transaction(write=True) as transaction:
            kept = self.happenings.keep(transaction, [DELETED], at)
        if not dies:
            self.happenings.tell(kept)

    def kept(self) -> int:
        with self.store.transaction() as transaction:
            return len(transaction.all(select(tables.happened)))

    def told(self) -> list[str]:
        found = Search(self.shelf).find(Query(("eventName=DeleteKey",)))
        return [json.loads(line)["eventTime"] for _, line in found]

    def close(self) -> None:
        self.trail.close()
        self.store.close()


@pytest.fixture(params=["files", "database"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with closing(House(tmp_path, in_database=request.param == "database")) as made:
        yield made


def test_what_happens_is_told_and_forgotten(house: House) -> None:
    house.happens()
    house.happens(at=THEN + 1)
    assert (house.told(), house.kept()) == (["2026-09-21T14:13:21Z", "2026-09-21T14:13:20Z"], 0)


def test_what_a_process_left_is_told_by_another_when_it_is_old(house: House) -> None:
    house.happens(dies=True)
    house.happenings.tell_what_is_left(LATER - 1)
    assert (house.told(), house.kept()) == ([], 1)
    house.happenings.tell_what_is_left(LATER)
    assert (house.told(), house.kept()) == (["2026-09-21T14:13:20Z"], 0)
    house.happenings.tell_what_is_left(LATER)
    assert len(house.told()) == 1


def test_what_the_disk_does_not_take_is_told_once_and_forgotten_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    never: Future[None] = Future()
    with monkeypatch.context() as patch:
        patch.setattr(happenings, "_PATIENCE", 0.0)
        patch.setattr(house.trail, "stored", lambda: never)
        house.happens()
        house.happenings.tell_what_is_left(LATER)
        assert house.kept() == 1
    house.trail.flush()
    never.set_result(None)
    house.happenings.tell_what_is_left(LATER)
    assert (house.told(), house.kept()) == (["2026-09-21T14:13:20Z"], 0)


def test_what_one_is_about_to_tell_the_others_leave_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.happens(dies=True)
    slow = Happenings(house.store, house.trail)
    with monkeypatch.context() as patch:
        patch.setattr(slow, "tell", lambda kept: None)  # it dies
        slow.tell_what_is_left(LATER)
    house.happenings.tell_what_is_left(LATER + 1)
    assert (house.told(), house.kept()) == ([], 1)
    house.happenings.tell_what_is_left(LATER + happenings._LEFT)
    assert (house.told(), house.kept()) == (["2026-09-21T14:13:20Z"], 0)


def test_what_an_earlier_version_kept_is_told(house: House) -> None:
    event = msgspec.json.encode(tuple(DELETED)[:7])
    with house.store.transaction(write=True) as transaction:
        transaction.run(insert(tables.happened).values(id="x", time=THEN, event=event))
    house.happenings.tell_what_is_left(LATER)
    assert house.told() == ["2026-09-21T14:13:20Z"]


def test_a_trail_in_trouble_is_given_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(house.trail, "trouble", lambda: "the disk refuses the audit trail")
        house.happens()
        house.happenings.tell_what_is_left(LATER)
    assert (house.told(), house.kept(), house.trail.waiting) == ([], 1, 0)
    house.happenings.tell_what_is_left(LATER)
    assert (len(house.told()), house.kept()) == (1, 0)


def test_the_record_is_cloudtrails(tmp_path: Path) -> None:
    with closing(House(tmp_path)) as house:
        house.happens()
        (record,) = records_in(house.folder)
    assert record.pop("eventID")
    record.pop("chain", None)
    assert record == {
        "eventVersion": "1.11",
        "userIdentity": {"accountId": "123456789012", "invokedBy": "AWS Internal"},
        "eventTime": "2026-09-21T14:13:20Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "DeleteKey",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": None,
        "responseElements": None,
        "additionalEventData": {"clusterId": "cluster-a"},
        "readOnly": False,
        "resources": [{"ARN": ARN, "accountId": "123456789012", "type": "AWS::KMS::Key"}],
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": "123456789012",
        "serviceEventDetails": {"keyId": ID},
        "eventCategory": "Management",
        "bailiwick": {"decision": None},
    }


def test_a_chore_of_a_world_has_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_CHORES_PAUSE", 3600.0)
    made = environment.in_memory(Settings(ephemeral=True, audit=tmp_path / "audit"))

    def works(transaction: Any, environment: Any, now: float) -> list[Happened]:
        return [DELETED]

    def fails(transaction: Any, environment: Any, now: float) -> list[Happened]:
        raise ZeroDivisionError

    with closing(made.world) as world:
        world.do(fails)
        world.do(works)
    assert [record["eventName"] for record in records_in(tmp_path / "audit")] == ["DeleteKey"]


def test_an_errand_begins_as_one_that_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_CHORES_PAUSE", 0.01)
    begun: list[bool] = []
    over = threading.Event()

    def asks(transaction: Any, environment: Any, now: float) -> list[Happened]:
        begun.append(transaction.write)
        transaction.begin_writing()
        over.set()
        return [DELETED] if len(begun) == 1 else []

    monkeypatch.setattr(services, "errands", lambda transaction: (asks,))
    made = environment.in_memory(Settings(ephemeral=True, audit=tmp_path / "audit"))
    with closing(made.world):
        assert over.wait(20)
    assert not any(begun)
    assert [record["eventName"] for record in records_in(tmp_path / "audit")] == ["DeleteKey"]

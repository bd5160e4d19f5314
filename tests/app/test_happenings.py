"""What services do by themselves, in the audit trail: before it is committed, or not at all."""

from __future__ import annotations

import json
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bailiwick.app import environment, happenings
from bailiwick.app.audit import Trail
from bailiwick.app.settings import Settings
from bailiwick.core.happened import Happened
from bailiwick.store import settings as facts
from bailiwick.trail.files import Files

ARN = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DELETED = Happened(
    *("kms", "DeleteKey", "123456789012", "eu-central-1", ARN, {"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"})
)


def records_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_a_record_of_what_nobody_called_for(tmp_path: Path) -> None:
    with closing(Trail(Files(tmp_path))) as trail:
        happenings.told(trail, [DELETED, DELETED._replace(additional={"clusterId": "cluster-a"})], 1_790_000_000.0)
        first, second = records_in(tmp_path)
    assert first.pop("eventID")
    first.pop("chain", None)
    assert first == {
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
        "readOnly": False,
        "resources": [{"ARN": ARN, "accountId": "123456789012", "type": "AWS::KMS::Key"}],
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": "123456789012",
        "serviceEventDetails": {"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"},
        "eventCategory": "Management",
        "bailiwick": {"decision": None},
    }
    assert second["additionalEventData"] == {"clusterId": "cluster-a"}


@pytest.mark.parametrize("takes", [True, False])
def test_what_cannot_be_written_down_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: bool
) -> None:
    """A chore of a world with a trail: with a disk that takes records, and with one that does not."""
    monkeypatch.setattr(environment, "_CHORES_PAUSE", 3600.0)
    settings = Settings(ephemeral=True, audit=tmp_path / "audit")
    made = environment.in_memory(settings)
    with closing(made.world) as world:
        done: list[float] = []
        if not takes:
            monkeypatch.setattr(happenings, "_PATIENCE", 0.0)
            monkeypatch.setattr(world.trail, "stored", Future)

        def chore(transaction: Any, environment: Any, now: float) -> list[Happened]:
            facts.put(transaction, "done", "yes")
            done.append(now)
            return [DELETED]

        world.do(chore)
        assert len(done) == 1
        with world.store.transaction() as transaction:
            assert facts.get(transaction, "done") == ("yes" if takes else None)
    assert [record["eventName"] for record in records_in(tmp_path / "audit")] == ["DeleteKey"]

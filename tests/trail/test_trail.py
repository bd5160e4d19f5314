"""The audit trail as files: whatever is changed in it is seen, whatever is in it is found."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bailiwick.trail import digest, segment
from bailiwick.trail.digest import BadDigest, Signer
from bailiwick.trail.keeping import Keeper
from bailiwick.trail.search import Query, search
from bailiwick.trail.segment import Segment
from bailiwick.trail.verify import Report, verify

BEGIN = datetime(2026, 11, 24, 4, tzinfo=UTC)
SIGNER = Signer(b"s" * 32)


def record(number: int, **more: Any) -> bytes:
    second = BEGIN.timestamp() + number
    return json.dumps(
        {
            "eventTime": datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "requestID": f"r-{number}",
            "eventID": f"e-{number}",
            "eventName": "Encrypt" if number % 2 else "Decrypt",
            "eventSource": "kms.amazonaws.com",
            "readOnly": True,
            "userIdentity": {"userName": ["alice", "bob", "carol"][number % 3]},
            "resources": [{"ARN": f"arn:key/{number % 5}", "type": "AWS::KMS::Key"}],
            **more,
        }
    ).encode()


def written(folder: Path, *batches: list[bytes]) -> Segment:
    made = Segment(folder, BEGIN)
    for batch in batches:
        made.append(batch)
    made.close()
    return made


def report(folder: Path) -> Report:
    return verify(folder, SIGNER.public)


def test_what_is_as_it_was_written_is_good(tmp_path: Path) -> None:
    made = written(tmp_path, [record(0), record(1)], [record(2)])
    keeper = Keeper(tmp_path, SIGNER)
    keeper.closed(made.state)
    keeper.sign(None)
    found = report(tmp_path)
    assert (found.segments, found.records, found.digests, found.vouched) == (1, 3, 1, 3)
    assert found.problems == found.notes == []
    assert (tmp_path / made.name).stat().st_mode & 0o777 == 0o600


def test_every_bit_counts(tmp_path: Path) -> None:
    made = written(tmp_path, [record(0), record(1), record(2)])
    path = tmp_path / made.name
    whole = path.read_bytes()
    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(changed)
        found = report(tmp_path)
        assert found.problems, bit
    path.write_bytes(whole)
    assert not report(tmp_path).problems


def test_lines_cannot_be_taken_out_put_in_moved_or_lent(tmp_path: Path) -> None:
    made = written(tmp_path, [record(n) for n in range(4)])
    path = tmp_path / made.name
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (
        [*lines[:1], *lines[2:]],
        [lines[1], lines[0], *lines[2:]],
        [*lines, lines[0]],
        [*lines[:2], lines[1], *lines[2:]],
        [*lines[:3], b"{}\n", lines[3]],
    ):
        path.write_bytes(b"".join(changed))
        assert report(tmp_path).problems
    path.rename(tmp_path / "20260101T000000Z-1.jsonl")
    (tmp_path / "20260101T000000Z-1.jsonl").write_bytes(b"".join(lines))
    assert report(tmp_path).problems


def test_a_digest_sees_what_a_chain_cannot(tmp_path: Path) -> None:
    """Whoever can rewrite a file can rewrite its chain; or cut its end; or take it away."""
    made = written(tmp_path, [record(0), record(1)], [record(2), record(3)])
    keeper = Keeper(tmp_path, SIGNER)
    keeper.closed(made.state)
    keeper.sign(None)
    path = tmp_path / made.name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))
    assert report(tmp_path).problems == [f"{made.name}: after 2 records: the last block has no chain"]
    path.write_bytes(b"".join(lines[:2]))
    assert report(tmp_path).problems == [f"{made.name}: 2 records, where a digest vouches for 4"]
    path.unlink()
    written(tmp_path, [record(n, errorCode="forged") for n in range(4)])
    assert report(tmp_path).problems == [f"{made.name}: after 4 records: not what a digest vouches for"]
    path.unlink()
    assert report(tmp_path).problems == [f"{made.name}: this segment is vouched for by a digest and is gone"]


def test_a_digest_cannot_be_changed_or_taken_away(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, SIGNER)
    for number in range(3):
        made = Segment(tmp_path, BEGIN)
        made.append([record(number)])
        made.close()
        keeper.closed(made.state)
        keeper.sign(None)
    assert not report(tmp_path).problems
    first, second, third = digest.all_in(tmp_path)
    whole = second.read_bytes()
    for at in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[at] ^= 1
        second.write_bytes(changed)
        assert report(tmp_path).problems
    second.unlink()
    assert any("is gone" in problem for problem in report(tmp_path).problems)
    with pytest.raises(BadDigest):
        digest.read(third, Signer(b"t" * 32).public)
    assert first.exists()


def test_a_crash_leaves_a_note_and_is_taken_over(tmp_path: Path) -> None:
    made = written(tmp_path, [record(0), record(1)])
    path = tmp_path / made.name
    path.write_bytes(path.read_bytes() + record(2)[:40])
    found = report(tmp_path)
    assert found.problems == []
    assert found.notes == [f"{made.name}: the last block was cut short, as by a crash; 2 are good"]
    Keeper(tmp_path, SIGNER).sign(None)  # the next process
    assert report(tmp_path).vouched == 2
    Keeper(tmp_path, SIGNER).sign(None)  # and the one after it has nothing to add
    assert report(tmp_path).digests == 1


def test_what_still_grows_is_not_taken_over(tmp_path: Path) -> None:
    growing = Segment(tmp_path, BEGIN)
    growing.append([record(0)])
    Keeper(tmp_path, SIGNER).sign(None)
    assert report(tmp_path).digests == 0
    growing.close()
    Keeper(tmp_path, SIGNER).sign(None)
    assert report(tmp_path).vouched == 1


def test_a_digest_is_due_when_the_hour_ends(tmp_path: Path) -> None:
    clock = [BEGIN.timestamp() + 3590]
    keeper = Keeper(tmp_path, SIGNER, now=lambda: clock[0])
    due = [keeper.is_due]
    clock[0] += 20
    due.append(keeper.is_due)
    keeper.sign(None)
    due.append(keeper.is_due)
    assert due == [False, True, False]


@pytest.mark.parametrize("bounds", [{"keep_days": 1}, {"keep_bytes": 2500}])
def test_retention_removes_the_oldest_and_says_so(tmp_path: Path, bounds: dict[str, int]) -> None:
    now = BEGIN.timestamp()
    names = []
    keeper = Keeper(tmp_path, SIGNER, now=lambda: now, **bounds)
    for day in range(4):
        made = Segment(tmp_path, datetime.fromtimestamp(now - (3 - day) * 86400, UTC))
        made.append([record(n) for n in range(3)])
        made.close()
        os.utime(tmp_path / made.name, (now - (3 - day) * 86400,) * 2)
        names.append(made.name)
        keeper.closed(made.state)
    keeper.sign(None)
    left = [path.name for path in segment.all_in(tmp_path)]
    assert left == names[-len(left) :]
    assert 0 < len(left) < 4
    assert report(tmp_path).problems == []


def test_search_finds_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    for part in range(4):
        made = Segment(tmp_path, datetime.fromtimestamp(BEGIN.timestamp() + part * 100, UTC))
        made.append([record(number) for number in range(part * 100, part * 100 + 100)])
        if part < 3:
            made.close()
    everything = [json.loads(record(number)) for number in range(400)]
    draw = random.Random(4)
    for round_ in range(60):
        words, test = [], everything
        if draw.random() < 0.5:
            user = draw.choice(["alice", "bob", "nobody"])
            words.append(f"userName={user}")
            test = [r for r in test if r["userIdentity"]["userName"] == user]
        if draw.random() < 0.5:
            arn = f"arn:key/{draw.randrange(6)}"
            words.append(f"resource={arn}")
            test = [r for r in test if r["resources"][0]["ARN"] == arn]
        if draw.random() < 0.3:
            number = draw.randrange(500)
            words.append(f"requestID=r-{number}")
            test = [r for r in test if r["requestID"] == f"r-{number}"]
        since, until = BEGIN.timestamp() + draw.randrange(400), BEGIN.timestamp() + draw.randrange(400)
        test = [r for r in test if since <= BEGIN.timestamp() + int(r["requestID"][2:]) <= until]
        found = [json.loads(line)["requestID"] for _, line in search(tmp_path, Query(tuple(words), since, until))]
        assert found == [r["requestID"] for r in reversed(test)], round_
    assert len(list(tmp_path.glob("*.index"))) == 3, "what still grows has no index of its own"


def test_a_search_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    for part in range(3):
        made = Segment(tmp_path, datetime.fromtimestamp(BEGIN.timestamp() + part * 100, UTC))
        made.append([record(number) for number in range(part * 10, part * 10 + 10)])
        made.close()
    query = Query(("userName=alice",))
    whole = list(search(tmp_path, query))
    for place, line in whole:
        rest = list(search(tmp_path, query, after=place))
        assert rest == whole[whole.index((place, line)) + 1 :]


def test_a_spoilt_index_is_made_anew(tmp_path: Path) -> None:
    made = written(tmp_path, [record(n) for n in range(5)])
    kept = (tmp_path / made.name).with_suffix(".index")
    query = Query(("requestID=r-3",))
    assert len(list(search(tmp_path, query))) == 1
    for spoilt in (b"", b"BWTIDX1\n", kept.read_bytes()[:-8], b"x" + kept.read_bytes()[1:]):
        kept.write_bytes(spoilt)
        assert len(list(search(tmp_path, query))) == 1

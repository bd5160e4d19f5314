"""The audit trail as files: whatever is changed in it is seen, whatever is in it is found."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import random
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from bailiwick.store import Store
from bailiwick.trail import digest, tables
from bailiwick.trail.database import Database
from bailiwick.trail.digest import BadDigest, Signer
from bailiwick.trail.files import Files
from bailiwick.trail.keeping import Keeper
from bailiwick.trail.search import Query, Search
from bailiwick.trail.segment import Broken, Segment, Torn, check
from bailiwick.trail.shelf import Shelf
from bailiwick.trail.verify import Report, verify

BEGIN = datetime(2026, 11, 24, 4, tzinfo=UTC)
SIGNER = Signer(b"s" * 32)


@pytest.fixture(params=["files", "database", "postgresql"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """Both places of a trail."""
    if request.param == "files":
        yield Files(tmp_path)
        return
    store = (
        Store.in_memory()
        if request.param == "database"
        else Store(request.getfixturevalue("postgres_server").new_database())
    )
    with closing(store):
        yield Database(store, tmp_path / "indexes", now=lambda: BEGIN.timestamp() + 5000)


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


def test_no_name_is_given_twice(shelf: Shelf) -> None:
    """Or a digest that tells that a segment was removed would tell so of another that is there."""
    names = []
    for _ in range(3):
        segment = shelf.begin(BEGIN)
        segment.append([record(1)])
        segment.close()
        names.append(segment.name)
        shelf.remove(segment.name)
    assert len(set(names)) == 3


def filled(shelf: Shelf, *batches: list[bytes], at: float = 0.0, closed: bool = True) -> Segment:
    """A segment, as if it was written when its records were made."""
    made = shelf.begin(datetime.fromtimestamp(BEGIN.timestamp() + at, UTC))
    for batch in batches:
        made.append(batch)
    if isinstance(shelf, Files):
        os.utime(shelf.folder / made.state.name, (BEGIN.timestamp() + 5000,) * 2)
    if closed:
        made.close()
    return made


def written(folder: Path, *batches: list[bytes]) -> Segment:
    return filled(Files(folder), *batches)


def report(shelf: Shelf | Path) -> Report:
    return verify(Files(shelf) if isinstance(shelf, Path) else shelf, SIGNER.public)


def found(shelf: Shelf, query: Query) -> list[bytes]:
    return [line for _, line in Search(shelf).find(query)]


def test_what_is_as_it_was_written_is_good(shelf: Shelf, tmp_path: Path) -> None:
    made = filled(shelf, [record(0), record(1)], [record(2)])
    keeper = Keeper(shelf, SIGNER)
    keeper.closed(made.state)
    keeper.sign(None)
    told = report(shelf)
    assert (told.segments, told.records, told.digests, told.vouched) == (1, 3, 1, 3)
    assert told.problems == told.notes == []
    if isinstance(shelf, Files):
        assert (tmp_path / made.state.name).stat().st_mode & 0o777 == 0o600


def test_every_bit_counts(tmp_path: Path) -> None:
    made = written(tmp_path, [record(0), record(1), record(2)])
    name = made.state.name
    path = tmp_path / name
    whole = path.read_bytes()
    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(Broken) as broken:
            list(check(name, io.BytesIO(changed)))
        assert not isinstance(broken.value, Torn), bit
        if bit % 97 == 0:
            path.write_bytes(changed)
            assert report(tmp_path).problems, bit
    path.write_bytes(whole)
    assert not report(tmp_path).problems


def test_lines_cannot_be_taken_out_put_in_moved_or_lent(tmp_path: Path) -> None:
    made = written(tmp_path, [record(n) for n in range(4)])
    path = tmp_path / made.state.name
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
    keeper = Keeper(Files(tmp_path), SIGNER)
    keeper.closed(made.state)
    keeper.sign(None)
    path = tmp_path / made.state.name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))
    assert report(tmp_path).problems == [f"{made.state.name}: after 2 records: the last block has no chain"]
    path.write_bytes(b"".join(lines[:2]))
    assert report(tmp_path).problems == [f"{made.state.name}: 2 records, where a digest vouches for 4"]
    path.unlink()
    written(tmp_path, [record(n, errorCode="forged") for n in range(4)])
    assert report(tmp_path).problems == [f"{made.state.name}: after 4 records: not what a digest vouches for"]
    path.unlink()
    assert report(tmp_path).problems == [f"{made.state.name}: this segment is vouched for by a digest and is gone"]


def test_a_digest_cannot_be_changed_or_taken_away(tmp_path: Path) -> None:
    keeper = Keeper(Files(tmp_path), SIGNER)
    for number in range(3):
        made = Files(tmp_path).begin(BEGIN)
        made.append([record(number)])
        made.close()
        keeper.closed(made.state)
        keeper.sign(None)
    assert not report(tmp_path).problems
    first, second, third = sorted(tmp_path.glob("digest-*"))
    whole = second.read_bytes()
    for at in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[at] ^= 1
        second.write_bytes(changed)
        assert report(tmp_path).problems
    second.unlink()
    assert any("is gone" in problem for problem in report(tmp_path).problems)
    with pytest.raises(BadDigest):
        digest.read(third.name, third.read_bytes(), Signer(b"t" * 32).public)
    assert first.exists()


def test_a_crash_leaves_a_note_and_is_taken_over(tmp_path: Path) -> None:
    made = written(tmp_path, [record(0), record(1)])
    path = tmp_path / made.state.name
    path.write_bytes(path.read_bytes() + record(2)[:40])
    found = report(tmp_path)
    assert found.problems == []
    assert found.notes == [f"{made.state.name}: the last block was cut short, as by a crash; 2 are good"]
    Keeper(Files(tmp_path), SIGNER).sign(None)  # the next process
    assert report(tmp_path).vouched == 2
    Keeper(Files(tmp_path), SIGNER).sign(None)  # and the one after it has nothing to add
    assert report(tmp_path).digests == 1


def test_what_still_grows_is_not_taken_over(tmp_path: Path) -> None:
    growing = Files(tmp_path).begin(BEGIN)
    growing.append([record(0)])
    Keeper(Files(tmp_path), SIGNER).sign(None)
    assert report(tmp_path).digests == 0
    growing.close()
    Keeper(Files(tmp_path), SIGNER).sign(None)
    assert report(tmp_path).vouched == 1


def test_a_digest_is_due_when_the_hour_ends(tmp_path: Path) -> None:
    clock = [BEGIN.timestamp() + 3590]
    keeper = Keeper(Files(tmp_path), SIGNER, now=lambda: clock[0])
    due = [keeper.is_due]
    clock[0] += 20
    due.append(keeper.is_due)
    keeper.sign(None)
    due.append(keeper.is_due)
    assert due == [False, True, False]


@pytest.mark.parametrize("bounds", [{"keep_days": 1}, {"keep_bytes": 2500}])
def test_retention_removes_the_oldest_and_says_so(
    shelf: Shelf, bounds: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = BEGIN.timestamp()
    names = []
    keeper = Keeper(shelf, SIGNER, now=lambda: now, **bounds)
    for day in range(4):
        then = now - (3 - day) * 86400
        if isinstance(shelf, Database):
            monkeypatch.setattr(shelf, "_now", lambda then=then: then)
        made = filled(shelf, [record(n) for n in range(3)], at=then - now)
        names.append(made.state.name)
        if isinstance(shelf, Files):
            os.utime(shelf.folder / made.state.name, (then,) * 2)
        keeper.closed(made.state)
    assert keeper.is_due == ("keep_bytes" in bounds), "over its size a trail does not wait for the hour"
    keeper.sign(None)
    assert not keeper.is_due
    left = [kept.name for kept in shelf.segments()]
    assert left == names[-len(left) :]
    assert 0 < len(left) < 4
    assert report(shelf).problems == []
    for name in set(names) - set(left):
        with pytest.raises(FileNotFoundError):
            list(shelf.lines(name)) or shelf.digest(name)


def test_search_finds_what_is_there_and_nothing_else(shelf: Shelf, tmp_path: Path) -> None:
    """Segments of two writers at once, of which one still grows."""
    numbers = [range(0, 200, 2), range(1, 200, 2), range(200, 300), range(300, 400)]
    for part, some in enumerate(numbers):
        lines = [record(number) for number in some]
        lines[7], lines[8] = lines[8], lines[7]  # a call that took longer ends later
        filled(shelf, lines[:40], lines[40:], at=part * 100 // 2, closed=part < 3)
    everything = [json.loads(record(number)) for number in range(400)]
    draw = random.Random(4)
    searching = Search(shelf)
    for round_ in range(60):
        words, test = [], everything
        if draw.random() < 0.5:
            user = draw.choice(["alice", "bob", "nobody"])
            words.append(f"userName={user}")
            test = [r for r in test if r["userIdentity"]["userName"] == user]
        if draw.random() < 0.5:
            arn = f"arn:key/{draw.randrange(6)}"
            words.append(f"resource={arn if draw.random() < 0.5 else arn[8:]}")
            test = [r for r in test if r["resources"][0]["ARN"] == arn]
        if draw.random() < 0.3:
            number = draw.randrange(500)
            words.append(f"requestID=r-{number}")
            test = [r for r in test if r["requestID"] == f"r-{number}"]
        since, until = BEGIN.timestamp() + draw.randrange(400), BEGIN.timestamp() + draw.randrange(400)
        test = [r for r in test if since <= BEGIN.timestamp() + int(r["requestID"][2:]) <= until]
        hits = searching.find(Query(tuple(words), since, until))
        assert [json.loads(line)["requestID"] for _, line in hits] == [r["requestID"] for r in reversed(test)], (
            round_
        )
    assert len(list(tmp_path.rglob("*.index"))) == 3, "what still grows has no index of its own"


def test_what_is_added_to_a_growing_segment_is_found(shelf: Shelf) -> None:
    growing = filled(shelf, [record(0)], closed=False)
    searching = Search(shelf)
    for number in range(1, 5):
        growing.append([record(number)])
        ids = [json.loads(line)["requestID"] for _, line in searching.find(Query())]
        assert ids == [f"r-{n}" for n in range(number, -1, -1)]
    growing.close()
    assert len(list(searching.find(Query(("readOnly=true",))))) == 5


def test_a_search_reads_no_more_than_it_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Files(tmp_path)
    for part in range(5):
        filled(shelf, [record(part * 1000 + n) for n in range(100)], at=part * 1000)
        path = tmp_path / shelf.segments()[-1].name
        os.utime(path, (BEGIN.timestamp() + part * 1000 + 100,) * 2)
    list(Search(shelf).find(Query()))  # every index is made
    monkeypatch.setattr(shelf, "lines", None)  # no segment is read through
    read: list[int] = []
    real = shelf.reader

    @contextmanager
    def reader(name: str) -> Iterator[Any]:
        with real(name) as one:
            yield lambda offset: read.append(offset) or one(offset)

    monkeypatch.setattr(shelf, "reader", reader)
    assert len(list(Search(shelf).find(Query(("requestID=r-77",))))) == 1
    assert len(read) == 1
    read.clear()
    assert len(list(islice(Search(shelf).find(Query(("readOnly=true",))), 10))) == 10
    assert len(read) <= 12


def test_a_search_goes_on_where_it_was_cut(shelf: Shelf) -> None:
    for part in range(3):
        filled(shelf, [record(number) for number in range(part * 10, part * 10 + 10)], at=part, closed=part < 2)
    query = Query(("userName=alice",))
    searching = Search(shelf)
    whole = list(searching.find(query))
    for place, line in whole:
        assert list(searching.find(query, after=place)) == whole[whole.index((place, line)) + 1 :]


def test_a_spoilt_index_is_made_anew(tmp_path: Path) -> None:
    shelf = Files(tmp_path)
    made = written(tmp_path, [record(n) for n in range(5)])
    kept = (tmp_path / made.state.name).with_suffix(".index")
    query = Query(("requestID=r-3",))
    assert len(found(shelf, query)) == 1
    for spoilt in (b"", b"BWTIDX2\n", kept.read_bytes()[:-8], b"x" + kept.read_bytes()[1:]):
        kept.write_bytes(spoilt)
        assert len(found(shelf, query)) == 1


# -- In the database ----------------------------------------------------------------------------------------


def test_every_bit_counts_in_the_database() -> None:
    with closing(Store.in_memory()) as store:
        shelf = Database(store)
        filled(shelf, [record(0), record(1), record(2)])
        with store.transaction() as transaction:
            ((whole,),) = transaction.all(select(tables.block.c.data))
        for bit in range(0, len(whole) * 8, 41):
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << (bit % 8)
            with store.transaction(write=True) as transaction:
                transaction.run(update(tables.block).values(data=bytes(changed)))
            assert report(shelf).problems, bit


def test_a_block_that_was_taken_away_is_missed(shelf: Shelf) -> None:
    if isinstance(shelf, Files):
        pytest.skip("files have no such blocks")
    made = filled(shelf, [record(0)], [record(1)], [record(2)])
    with shelf._store.transaction(write=True) as transaction:
        transaction.run(delete(tables.block).where(tables.block.c.start > len(record(0)) * 2))
    (problem,) = report(shelf).problems
    assert re.fullmatch(rf"{made.state.name}: \d+ bytes, where {made.state.bytes} were written", problem)


def test_large_batches_become_several_blocks_that_are_chained() -> None:
    with closing(Store.in_memory()) as store:
        shelf = Database(store)
        filled(shelf, [record(n, userAgent="x" * 50_000) for n in range(7)])
        with store.transaction() as transaction:
            assert len(transaction.all(select(tables.block.c.start))) == 4
        told = report(shelf)
        assert (told.records, told.problems) == (7, [])
        assert len(found(shelf, Query(("readOnly=true",)))) == 7


def test_a_commit_whose_answer_was_lost_is_not_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store.in_memory()) as store:
        shelf = Database(store)
        made = shelf.begin(BEGIN)
        made.append([record(0)])
        before = made.state
        made.append([record(1)])
        made._size, made._records, made._chain = before.bytes, before.records, base64.b64decode(before.chain)
        made.append([record(1)])  # as the thread does that did not hear of the commit
        assert [json.loads(line)["requestID"] for line in shelf.lines(made.name)] == ["r-0", "r-1"]
        assert report(shelf).problems == []


def test_a_writer_that_was_taken_for_dead_begins_anew() -> None:
    clock = [BEGIN.timestamp()]
    with closing(Store.in_memory()) as store:
        shelf = Database(store, now=lambda: clock[0])
        slow = shelf.begin(BEGIN)
        slow.append([record(0)])
        Keeper(shelf, SIGNER, now=lambda: clock[0]).sign(None)
        slow.append([record(1)])  # it was not taken over: it is alive
        clock[0] += 3 * 3600
        Keeper(shelf, SIGNER, now=lambda: clock[0]).sign(None)
        with pytest.raises(OSError, match="ended this segment") as refused:
            slow.append([record(2)])
        assert refused.value.errno == errno.ESTALE
        told = report(shelf)
        assert (told.vouched, told.problems) == (2, [])


# -- Positions of followers ---------------------------------------------------------------------------------


def test_one_follower_at_a_time_holds_a_position(shelf: Shelf) -> None:
    first, second = shelf.cursor("syslog"), shelf.cursor("syslog")
    assert first.hold()
    assert first.load() == b""
    first.save(b"here")
    assert not second.hold()
    assert first.hold()
    first.release()
    assert second.hold()
    assert second.load() == b"here"
    assert not first.hold()
    other = shelf.cursor("webhook")
    assert other.hold(), "each name has its own"
    for each in (second, other):
        each.release()

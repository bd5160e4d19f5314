"""Following a trail: every record once, in the order of its segment, with a position that outlives the process."""

from __future__ import annotations

from itertools import takewhile

import msgspec
import structlog

from bailiwick.trail.index import words_of
from bailiwick.trail.segment import record_in
from bailiwick.trail.shelf import Cursor, Shelf

log = structlog.get_logger()

_MOST_RECORDS = 500
_MOST_BYTES = 1 << 20


class Lag(msgspec.Struct, frozen=True):
    """How far a follower is behind: bytes not told yet, and the age of the oldest of these records in seconds."""

    bytes: int = 0
    seconds: float = 0.0


class Batch(msgspec.Struct, frozen=True):
    """Records that follow, as they were before they were chained. `begins` is where the first one lies."""

    records: list[bytes]
    begins: str
    segment: str
    end: int


class Follower:
    """One follower. `next` gives what follows; it gives it again until `done` was said of it.

    So what was told just before a crash may be told twice, and nothing is left out as long as retention keeps it.
    """

    def __init__(self, shelf: Shelf, cursor: Cursor) -> None:
        self._shelf = shelf
        self._cursor = cursor
        self._offsets: dict[str, int] | None = None  # by segment; None while another process follows
        self._sizes: dict[str, int] = {}

    def hold(self) -> bool:
        """Be the one who follows; False while another process does. Raises OSError."""
        if not self._cursor.hold():
            self._offsets = None
            return False
        if self._offsets is None:
            self._offsets = msgspec.json.decode(self._cursor.load() or b"{}", type=dict[str, int])
        return True

    def next(self) -> Batch | None:
        """What follows; None if that is nothing now. Raises OSError."""
        assert self._offsets is not None, "hold it first"
        sizes = {kept.name: kept.bytes for kept in self._shelf.segments()}
        self._forget_removed(sizes)
        for name, size in sizes.items():
            begin = self._offsets.get(name, 0)
            if size <= begin:
                continue
            try:
                batch = self._batch(name, begin)
            except FileNotFoundError:
                continue  # retention was faster; the next round says so
            if batch is not None:
                return batch
            if not self._shelf.grows(name):
                self._offsets[name] = size  # what a crash left of a line
        return None

    def done(self, batch: Batch) -> None:
        """A batch was told. Raises OSError."""
        assert self._offsets is not None, "hold it first"
        self._offsets[batch.segment] = batch.end
        self._cursor.save(msgspec.json.encode(self._offsets))

    def lag(self, batch: Batch | None, now: float) -> Lag:
        """How far behind it is, if this batch is what follows."""
        if batch is None:
            return Lag()
        offsets = self._offsets or {}
        behind = sum(max(size - offsets.get(name, 0), 0) for name, size in self._sizes.items())
        try:
            time, _ = words_of(batch.records[0])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Lag(behind)
        return Lag(behind, max(now - time, 0.0))

    def release(self) -> None:
        """Let another process follow. Raises OSError."""
        self._offsets = None
        self._cursor.release()

    def _batch(self, name: str, begin: int) -> Batch | None:
        records, end = [], begin
        for line in takewhile(lambda line: line.endswith(b"\n"), self._shelf.lines(name, begin)):
            records.append(record_in(line))
            end += len(line)
            if len(records) >= _MOST_RECORDS or end - begin >= _MOST_BYTES:
                break
        return Batch(records, f"{name}:{begin}", name, end) if records else None

    def _forget_removed(self, sizes: dict[str, int]) -> None:
        assert self._offsets is not None
        for name in self._offsets.keys() | self._sizes.keys():
            if name in sizes:
                continue
            missed = self._sizes.get(name, 0) - self._offsets.pop(name, 0)
            if missed > 0:
                log.error("audit records were removed before they were exported", segment=name, bytes=missed)
        self._sizes = sizes

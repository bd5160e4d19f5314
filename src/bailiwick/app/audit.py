"""The audit trail: one CloudTrail-shaped record for each call, in chained segments that rotate (trail/).

The request's path appends the event to a bounded queue; records are made of many events at once, for in a loop
of its own that takes less than half the time. One thread of the process writes what is there and has it on disk
(fsync) a batch at a time. Nothing is dropped. When the queue is full, nothing is begun that would need a record
(`shut`): who asks for something waits in a thread (`wait`), or is refused if the disk takes nothing for too
long. When the disk refuses, the batch is written again until it is there, so a server that cannot write its
trail stops answering rather than going on unseen. `stored` tells when all that was written before is on disk:
with it, no answer need leave before its record is.
"""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime

import msgspec
import structlog

from bailiwick.app.noise import noise
from bailiwick.app.record import owners_of, record_of
from bailiwick.core import ids
from bailiwick.pipeline import Event
from bailiwick.trail.keeping import Keeper
from bailiwick.trail.segment import Segment
from bailiwick.trail.shelf import Shelf

log = structlog.get_logger()

_PAUSE = 0.2  # seconds that a record may lie in the queue before it is written
_TOGETHER = 64  # events of which records are made at once; of fewer when the thread comes by
_RETRY = 1.0  # seconds between attempts of a disk that refuses
_PATIENCE = 5.0  # seconds for which a disk may take nothing before requests are refused
_LAST_ATTEMPTS = 3  # at shutdown


class Trail:
    """The audit trail of one process. `write` is what the pipeline calls with each event."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        rotate_bytes: int = 64 << 20,
        capacity: int = 10_000,
        now: Callable[[], float] = time.time,
        keeper: Keeper | None = None,
    ) -> None:
        """Write to the trail on `shelf`; `keeper` signs it every hour."""
        self.shelf = shelf
        self._rotate_bytes = rotate_bytes
        self._capacity = capacity
        self._now = now
        self._keeper = keeper
        self._queue: deque[bytes | Future[None]] = deque()  # a Future is done when all before it is stored
        self._events: deque[Event] = deque()  # of which there is no record yet
        self._making = threading.Lock()
        self._room = threading.Condition()
        self._wake = threading.Event()
        self._closing = False
        self.shut = False
        """Whether the queue is full."""
        self._segment: Segment | None = None
        self.records = 0
        self.refusals = 0
        self._refused = False  # the last attempt
        self._since: float | None = None  # when what is being written was taken from the queue
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return len(self._events) + len(self._queue)

    @property
    def lag(self) -> float:
        """Seconds for which records have been waiting that should be on disk by now."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def trouble(self) -> str | None:
        """Why records cannot be written at present, or None."""
        if not self._thread.is_alive():
            return "the thread that writes the audit trail has ended"
        if self._refused:
            return f"the audit trail cannot be written to {self.shelf}"
        return "the queue of the audit trail is full" if self.waiting >= self._capacity else None

    def write(self, event: Event) -> None:
        """Have `event` written down. It never waits: the bound is kept by whoever looks at `shut` before."""
        self._events.append(event)
        if len(self._events) >= _TOGETHER:
            self._make_records()

    def wait(self) -> bool:
        """Wait until there is room for the records of more; False if the disk has taken nothing for too long."""
        with self._room:
            while self.shut:
                left = _PATIENCE - self.lag
                if left <= 0 or not self._thread.is_alive():
                    return False
                self._wake.set()
                self._room.wait(left)
        return True

    def _make_records(self) -> None:
        """Have the records of every event so far in the queue: together, which takes less than half the time."""
        with self._making:
            for _ in range(len(self._events)):
                event = self._events.popleft()
                owners = owners_of(event)
                if owners:
                    self._queue.extend(_shared_records(event, owners))
                else:
                    self._queue.append(_record(event))
            if self.waiting >= self._capacity:
                self.shut = True

    def stored(self) -> Future[None]:
        """What is done when every event written before is on disk."""
        done: Future[None] = Future()
        self._make_records()
        self._queue.append(done)
        self._wake.set()
        if not self._thread.is_alive() and not done.done():
            done.set_exception(RuntimeError("the audit trail has ended"))
        return done

    def flush(self) -> None:
        """Return when every event written before is on disk."""
        self.stored().result()

    def close(self) -> None:
        """Write what is left and end the thread. No event may be written after this."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._wake.wait(_PAUSE)
            self._wake.clear()
            closing = self._closing  # read first: what was queued before it was set is written in this round
            self._make_records()
            self._write_batch([self._queue.popleft() for _ in range(len(self._queue))])
            if self._keeper and (closing or self._keeper.is_due):
                self._sign(self._keeper)
        if self._segment:
            with contextlib.suppress(OSError):  # what is in it is on disk; the next process takes it over
                self._segment.close()

    def _write_batch(self, batch: list[bytes | Future[None]]) -> None:
        with self._room:
            self.shut = False
            self._room.notify_all()
        self._store_surely([item for item in batch if isinstance(item, bytes)])
        for item in batch:
            if isinstance(item, Future):
                item.set_result(None)

    def _store_surely(self, records: list[bytes]) -> None:
        attempts, self._since = 0, time.monotonic() if records else None
        while records and not self._store(records):
            self.refusals, self._refused = self.refusals + 1, True
            attempts = attempts + 1 if self._closing else 0
            if attempts == _LAST_ATTEMPTS:
                log.critical("audit records lost: the disk refused them at shutdown", records=len(records))
                return
            time.sleep(_RETRY)
        self._refused, self._since = False, None

    def _store(self, records: list[bytes]) -> bool:
        """Append the records; False if the disk refused, with nothing half-written left behind."""
        try:
            today = datetime.fromtimestamp(self._now(), UTC)
            full = self._segment and self._segment.state.bytes >= self._rotate_bytes
            if self._segment and (full or self._segment.day != today.strftime("%Y%m%d")):
                self._end_segment(self._segment)
            if self._segment is None:
                self._segment = self.shelf.begin(today)
            self._segment.append(records)
            self.records += len(records)
        except OSError as error:
            log.error("the audit trail cannot be written", place=str(self.shelf), reason=error.strerror)
            if error.errno == errno.ESTALE:
                self._segment = None  # another node took this one for dead: the records go into a new one
            return False
        return True

    def _end_segment(self, segment: Segment) -> None:
        self._segment = None
        if self._keeper:
            self._keeper.closed(segment.state)
        segment.close()

    def _sign(self, keeper: Keeper) -> None:
        try:
            if self._segment and self._closing:
                self._end_segment(self._segment)
            keeper.sign(self._segment.state if self._segment else None)
        except OSError as error:
            log.error("the digest of the audit trail cannot be written", reason=error.strerror)


def _record(event: Event) -> bytes:
    """The record as JSON. A record that cannot be made is an error of ours and still leaves a line."""
    try:
        return record_of(event, noise)
    except Exception as error:  # the trail must not stop because of one event
        log.error("an audit record could not be made", request_id=event.request_id, exc_info=error)
        return msgspec.json.encode({"requestID": event.request_id, "errorCode": "RecordNotMade"})


def _shared_records(event: Event, owners: tuple[str, ...]) -> list[bytes]:
    """The record of a call and, sharing an event id with it, one for each account whose resource it touched."""
    shared = ids.request_id(noise)
    try:
        return [record_of(event, noise, shared, owner) for owner in (None, *owners)]
    except Exception as error:
        log.error("a shared audit record could not be made", request_id=event.request_id, exc_info=error)
        return [_record(event)]

"""The audit trail: one CloudTrail-shaped record for each call, as JSON lines in files that rotate.

The request's path pays for one append to a bounded queue; one thread of the process turns events into
records, writes them and has them on disk (fsync) a batch at a time. When the queue is full the callers wait:
nothing is dropped. When the disk refuses, the batch is written again until it is there, so a server that
cannot write its trail stops answering rather than going on unseen.

A file is named after its begin and its process: `20261124T034338Z-4242.jsonl`, mode 0600. A new one is begun
at a size and at each new day (UTC).
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from bailiwick.app.noise import noise
from bailiwick.app.record import record_of
from bailiwick.pipeline import Event

log = structlog.get_logger()

_PAUSE = 0.1  # seconds that an event may lie in the queue before it is written
_RETRY = 1.0  # seconds between attempts of a disk that refuses
_LAST_ATTEMPTS = 3  # at shutdown


class Trail:
    """The audit trail of one process. `write` is what the pipeline calls with each event."""

    def __init__(
        self,
        folder: Path,
        *,
        rotate_bytes: int = 64 << 20,
        capacity: int = 10_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Begin a trail in `folder`, made with mode 0700 if need be. Raises OSError if it cannot be written."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        self._capacity = capacity
        self._now = now
        self._queue: deque[Event | threading.Event] = (
            deque()
        )  # a threading.Event is set when all before it is stored
        self._room = threading.Condition()
        self._wake = threading.Event()
        self._closing = False
        self._file: _File | None = None
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def write(self, event: Event) -> None:
        """Have `event` written down. Waits only while the queue is full."""
        # Length and append are atomic each, so threads that race go over the bound by their number at most.
        if len(self._queue) >= self._capacity:
            with self._room:
                while len(self._queue) >= self._capacity and self._thread.is_alive():
                    self._wake.set()
                    self._room.wait(_RETRY)
        self._queue.append(event)

    def flush(self) -> None:
        """Return when every event written before is on disk."""
        stored = threading.Event()
        self._queue.append(stored)
        self._wake.set()
        while not stored.wait(_RETRY) and self._thread.is_alive():
            pass

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
            closing = self._closing  # read first: what was queued before it was set is in this last batch
            batch = [self._queue.popleft() for _ in range(len(self._queue))]
            with self._room:
                self._room.notify_all()
            self._store_surely([_line(event) for event in batch if isinstance(event, Event)])
            for stored in batch:
                if isinstance(stored, threading.Event):
                    stored.set()
        if self._file:
            self._file.close()

    def _store_surely(self, lines: list[bytes]) -> None:
        attempts = 0
        while lines and not self._store(lines):
            attempts = attempts + 1 if self._closing else 0
            if attempts == _LAST_ATTEMPTS:
                log.critical("audit records lost: the disk refused them at shutdown", records=len(lines))
                return
            time.sleep(_RETRY)

    def _store(self, lines: list[bytes]) -> bool:
        """Append the lines to the trail; False if the disk refused, with nothing half-written left behind."""
        try:
            day = datetime.fromtimestamp(self._now(), UTC).strftime("%Y%m%d")
            if self._file and (self._file.size >= self._rotate_bytes or self._file.day != day):
                self._file.close()
                self._file = None
            if self._file is None:
                self._file = _File(self._folder, datetime.fromtimestamp(self._now(), UTC))
            self._file.append(b"".join(lines))
        except OSError as error:
            log.error("the audit trail cannot be written", folder=str(self._folder), reason=error.strerror)
            return False
        return True


class _File:
    """One file of the trail, open for appending."""

    def __init__(self, folder: Path, begin: datetime) -> None:
        self.day = begin.strftime("%Y%m%d")
        self.size = 0
        stem, number = f"{begin:%Y%m%dT%H%M%SZ}-{os.getpid()}", 0
        while True:
            name = folder / (f"{stem}.{number}.jsonl" if number else f"{stem}.jsonl")
            try:
                self._fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                break
            except FileExistsError:
                number += 1

    def append(self, data: bytes) -> None:
        """Write and fsync. Raises OSError, and then the file is as it was."""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self.size)
            os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += len(data)

    def close(self) -> None:
        os.close(self._fd)


def _line(event: Event) -> bytes:
    """The record as one line. A record that cannot be made is an error of ours and still leaves a line."""
    try:
        return record_of(event, noise) + b"\n"
    except Exception as error:  # the trail must not stop because of one event
        log.error("an audit record could not be made", request_id=event.request_id, exc_info=error)
        return msgspec.json.encode({"requestID": event.request_id, "errorCode": "RecordNotMade"}) + b"\n"

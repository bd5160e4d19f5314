"""A trail as files in a folder, all for their owner alone (mode 0600).

20261124T034338Z-4242.jsonl     a segment; its writer holds a lock on it (flock) while it may grow
20261124T034338Z-4242.index     its index; can be thrown away at any time
digest-20261124T040000Z-4242.json
follower-NAME.json              how far a follower has come; beside it .lock, held by the process that follows
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from bailiwick.trail.digest import PREFIX
from bailiwick.trail.digest import SUFFIX as DIGEST
from bailiwick.trail.segment import MAX_LINE, SUFFIX, State, block, first, stem, text_of
from bailiwick.trail.shelf import Kept, Read

INDEX = ".index"


class FileSegment:
    """A file open for appending."""

    def __init__(self, folder: Path, begin: datetime, before: FileSegment | None = None) -> None:
        """Begin a file. Raises OSError.

        INVARIANT: no name is given twice, though retention may have removed the file of `before`, the one that this
        process began last: what digests say of a name they say of one file.
        """
        self.day = begin.strftime("%Y%m%d")
        self._size = self._records = 0
        self.named = named = f"{stem(begin)}-{os.getpid()}"
        self.number: int
        number = before.number + 1 if before is not None and before.named == named else 0
        while True:
            self.number = number
            self.name = f"{named}.{number}{SUFFIX}" if number else f"{named}{SUFFIX}"
            try:
                # O_DSYNC: what was written is on disk. (A separate fsync would mean one more wait for the
                # interpreter's lock, and while a thread waits for that, whoever holds it pays.)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_DSYNC
                self._descriptor = os.open(folder / self.name, flags, 0o600)
                break
            except FileExistsError:
                number += 1
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._chain = first(self.name)

    @property
    def state(self) -> State:
        return State(self.name, self._records, self._size, text_of(self._chain).decode())

    def append(self, records: Sequence[bytes]) -> None:
        if not records:
            return
        body, tail, chain = block(self._chain, records)
        try:
            written = os.writev(self._descriptor, (body, tail))
            if written < len(body) + len(tail):
                rest = memoryview(body + tail)[written:]
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            raise
        self._chain = chain
        self._size += len(body) + len(tail)
        self._records += len(records)

    def close(self) -> None:
        os.close(self._descriptor)


class Files:
    """The trail in a folder."""

    def __init__(self, folder: Path) -> None:
        """Take a folder, which need not be there before the first segment is begun."""
        self.folder = folder
        self._last: FileSegment | None = None

    def __str__(self) -> str:
        return str(self.folder)

    def make(self) -> None:
        """Make the folder, with mode 0700, where it is missing. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self, at: datetime) -> FileSegment:
        self.make()
        self._last = FileSegment(self.folder, at, self._last)
        return self._last

    def segments(self) -> list[Kept]:
        found = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # retention was faster
            found.append(Kept(path.name, status.st_size, status.st_mtime))
        return found

    def grows(self, name: str) -> bool:
        with (self.folder / name).open("rb") as file:
            return not _lock(file, fcntl.LOCK_SH)

    def end(self, name: str) -> None:
        """A writer that is gone has let go of its lock, and none takes up a file that there is."""

    def lines(self, name: str, start: int = 0) -> Iterator[bytes]:
        with (self.folder / name).open("rb") as file:
            file.seek(start)
            while line := file.readline(MAX_LINE):
                yield line

    @contextmanager
    def reader(self, name: str) -> Iterator[Read]:
        with (self.folder / name).open("rb") as file:

            def read(offset: int) -> bytes:
                file.seek(offset)
                return file.readline(MAX_LINE)

            yield read

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
        self.index(name).unlink(missing_ok=True)

    def digests(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob(f"{PREFIX}*{DIGEST}"))

    def digest(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def keep_digest(self, name: str, data: bytes) -> None:
        _write(self.folder / name, data, os.O_EXCL)

    def index(self, name: str) -> Path:
        return (self.folder / name).with_suffix(INDEX)

    def cursor(self, name: str) -> FileCursor:
        return FileCursor(self.folder / f"follower-{name}.json")


class FileCursor:
    """A follower's position in a file, held by a lock on another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: BinaryIO | None = None

    def hold(self) -> bool:
        if self._lock is None:
            file = self._path.with_suffix(".lock").open("wb")
            if not _lock(file, fcntl.LOCK_EX, keep=True):
                file.close()
                return False
            self._lock = file
        return True

    def load(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""

    def save(self, position: bytes) -> None:
        part = self._path.with_suffix(".part")
        _write(part, position, os.O_TRUNC)
        part.replace(self._path)

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _lock(file: BinaryIO, kind: int, *, keep: bool = False) -> bool:
    """Whether the lock can be had."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    if not keep:
        fcntl.flock(file, fcntl.LOCK_UN)
    return True


def _write(path: Path, data: bytes, how: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

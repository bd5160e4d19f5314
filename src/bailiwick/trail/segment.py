"""A segment: one file of audit records, one to a line, written and chained in blocks.

The last record of a block has one more member at its end, `"chain":"<base64>"}`. The chain of a block is

    SHA-256( chain of the block before, 32 bytes | the lines of the block up to and without `,"chain":` )

and that before the first is SHA-256("bailiwick trail 1\\n" | file name). So a bit that is flipped, a line that is
taken out, put in or moved, and a file that is given another's name are all seen. Who can rewrite a whole file can
rewrite its chain: against that stand the digests (digest.py).

A file is named after its begin and its process: `20261124T034338Z-4242.jsonl`, mode 0600. Its writer holds a lock
on it (flock) as long as it may still grow.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

SUFFIX = ".jsonl"
_MEMBER = b',"chain":"'
_TAIL = len(_MEMBER) + 44 + len(b'"}\n')
MAX_LINE = 16 << 20


class State(msgspec.Struct, frozen=True):
    """How far a segment goes."""

    name: str
    records: int
    bytes: int
    chain: str


class Segment:
    """A segment open for appending."""

    def __init__(self, folder: Path, begin: datetime) -> None:
        """Begin a file. Raises OSError."""
        self.day = begin.strftime("%Y%m%d")
        self.size = self.records = 0
        stem, number = f"{begin:%Y%m%dT%H%M%SZ}-{os.getpid()}", 0
        while True:
            self.name = f"{stem}.{number}{SUFFIX}" if number else f"{stem}{SUFFIX}"
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
        """How far it goes now."""
        return State(self.name, self.records, self.size, _text(self._chain).decode())

    def append(self, records: Sequence[bytes]) -> None:
        """Write a block of records (JSON objects) and have it on disk.

        Raises OSError, and then the file is as it was.
        """
        if not records:
            return
        body = b"\n".join((*records[:-1], records[-1][:-1]))
        hasher = hashlib.sha256(self._chain)
        hasher.update(body)
        chain = hasher.digest()
        tail = b'%b%b"}\n' % (_MEMBER, _text(chain))
        try:
            written = os.writev(self._descriptor, (body, tail))
            if written < len(body) + len(tail):
                rest = memoryview(body + tail)[written:]
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            raise
        self._chain = chain
        self.size += len(body) + len(tail)
        self.records += len(records)

    def close(self) -> None:
        """End the file."""
        os.close(self._descriptor)


class Broken(Exception):
    """A segment is not as it was written. `after` is how many records are good before that place."""

    def __init__(self, name: str, after: int, reason: str) -> None:
        super().__init__(f"{name}: after {after} records: {reason}")
        self.name = name
        self.after = after
        self.reason = reason


class Torn(Broken):
    """The last block was cut short, as by a crash; nothing comes after it."""


def check(path: Path) -> Iterator[State]:
    """How far the segment goes after each of its blocks, every one of which is checked.

    Raises Broken at the first that is not as it was written, Torn if that is the last and was cut short.
    """
    chain, good, records, size, line = first(path.name), 0, 0, 0, b""
    hasher = hashlib.sha256(chain)
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            body, stored = split(line)
            hasher.update(body)
            records, size = records + 1, size + len(line)
            if stored is None:
                if not line.endswith(b"\n"):
                    break  # the last one, or longer than any that was written
                continue
            chain = hasher.digest()
            if _text(chain) != stored:
                raise Broken(path.name, good, "the chain does not hold: what is there was changed")
            hasher, good = hashlib.sha256(chain), records
            yield State(path.name, records, size, stored.decode())
    if records == good:
        return
    # What a crash leaves is the beginning of a line; a whole one with another end was changed.
    if line and split(line[:-1] + b"\n")[1] is None:
        raise Torn(path.name, good, "the last block was cut short")
    raise Broken(path.name, good, "the last block has no chain")


def split(line: bytes) -> tuple[bytes, bytes | None]:
    """The part of a line that a chain is over, and the chain in it; None for a line that does not end a block."""
    at = len(line) - _TAIL
    if at <= 0 or line[at : at + len(_MEMBER)] != _MEMBER or line[-3:] != b'"}\n':
        return line, None
    return line[:at], line[at + len(_MEMBER) : -3]


def first(name: str) -> bytes:
    """The chain before the first block of the segment with this name."""
    return hashlib.sha256(b"bailiwick trail 1\n" + name.encode()).digest()


def all_in(folder: Path) -> list[Path]:
    """The segments in a folder, in the order of their begin."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def grows(file: BinaryIO) -> bool:
    """Whether a living process still writes to this open segment."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _text(chain: bytes) -> bytes:
    return base64.b64encode(chain)

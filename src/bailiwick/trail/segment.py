"""A segment: one file of audit records, one to a line, each chained to the one before.

A line is the record's JSON with one more member at its end, `"chain":"<base64>"}`. The chain of a record is

    SHA-256( chain of the record before, 32 bytes | the line up to and without `,"chain":` )

and that of the record before the first is SHA-256("bailiwick trail 1\\n" | file name). So a bit that is flipped, a
line that is taken out, put in or moved, and a file that is given another's name are all seen. Who can rewrite a
whole file can rewrite its chain: against that stand the digests (digest.py).

A file is named after its begin and its process: `20261124T034338Z-4242.jsonl`, mode 0600. Its writer holds a lock
on it (flock) as long as it may still grow.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
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
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
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

    def append(self, records: Iterable[bytes]) -> None:
        """Write records (JSON objects) and have them on disk. Raises OSError, and then the file is as it was."""
        lines, chain, count = list[bytes](), self._chain, 0
        for record in records:
            body = record[:-1]
            chain = hashlib.sha256(chain + body).digest()
            lines += (body, _MEMBER, _text(chain), b'"}\n')
            count += 1
        data = b"".join(lines)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            raise
        self._chain = chain
        self.size += len(data)
        self.records += count

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
    """The last line was cut short, as by a crash; nothing comes after it."""


def check(path: Path) -> Iterator[State]:
    """How far the segment goes after each of its records, every one of which is checked.

    Raises Broken at the first that is not as it was written, Torn if that is the last and was cut short.
    """
    chain, records, size = first(path.name), 0, 0
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            body, stored = split(line)
            if stored is None:
                # What a crash leaves is the beginning of a line; a whole one with another end was changed.
                is_last = not line.endswith(b"\n") and not file.read(1) and split(line[:-1] + b"\n")[1] is None
                kind = Torn if is_last else Broken
                raise kind(path.name, records, "the last line was cut short" if is_last else "a line has no chain")
            chain = hashlib.sha256(chain + body).digest()
            if _text(chain) != stored:
                raise Broken(path.name, records, "the chain does not hold: what is there was changed")
            records, size = records + 1, size + len(line)
            yield State(path.name, records, size, stored.decode())


def split(line: bytes) -> tuple[bytes, bytes | None]:
    """The part of a line that the chain is over, and the chain in it; None for a line that has none."""
    at = len(line) - _TAIL
    if at <= 0 or line[at : at + len(_MEMBER)] != _MEMBER or line[-3:] != b'"}\n':
        return line, None
    return line[:at], line[at + len(_MEMBER) : -3]


def first(name: str) -> bytes:
    """The chain before the first record of the segment with this name."""
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

"""A segment: audit records, one to a line, written and chained in blocks.

The last record of a block has one more member at its end, `"chain":"<base64>"}`. The chain of a block is

    SHA-256( chain of the block before, 32 bytes | the lines of the block up to and without `,"chain":` )

and that before the first is SHA-256("bailiwick trail 1\\n" | name of the segment). So a bit that is flipped, a line
that is taken out, put in or moved, and a segment that is given another's name are all seen. Who can rewrite a whole
segment can rewrite its chain: against that stand the digests (digest.py).

A segment is named after its begin and its writer: `20261124T034338Z-4242.jsonl`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

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


class Segment(Protocol):
    """A segment open for appending."""

    day: str
    """The day of its begin, `20261124`."""

    @property
    def state(self) -> State:
        """How far it goes now."""

    def append(self, records: Sequence[bytes]) -> None:
        """Write records (JSON objects) and have them on disk. Raises OSError, and then it is as it was."""

    def close(self) -> None:
        """End it."""


def block(chain: bytes, records: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """A block of records after the one with this chain: its lines, their end, and its own chain."""
    body = b"\n".join((*records[:-1], records[-1][:-1]))
    hasher = hashlib.sha256(chain)
    hasher.update(body)
    chain = hasher.digest()
    return body, b'%b%b"}\n' % (_MEMBER, text_of(chain)), chain


class Broken(Exception):
    """A segment is not as it was written. `after` is how many records are good before that place."""

    def __init__(self, name: str, after: int, reason: str) -> None:
        super().__init__(f"{name}: after {after} records: {reason}")
        self.name = name
        self.after = after
        self.reason = reason


class Torn(Broken):
    """The last block was cut short, as by a crash; nothing comes after it."""


def check(name: str, lines: Iterable[bytes]) -> Iterator[State]:
    """How far the segment goes after each of its blocks, every one of which is checked.

    Raises Broken at the first that is not as it was written, Torn if that is the last and was cut short.
    """
    chain, good, records, size, line = first(name), 0, 0, 0, b""
    hasher = hashlib.sha256(chain)
    for line in lines:
        body, stored = split(line)
        hasher.update(body)
        records, size = records + 1, size + len(line)
        if stored is None:
            if not line.endswith(b"\n"):
                break  # the last one, or longer than any that was written
            continue
        chain = hasher.digest()
        if text_of(chain) != stored:
            raise Broken(name, good, "the chain does not hold: what is there was changed")
        hasher, good = hashlib.sha256(chain), records
        yield State(name, records, size, stored.decode())
    if records == good:
        return
    # What a crash leaves is the beginning of a line; a whole one with another end was changed.
    if not line.endswith(b"\n") and split(line[:-1] + b"\n")[1] is None:
        raise Torn(name, good, "the last block was cut short")
    raise Broken(name, good, "the last block has no chain")


def split(line: bytes) -> tuple[bytes, bytes | None]:
    """The part of a line that a chain is over, and the chain in it; None for a line that does not end a block."""
    at = len(line) - _TAIL
    if at <= 0 or line[at : at + len(_MEMBER)] != _MEMBER or line[-3:] != b'"}\n':
        return line, None
    return line[:at], line[at + len(_MEMBER) : -3]


def record_in(line: bytes) -> bytes:
    """The record in a line, as it was before it was chained."""
    body, chain = split(line)
    return line.rstrip(b"\n") if chain is None else body + b"}"


def first(name: str) -> bytes:
    """The chain before the first block of the segment with this name."""
    return hashlib.sha256(b"bailiwick trail 1\n" + name.encode()).digest()


def stem(begin: datetime) -> str:
    """What the name of a segment that begins then starts with."""
    return f"{begin:%Y%m%dT%H%M%SZ}"


def begin_of(name: str) -> float:
    """When a segment was begun, in epoch seconds; 0 for a name that does not tell."""
    try:
        return datetime.strptime(name[:16] + "+0000", "%Y%m%dT%H%M%SZ%z").timestamp()
    except ValueError:
        return 0.0


def text_of(chain: bytes) -> bytes:
    """A chain as it is written."""
    return base64.b64encode(chain)

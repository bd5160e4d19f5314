"""Where a trail lies: what files (files.py) and the database (database.py) both can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from bailiwick.trail.segment import Segment


class Kept(msgspec.Struct, frozen=True):
    """A segment as it lies there: its size in bytes, and when it was last written to (epoch seconds)."""

    name: str
    bytes: int
    written: float


Read = Callable[[int], bytes]
"""Gives the line that begins at an offset of a segment."""


class Cursor(Protocol):
    """How far a follower of the trail has come. One process holds it at a time."""

    def hold(self) -> bool:
        """Take it, or keep it; False while another process has it. Raises OSError."""

    def load(self) -> bytes:
        """What was saved last; empty at first. Raises OSError."""

    def save(self, position: bytes) -> None:
        """Have it on disk. Raises OSError, also if another process has taken over."""

    def release(self) -> None:
        """Let others have it."""


class Shelf(Protocol):
    """The place of one trail. Everything raises OSError for what cannot be read or written."""

    def begin(self, at: datetime) -> Segment:
        """Begin a segment."""

    def segments(self) -> list[Kept]:
        """Every segment, in the order of their names and so of their begin."""

    def grows(self, name: str) -> bool:
        """Whether a living process may still write to it."""

    def end(self, name: str) -> None:
        """See to it that nothing is added to a segment whose writer is gone."""

    def lines(self, name: str, start: int = 0) -> Iterator[bytes]:
        """The lines from an offset on; the last may lack its end. FileNotFoundError: it was removed."""

    def reader(self, name: str) -> AbstractContextManager[Read]:
        """Reads lines by their offset. FileNotFoundError: it was removed."""

    def remove(self, name: str) -> None:
        """Remove a segment and what belongs to it."""

    def digests(self) -> list[str]:
        """The names of the digests, the oldest first."""

    def digest(self, name: str) -> bytes:
        """A digest as it was written."""

    def keep_digest(self, name: str, data: bytes) -> None:
        """Have a new digest on disk."""

    def index(self, name: str) -> Path | None:
        """The file in which the index of a segment may be kept, if there may be one."""

    def cursor(self, name: str) -> Cursor:
        """The position of the follower with this name."""

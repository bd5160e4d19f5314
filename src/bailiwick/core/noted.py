"""When things were last used: noted in memory on the path of every request, and written in bulk off it.

What is in use is used over and over. A use that was written is written again only when another kind of use follows
or AGAIN seconds have passed, so that a server under load does not commit something every second, which every
process would have to look at.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from bailiwick.core.bounded import Bounded

K = TypeVar("K", bound=Hashable)
W = TypeVar("W")

AGAIN = 60.0
"""Seconds for which what was written may be behind."""

_WRITTEN = 20_000  # uses that are known to be written; the others are written again


Use = tuple[float, W, str]
"""A use: its time (epoch seconds), its kind, and what else is told of it. A plain tuple: each call makes some."""


class Noted(Generic[K, W]):
    """The last use of each thing since it was written. Safe between threads that hold the interpreter's lock."""

    def __init__(self) -> None:
        self.uses: dict[K, Use[W]] = {}
        self._written: Bounded[K, Use[W]] = Bounded(_WRITTEN)

    @contextmanager
    def due(self, now: float = math.inf) -> Iterator[dict[K, Use[W]]]:
        """What is to be written at `now` (epoch seconds), by default all. If the block fails it stays noted."""
        taken: dict[K, Use[W]] = {}
        for thing, use in tuple(self.uses.items()):
            if self._is_due(thing, use, now):
                taken[thing] = self.uses.pop(thing)
        try:
            yield taken
        except BaseException:
            for thing, use in taken.items():
                self.uses.setdefault(thing, use)  # unless there is a newer one
            raise
        for thing, use in taken.items():
            self._written.put(thing, use)

    def _is_due(self, thing: K, use: Use[W], now: float) -> bool:
        written = self._written.get(thing)
        return written is None or written[1] != use[1] or now - written[0] >= AGAIN

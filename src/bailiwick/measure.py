"""Counts and times, cheap enough for the path of a request and true between threads."""

from __future__ import annotations

from bisect import bisect_left
from itertools import count
from typing import NamedTuple

from bailiwick.core.bounded import counted

SECONDS = (
    *(0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5),
    *(0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of the buckets that times fall into: from a stage of a request to a database that hangs."""


class Distribution(NamedTuple):
    """How many observations fell into each bucket, the last of which has no bound, and the sum of all."""

    counts: tuple[int, ...]
    sum: float


class Tally:
    """A count that only grows. `add` counts one."""

    __slots__ = ("_counter", "add")

    def __init__(self) -> None:
        self._counter = count()
        self.add = self._counter.__next__

    @property
    def value(self) -> int:
        """How often `add` was called."""
        return counted(self._counter)


class Histogram:
    """Times by bucket. Two threads that add at the same moment may lose one addend of the sum, never a count."""

    __slots__ = ("_adds", "_tallies", "sum")

    def __init__(self) -> None:
        self._tallies = [Tally() for _ in range(len(SECONDS) + 1)]
        self._adds = [tally.add for tally in self._tallies]
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Take one time."""
        self._adds[bisect_left(SECONDS, seconds)]()
        self.sum += seconds

    @property
    def distribution(self) -> Distribution:
        """What was observed."""
        return Distribution(tuple(tally.value for tally in self._tallies), self.sum)

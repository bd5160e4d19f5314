"""A bounded memory for what can be made again, cheap enough for the path of every request.

Two halves, the young one and the old one. What is asked for or put goes into the young half; when that is full the
old half is let go of and the young one becomes old. So what was used within the last half of the bound is there,
and what is dropped was not used for at least as long: the least recently used go first, in bulk, and a hit costs
one look into a dictionary.

Safe between threads that hold the interpreter's lock: every step is one operation on a dictionary, and a race can
lose an entry, which is made again, but can neither give a wrong one nor pass the bound by more than the number of
threads.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from typing import Generic, NamedTuple, TypeVar, overload

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")


class Use(NamedTuple):
    """How a memory is used: entries in it, the most there may be, and how often asked with and without success."""

    size: int
    limit: int
    hits: int
    misses: int


class Bounded(Generic[K, V]):
    """At most `limit` values by key; the least recently used are dropped."""

    __slots__ = ("_half", "_hits", "_limit", "_misses", "_old", "_young")

    def __init__(self, limit: int) -> None:
        """Take the bound, at least 2."""
        if limit < 2:
            raise ValueError("a bounded memory has room for two values at least")
        self._limit = limit
        self._half = limit // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._hits, self._misses = count(), count()  # `next` on them is one step, whatever other threads do

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: D | None = None) -> V | D | None:
        """The value under `key`, or the default."""
        value = self._young.get(key)
        if value is not None:
            next(self._hits)
            return value
        value = self._old.get(key)
        if value is None:
            next(self._misses)
            return default
        next(self._hits)
        self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value, which is not None."""
        young = self._young
        if len(young) >= self._half and key not in young:
            self._old, self._young = young, (young := {})
        young[key] = value

    def clear(self) -> None:
        """Drop everything."""
        self._young, self._old = {}, {}

    def __len__(self) -> int:
        """How many values are held; one that is in both halves counts twice."""
        return len(self._young) + len(self._old)

    @property
    def use(self) -> Use:
        """How it is used."""
        return Use(len(self), self._limit, counted(self._hits), counted(self._misses))


def counted(counter: count[int]) -> int:
    """How often `next` was called on a counter that began at 0; this does not move it on."""
    return int(repr(counter)[len("count(") : -1])

"""A bounded memory for what can be made again, cheap enough for the path of every request.

Two halves, the young one and the old one. What is asked for or put goes into the young half; when that is full the
old half is let go of and the young one becomes old. So what was used within the last half of the bound is there,
and what is dropped was not used for at least as long: the least recently used go first, in bulk, and a hit costs
one look into a dictionary.

Where values may be large, their weight is bounded as well. Many may share one large part (the policies of one
caller), so parts are what is weighed, each once in a half.

Safe between threads that hold the interpreter's lock: every step is one operation on a dictionary, and a race can
lose an entry, which is made again, but can neither give a wrong one nor pass the bound by more than the number of
threads.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
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


Parts = Iterable[tuple[object, int]]
"""What a value keeps alive that is large, each with the bytes that it is taken to weigh."""


class Bounded(Generic[K, V]):
    """At most `limit` values by key; the least recently used are dropped."""

    __slots__ = ("_half", "_hits", "_limit", "_misses", "_most", "_old", "_parts", "_weighed", "_weight", "_young")

    def __init__(self, limit: int, *, most: int = 0, parts: Callable[[K, V], Parts] | None = None) -> None:
        """Take the bound, at least 2. With `parts`, the weight of all parts is bounded by `most` bytes as well.

        One value of more than half of that is kept all the same, and goes with the next.
        """
        if limit < 2:
            raise ValueError("a bounded memory has room for two values at least")
        self._limit = limit
        self._half = limit // 2
        self._most = most // 2
        self._parts = parts
        self._weighed: set[int] = set()  # the ids of the parts in the young half, which keeps them alive
        self._weight = 0
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
            young = self._grown_old()
        if self._parts is not None:
            young = self._weigh(key, value, young)
        young[key] = value

    def _weigh(self, key: K, value: V, young: dict[K, V]) -> dict[K, V]:
        """The half that has room for a value: a new one if it weighs too much together with the others."""
        assert self._parts is not None, "nothing is weighed without them"
        parts = tuple(self._parts(key, value))
        more = sum(weight for part, weight in parts if id(part) not in self._weighed)
        if self._weight + more > self._most and young:
            young = self._grown_old()
            more = sum(weight for _, weight in parts)
        self._weighed.update(id(part) for part, _ in parts)
        self._weight += more
        return young

    def _grown_old(self) -> dict[K, V]:
        """Let go of the old half; returns a new young one."""
        self._old, self._young = self._young, {}
        self._weighed, self._weight = set(), 0
        return self._young

    def clear(self) -> None:
        """Drop everything."""
        self._young, self._old = {}, {}
        self._weighed, self._weight = set(), 0

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

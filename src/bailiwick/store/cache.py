"""Values made from rows, kept until one of the topics that they depend on has changed.

INVARIANT: a value is kept only if no topic was forgotten since the snapshot that it was read from was opened.
So a value read before a commit can never be put back after its eviction: `put` compares the generation at which
the reader's snapshot began with the present one, and every eviction moves the generation on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from threading import Lock
from typing import Any

MISSING = object()

BYTES = 2_000
"""What a value with its key and topics is taken to weigh, if it has no `weight` of its own."""

_Key = tuple[str, Hashable]
_Entry = tuple[Any, tuple[str, ...], int]


class Cache:
    """A bounded memory of values by kind and key; the least recently used goes first. Safe between threads.

    Both the number of values and the bytes that they are taken to weigh are bounded: a value may say in an
    attribute `weight` about how many it holds.
    """

    def __init__(self, size: int, most: int = 64 << 20) -> None:
        """Take the greatest number of values, and of bytes."""
        self.size = size
        self.most = most
        self.weight = 0
        self.generation = 0
        self.hits = self.misses = 0
        self._lock = Lock()
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._dependents: dict[str, set[_Key]] = {}

    def get(self, kind: str, key: Hashable) -> Any:
        """The value, or MISSING."""
        with self._lock:
            entry = self._entries.get((kind, key))
            if entry is None:
                self.misses += 1
                return MISSING
            self.hits += 1
            self._entries.move_to_end((kind, key))
            return entry[0]

    def put(self, kind: str, key: Hashable, value: Any, topics: Iterable[str], generation: int) -> None:
        """Keep a value that was read from a snapshot opened at `generation`, unless it may be stale."""
        with self._lock:
            weight = getattr(value, "weight", BYTES)
            if generation != self.generation or weight > self.most:
                return
            self._drop((kind, key))
            depends = tuple(topics)
            self._entries[kind, key] = (value, depends, weight)
            self.weight += weight
            for topic in depends:
                self._dependents.setdefault(topic, set()).add((kind, key))
            while len(self._entries) > self.size or self.weight > self.most:
                self._drop(next(iter(self._entries)))

    def forget(self, topics: Iterable[str]) -> None:
        """Drop every value that depends on one of `topics`."""
        with self._lock:
            self.generation += 1
            for topic in topics:
                for key in tuple(self._dependents.get(topic, ())):
                    self._drop(key)

    def clear(self) -> None:
        """Drop every value."""
        with self._lock:
            self.generation += 1
            self._entries.clear()
            self._dependents.clear()
            self.weight = 0

    def _drop(self, key: _Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.weight -= entry[2]
        for topic in entry[1]:
            dependents = self._dependents[topic]
            dependents.discard(key)
            if not dependents:
                del self._dependents[topic]

    def __len__(self) -> int:
        return len(self._entries)

"""Searching a trail: the newest records first, by words and time, through the indexes of its segments."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator

import msgspec

from bailiwick.trail.index import Finished, Growing, Index, load, words_of
from bailiwick.trail.segment import begin_of
from bailiwick.trail.shelf import Kept, Shelf

_LONGEST_CALL = 3600.0  # seconds that a record's event may be older than the segment it is in
_CLOCK = 300.0  # seconds that a record's event may be later than the last writing, on a clock that was set back
_MOST_INDEXES = 512


class Query(msgspec.Struct, frozen=True):
    """What is asked for: records with all of these words (index.py), from `since` to `until` (epoch seconds)."""

    words: tuple[str, ...] = ()
    since: float = 0.0
    until: float = math.inf


class Place(msgspec.Struct, frozen=True, order=True):
    """Where a record is: later ones are greater. A search that was cut goes on after one."""

    time: int
    segment: str
    offset: int


Hit = tuple[Place, bytes]
Progress = Callable[[str], None]
"""Is told the name of each segment that is indexed for the first time."""


class Search:
    """Searches one trail, and keeps what it learnt of its segments. Safe between threads."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._finished: dict[str, Finished] = {}
        self._growing: dict[str, Growing] = {}

    def find(
        self, query: Query, after: Place | None = None, progress: Progress = lambda name: None
    ) -> Iterator[Hit]:
        """The records that fit, as lines, the newest first.

        `after` is the place of the last one that was told before. Raises OSError.
        """
        if after is not None:
            query = msgspec.structs.replace(query, until=min(query.until, after.time))
        present = self._shelf.segments()
        with self._lock:
            for name in self._growing.keys() - {kept.name for kept in present}:
                del self._growing[name]  # retention has removed it
        ahead = [kept for kept in present if _overlap(kept, query)]
        ahead.sort(key=lambda kept: kept.written)
        begun: list[tuple[Hit, Iterator[Hit]]] = []  # the segments that were begun, each with its next record
        while ahead or begun:
            # A segment is opened when something in it may be newer than what the others have.
            while ahead and (not begun or ahead[-1].written + _CLOCK >= max(hit[0].time for hit, _ in begun)):
                stream = self._within(ahead.pop(), query, after, progress)
                begun += [(hit, stream) for hit in (next(stream, None),) if hit is not None]
            if not begun:
                continue
            at = max(range(len(begun)), key=lambda at: begun[at][0][0])
            hit, stream = begun[at]
            yield hit
            following = next(stream, None)
            begun[at : at + 1] = [] if following is None else [(following, stream)]

    def _within(self, kept: Kept, query: Query, after: Place | None, progress: Progress) -> Iterator[Hit]:
        """The records of one segment."""
        with contextlib.suppress(FileNotFoundError):  # retention may be faster
            with self._lock:
                found = self._index(kept, progress).places(query.words, query.since, query.until)
            with self._shelf.reader(kept.name) as read:
                for time, offset in found:
                    place = Place(time, kept.name, offset)
                    if after is not None and place >= after:
                        continue
                    line = read(offset)
                    if _fits(line, query):
                        yield place, line

    def _index(self, kept: Kept, progress: Progress) -> Index:
        found = self._finished.get(kept.name)
        if found is None and (path := self._shelf.index(kept.name)) is not None:
            found = load(path, kept.bytes)
        if found is None:
            return self._made(kept, progress)
        self._remember(kept.name, found)
        return found

    def _made(self, kept: Kept, progress: Progress) -> Index:
        """The index of a segment that has none, or grows."""
        grows = self._shelf.grows(kept.name)  # before it is read, so that its end is the end
        growing = self._growing.setdefault(kept.name, Growing())
        if not grows:
            progress(kept.name)
        growing.extend(self._shelf.lines(kept.name, growing.size))
        if grows:
            return growing
        del self._growing[kept.name]
        finished = growing.finished()
        self._remember(kept.name, finished)
        if (path := self._shelf.index(kept.name)) is not None:
            with contextlib.suppress(OSError):  # a folder that cannot be written can still be searched
                finished.save(path, max(kept.bytes, growing.size))
        return finished

    def _remember(self, name: str, index: Finished) -> None:
        if len(self._finished) >= _MOST_INDEXES:
            self._finished.pop(next(iter(self._finished)))
        self._finished[name] = index


def _overlap(kept: Kept, query: Query) -> bool:
    return kept.written + _CLOCK >= query.since and begin_of(kept.name) - _LONGEST_CALL <= query.until


def _fits(line: bytes, query: Query) -> bool:
    try:
        time, words = words_of(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return query.since <= time <= query.until and set(query.words) <= set(words)

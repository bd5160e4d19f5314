"""Searching a trail: the newest records first, by words and time, through the indexes of its segments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from bailiwick.trail import segment
from bailiwick.trail.index import SUFFIX, Index, build, load, words_of


class Query(msgspec.Struct, frozen=True):
    """What is asked for: records with all of these words (index.py), from `since` to `until` (epoch seconds)."""

    words: tuple[str, ...] = ()
    since: float = 0.0
    until: float = float("inf")


Place = tuple[str, int]
"""A segment's name and a record's place in it: where a search that was cut goes on."""


def search(
    folder: Path, query: Query, after: Place | None = None, progress: Callable[[str], None] = lambda name: None
) -> Iterator[tuple[Place, bytes]]:
    """The records that fit, as lines, segment by segment from the newest; within one, from its end.

    `after` is the place of the last one that was told before. `progress` hears of each segment that is indexed
    for the first time. Raises OSError.
    """
    for path in reversed(segment.all_in(folder)):
        if after is not None and path.name > after[0]:
            continue
        if _begin(path.name) > query.until:
            continue
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:  # retention may have been faster
            index = _index(path, file, progress)
            before = after[1] if after is not None and path.name == after[0] else len(index)
            for place in reversed(_fitting(index, query)):
                if place >= before:
                    continue
                file.seek(index.offsets[place])
                line = file.readline(segment.MAX_LINE)
                if _fits(line, query):
                    yield (path.name, place), line


def _fitting(index: Index, query: Query) -> list[int]:
    """The places that may fit, in order."""
    if query.words:
        found = sorted(set.intersection(*(set(index.places(word)) for word in query.words)))
    else:
        found = list(range(len(index)))
    return [place for place in found if query.since <= index.times[place] <= query.until]


def _fits(line: bytes, query: Query) -> bool:
    try:
        time, words = words_of(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return query.since <= time <= query.until and set(query.words) <= set(words)


def _index(path: Path, file: BinaryIO, progress: Callable[[str], None]) -> Index:
    size = path.stat().st_size
    kept = path.with_suffix(SUFFIX)
    found = load(kept, size)
    if found is not None:
        return found
    may_grow = segment.grows(file)
    if not may_grow:
        progress(path.name)
    index = build(iter(lambda: file.readline(segment.MAX_LINE), b""))
    if not may_grow:
        with contextlib.suppress(OSError):  # a folder that cannot be written can still be searched
            index.save(kept, size)
    return index


def _begin(name: str) -> float:
    try:
        return datetime.strptime(name[:16] + "+0000", "%Y%m%dT%H%M%SZ%z").timestamp()
    except ValueError:
        return 0.0

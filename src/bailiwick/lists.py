"""Lists in pages: where a page begins and ends.

A marker says after which entry the next page begins. It is authenticated, and bound to a `scope`: the list and the
account that it was made for. What it is called, how long a page is and how another marker is refused, each service
says itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bailiwick.api import ApiError, Call
from bailiwick.core.errors import SealError
from bailiwick.core.formats import make_marker, read_marker

T = TypeVar("T")


def after(call: Call, scope: str, marker: str | None, refused: ApiError) -> str:
    """The key after which a page begins; empty for the first page, which has no marker.

    Raises `refused` for a marker that was not given out by this deployment for this list.
    """
    if marker is None:
        return ""
    try:
        return read_marker(call.environment.ring, scope, marker)
    except SealError:
        raise refused from None


def cut(
    call: Call, scope: str, entries: Sequence[T], most: int, key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """Of the entries that a page may begin with, the page, and the marker of what follows; None if nothing does.

    One entry more than the page is enough. `key` gives an entry's sort key.
    """
    shown = list(entries[:most])
    return shown, make_marker(call.environment.ring, scope, key(shown[-1])) if len(entries) > most else None


def page(
    call: Call,
    scope: str,
    marker: str | None,
    refused: ApiError,
    entries: Sequence[T],
    most: int,
    key: Callable[[T], str],
) -> tuple[list[T], str | None]:
    """Of a whole list, the page that begins after a marker, and the marker of what follows.

    The list is in the order of `key`, which no two entries share. Raises `refused` as `after` does.
    """
    start = after(call, scope, marker, refused)
    return cut(call, scope, [each for each in entries if key(each) > start] if start else entries, most, key)

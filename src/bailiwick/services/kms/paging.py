"""Pages of a list: `Limit` and `Marker`, `Truncated` and `NextMarker` (facts/kms.md section 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bailiwick import lists
from bailiwick.api import Call
from bailiwick.core.formats import list_scope
from bailiwick.services.kms.shapes import InvalidMarkerException

T = TypeVar("T")


def after(call: Call, marker: str | None) -> str:
    """The sort key after which the page begins; empty for the first page. Raises InvalidMarkerException."""
    return lists.after(call, _scope(call), marker, InvalidMarkerException("The marker is not valid."))


def page(call: Call, entries: Sequence[T], limit: int, key: Callable[[T], str]) -> tuple[list[T], bool, str | None]:
    """Cut a list into a page: what it shows, whether there is more, and the marker of what follows."""
    shown, marker = lists.cut(call, _scope(call), entries, limit, key)
    return shown, marker is not None, marker


def _scope(call: Call) -> str:
    return list_scope(call.account, call.operation.action, call.region)

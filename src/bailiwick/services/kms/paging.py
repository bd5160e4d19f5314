"""Pages of a list: `Limit` and `Marker`, `Truncated` and `NextMarker` (facts/kms.md section 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bailiwick.api import Call
from bailiwick.core.errors import SealError
from bailiwick.core.formats import list_scope, make_marker, read_marker
from bailiwick.services.kms.shapes import InvalidMarkerException

T = TypeVar("T")


def after(call: Call, marker: str | None) -> str:
    """The sort key after which the page begins; empty for the first page. Raises InvalidMarkerException."""
    if marker is None:
        return ""
    try:
        return read_marker(call.environment.ring, _scope(call), marker)
    except SealError:
        raise InvalidMarkerException("The marker is not valid.") from None


def page(call: Call, entries: Sequence[T], limit: int, key: Callable[[T], str]) -> tuple[list[T], bool, str | None]:
    """Cut a list into a page: what it shows, whether there is more, and the marker of what follows."""
    if len(entries) <= limit:
        return list(entries), False, None
    shown = list(entries[:limit])
    return shown, True, make_marker(call.environment.ring, _scope(call), key(shown[-1]))


def _scope(call: Call) -> str:
    return list_scope(call.account, call.operation.action, call.region)

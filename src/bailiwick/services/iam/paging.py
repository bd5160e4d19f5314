"""Pages of a list: `Marker` and `MaxItems`.

A marker says after which entry the next page begins. It is authenticated, and bound to the list and the account
that it was made for: what was not given out by this deployment for this list is `Invalid Marker.`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select

from bailiwick import lists
from bailiwick.api import Call, ValidationError
from bailiwick.core.formats import list_scope

T = TypeVar("T")

DEFAULT = 100


def after(call: Call, marker: str | None) -> str:
    """The sort key after which the page begins; empty for the first page. Raises ValidationError."""
    return lists.after(call, _scope(call), marker, ValidationError("Invalid Marker."))


def page(
    call: Call, entries: Sequence[T], limit: int | None, key: Callable[[T], str]
) -> tuple[list[T], bool, str | None]:
    """Cut a list, of which one entry more than the page was read, into a page.

    Returns the page, whether there is more, and the marker of what follows. `key` gives an entry's sort key.
    """
    shown, marker = lists.cut(call, _scope(call), entries, limit or DEFAULT, key)
    return shown, marker is not None, marker


def read(
    call: Call, request: Any, statement: Select[Any], column: ColumnElement[str]
) -> tuple[list[Row[Any]], bool, str | None]:
    """The page of a statement's rows that a request with MaxItems and Marker asks for, as `page` gives it.

    They are in the order of `column`, a unique one of those that are selected. Raises ValidationError.
    """
    after_it = statement.where(column > after(call, request.Marker)).order_by(column)
    rows = call.transaction.all(after_it.limit(wanted(request.MaxItems)))
    return page(call, rows, request.MaxItems, lambda row: str(row._mapping[column]))


def wanted(limit: int | None) -> int:
    """How many rows to read: the page and one more, which tells whether there is a next one."""
    return (limit or DEFAULT) + 1


def _scope(call: Call) -> str:
    return list_scope(call.account, call.operation.action)

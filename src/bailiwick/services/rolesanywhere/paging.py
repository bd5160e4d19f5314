"""Pages of a list: `pageSize` and `nextToken`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bailiwick import lists
from bailiwick.api import Call
from bailiwick.services.rolesanywhere.shapes import ListRequest, ValidationException

T = TypeVar("T")

_USUAL, _MOST = 50, 1000


def after(call: Call, request: ListRequest) -> str:
    """The sort key after which the page begins; empty for the first page. Raises ValidationException."""
    return lists.after(call, _scope(call), request.nextToken, ValidationException("Invalid nextToken."))


def size(request: ListRequest) -> int:
    """How many entries a page has. Raises ValidationException."""
    wanted = _USUAL if request.pageSize is None else request.pageSize
    if not 1 <= wanted <= _MOST:
        raise ValidationException(f"pageSize must be between 1 and {_MOST}.")
    return wanted


def page(
    call: Call, request: ListRequest, entries: Sequence[T], key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """Of entries in the order of `key`, the page that is asked for, and the token of what follows."""
    refused = ValidationException("Invalid nextToken.")
    return lists.page(call, _scope(call), request.nextToken, refused, entries, size(request), key)


def _scope(call: Call) -> str:
    return f"{call.account}/{call.region}/{call.operation.action}"

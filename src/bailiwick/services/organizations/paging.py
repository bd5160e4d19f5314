"""Pages of a list: `MaxResults` and `NextToken`, at most 20 entries (facts/iam.md, Organizations)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bailiwick import lists
from bailiwick.api import Call
from bailiwick.services.organizations.shapes import InvalidInputException

T = TypeVar("T")

_MOST = 20


def page(call: Call, request: Any, entries: Sequence[T], key: Callable[[T], str]) -> tuple[list[T], str | None]:
    """The part of a list that a request asks for, and the token of what follows.

    The list is in the order of `key`, which no two entries share. Raises InvalidInputException for a token that was
    not given out for this list.
    """
    scope = f"{call.account}/{call.operation.action}"
    refused = InvalidInputException("You provided an invalid NextToken.", Reason="INVALID_NEXT_TOKEN")
    most = getattr(request, "MaxResults", None) or _MOST
    return lists.page(call, scope, request.NextToken, refused, entries, most, key)


def moment(seconds: float, entry_id: str) -> str:
    """A sort key: by time, then by id."""
    return f"{seconds:020.6f}/{entry_id}"

"""Pages of a list: `MaxResults` and `NextToken`, at most 20 entries (facts/iam.md, Organizations)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bailiwick.api import Call
from bailiwick.core.errors import SealError
from bailiwick.core.formats import make_marker, read_marker
from bailiwick.services.organizations.shapes import InvalidInputException

T = TypeVar("T")

_MOST = 20


def page(call: Call, request: Any, entries: Sequence[T], key: Callable[[T], str]) -> tuple[list[T], str | None]:
    """The part of a list that a request asks for, and the token of what follows.

    The list is in the order of `key`, which no two entries share. Raises InvalidInputException for a token that was
    not given out for this list.
    """
    scope = f"{call.account}/{call.operation.action}"
    if request.NextToken is not None:
        try:
            start = read_marker(call.environment.ring, scope, request.NextToken)
        except SealError:
            raise InvalidInputException("You provided an invalid NextToken.", Reason="INVALID_NEXT_TOKEN") from None
        entries = [entry for entry in entries if key(entry) > start]
    most = getattr(request, "MaxResults", None) or _MOST
    shown = list(entries[:most])
    if len(entries) <= most:
        return shown, None
    return shown, make_marker(call.environment.ring, scope, key(shown[-1]))


def moment(seconds: float, entry_id: str) -> str:
    """A sort key: by time, then by id."""
    return f"{seconds:020.6f}/{entry_id}"

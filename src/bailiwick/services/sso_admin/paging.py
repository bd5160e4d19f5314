"""Pages of a list: `MaxResults` and `NextToken`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bailiwick import lists
from bailiwick.api import Call
from bailiwick.services.sso_admin.shapes import ValidationException

T = TypeVar("T")

_MOST = 100


def page(call: Call, request: Any, entries: Sequence[T], key: Callable[[T], str]) -> tuple[list[T], str | None]:
    """The part of a list, in the order of `key`, that a request asks for, and the token of what follows.

    Raises ValidationException for a token that was not given out for this list.
    """
    scope = f"{call.account}/{call.operation.action}"
    refused = ValidationException("Invalid NextToken.")
    return lists.page(call, scope, request.NextToken or None, refused, entries, request.MaxResults or _MOST, key)

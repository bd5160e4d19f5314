"""Pages of a list: `MaxResults` and `NextToken`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bailiwick.api import Call
from bailiwick.core.errors import SealError
from bailiwick.core.formats import make_marker, read_marker
from bailiwick.services.sso_admin.shapes import ValidationException

T = TypeVar("T")

_MOST = 100


def page(call: Call, request: Any, entries: Sequence[T], key: Callable[[T], str]) -> tuple[list[T], str | None]:
    """The part of a list, in the order of `key`, that a request asks for, and the token of what follows.

    Raises ValidationException for a token that was not given out for this list.
    """
    scope = f"{call.account}/{call.operation.action}"
    if request.NextToken:
        try:
            start = read_marker(call.environment.ring, scope, request.NextToken)
        except SealError:
            raise ValidationException("Invalid NextToken.") from None
        entries = [entry for entry in entries if key(entry) > start]
    most = request.MaxResults or _MOST
    shown = list(entries[:most])
    return shown, make_marker(call.environment.ring, scope, key(shown[-1])) if len(entries) > most else None

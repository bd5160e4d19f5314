"""Pages of a list: `MaxResults` and `NextToken`, by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select

from bailiwick.api import Call
from bailiwick.core.errors import SealError
from bailiwick.core.formats import make_marker, read_marker
from bailiwick.services.identitystore.shapes import ValidationException

T = TypeVar("T")

_MOST = 100


def page(
    call: Call, request: Any, statement: Select[Any], column: ColumnElement[str]
) -> tuple[Sequence[Any], str | None]:
    """The rows of a page in the order of `column`, which is unique, and the token of what follows.

    Raises ValidationException for a token that was not given out for this list.
    """
    scope, most = f"{call.account}/{call.operation.action}", request.MaxResults or _MOST
    start = ""
    if request.NextToken is not None:
        try:
            start = read_marker(call.environment.ring, scope, request.NextToken)
        except SealError:
            raise ValidationException("Invalid NextToken.") from None
    rows = call.transaction.all(statement.where(column > start).order_by(column).limit(most + 1))
    if len(rows) <= most:
        return rows, None
    last = rows[most - 1]._mapping[column]
    return rows[:most], make_marker(call.environment.ring, scope, str(last))

"""Pages of a list: `MaxResults` and `NextToken`, by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select

from bailiwick import lists
from bailiwick.api import Call
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
    start = lists.after(call, scope, request.NextToken, ValidationException("Invalid NextToken."))
    rows = call.transaction.all(statement.where(column > start).order_by(column).limit(most + 1))
    return lists.cut(call, scope, rows, most, lambda row: str(row._mapping[column]))

"""Lists of the users, groups and roles of an account: by name, under a path, in pages."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Table, select

from bailiwick.api import Call
from bailiwick.directory import entities
from bailiwick.directory.entities import Group, Role, User
from bailiwick.services.iam import names, paging

E = TypeVar("E", User, Group, Role)


def page(call: Call, table: Table, kind: type[E], request: Any) -> tuple[list[E], bool, str | None]:
    """The page of the account's entities that a request with PathPrefix, MaxItems and Marker asks for."""
    column = table.c
    rows = call.transaction.all(
        select(table)
        .where(
            column.account == call.account,
            names.under(column.path, request.PathPrefix),
            column.folded > paging.after(call, request.Marker),
        )
        .order_by(column.folded)
        .limit(paging.wanted(request.MaxItems))
    )
    found = [entities.record(kind, row) for row in rows]
    return paging.page(call, found, request.MaxItems, lambda each: each.name.lower())

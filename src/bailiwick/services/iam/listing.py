"""Lists of what an account has by name under a path (users, groups, roles, server certificates), in pages."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Table, select

from bailiwick.api import Call
from bailiwick.directory import entities
from bailiwick.services.iam import names, paging

E = TypeVar("E", bound=msgspec.Struct)


def page(call: Call, table: Table, kind: type[E], request: Any) -> tuple[list[E], bool, str | None]:
    """The page of the account's entities that a request with PathPrefix, MaxItems and Marker asks for."""
    column = table.c
    here = select(table).where(column.account == call.account, names.under(column.path, request.PathPrefix))
    rows, truncated, marker = paging.read(call, request, here, column.folded)
    return [entities.record(kind, row) for row in rows], truncated, marker

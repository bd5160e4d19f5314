"""When users and roles last asked for an action of a service, whether or not it was allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, exists, insert, select

from bailiwick.api import Transaction
from bailiwick.core import noted
from bailiwick.directory.role_tables import last_access

_AT_ONCE = 500

Key = tuple[str, str, str]  # the principal's unique id, the service's prefix, the name of the action


class Use(NamedTuple):
    """One action of one principal: when it was last asked for (epoch seconds), and for which region."""

    principal_id: str
    service: str
    action: str
    time: float
    region: str


def of(transaction: Transaction, principal_ids: Sequence[str]) -> Iterator[Use]:
    """What these principals used, in no order."""
    column = last_access.c
    for start in range(0, len(principal_ids), _AT_ONCE):
        some = principal_ids[start : start + _AT_ONCE]
        for row in transaction.all(select(last_access).where(column.principal_id.in_(some))):
            yield Use(row.principal_id, row.service, row.action, row.time, row.region)


def write(transaction: Transaction, uses: Mapping[Key, noted.Use[str]]) -> None:
    """Keep when and for which region each of these was last used, unless a later use is known."""
    given = {column: bindparam(f"new_{column.name}", type_=column.type) for column in last_access.c}
    names = [each.key for each in given.values()]
    rows = [dict(zip(names, (*key, time, region), strict=True)) for key, (time, region, _) in uses.items()]
    same = [column == given[column] for column in last_access.primary_key]
    transaction.run(delete(last_access).where(*same, last_access.c.time < given[last_access.c.time]), rows)
    absent = select(*given.values()).where(~exists().where(*same))
    transaction.run(insert(last_access).from_select(list(given), absent), rows)

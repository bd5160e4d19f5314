"""What an import writes: many rows by the few hundred, and the rows of what is replaced one by one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Table, delete, insert, update

from bailiwick.api import Transaction
from bailiwick.directory import tables

_CHUNK = 500


def write(
    transaction: Transaction,
    rows: Mapping[Table, Sequence[dict[str, Any]]],
    known: Collection[str],
    progress: Callable[[int, int], None],
) -> None:
    """Insert rows; those of entities whose id is `known` take the place of the row that is there."""
    done, total = 0, sum(map(len, rows.values()))
    for table, given in rows.items():
        fresh = [row for row in given if row.get("id") not in known]
        for row in given:
            if row.get("id") in known:
                transaction.run(update(table).where(table.c.id == row["id"]).values(**row))
        for some in chunks(fresh):
            transaction.run(insert(table), some)
            done += len(some)
            progress(done, total)
    progress(total, total)


def clear(transaction: Transaction, replaced: Mapping[str, Sequence[str]]) -> None:
    """Take away what belongs to entities that are replaced, whose ids are given by kind.

    The tags of policies and instance profiles stay: an export has none.
    """
    owners = [*replaced["user"], *replaced["group"], *replaced["role"]]
    for column, gone in (
        (tables.inline_policy.c.owner_id, owners),
        (tables.attachment.c.owner_id, owners),
        (tables.tag.c.owner_id, owners),
        (tables.membership.c.user_id, replaced["user"]),
        (tables.policy_version.c.policy_id, replaced["policy"]),
    ):
        for some in chunks(gone):
            transaction.run(delete(column.table).where(column.in_(some)))


def chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Rows by as many as one statement takes."""
    left = iter(rows)
    while some := list(islice(left, _CHUNK)):
        yield some

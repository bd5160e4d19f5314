"""Tags as they are kept: by the id of what carries them, in the order in which they were set first.

What a tag may be, and how many there may be, each service says itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, insert, select

from bailiwick.api import Transaction
from bailiwick.directory.tables import tag


def put(
    transaction: Transaction, owner_id: str, tags: Mapping[str, str], *, most: int | None = None, fold: bool = False
) -> bool:
    """Set tags; those with the same key are replaced where they stand. Returns False, and sets none, above `most`.

    `fold` where keys are the same in any letter case: no two of `tags` may then differ in that alone.
    """
    if not tags:
        return True
    given = {folded(key, fold): (key, value) for key, value in tags.items()}
    columns = tag.c
    present = transaction.all(select(columns.folded, columns.position).where(columns.owner_id == owner_id))
    positions = {row.folded: row.position for row in present}
    if most is not None and len(positions.keys() | given.keys()) > most:
        return False
    free = max(positions.values(), default=0) + 1
    remove(transaction, owner_id, given)
    rows = [
        {
            "owner_id": owner_id,
            "folded": name,
            "key": key,
            "value": value,
            "position": positions.get(name, free + number),
        }
        for number, (name, (key, value)) in enumerate(given.items())
    ]
    transaction.run(insert(tag), rows)
    return True


def remove(transaction: Transaction, owner_id: str, keys: Iterable[str], *, fold: bool = False) -> None:
    """Remove tags by key; one that is not there is no error."""
    gone = [folded(key, fold) for key in keys]
    transaction.run(delete(tag).where(tag.c.owner_id == owner_id, tag.c.folded.in_(gone)))


def remove_all(transaction: Transaction, owner_id: str) -> None:
    """Forget the tags of what goes away."""
    transaction.run(delete(tag).where(tag.c.owner_id == owner_id))


def folded(key: str, fold: bool) -> str:
    """By what a key is known."""
    return key.lower() if fold else key

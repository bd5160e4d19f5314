"""Facts of the installation, by name."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from bailiwick.api import Transaction
from bailiwick.store.schema import setting


def get(transaction: Transaction, name: str) -> str | None:
    """The fact called `name`, or None."""
    row = transaction.one(select(setting.c.value).where(setting.c.name == name))
    return None if row is None else str(row.value)


def put(transaction: Transaction, name: str, value: str) -> None:
    """Set the fact called `name`."""
    transaction.run(delete(setting).where(setting.c.name == name))
    transaction.run(insert(setting).values(name=name, value=value))

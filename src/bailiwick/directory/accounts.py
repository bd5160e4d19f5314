"""Accounts: the walls between tenants."""

from __future__ import annotations

import msgspec
from sqlalchemy import insert, select

from bailiwick.api import Transaction
from bailiwick.directory import tables
from bailiwick.directory.entities import record


class Account(msgspec.Struct, frozen=True):
    """An account: 12 digits, and a name for people."""

    id: str
    name: str
    email: str
    created: float


def create(transaction: Transaction, account_id: str, name: str, now: float, email: str = "") -> Account:
    """Make an account. Raises store.Duplicate if there is one with this id."""
    made = Account(account_id, name, email, now)
    transaction.run(insert(tables.account).values(**msgspec.structs.asdict(made)))
    transaction.changed(f"account:{account_id}", f"principal:{account_id}")
    return made


def find(transaction: Transaction, account_id: str) -> Account | None:
    """The account with this id, or None."""
    row = transaction.one(select(tables.account).where(tables.account.c.id == account_id))
    return None if row is None else record(Account, row)


def every(transaction: Transaction) -> list[Account]:
    """Every account, the oldest first."""
    rows = transaction.all(select(tables.account).order_by(tables.account.c.created, tables.account.c.id))
    return [record(Account, row) for row in rows]

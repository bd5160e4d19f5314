"""Account aliases: names for the sign-in address of an account, unique in the whole deployment."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from bailiwick.api import Transaction
from bailiwick.directory.credential_tables import account_alias


def of(transaction: Transaction, account: str) -> str | None:
    """The alias of an account, or None."""
    row = transaction.one(select(account_alias.c.alias).where(account_alias.c.account == account))
    return None if row is None else str(row.alias)


def account_of(transaction: Transaction, alias: str) -> str | None:
    """The id of the account that an alias stands for, or None."""
    row = transaction.one(select(account_alias.c.account).where(account_alias.c.alias == alias))
    return None if row is None else str(row.account)


def create(transaction: Transaction, account: str, alias: str) -> None:
    """Give an account that has none an alias. Raises store.Duplicate for one that is taken."""
    transaction.run(insert(account_alias).values(alias=alias, account=account))


def remove(transaction: Transaction, account: str, alias: str) -> bool:
    """Take an alias from an account; False if it was not the account's."""
    column = account_alias.c
    return transaction.run(delete(account_alias).where(column.account == account, column.alias == alias)) == 1

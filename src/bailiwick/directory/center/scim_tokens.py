"""Bearer tokens with which a directory provisions an identity store: sealed, and ended by deleting their row."""

from __future__ import annotations

import uuid

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.api import Environment, Transaction
from bailiwick.directory.center import logins, tables
from bailiwick.directory.center.logins import Refused
from bailiwick.directory.entities import record

SECONDS = 365 * 86_400.0
MOST = 2  # the old one and the new one, as AWS has it
_PURPOSE = "scim-token"


class ScimToken(msgspec.Struct, frozen=True):
    """A token as it is kept."""

    id: str
    store: str
    created: float
    expires: float


class _Inside(msgspec.Struct, frozen=True):
    id: str


def create(transaction: Transaction, environment: Environment, store: str, now: float) -> tuple[ScimToken, str]:
    """A new token, and its text."""
    made = ScimToken(str(uuid.UUID(bytes=environment.noise(16), version=4)), store, now, now + SECONDS)
    transaction.run(insert(tables.scim_token).values(**msgspec.structs.asdict(made)))
    return made, logins.sealed(environment, _PURPOSE, _Inside(made.id))


def of_store(transaction: Transaction, store: str) -> list[ScimToken]:
    """The tokens of a store."""
    columns = tables.scim_token.c
    rows = transaction.all(select(tables.scim_token).where(columns.store == store).order_by(columns.created))
    return [record(ScimToken, row) for row in rows]


def remove(transaction: Transaction, store: str, token_id: str) -> bool:
    """End a token; False if there is none."""
    columns = tables.scim_token.c
    return transaction.run(delete(tables.scim_token).where(columns.id == token_id, columns.store == store)) == 1


def holds(transaction: Transaction, environment: Environment, store: str, text: str, now: float) -> bool:
    """Whether this is the text of a token of the store that is good now."""
    try:
        inside = logins.opened(environment, _PURPOSE, text, _Inside)
    except Refused:
        return False
    row = transaction.one(select(tables.scim_token).where(tables.scim_token.c.id == inside.id))
    return row is not None and row.store == store and row.expires > now

"""Long-term access keys. The secret is stored sealed: it must be recoverable to check an HMAC."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from bailiwick.api import Environment, Transaction
from bailiwick.core import ids
from bailiwick.core.seal import KeyRing
from bailiwick.directory import tables
from bailiwick.directory.entities import AccessKey

_PURPOSE = "access-key"


def create(
    transaction: Transaction, environment: Environment, account: str, owner_id: str, now: float
) -> tuple[str, str]:
    """Make an active key for a user (by unique id) or a root user (by account id); returns id and secret."""
    key_id = ids.access_key_id("AKIA", account, environment.entropy)
    while transaction.one(select(tables.access_key.c.id).where(tables.access_key.c.id == key_id)) is not None:
        key_id = ids.access_key_id("AKIA", account, environment.entropy)  # an id has 39 random bits: chance repeats
    secret = ids.secret_access_key(environment.entropy)
    adopt(transaction, environment, account, owner_id, key_id, secret, now)
    return key_id, secret


def adopt(
    transaction: Transaction,
    environment: Environment,
    account: str,
    owner_id: str,
    key_id: str,
    secret: str,
    now: float,
) -> None:
    """Store a key that was made elsewhere. Raises store.Duplicate if its id is taken."""
    kept = sealed(environment, key_id, secret)
    transaction.run(
        insert(tables.access_key).values(
            id=key_id, account=account, owner_id=owner_id, secret=kept, status="Active", created=now
        )
    )
    transaction.changed(f"access-key:{key_id}")


def sealed(environment: Environment, key_id: str, secret: str) -> bytes:
    """A secret as it is stored: sealed, and bound to its key's id, so that rows cannot be exchanged."""
    return environment.ring.seal(_PURPOSE, secret.encode(), environment.entropy, key_id.encode())


def remove_all(transaction: Transaction, owner_id: str, key_ids: list[str]) -> None:
    """Delete keys of one owner."""
    columns = tables.access_key.c
    transaction.run(delete(tables.access_key).where(columns.owner_id == owner_id, columns.id.in_(key_ids)))
    transaction.changed(*(f"access-key:{key_id}" for key_id in key_ids))


def open_secret(ring: KeyRing, key: AccessKey) -> str:
    """The secret of a key. Raises core.errors.SealError if it was sealed by another deployment, or altered."""
    return ring.open(_PURPOSE, key.secret, key.id.encode()).decode()

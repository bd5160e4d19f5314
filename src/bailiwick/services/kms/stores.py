"""Custom key stores as records: tokens of the operator (AWS_CLOUDHSM), and proxies of other key managers.

What is loaded is kept in memory until the store changes (topic `kms-store:<id>`). Keys in it rest on it.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import select, update

from bailiwick.api import Call, Environment, Transaction
from bailiwick.services.kms import tables

AWS_CLOUDHSM, EXTERNAL_KEY_STORE = "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"
CONNECTED, DISCONNECTED, FAILED = "CONNECTED", "DISCONNECTED", "FAILED"
_PURPOSE = "kms-key-store"


class KeyStore(msgspec.Struct, frozen=True, kw_only=True):
    """A custom key store. `secret` is the token's password or the proxy's secret key; its repr shows none."""

    id: str
    account: str
    region: str
    name: str
    kind: str
    state: str
    error: str | None
    cluster: str | None
    anchor: str | None
    endpoint: str | None
    path: str | None
    access_key_id: str | None
    secret: str
    created: float

    @property
    def connected(self) -> bool:
        """Whether the keys in it can be used."""
        return self.state == CONNECTED

    def __repr__(self) -> str:
        return f"KeyStore({self.id}, {self.kind}, {self.state})"


def topic(store_id: str) -> str:
    """What to call when a store changes."""
    return f"kms-store:{store_id}"


def load(transaction: Transaction, environment: Environment, store_id: str) -> KeyStore | None:
    """The store with this id."""
    row = transaction.one(select(tables.store).where(tables.store.c.id == store_id))
    if row is None:
        return None
    secret = environment.ring.open(_PURPOSE, row.secret, store_id.encode()).decode()
    return KeyStore(**{**row._mapping, "secret": secret})


def of_call(call: Call, store_id: str) -> KeyStore | None:
    """The store with this id, if it is of the caller's account and region."""
    found = load(call.transaction, call.environment, store_id)
    return found if found is not None and (found.account, found.region) == (call.account, call.region) else None


def sealed(environment: Environment, store_id: str, secret: str) -> bytes:
    """A secret as it is stored."""
    return environment.ring.seal(_PURPOSE, secret.encode(), environment.entropy, store_id.encode())


def change(call: Call, store_id: str, **values: object) -> None:
    """Write columns of a store."""
    call.transaction.run(update(tables.store).where(tables.store.c.id == store_id).values(**values))
    call.transaction.changed(topic(store_id))

"""The keys with which this deployment signs tokens for the outside: sealed in the store, replaced each month.

A key signs for ROTATES seconds. Its public half is told for KEEPS seconds more, so that no token outlives the key
that proves it. All nodes of a deployment share them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.api import Environment, Transaction
from bailiwick.core import ids
from bailiwick.core.assertion import jwt
from bailiwick.core.assertion.jwt import SigningKey
from bailiwick.directory.entities import record
from bailiwick.directory.provider_tables import outbound_key

ROTATES = 30 * 24 * 3600.0
KEEPS = 2 * 24 * 3600.0

_PURPOSE = "outbound-signing-key"
_TOPIC = "outbound-keys"
_columns = outbound_key.c


class _Row(msgspec.Struct, frozen=True):
    id: str
    algorithm: str
    created: float
    sealed: bytes
    public: str


def signing(transaction: Transaction, environment: Environment, algorithm: str, now: float) -> SigningKey:
    """The key that signs now with this algorithm, made if there is none or it is due. Wants a write transaction."""
    found = transaction.one(
        select(outbound_key)
        .where(_columns.algorithm == algorithm, _columns.created > now - ROTATES)
        .order_by(_columns.created.desc(), _columns.id)
    )
    row = record(_Row, found) if found is not None else _made(transaction, environment, algorithm, now)
    return _opened(environment, row)


def published(transaction: Transaction, now: float) -> list[dict[str, Any]]:
    """The public halves that verify what may still be valid, as JWKs."""

    def load(reading: Transaction) -> tuple[list[_Row], Iterable[str]]:
        rows = reading.all(select(outbound_key).order_by(_columns.created.desc(), _columns.id))
        return [record(_Row, row) for row in rows], (_TOPIC,)

    rows = transaction.remember(_TOPIC, "", load)
    return [json.loads(row.public) for row in rows if row.created > now - ROTATES - KEEPS]


def _made(transaction: Transaction, environment: Environment, algorithm: str, now: float) -> _Row:
    key_id = ids.request_id(environment.noise)
    secret, public = jwt.new_key(algorithm, key_id)
    sealed = environment.ring.seal(_PURPOSE, secret, environment.entropy, key_id.encode())
    row = _Row(key_id, algorithm, now, sealed, json.dumps(public))
    transaction.run(delete(outbound_key).where(_columns.created <= now - ROTATES - KEEPS))
    transaction.run(insert(outbound_key).values(**msgspec.structs.asdict(row)))
    transaction.changed(_TOPIC)
    return row


def _opened(environment: Environment, row: _Row) -> SigningKey:
    return _signing_key(environment.ring.open(_PURPOSE, row.sealed, row.id.encode()), row.id, row.algorithm)


_signing_key = lru_cache(maxsize=8)(jwt.signing_key)

"""Keys in tokens that are no KMS key's: not yet, or no more.

What a token does and what the database says cannot be done as one. So a key is written down here before a token
makes it, and in the transaction in which its KMS key is deleted; and it is forgotten here in the transaction in
which it becomes a KMS key's, or when the token has it no more. Whenever a process dies, no key is in a token that
nobody knows of. Nobody waits for a token in a transaction that writes.

    MAKING    it may be there, for a CreateKey that is not over; that one forgets it, or it is given up
    GIVEN_UP  nothing came of it; no KMS key can be made of it any more
    DELETED   its KMS key has been deleted; the audit trail is told when the token has been asked
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Row, delete, insert, select, update

from bailiwick.api import Call, Environment, Transaction
from bailiwick.core.errors import HsmUnavailable
from bailiwick.core.happened import Happened
from bailiwick.services.kms import tables
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.stores import KeyStore

log = structlog.get_logger()

MAKING, GIVEN_UP, DELETED = "MAKING", "GIVEN_UP", "DELETED"
PATIENCE = 600.0
"""Seconds after which a CreateKey that has not ended will not."""

_AT_ONCE = 100  # keys of a token that one round destroys
_COLUMN = tables.left.c


def announce(call: Call, store: KeyStore, arn: str, key: str) -> None:
    """Write down, for good, that a key is about to be made. The call's transaction reads afterwards."""
    call.transaction.begin_writing()
    values = {"id": key, "arn": arn, "account": call.account, "region": call.region, "store": store.id}
    state = {"cluster": store.cluster, "state": MAKING, "failed": False, "since": call.now}
    call.transaction.run(insert(tables.left).values(**values, **state))
    call.transaction.settle()


def take(transaction: Transaction, key: str) -> bool:
    """Forget a key that becomes a KMS key's in this transaction; False if it has been given up."""
    return transaction.run(delete(tables.left).where(_COLUMN.id == key, _COLUMN.state == MAKING)) == 1


def leave(transaction: Transaction, row: Row[Any], cluster: str, now: float) -> None:
    """Have the key destroyed of a KMS key that is deleted in this transaction."""
    values = {"id": row.material, "arn": row.arn, "account": row.account, "region": row.region, "store": row.store}
    state = {"cluster": cluster, "state": DELETED, "failed": False, "since": now}
    transaction.run(insert(tables.left).values(**values, **state))


@kms.chore
def give_up(transaction: Transaction, environment: Environment, now: float) -> None:
    """Let nothing come any more of what was begun long ago: from here on it can be destroyed."""
    old = _COLUMN.state == MAKING, _COLUMN.since <= now - PATIENCE
    transaction.run(update(tables.left).where(*old).values(state=GIVEN_UP))


@kms.errand
def destroy(transaction: Transaction, environment: Environment, now: float) -> list[Happened]:
    """Destroy in each token what is left there. What cannot be destroyed now is tried again in the next round."""
    clusters = [row.cluster for row in transaction.all(select(_COLUMN.cluster).distinct())]
    rounds = [_destroyed(transaction, environment, cluster) for cluster in clusters]
    if not any(each.gone or each.left for each in rounds):
        return []
    transaction.begin_writing()
    happened = [_told(row, "SUCCESS") for each in rounds for row in _forget(transaction, each.gone)]
    return happened + [_told(row, "FAILURE") for each in rounds for row in _put_off(transaction, each, now)]


class _Round(NamedTuple):
    """What became of the keys that are left in a token, and why not of all."""

    gone: Sequence[Row[Any]]
    left: Sequence[Row[Any]]
    reason: str = ""


def _destroyed(transaction: Transaction, environment: Environment, cluster: str) -> _Round:
    wanted = select(tables.left).where(_COLUMN.cluster == cluster, _COLUMN.state != MAKING)
    rows = transaction.all(wanted.order_by(_COLUMN.since).limit(_AT_ONCE))
    transaction.rest()
    token = environment.hsms.get(cluster)
    for number, row in enumerate(rows):
        try:
            if token is None:
                raise HsmUnavailable(f"{cluster} is not configured")
            token.destroy(bytes.fromhex(row.id))
        except HsmUnavailable as error:  # the others would most likely wait for the same
            return _Round(rows[:number], rows[number:], str(error))
    return _Round(rows, ())


def _forget(transaction: Transaction, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Forget what is gone; returns that of which the trail has to be told: another process may have been faster."""
    found = [row for row in rows if transaction.run(delete(tables.left).where(_COLUMN.id == row.id))]
    for row in found:
        if row.failed:
            log.info("the key that was left in the HSM is destroyed", key=row.arn, cka_id=row.id)
    return [row for row in found if row.state == DELETED]


def _put_off(transaction: Transaction, each: _Round, now: float) -> list[Row[Any]]:
    """Have what is left be known as such, and the first of it tried last; returns what the trail is to be told."""
    found = []
    for row in each.left:
        untold = _COLUMN.id == row.id, ~_COLUMN.failed
        if transaction.run(update(tables.left).where(*untold).values(failed=True)):
            log.error("the key in the HSM is left", key=row.arn, cka_id=row.id, reason=each.reason)
            found.append(row)
    for row in each.left[:1]:
        transaction.run(update(tables.left).where(_COLUMN.id == row.id).values(since=now))
    return [row for row in found if row.state == DELETED]


def _told(row: Row[Any], status: str) -> Happened:
    """That a KMS key was deleted, and whether its token has forgotten it."""
    told = [{"backingKeyId": row.id, "deletionStatus": status}]
    where = {"customKeyStoreId": row.store, "clusterId": row.cluster}
    additional = {**where, "backingKeysDeletionStatus": json.dumps(told, separators=(",", ":"))}
    details = {"keyId": row.arn.rpartition("/")[2]}
    return Happened("kms", "DeleteKey", row.account, row.region, row.arn, details, additional)

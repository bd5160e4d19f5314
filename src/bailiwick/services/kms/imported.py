"""How imported material is known again when it comes once more: by a keyed digest.

The key is this deployment's own; or, of a multi-Region key that is shared with peers, one that they share as well,
so that what was imported into the primary is known where its replicas are.
"""

from __future__ import annotations

import hmac

from sqlalchemy import select, update

from bailiwick.api import Environment, Transaction
from bailiwick.services.kms import families, records, tables
from bailiwick.services.kms.records import Key

_DIGESTS = "kms-imported-material"


def digests(transaction: Transaction, environment: Environment, key: Key, given: bytes) -> list[bytes]:
    """By what material of a key is known: first what is written down now, then what may have been before."""
    told = key.id.encode() + b"|" + given
    ours = environment.ring.mac(_DIGESTS, told)
    found = families.find(transaction, key.account, key.id) if key.primary_region is not None else None
    if found is None:
        return [ours]
    return [hmac.digest(families.open_digests(environment, found), told, "sha256"), ours]


def share(transaction: Transaction, environment: Environment, key: Key) -> None:
    """Have the material of a key that has become a family's be known by the digest that peers share."""
    column = tables.material.c
    for row in transaction.all(
        select(tables.material).where(column.key_arn == key.arn, column.sealed.is_not(None))
    ):
        given = records.open_material(environment.ring, key.arn, row.id, row.sealed)
        digest, *_ = digests(transaction, environment, key, given)
        for each in families.here(transaction, key.account, key.id):
            same = (column.key_arn == each.arn, column.id == row.id)
            transaction.run(update(tables.material).where(*same).values(digest=digest))

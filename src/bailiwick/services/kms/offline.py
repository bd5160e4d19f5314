"""Opening a ciphertext without a server, for disasters: from the tables and the root key alone."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from bailiwick.api import Transaction
from bailiwick.core.seal import KeyRing
from bailiwick.services.kms import ciphertext, records, tables
from bailiwick.services.kms.ciphertext import BadCiphertext


class Elsewhere(Exception):
    """The key of a ciphertext is in a token, or behind the proxy of an external key store: they alone open it."""


def decrypt(
    transaction: Transaction, ring: KeyRing, blob: bytes, context: Mapping[str, str] | None
) -> tuple[str, bytes]:
    """The ARN of the key and the plaintext of a ciphertext of a symmetric key, whatever state the key is in.

    Raises BadCiphertext where the key or its material is not there, or the context is another, Elsewhere where the
    key is not in the database, and SealError for material under another root.
    """
    origin = ciphertext.read(blob)
    if ciphertext.algorithm_of(blob) != ciphertext.MATERIAL:
        raise Elsewhere
    key, material = tables.key.c, tables.material.c
    wanted = (key.account == origin.account, key.id == origin.key_id, material.id == origin.material_id)
    joined = tables.key.join(tables.material, key.arn == material.key_arn)
    statement = select(key.arn, material.sealed).select_from(joined).where(*wanted, material.sealed.is_not(None))
    row = transaction.one(statement.order_by(key.arn))  # of a multi-Region key any will do: they share it
    if row is None:
        raise BadCiphertext
    opened = records.open_material(ring, row.arn, origin.material_id, row.sealed)
    return row.arn, ciphertext.open_blob(opened, blob, context)

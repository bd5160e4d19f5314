"""A new root key: everything that the old one sealed is sealed anew, a little at a time. When, rotation.py says.

The list of what is sealed is here, in one place. A value says itself under which root it is, so work that was cut
short goes on where it was; a value that changes meanwhile is left as it was changed (compare and swap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, LargeBinary, Row, Table, func, literal, select, update

from bailiwick.api import Transaction
from bailiwick.core.errors import SealError
from bailiwick.core.ids import Entropy
from bailiwick.core.seal import KeyRing
from bailiwick.directory import credential_tables, instance_tables, provider_tables, tables
from bailiwick.store import Store

_AT_ONCE = 100  # values in one transaction: others write between them


class Sealed(NamedTuple):
    """A column of sealed values: its purpose, and what each is bound to."""

    column: Column[Any]
    purpose: str
    bound: Callable[[Row[Any]], str]

    @property
    def table(self) -> Table:
        """The column's table."""
        table = self.column.table
        assert isinstance(table, Table), "a column of the registry is a table's"
        return table


@cache
def registry() -> tuple[Sealed, ...]:
    """Every sealed column of the database. A test finds those that are missing."""
    from bailiwick.services.kms import tables as kms  # all of KMS comes with them: 5 MB, and only a rotation asks
    from bailiwick.services.kms.family_tables import family

    return (
        Sealed(tables.access_key.c.secret, "access-key", lambda row: str(row.id)),
        Sealed(credential_tables.mfa_device.c.seed, "mfa-seed", lambda row: str(row.serial)),
        Sealed(credential_tables.web_step.c.content, "web-step", lambda row: str(row.id)),
        Sealed(credential_tables.server_certificate.c.private_key, "server-certificate", lambda row: str(row.id)),
        Sealed(provider_tables.saml_private_key.c.sealed, "saml-private-key", lambda row: str(row.id)),
        Sealed(provider_tables.outbound_key.c.sealed, "outbound-signing-key", lambda row: str(row.id)),
        Sealed(instance_tables.document_key.c.sealed, "identity-document-key", lambda row: str(row.id)),
        Sealed(kms.store.c.secret, "kms-key-store", lambda row: str(row.id)),
        Sealed(family.c.digests, "kms-family-digests", lambda row: f"{row.account}|{row.id}"),
        Sealed(kms.material.c.sealed, "kms-material", lambda row: f"{row.key_arn}|{row.id}"),
    )


def count(store: Store, root: str) -> int:
    """How many values are sealed under the root of this id. Raises store.StoreError."""
    with store.transaction() as transaction:
        return under(transaction, root)


def under(transaction: Transaction, root: str) -> int:
    """The same, within a transaction."""
    rows = [
        transaction.one(select(func.count().label("n")).where(_under(each.column, root))) for each in registry()
    ]
    return sum(row.n for row in rows if row is not None)


def rewrap(store: Store, ring: KeyRing, old: str, entropy: Entropy) -> Iterator[int]:
    """Seal anew what is under the root `old`; yields how many values each transaction did.

    Values that do not open are left as they are: `count` goes on telling them. Raises store.StoreError.
    """
    for sealed in registry():
        after: tuple[Any, ...] | None = None
        while True:
            done, after = _batch(store, ring, sealed, old, after, entropy)
            if after is None:
                break
            yield done


def _batch(
    store: Store, ring: KeyRing, sealed: Sealed, old: str, after: tuple[Any, ...] | None, entropy: Entropy
) -> tuple[int, tuple[Any, ...] | None]:
    """One transaction's worth: how many were done, and the key of the last row, None if there was none."""
    keys, done = list(sealed.table.primary_key.columns), 0
    statement = select(*keys, sealed.column).where(_under(sealed.column, old)).order_by(*keys).limit(_AT_ONCE)
    if after is not None:
        statement = statement.where(_past(keys, after))
    with store.transaction(write=True) as transaction:
        rows = transaction.all(statement)
        for row in rows:
            value, bound = row._mapping[sealed.column.name], sealed.bound(row).encode()
            try:
                plain = ring.open(sealed.purpose, value, bound)
            except SealError:
                continue
            same = [key == row._mapping[key.name] for key in keys]
            anew = {sealed.column.name: ring.seal(sealed.purpose, plain, entropy, bound)}
            done += transaction.run(update(sealed.table).where(*same, sealed.column == value).values(anew))
    return done, tuple(rows[-1]._mapping[key.name] for key in keys) if rows else None


def _past(keys: list[Column[Any]], after: tuple[Any, ...]) -> ColumnElement[bool]:
    """Rows after this one in the order of their keys, of which there are one or two."""
    past: ColumnElement[bool] = keys[-1] > after[-1]
    for key, value in zip(keys[-2::-1], after[-2::-1], strict=True):
        past = (key > value) | ((key == value) & past)
    return past


def _under(column: Column[Any], root: str) -> ColumnElement[bool]:
    return func.substr(column, 2, 4, type_=LargeBinary()) == literal(bytes.fromhex(root), LargeBinary())

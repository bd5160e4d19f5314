"""The grants of a call among 50,000 of its key: found by caller and encryption context, and kept until one changes.

A caller who has few grants on a key has them all in memory. Of one who has many only those are read that can admit
the encryption context of the call: `narrow` is a hash of the whole context that a grant asks for, or of one pair of
it, and is in the index of the table. So neither time nor memory grows with the grants of a key; what remains is one
look for those that no context holds up, after each change of a grant, where one caller has thousands of such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, func, select

from bailiwick.api import Call, Transaction
from bailiwick.core.policy.layer import Layer
from bailiwick.services.kms import grants, records, tables
from bailiwick.services.kms.grants import ANY_CONTEXT, WITHOUT_CONTEXT, Child, Grant
from bailiwick.services.kms.records import Key

FEW = 64
"""Grants of one caller on one key of which all are kept."""

_LAYERS_KEPT = 64
_GRANT_BYTES = 1_500


class Held:
    """Grants of one key that may be a certain caller's, with the layers that they make; all, or not `whole`."""

    def __init__(self, grants: Sequence[Grant], *, whole: bool = True) -> None:
        self.grants = tuple(grants)
        self.whole = whole
        self.weight = 2_000 + _GRANT_BYTES * len(self.grants)
        self._layers: dict[tuple[str, ...], Layer] = {}

    def policy(self, key: Key, grants: Sequence[Grant]) -> Layer:
        """The key's policy with these grants. The same grants give the same layer, so that decisions are kept."""
        named = tuple(grant.id for grant in grants)
        found = self._layers.get(named)
        if found is None:
            if len(self._layers) >= _LAYERS_KEPT:
                self._layers.clear()
            layer = Layer([*key.layer.policies, *(grant.attached() for grant in grants)])
            found = self._layers[named] = layer
        return found


def policy(
    call: Call, key: Key, operation: str, context: Mapping[str, str] | None, child: Child | None = None
) -> Layer:
    """The policy of a key for this call: its own, and what grants add to it.

    `operation` is as grants name it (ReEncryptFrom), `context` the encryption context. For CreateGrant, `child` is
    what is to be made: a grant helps only if it passes on nothing more than it has.
    """
    if not key.has_grants:
        return key.layer
    held = _remembered(call, key)
    found = held.grants if held.whole else _among_many(call, key, operation, context)
    able = [grant for grant in found if grant.covers(operation, context)]
    if child is not None:
        able = [
            grant
            for grant in able
            if child.operations <= set(grant.operations) and grant.constraints.admit_all_of(child.constraints)
        ]
    return held.policy(key, able) if able else key.layer


def _remembered(call: Call, key: Key, operation: str | None = None, narrow: tuple[str, ...] = ()) -> Held:
    """Grants of the caller: all if they are few; those for an operation; those of these places in the index."""
    principal = call.caller.principal

    def load(transaction: Transaction) -> tuple[Held, tuple[str, str]]:
        column, named = tables.grant.c, grants.names(principal)
        own = (column.key_arn == key.arn) & column.grantee.in_(named)
        if operation is not None:
            held = Held(_distinct(transaction, own & column.operations.contains(f'"{operation}"')))
        elif narrow == (ANY_CONTEXT,):
            held = Held(_distinct(transaction, own & (column.narrow == ANY_CONTEXT)))
        elif narrow:
            held = Held(_read(transaction, own & column.narrow.in_(narrow), None))
        else:
            some = _read(transaction, own, FEW + 1)
            held = Held(some) if len(some) <= FEW else Held((), whole=False)
        # The second topic is for the policy, which is in the layers.
        return held, (grants.topic(key.arn), records.topic(key.arn))

    names = key.arn, principal.arn, principal.issuer_arn, operation, narrow
    return call.transaction.remember("kms.grants", names, load)


def _among_many(call: Call, key: Key, operation: str, context: Mapping[str, str] | None) -> Sequence[Grant]:
    if operation in WITHOUT_CONTEXT:
        return _remembered(call, key, operation).grants
    free = _remembered(call, key, narrow=(ANY_CONTEXT,)).grants
    return (*free, *_remembered(call, key, narrow=grants.sought(context)).grants)


def _read(transaction: Transaction, wanted: ColumnElement[bool], most: int | None) -> list[Grant]:
    rows = transaction.all(select(tables.grant).where(wanted).limit(most))
    return sorted((grants.read(row) for row in rows), key=lambda grant: (grant.created, grant.id))


def _distinct(transaction: Transaction, wanted: ColumnElement[bool]) -> list[Grant]:
    """Of grants that say the same, one: to the same grantee, of the same operations and constraints."""
    column = tables.grant.c
    same = select(func.min(column.id)).where(wanted)
    same = same.group_by(column.grantee, column.pins, column.operations, column.constraints)
    key = wanted & column.id.in_(same.scalar_subquery())
    return _read(transaction, key, None)

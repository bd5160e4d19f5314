"""Grants: one more statement on a key's policy, for one principal and certain operations (facts/kms.md section 10).

A key may have 50,000 of them. A call asks only for those of its own caller, and what was found is kept in memory
until a grant of the key changes. A grant only allows, and only what it names: operations, encryption contexts.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Row, select

from bailiwick.api import Call, Transaction
from bailiwick.core.errors import SealError
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Principal, PrincipalKind
from bailiwick.services.kms import records, tables
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.shapes import InvalidGrantTokenException

CREATE_GRANT, RETIRE_GRANT = "CreateGrant", "RetireGrant"
_PURPOSE = "kms-grant-token"
_WITHOUT_CONTEXT = frozenset((RETIRE_GRANT, "DescribeKey"))  # constraints do not hold them up
_LAYERS_KEPT = 64


class Constraints(msgspec.Struct, frozen=True):
    """What the encryption context must hold (`subset`) or be (`equals`), and the source of a service's call."""

    subset: dict[str, str] | None = None
    equals: dict[str, str] | None = None
    source_arn: str | None = None

    @property
    def context(self) -> dict[str, str] | None:
        """The encryption context that they name, whole or in part."""
        return self.equals if self.equals is not None else self.subset

    @property
    def kind(self) -> str | None:
        """How they name it, in AWS's word."""
        if self.equals is not None:
            return "EncryptionContextEquals"
        return "EncryptionContextSubset" if self.subset is not None else None

    def admit(self, context: Mapping[str, str]) -> bool:
        """Whether an encryption context is as it must be. Exactly: case matters in names and values."""
        if self.equals is not None:
            return dict(context) == self.equals
        return self.subset is None or self.subset.items() <= context.items()

    def admit_all_of(self, child: Constraints) -> bool:
        """Whether a grant with the constraints `child` allows nothing that these do not."""
        if self.source_arn is not None and child.source_arn != self.source_arn:
            return False
        if self.equals is not None:
            return child.equals == self.equals
        if self.subset is None:
            return True
        held = child.context
        return held is not None and self.subset.items() <= held.items()


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A grant. `grantee` and `retiring` are ARNs, or names of services; `pins` are the unique ids they meant."""

    key_arn: str
    id: str
    name: str | None
    grantee: str
    retiring: str | None
    pins: dict[str, str]
    issuer: str
    operations: tuple[str, ...]
    constraints: Constraints
    created: float

    def covers(self, operation: str, context: Mapping[str, str] | None) -> bool:
        """Whether it allows an operation, under this encryption context, to its grantee."""
        if operation not in self.operations:
            return False
        return operation in _WITHOUT_CONTEXT or self.constraints.admit(context or {})

    def attached(self) -> Attached:
        """It as a statement of the key's policy."""
        statement: dict[str, object] = {
            "Effect": "Allow",
            "Principal": {"AWS" if self.grantee.startswith("arn:") else "Service": self.grantee},
            "Action": [f"kms:{operation}" for operation in self.operations],
            "Resource": "*",
        }
        if self.constraints.source_arn is not None:
            statement["Condition"] = {"ArnLike": {"aws:SourceArn": self.constraints.source_arn}}
        # Version 2008-10-17 has no policy variables: what a grant names is meant to the letter.
        text = json.dumps({"Version": "2008-10-17", "Statement": statement})
        return Attached(compile_policy(text, self.pins), f"grant {self.id}")


class Child(msgspec.Struct, frozen=True):
    """The grant that a call is about to make: what a grantee passes on must be hers."""

    operations: frozenset[str]
    constraints: Constraints


class Held:
    """The grants of one key that may be a certain caller's, with the layers that they make."""

    def __init__(self, grants: Sequence[Grant]) -> None:
        self.grants = tuple(grants)
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


def topic(key_arn: str) -> str:
    """What to call when a grant of a key comes or goes."""
    return f"kms-grants:{key_arn}"


def policy(
    call: Call, key: Key, operation: str, context: Mapping[str, str] | None, child: Child | None = None
) -> Layer:
    """The policy of a key for this call: its own, and what grants add to it.

    `operation` is as grants name it (ReEncryptFrom), `context` the encryption context. For CreateGrant, `child` is
    what is to be made: a grant helps only if it passes on nothing more than it has.
    """
    if not key.has_grants:
        return key.layer
    principal = call.caller.principal
    held = call.transaction.remember(
        "kms.grants",
        (key.arn, principal.arn, principal.issuer_arn),
        lambda transaction: (
            Held(_of(transaction, key.arn, _names(principal))),
            (topic(key.arn), records.topic(key.arn)),  # the second for the policy, which is in the layers
        ),
    )
    able = [grant for grant in held.grants if grant.covers(operation, context)]
    if child is not None:
        able = [
            grant
            for grant in able
            if child.operations <= set(grant.operations) and grant.constraints.admit_all_of(child.constraints)
        ]
    return held.policy(key, able) if able else key.layer


def find(transaction: Transaction, key_arn: str, grant_id: str) -> Grant | None:
    """The grant of a key with this id."""
    column = tables.grant.c
    row = transaction.one(select(tables.grant).where(column.key_arn == key_arn, column.id == grant_id))
    return None if row is None else read(row)


def read(row: Row[tuple[object, ...]]) -> Grant:
    """A row as a Grant."""
    values = dict(row._mapping)
    del values["region"]
    for name, kind in (("pins", dict[str, str]), ("operations", tuple[str, ...]), ("constraints", Constraints)):
        values[name] = msgspec.json.decode(values[name], type=kind)
    return Grant(**values)


def make_token(call: Call, grant: Grant) -> str:
    """A token that names a grant. It is no secret and has no power; it can be checked."""
    sealed = call.environment.ring.seal(_PURPOSE, f"{grant.key_arn}|{grant.id}".encode(), call.environment.noise)
    return base64.b64encode(sealed).decode()


def read_token(call: Call, token: str) -> tuple[str, str]:
    """The key's ARN and the grant's id in a token. Raises InvalidGrantTokenException."""
    try:
        opened = call.environment.ring.open(_PURPOSE, base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError, SealError):
        raise InvalidGrantTokenException("The grant token is not valid.") from None
    key_arn, _, grant_id = opened.decode().rpartition("|")
    return key_arn, grant_id


def check_tokens(call: Call, tokens: Sequence[str] | None) -> None:
    """Refuse tokens that nobody made. Good ones change nothing: a grant here is in force at once.

    Raises InvalidGrantTokenException.
    """
    for token in tokens or ():
        read_token(call, token)


def named_by(principal: Principal, named: Sequence[str]) -> bool:
    """Whether some of these ARNs are what grants call a principal."""
    return any(name in named for name in _names(principal))


def _names(principal: Principal) -> list[str]:
    """Everything by which a grant can name a principal."""
    names = {principal.arn, principal.issuer_arn}
    if principal.kind is not PrincipalKind.SERVICE:
        names.add(f"arn:{principal.partition}:iam::{principal.account}:root")
    return sorted(names)


def _of(transaction: Transaction, key_arn: str, grantees: Sequence[str]) -> list[Grant]:
    column = tables.grant.c
    rows = transaction.all(
        select(tables.grant)
        .where(column.key_arn == key_arn, column.grantee.in_(grantees))
        .order_by(column.created, column.id)
    )
    return [read(row) for row in rows]

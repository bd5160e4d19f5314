"""Grants: one more statement on a key's policy, for one principal and certain operations (facts/kms.md section 10).

A grant only allows, and only what it names: operations, encryption contexts. How those of a call are found is told
in grant_index.py.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Row, select

from bailiwick.api import Call, Transaction
from bailiwick.core.errors import SealError
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached
from bailiwick.core.policy.question import Principal, PrincipalKind
from bailiwick.services.kms import tables
from bailiwick.services.kms.shapes import InvalidGrantTokenException

CREATE_GRANT, RETIRE_GRANT = "CreateGrant", "RetireGrant"
ANY_CONTEXT = ""
"""Where the grants are that no encryption context holds up."""

_PURPOSE = "kms-grant-token"
WITHOUT_CONTEXT = frozenset((RETIRE_GRANT, "DescribeKey"))
"""Operations that constraints do not hold up."""


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
        return operation in WITHOUT_CONTEXT or self.constraints.admit(context or {})

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


def narrow(constraints: Constraints) -> str:
    """Where to look for a grant by the encryption context of a call: one of what `sought` says of any it admits."""
    if constraints.equals is not None:
        return _whole(constraints.equals)
    if not constraints.subset:
        return ANY_CONTEXT
    return _pair(*max(constraints.subset.items(), key=lambda pair: (len(pair[1]), pair)))


def sought(context: Mapping[str, str] | None) -> tuple[str, ...]:
    """Where to look for the grants that constrain, and admit, an encryption context; beside ANY_CONTEXT."""
    held = context or {}
    return (_whole(held), *(_pair(*pair) for pair in held.items()))


def _whole(context: Mapping[str, str]) -> str:
    return "e" + _digest(sorted(context.items()))


def _pair(key: str, value: str) -> str:
    return "s" + _digest((key, value))


def _digest(value: object) -> str:
    """Short, for an index: what is found by it is looked at again."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:31]


def topic(key_arn: str) -> str:
    """What to call when a grant of a key comes or goes."""
    return f"kms-grants:{key_arn}"


def find(transaction: Transaction, key_arn: str, grant_id: str) -> Grant | None:
    """The grant of a key with this id."""
    column = tables.grant.c
    row = transaction.one(select(tables.grant).where(column.key_arn == key_arn, column.id == grant_id))
    return None if row is None else read(row)


def read(row: Row[tuple[object, ...]]) -> Grant:
    """A row as a Grant."""
    values = dict(row._mapping)
    del values["region"], values["narrow"]
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
    return any(name in named for name in names(principal))


def names(principal: Principal) -> list[str]:
    """Everything by which a grant can name a principal."""
    names = {principal.arn, principal.issuer_arn}
    if principal.kind is not PrincipalKind.SERVICE:
        names.add(f"arn:{principal.partition}:iam::{principal.account}:root")
    return sorted(names)

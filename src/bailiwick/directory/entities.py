"""The entities of the directory as frozen records, and how to read them.

Names are looked up without regard to case, as AWS keeps them unique; records hold the name as it was given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Row, Select, Table, bindparam, select

from bailiwick.api import Transaction
from bailiwick.core import arn
from bailiwick.core.errors import ArnError
from bailiwick.directory import managed, tables
from bailiwick.directory.managed import ManagedPolicy

R = TypeVar("R", bound=msgspec.Struct)

__all__ = ["AccessKey", "Group", "ManagedPolicy", "Role", "User"]


class User(msgspec.Struct, frozen=True):
    """An IAM user."""

    id: str
    account: str
    name: str
    path: str
    created: float
    boundary: str | None = None
    password_last_used: float | None = None

    def arn(self, partition: str) -> str:
        """The user's ARN."""
        return arn.iam(partition, self.account, "user", self.path, self.name)


class Group(msgspec.Struct, frozen=True):
    """A group of IAM users."""

    id: str
    account: str
    name: str
    path: str
    created: float

    def arn(self, partition: str) -> str:
        """The group's ARN."""
        return arn.iam(partition, self.account, "group", self.path, self.name)


class Role(msgspec.Struct, frozen=True):
    """A role. `trust` is its trust policy as submitted; `pins` says whom the ARNs in it meant then."""

    id: str
    account: str
    name: str
    path: str
    created: float
    max_session: int
    trust: str
    pins: dict[str, str]
    description: str | None = None
    boundary: str | None = None
    last_used: float | None = None
    last_used_region: str | None = None

    def arn(self, partition: str) -> str:
        """The role's ARN."""
        return arn.iam(partition, self.account, "role", self.path, self.name)


class AccessKey(msgspec.Struct, frozen=True):
    """A long-term access key, its secret still sealed."""

    id: str
    account: str
    owner_id: str
    secret: bytes
    status: str
    created: float
    last_used: float | None = None
    last_used_service: str | None = None
    last_used_region: str | None = None

    def __repr__(self) -> str:
        return f"AccessKey({self.id}, {self.status})"


def user(transaction: Transaction, account: str, name: str) -> User | None:
    """The user of an account with this name."""
    return _one(transaction, tables.user, User, account=account, folded=name.lower())


def user_by_id(transaction: Transaction, unique_id: str) -> User | None:
    """The user with this unique id (AIDA...)."""
    return _one(transaction, tables.user, User, id=unique_id)


def group(transaction: Transaction, account: str, name: str) -> Group | None:
    """The group of an account with this name."""
    return _one(transaction, tables.group, Group, account=account, folded=name.lower())


def role(transaction: Transaction, account: str, name: str) -> Role | None:
    """The role of an account with this name."""
    return _one(transaction, tables.role, Role, account=account, folded=name.lower())


def role_by_id(transaction: Transaction, unique_id: str) -> Role | None:
    """The role with this unique id (AROA...)."""
    return _one(transaction, tables.role, Role, id=unique_id)


def role_by_arn(transaction: Transaction, role_arn: str) -> Role | None:
    """The role with this ARN; path and letter case must agree."""
    try:
        parsed = arn.parse(role_arn)
    except ArnError:
        return None
    kind, _, rest = parsed.resource.partition("/")
    found = role(transaction, parsed.account, rest.rpartition("/")[2]) if kind == "role" else None
    return found if found and found.arn(parsed.partition) == role_arn else None


def policy(transaction: Transaction, policy_arn: str) -> ManagedPolicy | None:
    """The managed policy with this ARN: a customer's, or one of AWS's."""
    return managed.find(policy_arn) or _one(transaction, tables.policy, ManagedPolicy, arn=policy_arn)


def default_document(transaction: Transaction, found: ManagedPolicy) -> str:
    """The text of a managed policy's default version."""
    if found.document is not None:
        return found.document
    row = transaction.one(_VERSION, {"policy": found.id, "number": found.default_version})
    assert row is not None, f"{found.arn} has no default version"
    return str(row.document)


def access_key(transaction: Transaction, key_id: str) -> AccessKey | None:
    """The long-term access key with this id."""
    return _one(transaction, tables.access_key, AccessKey, id=key_id)


def tags(transaction: Transaction, owner_id: str) -> dict[str, str]:
    """The tags of an entity: keys as given, in the order in which they were set first."""
    return {row.key: row.value for row in transaction.all(_TAGS, {"owner": owner_id})}


def pins(transaction: Transaction, partition: str, arns: Iterable[str]) -> dict[str, str]:
    """The unique ids of those user and role ARNs that exist; the others are left out."""
    found = {}
    for text in arns:
        try:
            parsed = arn.parse(text)
        except ArnError:
            continue
        kind, _, rest = parsed.resource.partition("/")
        if (parsed.partition, parsed.service, parsed.region) != (partition, "iam", ""):
            continue
        name = rest.rpartition("/")[2]
        entity: User | Role | None = None
        if kind == "user":
            entity = user(transaction, parsed.account, name)
        elif kind == "role":
            entity = role(transaction, parsed.account, name)
        if entity is not None and entity.arn(partition) == text:
            found[text] = entity.id
    return found


def current_arn(transaction: Transaction, partition: str, unique_id: str) -> str | None:
    """The present ARN of the user or role with this unique id, or None if it is gone."""
    entity: User | Role | None = user_by_id(transaction, unique_id) or role_by_id(transaction, unique_id)
    return entity.arn(partition) if entity else None


def _one(transaction: Transaction, table: Table, kind: type[R], **where: str) -> R | None:
    row = transaction.one(_with(table, *where), where)
    return None if row is None else record(kind, row)


# Statements are made once: of a caller who is not in memory yet, making them is the greater part of finding her.


@cache
def _with(table: Table, *names: str) -> Select[Any]:
    """The rows of a table of which these columns are given."""
    given: list[ColumnElement[bool]] = [table.c[name] == bindparam(name) for name in names]
    return select(table).where(*given)


_tag, _version = tables.tag.c, tables.policy_version.c
_TAGS = select(_tag.key, _tag.value).where(_tag.owner_id == bindparam("owner")).order_by(_tag.position)
_VERSION = select(_version.document).where(
    _version.policy_id == bindparam("policy"), _version.number == bindparam("number")
)


def record(kind: type[R], row: Row[Any]) -> R:
    """A row as the record `kind`, whose fields are columns of the same names."""
    columns = row._mapping
    values = {name: columns[name] for name in kind.__struct_fields__ if name in columns}
    if "pins" in values:
        values["pins"] = json.loads(values["pins"])
    return kind(**values)

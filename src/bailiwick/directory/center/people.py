"""People, groups and memberships of an identity store, and the instance that it belongs to."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Table, delete, insert, select

from bailiwick.api import Call, Environment, Transaction
from bailiwick.directory import passwords
from bailiwick.directory.center import tables
from bailiwick.directory.entities import record

T = TypeVar("T", bound=msgspec.Struct)
E = TypeVar("E", bound="Entry")

ENABLED, DISABLED = "ENABLED", "DISABLED"


class Instance(msgspec.Struct, frozen=True):
    """An instance of Identity Center: it belongs to an account, and has one identity store."""

    id: str
    account: str
    store: str
    name: str
    region: str
    created: float

    def arn(self, partition: str) -> str:
        """Its ARN, which names no account."""
        return f"arn:{partition}:sso:::instance/{self.id}"

    def store_arn(self, partition: str) -> str:
        """The ARN of its identity store."""
        return f"arn:{partition}:identitystore::{self.account}:identitystore/{self.store}"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What users and groups of a store have in common. `body` is JSON of the attributes."""

    id: str
    store: str
    folded: str
    external: str | None
    revision: int
    created: float
    updated: float
    created_by: str
    updated_by: str
    body: str

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes, as the API names them."""
        found: dict[str, Any] = msgspec.json.decode(self.body)
        return found


class StoreUser(Entry, frozen=True, kw_only=True):
    """A person of an identity store."""

    status: str

    @property
    def name(self) -> str:
        """The user name, as it was given."""
        return str(self.attributes["UserName"])

    @property
    def owner(self) -> str:
        """As whose her password and MFA devices are kept: the UUID in her id, without hyphens."""
        return self.id.replace("-", "")[-32:]


class StoreGroup(Entry, frozen=True, kw_only=True):
    """A group of an identity store."""


class Member(msgspec.Struct, frozen=True):
    """That a user is in a group."""

    id: str
    store: str
    group_id: str
    user_id: str
    created: float
    created_by: str


def instance(transaction: Transaction, **where: str) -> Instance | None:
    """The instance with this id, account or store."""
    return _one(transaction, tables.instance, Instance, where)


def user(transaction: Transaction, store: str, user_id: str) -> StoreUser | None:
    """The user of a store with this id."""
    return _one(transaction, tables.user, StoreUser, {"store": store, "id": user_id})


def user_anywhere(transaction: Transaction, user_id: str) -> StoreUser | None:
    """The user with this id, of whatever store."""
    return _one(transaction, tables.user, StoreUser, {"id": user_id})


def user_named(transaction: Transaction, store: str, name: str) -> StoreUser | None:
    """The user of a store with this name, whose letter case does not matter."""
    return _one(transaction, tables.user, StoreUser, {"store": store, "folded": name.lower()})


def group(transaction: Transaction, store: str, group_id: str) -> StoreGroup | None:
    """The group of a store with this id."""
    return _one(transaction, tables.group, StoreGroup, {"store": store, "id": group_id})


def group_named(transaction: Transaction, store: str, name: str) -> StoreGroup | None:
    """The group of a store with this name, whose letter case does not matter."""
    return _one(transaction, tables.group, StoreGroup, {"store": store, "folded": name.lower()})


def external(transaction: Transaction, table: Table, kind: type[T], store: str, external_id: str) -> T | None:
    """The user or group that another directory knows by this issuer and id."""
    return _one(transaction, table, kind, {"store": store, "external": external_id})


def member(transaction: Transaction, group_id: str, user_id: str) -> Member | None:
    """The membership of a user in a group, if she is in it."""
    return _one(transaction, tables.membership, Member, {"group_id": group_id, "user_id": user_id})


def groups_of(transaction: Transaction, user_id: str) -> list[str]:
    """The ids of the groups that a user is in."""
    columns = tables.membership.c
    return [
        str(row.group_id) for row in transaction.all(select(columns.group_id).where(columns.user_id == user_id))
    ]


def new_id(environment: Environment) -> str:
    """A new id of something in a store: a UUID of version 7 (RFC 9562), as lists are in the order of creation."""
    digits = f"{int(environment.now() * 1000):012x}{environment.noise(10).hex()}"
    parts = digits[:8], digits[8:12], f"7{digits[13:16]}", f"8{digits[17:20]}", digits[20:]
    return "-".join(parts)


def new(kind: type[E], call: Call, store: str, name: str, attributes: str, by: str, **more: Any) -> E:
    """A user or group that is made now, and not kept yet. `attributes` is JSON; `more` are its other members."""
    made: dict[str, Any] = {"id": new_id(call.environment), "revision": 1, "created": call.now, "updated": call.now}
    made |= {"store": store, "folded": name.lower(), "created_by": by, "updated_by": by, "body": attributes}
    return kind(**made, **more)


def add(transaction: Transaction, made: StoreUser | StoreGroup | Member) -> None:
    """Keep a new user, group or membership. Raises Duplicate for what there may be only once."""
    table = {StoreUser: tables.user, StoreGroup: tables.group, Member: tables.membership}[type(made)]
    transaction.run(insert(table).values(**msgspec.structs.asdict(made)))


def remove_user(transaction: Transaction, found: StoreUser) -> None:
    """Forget a user, her memberships, assignments, password and sign-ins."""
    passwords.remove(transaction, found.owner)
    for table, column in (
        (tables.membership, tables.membership.c.user_id),
        (tables.assignment, tables.assignment.c.principal),
        (tables.sign_in, tables.sign_in.c.user_id),
        (tables.user, tables.user.c.id),
    ):
        transaction.run(delete(table).where(column == found.id))


def sign_out(transaction: Transaction, found: StoreUser) -> None:
    """End every sign-in of a user."""
    transaction.run(delete(tables.sign_in).where(tables.sign_in.c.user_id == found.id))


def remove_group(transaction: Transaction, found: StoreGroup) -> None:
    """Forget a group, its memberships and assignments."""
    for table, column in (
        (tables.membership, tables.membership.c.group_id),
        (tables.assignment, tables.assignment.c.principal),
        (tables.group, tables.group.c.id),
    ):
        transaction.run(delete(table).where(column == found.id))


def _one(transaction: Transaction, table: Table, kind: type[T], where: dict[str, str]) -> T | None:
    row = transaction.one(select(table).where(*(table.c[name] == value for name, value in where.items())))
    return None if row is None else record(kind, row)

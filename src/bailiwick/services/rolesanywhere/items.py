"""Trust anchors, profiles and lists of revoked certificates, as they are kept, and how operations find them.

Each is an item of an account and region, named by its id, its ARN, or the ARN of its alias.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, update

from bailiwick.api import Call, Target, Transaction
from bailiwick.core.policy.question import Value
from bailiwick.directory import entities, tagging
from bailiwick.directory.entities import record
from bailiwick.services.rolesanywhere import paging, tables
from bailiwick.services.rolesanywhere.shapes import (
    AccessDeniedException,
    ListRequest,
    ResourceNotFoundException,
    ValidationException,
)
from bailiwick.store import Duplicate

T = TypeVar("T")

ANCHOR, PROFILE, CRL, SUBJECT = "trust-anchor", "profile", "crl", "subject"
_PREFIX = "rolesanywhere"
_MOST = {ANCHOR: 50, PROFILE: 250, CRL: 50}
_WORDS = {ANCHOR: "Trust anchor", PROFILE: "Profile", CRL: "CRL", SUBJECT: "Subject"}


class Item(msgspec.Struct, frozen=True):
    """One of them. `body` is JSON of what only its kind has."""

    account: str
    region: str
    kind: str
    id: str
    name: str
    alias: str | None
    enabled: bool
    created: float
    updated: float
    body: str

    def arn(self, partition: str) -> str:
        """Its ARN."""
        return arn_of(partition, self.region, self.account, self.kind, self.id)

    def alias_arn(self, partition: str) -> str | None:
        """The ARN of its alias, if it has one."""
        if self.alias is None:
            return None
        return arn_of(partition, self.region, self.account, f"alias/{self.kind}", self.alias)

    def read(self, kind: type[T]) -> T:
        """Its body."""
        return msgspec.json.decode(self.body, type=kind)


def arn_of(partition: str, region: str, account: str, kind: str, name: str) -> str:
    """The ARN of what has this kind and id."""
    return f"arn:{partition}:{_PREFIX}:{region}:{account}:{kind}/{name}"


# -- Finding ----------------------------------------------------------------------------------------------


def find(transaction: Transaction, account: str, region: str, kind: str, named: str) -> Item | None:
    """The item that an id, an ARN or the ARN of an alias names, in this account and region."""
    columns = tables.item.c
    where = [columns.account == account, columns.region == region, columns.kind == kind]
    place, _, name = named.rpartition("/")
    if place and not place.startswith("arn:"):
        return None
    if place:
        fields = place.split(":", 5)
        if len(fields) < 6 or fields[2:5] != [_PREFIX, region, account] or fields[5] not in (kind, f"alias/{kind}"):
            return None
    by_alias = place.endswith(f":alias/{kind}")
    row = transaction.one(select(tables.item).where(*where, (columns.alias if by_alias else columns.id) == name))
    return None if row is None else record(Item, row)


def every(transaction: Transaction, account: str, region: str, kind: str) -> list[Item]:
    """All of an account and region, by id."""
    columns = tables.item.c
    where = columns.account == account, columns.region == region, columns.kind == kind
    return [record(Item, row) for row in transaction.all(select(tables.item).where(*where).order_by(columns.id))]


def page(call: Call, request: ListRequest, kind: str) -> tuple[list[Item], str | None]:
    """The page of the caller's items of a kind that is asked for, and the token of what follows."""
    found = every(call.transaction, call.account, call.region, kind)
    return paging.page(call, request, found, lambda each: each.id)


def named(kind: str, member: str) -> Callable[[Call, Any], Target]:
    """A finder of the item that a member of the request names. The record is the Item."""

    def finder(call: Call, request: Any) -> Target:
        asked: str = getattr(request, member)
        found = find(call.transaction, call.account, call.region, kind, asked)
        name = found.id if found else asked.rpartition("/")[2]
        return Target(
            account=call.account,
            arn=arn_of(call.partition, call.region, call.account, kind, name),
            context=tags_of(call.transaction, found.id) if found else {},
            record=found,
            absent=None if found else missing(kind),
        )

    return finder


def missing(kind: str) -> ResourceNotFoundException:
    """The refusal of what does not exist."""
    return ResourceNotFoundException(f"{_WORDS[kind]} not found.")


def tag_owner(item_id: str) -> str:
    """Under what the tags of an item are kept."""
    return f"{_PREFIX}/{item_id}"


def tags_of(transaction: Transaction, item_id: str) -> dict[str, Value]:
    """The condition keys of the tags that an item carries."""
    found = entities.tags(transaction, tag_owner(item_id))
    return {f"aws:resourcetag/{key.lower()}": value for key, value in found.items()}


# -- Changing ---------------------------------------------------------------------------------------------


def create(call: Call, kind: str, name: str, alias: str | None, enabled: bool, body: msgspec.Struct) -> Item:
    """Keep a new item. Raises AccessDeniedException above the quota, ValidationException for a taken alias."""
    if len(every(call.transaction, call.account, call.region, kind)) >= _MOST[kind]:
        raise AccessDeniedException(f"The quota of {_MOST[kind]} has been reached: {_WORDS[kind]}.")
    item_id = str(uuid.UUID(bytes=call.environment.noise(16), version=4))
    place = call.account, call.region, kind, item_id
    made = Item(*place, name, alias, enabled, call.now, call.now, _written(body))
    return _kept(call, made, insert(tables.item).values(**msgspec.structs.asdict(made)))


def change(call: Call, item: Item, **values: Any) -> Item:
    """Change an item; `body` may be given as a Struct. None leaves a member as it is."""
    given = {name: value for name, value in values.items() if value is not None}
    if isinstance(given.get("body"), msgspec.Struct):
        given["body"] = _written(given["body"])
    changed = msgspec.structs.replace(item, **given, updated=call.now)
    return _kept(call, changed, update(tables.item).where(*_which(item)).values(**msgspec.structs.asdict(changed)))


def remove(call: Call, item: Item) -> None:
    """Forget an item, and its tags."""
    call.transaction.run(delete(tables.item).where(*_which(item)))
    tagging.remove_all(call.transaction, tag_owner(item.id))


def _which(item: Item) -> tuple[ColumnElement[bool], ...]:
    columns = tables.item.c
    return columns.account == item.account, columns.region == item.region, columns.id == item.id


def _kept(call: Call, item: Item, statement: Any) -> Item:
    try:
        call.transaction.run(statement)
    except Duplicate:
        raise ValidationException(f"The alias {item.alias} is already in use.") from None
    return item


def _written(body: msgspec.Struct) -> str:
    return msgspec.json.encode(body).decode()

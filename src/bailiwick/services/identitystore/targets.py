"""How the operations find what they act on: the store, and in it users, groups and memberships.

A store is administered from the account of its instance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import select

from bailiwick.api import ApiError, Call, Target
from bailiwick.core.policy.question import Value
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import Instance, Member, StoreGroup, StoreUser
from bailiwick.directory.entities import record
from bailiwick.services.identitystore.shapes import ResourceNotFoundException

Found = StoreUser | StoreGroup | Member | None
Finder = Callable[[Call, Any], Target]

_TYPES = {"user": "USER", "group": "GROUP", "membership": "GROUP_MEMBERSHIP"}


class Held(msgspec.Struct, frozen=True):
    """What a handler is given: the instance whose store it is, and what was named in it."""

    instance: Instance
    user: StoreUser | None = None
    group: StoreGroup | None = None
    member: Member | None = None


def missing(kind: str, resource_id: str) -> ResourceNotFoundException:
    """The refusal of what is not there."""
    return ResourceNotFoundException(
        f"{_TYPES.get(kind, kind)} not found.", ResourceType=_TYPES.get(kind, kind), ResourceId=resource_id
    )


def plain(resource_id: str) -> str:
    """The id in an id or ARN."""
    return resource_id.rpartition("/")[2]


def arn_of(call: Call, kind: str, resource_id: str) -> str:
    """The ARN of a user, group or membership; these name no account."""
    return f"arn:{call.partition}:identitystore:::{kind}/{resource_id}"


def store(call: Call, request: Any) -> Target:
    """The store itself. The record is Held."""
    asked = plain(request.IdentityStoreId)
    found = people.instance(call.transaction, store=asked)
    if found is not None and found.account != call.account:
        found = None
    return Target(
        account=call.account,
        arn=f"arn:{call.partition}:identitystore::{call.account}:identitystore/{asked}",
        context=_context(found),
        record=Held(found) if found else None,
        absent=None if found else missing("IDENTITY_STORE", asked),
    )


def every(kind: str) -> Finder:
    """All users, groups or memberships of the store. The record is Held."""

    def find(call: Call, request: Any) -> Target:
        return _with(call, store(call, request), [(kind, "*", None)])

    return find


def user(call: Call, request: Any) -> Target:
    """The user that UserId names."""
    return _named(call, request, user_id=request.UserId)


def group(call: Call, request: Any) -> Target:
    """The group that GroupId names."""
    return _named(call, request, group_id=request.GroupId)


def user_and_group(call: Call, request: Any) -> Target:
    """The group that GroupId names, and the user that MemberId does."""
    return _named(call, request, user_id=request.MemberId.UserId or "", group_id=request.GroupId)


def membership(call: Call, request: Any) -> Target:
    """The membership that MembershipId names, with its user and group."""
    target = store(call, request)
    held: Held | None = target.record
    asked = plain(request.MembershipId)
    found = None
    if held is not None:
        columns = tables.membership.c
        where = columns.id == asked, columns.store == held.instance.store
        row = call.transaction.one(select(tables.membership).where(*where))
        found = record(Member, row) if row is not None else None
        target = msgspec.structs.replace(target, record=msgspec.structs.replace(held, member=found))
    absent = None if found else missing("membership", asked)
    others = [("user", found.user_id, None), ("group", found.group_id, None)] if found else []
    return _with(call, target, [("membership", asked, absent), *others])


def _named(call: Call, request: Any, user_id: str | None = None, group_id: str | None = None) -> Target:
    target = store(call, request)
    held: Held | None = target.record
    parts: list[tuple[str, str, ApiError | None]] = []
    if group_id is not None:
        group_id = plain(group_id)
        found = people.group(call.transaction, held.instance.store, group_id) if held else None
        held = msgspec.structs.replace(held, group=found) if held else None
        parts.append(("group", group_id, None if found else missing("group", group_id)))
    if user_id is not None:
        user_id = plain(user_id)
        person = people.user(call.transaction, held.instance.store, user_id) if held else None
        held = msgspec.structs.replace(held, user=person) if held else None
        parts.append(("user", user_id, None if person else missing("user", user_id)))
    return _with(call, msgspec.structs.replace(target, record=held), parts)


def _with(call: Call, target: Target, parts: list[tuple[str, str, ApiError | None]]) -> Target:
    """The same target; the call must be allowed on each of these parts too, which must be there."""
    also = [
        Target(account=call.account, arn=arn_of(call, kind, name), context=target.context, absent=absent)
        for kind, name, absent in parts
    ]
    return msgspec.structs.replace(target, also=tuple(also))


def _context(found: Instance | None) -> dict[str, Value]:
    return {"identitystore:primaryregion": found.region} if found else {}

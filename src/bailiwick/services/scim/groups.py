"""Groups in SCIM, and who is in them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy import delete

from bailiwick.api import Call
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import Member, StoreGroup
from bailiwick.services.scim import shapes
from bailiwick.services.scim.common import (
    BY,
    answer,
    change,
    directory,
    external,
    listed,
    make,
    meta,
    operations,
    own,
    read,
    store_of,
)
from bailiwick.services.scim.service import scim
from bailiwick.services.scim.shapes import InvalidRequestException, NotFoundException
from bailiwick.services.scim.users import found_user

SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
_MEMBER = re.compile(r'members\[value eq "([0-9A-Fa-f-]{1,64})"\]', re.ASCII)


def _named(given: dict[str, Any]) -> str:
    name = given.get("displayName")
    if not isinstance(name, str) or not 0 < len(name) <= 1024:
        raise InvalidRequestException("displayName is required.")
    return name


def _shown(call: Call, found: StoreGroup) -> dict[str, Any]:
    """A group without its members, as AWS tells it."""
    told: dict[str, Any] = {
        "schemas": [SCHEMA],
        "id": found.id,
        "displayName": found.attributes["DisplayName"],
        "members": [],
        "meta": meta(call, found),
    }
    return told | ({"externalId": found.external.partition(" ")[2]} if found.external else {})


def _group(call: Call, group_id: str) -> StoreGroup:
    found = people.group(call.transaction, store_of(call), group_id)
    if found is None:
        raise NotFoundException(f"There is no group {group_id}.")
    return found


@scim.operation("CreateGroup", on=own, by=directory, writes=True)
def create_group(call: Call, request: shapes.CreateGroupRequest, record_: None) -> shapes.Answer:
    given = read(request.Body)
    name = _named(given)
    made = make(call, StoreGroup, name, {"DisplayName": name}, external=external(given))
    _add(call, made, _members(given.get("members") or []))
    return answer(_shown(call, made))


@scim.operation("GetGroup", on=own, by=directory)
def get_group(call: Call, request: shapes.GetGroupRequest, record_: None) -> shapes.Answer:
    return answer(_shown(call, _group(call, request.Id)))


@scim.operation("ListGroups", on=own, by=directory)
def list_groups(call: Call, request: shapes.ListGroupsRequest, record_: None) -> shapes.Answer:
    return listed(call, request, tables.group, "displayName", StoreGroup, _shown)


@scim.operation("ReplaceGroup", on=own, by=directory, writes=True)
def replace_group(call: Call, request: shapes.ReplaceGroupRequest, record_: None) -> shapes.Answer:
    found, given = _group(call, request.Id), read(request.Body)
    changed = _renamed(call, found, _named(given), external(given))
    call.transaction.run(delete(tables.membership).where(tables.membership.c.group_id == found.id))
    _add(call, changed, _members(given.get("members") or []))
    return answer(_shown(call, changed))


@scim.operation("PatchGroup", on=own, by=directory, writes=True)
def patch_group(call: Call, request: shapes.PatchGroupRequest, record_: None) -> shapes.Answer:
    found = _group(call, request.Id)
    for kind, path, value in operations(read(request.Body)):
        found = _patched(call, found, kind, path, value)
    return answer(_shown(call, found))


def _patched(call: Call, found: StoreGroup, kind: str, path: str, value: Any) -> StoreGroup:
    columns = tables.membership.c
    one = _MEMBER.fullmatch(path)
    if one is not None and kind == "remove":
        where = columns.group_id == found.id, columns.user_id == one[1]
        call.transaction.run(delete(tables.membership).where(*where))
        return found
    if path == "members":
        members = _members(value or [])
        if kind in ("replace", "remove"):
            leaving = delete(tables.membership).where(columns.group_id == found.id)
            if kind == "remove" and members:
                leaving = leaving.where(columns.user_id.in_(members))
            call.transaction.run(leaving)
        if kind != "remove":
            _add(call, found, members)
        return found
    given = value if not path and isinstance(value, dict) else {path: value}
    if "members" in given:
        found = _patched(call, found, kind, "members", given["members"])
    if "displayName" in given or "externalId" in given:
        name = _named(given) if "displayName" in given else str(found.attributes["DisplayName"])
        return _renamed(call, found, name, external(given) if "externalId" in given else found.external)
    return found


def _renamed(call: Call, found: StoreGroup, name: str, external_id: str | None) -> StoreGroup:
    body = msgspec.json.encode({**found.attributes, "DisplayName": name}).decode()
    return change(call, tables.group, found, folded=name.lower(), external=external_id, body=body)


def _members(value: Any) -> list[str]:
    """The ids of the users in a list of members. Raises InvalidRequestException."""
    if not isinstance(value, list):
        raise InvalidRequestException("members is a list.")
    return [str(each.get("value")) if isinstance(each, dict) else "" for each in value]


def _add(call: Call, found: StoreGroup, members: list[str]) -> None:
    """Put users into the group; who is in it already stays. Raises NotFoundException."""
    for each in members:
        user = found_user(call, each)
        if people.member(call.transaction, found.id, user.id) is None:
            member_id = people.new_id(call.environment)
            people.add(call.transaction, Member(member_id, found.store, found.id, user.id, call.now, BY))


@scim.operation("DeleteGroup", on=own, by=directory, writes=True)
def delete_group(call: Call, request: shapes.DeleteGroupRequest, record_: None) -> shapes.Answer:
    people.remove_group(call.transaction, _group(call, request.Id))
    return shapes.Answer()

"""Groups of IAM users. A group is never a principal: its policies are its members'."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call, Target
from bailiwick.core import ids
from bailiwick.directory import entities, tables
from bailiwick.directory.entities import Group, User
from bailiwick.services.iam import listing, names, paging, shapes, users
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import DeleteConflictException, EntityAlreadyExistsException
from bailiwick.services.iam.targets import group_named, no_user, user_named
from bailiwick.store import Duplicate


def shown(group: Group, partition: str) -> shapes.Group:
    """A group as responses show it."""
    return shapes.Group(
        Path=group.path,
        GroupName=group.name,
        GroupId=group.id,
        Arn=group.arn(partition),
        CreateDate=group.created,
    )


def new_group(call: Call, request: shapes.CreateGroupRequest) -> Target:
    """The group to be made."""
    arn = names.account_arn(call, "group", request.Path or "/", request.GroupName)
    return Target(account=call.account, arn=arn)


@iam.operation("CreateGroup", on=new_group, writes=True)
def create_group(call: Call, request: shapes.CreateGroupRequest, record: None) -> shapes.CreateGroupResponse:
    names.check_room(call, tables.group.c.account == call.account, "GroupsPerAccount")
    group = Group(
        id=ids.unique_id("AGPA", call.account, call.environment.entropy),
        account=call.account,
        name=request.GroupName,
        path=request.Path or "/",
        created=names.seconds(call.now),
    )
    try:
        values = msgspec.structs.asdict(group)
        call.transaction.run(insert(tables.group).values(**values, folded=group.name.lower()))
    except Duplicate:
        raise EntityAlreadyExistsException(f"Group with name {group.name} already exists.") from None
    return shapes.CreateGroupResponse(Group=shown(group, call.partition))


@iam.operation("GetGroup", on=group_named)
def get_group(call: Call, request: shapes.GetGroupRequest, group: Group) -> shapes.GetGroupResponse:
    member, user = tables.membership.c, tables.user.c
    members = select(tables.user).join(tables.membership, member.user_id == user.id)
    rows, truncated, marker = paging.read(call, request, members.where(member.group_id == group.id), user.folded)
    return shapes.GetGroupResponse(
        Group=shown(group, call.partition),
        Users=[users.shown(entities.record(User, row), call.partition) for row in rows],
        IsTruncated=truncated,
        Marker=marker,
    )


@iam.operation("UpdateGroup", on=group_named, writes=True)
def update_group(call: Call, request: shapes.UpdateGroupRequest, group: Group) -> None:
    name, path = request.NewGroupName or group.name, request.NewPath or group.path
    try:
        call.transaction.run(
            update(tables.group)
            .where(tables.group.c.id == group.id)
            .values(name=name, folded=name.lower(), path=path)
        )
    except Duplicate:
        raise EntityAlreadyExistsException(f"Group with name {name} already exists.") from None


_BLOCKING = (
    (tables.membership.c.group_id, "Cannot delete entity, must remove users from group first."),
    (tables.attachment.c.owner_id, "Cannot delete entity, must detach all policies first."),
    (tables.inline_policy.c.owner_id, "Cannot delete entity, must delete policies first."),
)


@iam.operation("DeleteGroup", on=group_named, writes=True)
def delete_group(call: Call, request: shapes.DeleteGroupRequest, group: Group) -> None:
    for column, message in _BLOCKING:
        if names.count(call.transaction, column == group.id):
            raise DeleteConflictException(message)
    call.transaction.run(delete(tables.group).where(tables.group.c.id == group.id))
    call.transaction.changed(f"group:{group.id}")


def every_group(call: Call, request: Any) -> Target:
    """Every group of the account."""
    return Target(account=call.account)


@iam.operation("ListGroups", on=every_group)
def list_groups(call: Call, request: shapes.ListGroupsRequest, record: None) -> shapes.ListGroupsResponse:
    page, truncated, marker = listing.page(call, tables.group, Group, request)
    return shapes.ListGroupsResponse(
        Groups=[shown(group, call.partition) for group in page], IsTruncated=truncated, Marker=marker
    )


# -- Members ----------------------------------------------------------------------------------------------


def group_and_member(call: Call, request: Any) -> Target:
    """The group, and the user who is meant. Of two that are missing the user is told (recorded 2026)."""
    target = group_named(call, request)
    user = entities.user(call.transaction, call.account, request.UserName)
    absent = target.absent if user else no_user(request.UserName)
    return msgspec.structs.replace(target, record=(target.record, user), absent=absent)


@iam.operation("AddUserToGroup", on=group_and_member, writes=True)
def add_user_to_group(call: Call, request: shapes.AddUserToGroupRequest, record: tuple[Group, User]) -> None:
    group, user = record
    columns = tables.membership.c
    present = names.count(call.transaction, (columns.user_id == user.id) & (columns.group_id == group.id))
    if present:
        return
    names.check_room(call, columns.user_id == user.id, "GroupsPerUser")
    call.transaction.run(insert(tables.membership).values(group_id=group.id, user_id=user.id))
    call.transaction.changed(f"principal:{user.id}")


@iam.operation("RemoveUserFromGroup", on=group_and_member, writes=True)
def remove_user_from_group(
    call: Call, request: shapes.RemoveUserFromGroupRequest, record: tuple[Group, User]
) -> None:
    """Who is no member is removed as well: no error (recorded 2026)."""
    group, user = record
    columns = tables.membership.c
    call.transaction.run(delete(tables.membership).where(columns.group_id == group.id, columns.user_id == user.id))
    call.transaction.changed(f"principal:{user.id}")


@iam.operation("ListGroupsForUser", on=user_named)
def list_groups_for_user(
    call: Call, request: shapes.ListGroupsForUserRequest, user: User
) -> shapes.ListGroupsForUserResponse:
    member, group = tables.membership.c, tables.group.c
    has = select(tables.group).join(tables.membership, member.group_id == group.id)
    rows, truncated, marker = paging.read(call, request, has.where(member.user_id == user.id), group.folded)
    groups = [shown(entities.record(Group, row), call.partition) for row in rows]
    return shapes.ListGroupsForUserResponse(Groups=groups, IsTruncated=truncated, Marker=marker)

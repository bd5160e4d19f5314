"""Groups of an identity store, and who is in them."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, select

from bailiwick.api import Call
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import Member, StoreGroup
from bailiwick.directory.entities import record
from bailiwick.services.identitystore import attributes, paging, shapes
from bailiwick.services.identitystore.service import identitystore
from bailiwick.services.identitystore.shapes import ValidationException
from bailiwick.services.identitystore.targets import (
    Held,
    arn_of,
    every,
    group,
    membership,
    missing,
    store,
    user_and_group,
)

_CHANGEABLE = frozenset(("DisplayName", "Description"))


@identitystore.operation("CreateGroup", on=store, writes=True)
def create_group(call: Call, request: shapes.CreateGroupRequest, held: Held) -> shapes.CreateGroupResponse:
    given = _checked(attributes.given(request))
    made = attributes.make(call, StoreGroup, held.instance.store, given["DisplayName"], given)
    return shapes.CreateGroupResponse(
        IdentityStoreId=made.store, GroupId=made.id, GroupArn=arn_of(call, "group", made.id), Revision="1"
    )


@identitystore.operation("DescribeGroup", on=group)
def describe_group(call: Call, request: shapes.DescribeGroupRequest, held: Held) -> shapes.DescribeGroupResponse:
    assert held.group is not None, "it was found"
    return msgspec.convert(_shown(call, held.group), shapes.DescribeGroupResponse, strict=False)


@identitystore.operation("UpdateGroup", on=group, writes=True)
def update_group(call: Call, request: shapes.UpdateGroupRequest, held: Held) -> shapes.UpdateGroupResponse:
    assert held.group is not None, "it was found"
    found = held.group
    attributes.check_revision(request.Revision, found.revision)
    given = _checked(attributes.changed(found.attributes, request.Operations, _CHANGEABLE))
    attributes.check({"IdentityStoreId": found.store, **given}, shapes.CreateGroupRequest)
    revision = attributes.keep(call, found, given["DisplayName"], given)
    return shapes.UpdateGroupResponse(
        IdentityStoreId=found.store,
        GroupId=found.id,
        GroupArn=arn_of(call, "group", found.id),
        Revision=revision,
    )


@identitystore.operation("DeleteGroup", on=group, writes=True)
def delete_group(call: Call, request: shapes.DeleteGroupRequest, held: Held) -> shapes.DeleteGroupResponse:
    assert held.group is not None, "it was found"
    attributes.check_revision(request.Revision, held.group.revision)
    people.remove_group(call.transaction, held.group)
    return shapes.DeleteGroupResponse()


@identitystore.operation("ListGroups", on=every("group"))
def list_groups(call: Call, request: shapes.ListGroupsRequest, held: Held) -> shapes.ListGroupsResponse:
    columns = tables.group.c
    statement = select(tables.group).where(columns.store == held.instance.store)
    for each in request.Filters or ():
        if each.AttributePath.lower() != "displayname":
            raise ValidationException("The only attribute to filter groups by is DisplayName.")
        statement = statement.where(columns.folded == each.AttributeValue.lower())
    rows, token = paging.page(call, request, statement, columns.id)
    shown = [_shown(call, record(StoreGroup, row)) for row in rows]
    found = msgspec.convert(shown, list[shapes.Group], strict=False)
    return shapes.ListGroupsResponse(Groups=found, NextToken=token)


@identitystore.operation("GetGroupId", on=every("group"))
def get_group_id(call: Call, request: shapes.GetGroupIdRequest, held: Held) -> shapes.GetGroupIdResponse:
    wanted, in_store, found = request.AlternateIdentifier, held.instance.store, None
    if wanted.UniqueAttribute is not None:
        if wanted.UniqueAttribute.AttributePath.lower() != "displayname":
            raise attributes.not_unique(wanted.UniqueAttribute)
        found = people.group_named(call.transaction, in_store, attributes.sought(wanted.UniqueAttribute))
    elif wanted.ExternalId is not None:
        key = attributes.external(wanted.ExternalId.Issuer, wanted.ExternalId.Id)
        found = people.external(call.transaction, tables.group, StoreGroup, in_store, key)
    if found is None:
        raise missing("group", "")
    return shapes.GetGroupIdResponse(
        IdentityStoreId=in_store, GroupId=found.id, GroupArn=arn_of(call, "group", found.id)
    )


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    if not given.get("DisplayName"):
        raise ValidationException("displayName is a required attribute")
    return given


def _shown(call: Call, found: StoreGroup) -> dict[str, Any]:
    named = {"GroupId": found.id, "GroupArn": arn_of(call, "group", found.id)}
    return attributes.shown(found) | named


# -- Memberships ------------------------------------------------------------------------------------------


@identitystore.operation("CreateGroupMembership", on=user_and_group, writes=True)
def create_group_membership(
    call: Call, request: shapes.CreateGroupMembershipRequest, held: Held
) -> shapes.CreateGroupMembershipResponse:
    assert held.user is not None, "both were found"
    assert held.group is not None, "both were found"
    in_store = held.instance.store
    made = Member(people.new_id(call.environment), in_store, held.group.id, held.user.id, call.now, call.caller.arn)
    attributes.add(call, made)
    return shapes.CreateGroupMembershipResponse(
        IdentityStoreId=in_store, MembershipId=made.id, MembershipArn=arn_of(call, "membership", made.id)
    )


@identitystore.operation("DescribeGroupMembership", on=membership)
def describe_group_membership(
    call: Call, request: shapes.DescribeGroupMembershipRequest, held: Held
) -> shapes.DescribeGroupMembershipResponse:
    assert held.member is not None, "it was found"
    return msgspec.convert(_membership(call, held.member), shapes.DescribeGroupMembershipResponse, strict=False)


@identitystore.operation("DeleteGroupMembership", on=membership, writes=True)
def delete_group_membership(
    call: Call, request: shapes.DeleteGroupMembershipRequest, held: Held
) -> shapes.DeleteGroupMembershipResponse:
    assert held.member is not None, "it was found"
    call.transaction.run(delete(tables.membership).where(tables.membership.c.id == held.member.id))
    return shapes.DeleteGroupMembershipResponse()


@identitystore.operation("GetGroupMembershipId", on=user_and_group)
def get_group_membership_id(
    call: Call, request: shapes.GetGroupMembershipIdRequest, held: Held
) -> shapes.GetGroupMembershipIdResponse:
    assert held.user is not None, "both were found"
    assert held.group is not None, "both were found"
    found = people.member(call.transaction, held.group.id, held.user.id)
    if found is None:
        raise missing("membership", "")
    return shapes.GetGroupMembershipIdResponse(
        IdentityStoreId=found.store, MembershipId=found.id, MembershipArn=arn_of(call, "membership", found.id)
    )


@identitystore.operation("IsMemberInGroups", on=every("membership"))
def is_member_in_groups(
    call: Call, request: shapes.IsMemberInGroupsRequest, held: Held
) -> shapes.IsMemberInGroupsResponse:
    user_id = (request.MemberId.UserId or "").rpartition("/")[2]
    own = set(people.groups_of(call.transaction, user_id))
    return shapes.IsMemberInGroupsResponse(
        Results=[
            shapes.GroupMembershipExistenceResult(
                GroupId=each, MemberId=shapes.MemberId(UserId=user_id), MembershipExists=each in own
            )
            for each in request.GroupIds
        ]
    )


@identitystore.operation("ListGroupMemberships", on=group)
def list_group_memberships(
    call: Call, request: shapes.ListGroupMembershipsRequest, held: Held
) -> shapes.ListGroupMembershipsResponse:
    assert held.group is not None, "it was found"
    columns = tables.membership.c
    statement = select(tables.membership).where(columns.group_id == held.group.id)
    rows, token = paging.page(call, request, statement, columns.id)
    return shapes.ListGroupMembershipsResponse(GroupMemberships=_memberships(call, rows), NextToken=token)


@identitystore.operation("ListGroupMembershipsForMember", on=every("membership"))
def list_group_memberships_for_member(
    call: Call, request: shapes.ListGroupMembershipsForMemberRequest, held: Held
) -> shapes.ListGroupMembershipsForMemberResponse:
    user_id = (request.MemberId.UserId or "").rpartition("/")[2]
    if people.user(call.transaction, held.instance.store, user_id) is None:
        raise missing("user", user_id)
    columns = tables.membership.c
    statement = select(tables.membership).where(columns.user_id == user_id)
    rows, token = paging.page(call, request, statement, columns.id)
    return shapes.ListGroupMembershipsForMemberResponse(GroupMemberships=_memberships(call, rows), NextToken=token)


def _memberships(call: Call, rows: Any) -> list[shapes.GroupMembership]:
    shown = [_membership(call, record(Member, row)) for row in rows]
    return msgspec.convert(shown, list[shapes.GroupMembership], strict=False)


def _membership(call: Call, found: Member) -> dict[str, Any]:
    return {
        "IdentityStoreId": found.store,
        "MembershipId": found.id,
        "MembershipArn": arn_of(call, "membership", found.id),
        "GroupId": found.group_id,
        "MemberId": {"UserId": found.user_id},
        "CreatedAt": found.created,
        "CreatedBy": found.created_by,
        "UpdatedAt": found.created,
        "UpdatedBy": found.created_by,
    }

"""Roles: identities that others assume."""

from __future__ import annotations

import json

import msgspec
from sqlalchemy import delete, insert, update

from bailiwick.api import Call, Target
from bailiwick.core import ids
from bailiwick.directory import entities, tables
from bailiwick.directory.entities import Role
from bailiwick.directory.role_tables import instance_profile, last_access
from bailiwick.services.iam import boundaries, listing, names, protected, shapes, tags, trust
from bailiwick.services.iam.protected import role_to_change
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
)
from bailiwick.services.iam.targets import role_named
from bailiwick.store import Duplicate

DEFAULT_SESSION = 3600


def shown(call: Call, role: Role, *, session: bool) -> shapes.Role:
    """A role as lists show it; CreateRole leaves out the maximum session where it is the default."""
    return shapes.Role(
        Path=role.path,
        RoleName=role.name,
        RoleId=role.id,
        Arn=role.arn(call.partition),
        CreateDate=role.created,
        AssumeRolePolicyDocument=trust.shown(call, role),
        Description=role.description,
        MaxSessionDuration=role.max_session if session else None,
    )


def shown_whole(call: Call, role: Role) -> shapes.Role:
    """A role as GetRole shows it."""
    return msgspec.structs.replace(
        shown(call, role, session=True),
        PermissionsBoundary=boundaries.shown(role.boundary),
        Tags=tags.shown(call.transaction, role.id),
        RoleLastUsed=shapes.RoleLastUsed(LastUsedDate=role.last_used, Region=role.last_used_region),
    )


def new_role(call: Call, request: shapes.CreateRoleRequest) -> Target:
    """The role to be made; with tags, the caller must be allowed to set them too."""
    arn = names.account_arn(call, "role", request.Path or "/", request.RoleName)
    more = boundaries.of_request(request.PermissionsBoundary)
    return tags.new(call, arn, request.Tags, "iam:TagRole", more)


@iam.operation("CreateRole", on=new_role, writes=True)
def create_role(call: Call, request: shapes.CreateRoleRequest, record: None) -> shapes.CreateRoleResponse:
    path = request.Path or "/"
    if path.startswith(protected.RESERVED):
        raise InvalidInputException(f"The path {path} is reserved for roles that AWS services make.")
    pins = trust.checked(call, request.AssumeRolePolicyDocument)
    boundary = boundaries.checked(call, request.PermissionsBoundary)
    check_quota(call)
    role = Role(
        id=ids.unique_id("AROA", call.account, call.environment.entropy),
        account=call.account,
        name=request.RoleName,
        path=path,
        created=names.seconds(call.now),
        max_session=request.MaxSessionDuration or DEFAULT_SESSION,
        trust=request.AssumeRolePolicyDocument,
        pins=pins,
        description=request.Description or None,
        boundary=boundary,
    )
    add(call, role)
    tags.put(call.transaction, role.id, request.Tags)
    whole = msgspec.structs.replace(
        shown(call, role, session=request.MaxSessionDuration is not None),
        Description=None,  # AWS leaves it out of this answer (recorded 2026)
        PermissionsBoundary=boundaries.shown(boundary),
        Tags=tags.shown(call.transaction, role.id),
    )
    return shapes.CreateRoleResponse(Role=whole)


def add(call: Call, role: Role) -> None:
    """Store a new role. Raises EntityAlreadyExists."""
    values = msgspec.structs.asdict(role) | {"folded": role.name.lower(), "pins": json.dumps(role.pins)}
    try:
        call.transaction.run(insert(tables.role).values(**values))
    except Duplicate:
        raise EntityAlreadyExistsException(f"Role with name {role.name} already exists.") from None
    _changed(call, role)


def check_quota(call: Call) -> None:
    """Refuse one more role than an account may have."""
    names.check_room(call, tables.role.c.account == call.account, "RolesPerAccount")


@iam.operation("GetRole", on=role_named)
def get_role(call: Call, request: shapes.GetRoleRequest, role: Role) -> shapes.GetRoleResponse:
    return shapes.GetRoleResponse(Role=shown_whole(call, role))


@iam.operation("UpdateRole", on=role_named, writes=True)
def update_role(call: Call, request: shapes.UpdateRoleRequest, role: Role) -> shapes.UpdateRoleResponse:
    if request.MaxSessionDuration is not None and protected.is_protected(role):
        raise protected.refusal(role)
    _update(
        call,
        role,
        description=role.description if request.Description is None else request.Description or None,
        max_session=request.MaxSessionDuration or role.max_session,
    )
    return shapes.UpdateRoleResponse()


@iam.operation("UpdateRoleDescription", on=role_named, writes=True)
def update_role_description(
    call: Call, request: shapes.UpdateRoleDescriptionRequest, role: Role
) -> shapes.UpdateRoleDescriptionResponse:
    _update(call, role, description=request.Description or None)
    updated = entities.role_by_id(call.transaction, role.id)
    assert updated is not None, "a role that was just updated is there"
    return shapes.UpdateRoleDescriptionResponse(Role=shown(call, updated, session=False))


@iam.operation("UpdateAssumeRolePolicy", on=role_to_change, writes=True)
def update_assume_role_policy(call: Call, request: shapes.UpdateAssumeRolePolicyRequest, role: Role) -> None:
    pins = trust.checked(call, request.PolicyDocument)
    _update(call, role, trust=request.PolicyDocument, pins=json.dumps(pins))


# What must be gone before a role can be deleted, in the order in which AWS looks.
_BLOCKING = (
    (instance_profile.c.role_id, "Cannot delete entity, must remove roles from instance profile first."),
    (tables.attachment.c.owner_id, "Cannot delete entity, must detach all policies first."),
    (tables.inline_policy.c.owner_id, "Cannot delete entity, must delete policies first."),
)


@iam.operation("DeleteRole", on=role_to_change, writes=True)
def delete_role(call: Call, request: shapes.DeleteRoleRequest, role: Role) -> None:
    for column, message in _BLOCKING:
        if names.count(call.transaction, column == role.id):
            raise DeleteConflictException(message)
    forget(call, role)


def forget(call: Call, role: Role) -> None:
    """Delete a role to which nothing is attached any more."""
    tags.remove_all(call.transaction, role.id)
    call.transaction.run(delete(last_access).where(last_access.c.principal_id == role.id))
    call.transaction.run(delete(tables.role).where(tables.role.c.id == role.id))
    _changed(call, role)


def every_role(call: Call, request: shapes.ListRolesRequest) -> Target:
    """Every role of the account."""
    return Target(account=call.account)


@iam.operation("ListRoles", on=every_role)
def list_roles(call: Call, request: shapes.ListRolesRequest, record: None) -> shapes.ListRolesResponse:
    page, truncated, marker = listing.page(call, tables.role, Role, request)
    return shapes.ListRolesResponse(
        Roles=[shown(call, role, session=True) for role in page], IsTruncated=truncated, Marker=marker
    )


@iam.operation("TagRole", on=role_named, writes=True)
def tag_role(call: Call, request: shapes.TagRoleRequest, role: Role) -> None:
    tags.put(call.transaction, role.id, request.Tags)
    _changed(call, role)


@iam.operation("UntagRole", on=role_named, writes=True)
def untag_role(call: Call, request: shapes.UntagRoleRequest, role: Role) -> None:
    tags.remove(call.transaction, role.id, request.TagKeys)
    _changed(call, role)


@iam.operation("ListRoleTags", on=role_named)
def list_role_tags(call: Call, request: shapes.ListRoleTagsRequest, role: Role) -> shapes.ListRoleTagsResponse:
    page, truncated, marker = tags.page(call, role.id, request.Marker, request.MaxItems)
    return shapes.ListRoleTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)


def _update(call: Call, role: Role, **values: object) -> None:
    call.transaction.run(update(tables.role).where(tables.role.c.id == role.id).values(**values))
    _changed(call, role)


def _changed(call: Call, role: Role) -> None:
    call.transaction.changed(f"principal:{role.id}", f"role-arn:{role.arn(call.partition)}")

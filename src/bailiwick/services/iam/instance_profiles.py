"""Instance profiles: each holds one role at most, which whoever puts it in must be allowed to pass to EC2."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, update

from bailiwick.api import Call, Target, nothing
from bailiwick.core import ids
from bailiwick.directory import entities
from bailiwick.directory.entities import Role
from bailiwick.directory.instance_profiles import InstanceProfile, find
from bailiwick.directory.role_tables import instance_profile
from bailiwick.services.iam import names, paging, protected, roles, shapes, tags
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    LimitExceededException,
    NoSuchEntityException,
)
from bailiwick.services.iam.targets import no_role, role_named
from bailiwick.store import Duplicate

_columns = instance_profile.c


def profile_named(call: Call, request: Any) -> Target:
    """The instance profile that InstanceProfileName names. The record is an InstanceProfile."""
    found = find(call.transaction, call.account, request.InstanceProfileName)
    name = found.name if found else request.InstanceProfileName
    context = tags.of_both(call, request, found.id if found else None)
    return Target(
        account=call.account,
        arn=names.account_arn(call, "instance-profile", found.path if found else "/", name),
        record=found,
        label=f"instance profile {name}",
        context=context,
        absent=None if found else NoSuchEntityException(f"Instance Profile {name} cannot be found."),
    )


def new_profile(call: Call, request: shapes.CreateInstanceProfileRequest) -> Target:
    """The profile to be made; with tags, the caller must be allowed to set them too."""
    arn = names.account_arn(call, "instance-profile", request.Path or "/", request.InstanceProfileName)
    return tags.new(call, arn, request.Tags, "iam:TagInstanceProfile")


def profile_and_role(call: Call, request: shapes.AddRoleToInstanceProfileRequest) -> Target:
    """The profile, and the role in the hands of EC2, to which it must be allowed to pass."""
    passed = role_named(call, request)
    context = {**passed.context, "iam:passedtoservice": "ec2.amazonaws.com"}
    passed = msgspec.structs.replace(passed, action="iam:PassRole", context=context, label=None)
    return msgspec.structs.replace(profile_named(call, request), also=(passed,))


@iam.operation("CreateInstanceProfile", on=new_profile, writes=True)
def create_instance_profile(
    call: Call, request: shapes.CreateInstanceProfileRequest, record: None
) -> shapes.CreateInstanceProfileResponse:
    names.check_room(call, _columns.account == call.account, "InstanceProfilesPerAccount")
    made = InstanceProfile(
        id=ids.unique_id("AIPA", call.account, call.environment.entropy),
        account=call.account,
        name=request.InstanceProfileName,
        path=request.Path or "/",
        created=names.seconds(call.now),
    )
    try:
        values = msgspec.structs.asdict(made) | {"folded": made.name.lower()}
        call.transaction.run(insert(instance_profile).values(**values))
    except Duplicate:
        raise EntityAlreadyExistsException(f"Instance Profile {made.name} already exists.") from None
    tags.put(call.transaction, made.id, request.Tags, fold=False)
    shown = msgspec.structs.replace(_shown(call, made), Tags=tags.shown(call.transaction, made.id))
    return shapes.CreateInstanceProfileResponse(InstanceProfile=shown)


@iam.operation("GetInstanceProfile", on=profile_named)
def get_instance_profile(
    call: Call, request: shapes.GetInstanceProfileRequest, profile: InstanceProfile
) -> shapes.GetInstanceProfileResponse:
    found = tags.listed(call.transaction, profile.id)
    shown = msgspec.structs.replace(_shown(call, profile), Tags=found)
    return shapes.GetInstanceProfileResponse(InstanceProfile=shown)


@iam.operation("DeleteInstanceProfile", on=profile_named, writes=True)
def delete_instance_profile(
    call: Call, request: shapes.DeleteInstanceProfileRequest, profile: InstanceProfile
) -> None:
    if profile.role_id is not None:
        raise DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
    tags.remove_all(call.transaction, profile.id)
    call.transaction.run(delete(instance_profile).where(_columns.id == profile.id))


@iam.operation("AddRoleToInstanceProfile", on=profile_and_role, writes=True)
def add_role(call: Call, request: shapes.AddRoleToInstanceProfileRequest, profile: InstanceProfile) -> None:
    role = _role(call, request.RoleName)
    if protected.is_protected(role):
        raise protected.refusal(role)
    if profile.role_id is not None:
        raise LimitExceededException("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    _hold(call, profile, role.id)


@iam.operation("RemoveRoleFromInstanceProfile", on=profile_named, writes=True)
def remove_role(call: Call, request: shapes.RemoveRoleFromInstanceProfileRequest, profile: InstanceProfile) -> None:
    role = _role(call, request.RoleName)
    if profile.role_id != role.id:
        raise NoSuchEntityException(f"Role {role.name} in Instance Profile {profile.name} cannot be found.")
    _hold(call, profile, None)


@iam.operation("ListInstanceProfiles", on=nothing)
def list_instance_profiles(
    call: Call, request: shapes.ListInstanceProfilesRequest, record: None
) -> shapes.ListInstanceProfilesResponse:
    under = names.under(_columns.path, request.PathPrefix)
    shown, truncated, marker = _page(call, request, under & (_columns.account == call.account))
    return shapes.ListInstanceProfilesResponse(InstanceProfiles=shown, IsTruncated=truncated, Marker=marker)


@iam.operation("ListInstanceProfilesForRole", on=role_named)
def list_instance_profiles_for_role(
    call: Call, request: shapes.ListInstanceProfilesForRoleRequest, role: Role
) -> shapes.ListInstanceProfilesForRoleResponse:
    shown, truncated, marker = _page(call, request, _columns.role_id == role.id)
    return shapes.ListInstanceProfilesForRoleResponse(InstanceProfiles=shown, IsTruncated=truncated, Marker=marker)


@iam.operation("TagInstanceProfile", on=profile_named, writes=True)
def tag_instance_profile(call: Call, request: shapes.TagInstanceProfileRequest, profile: InstanceProfile) -> None:
    tags.put(call.transaction, profile.id, request.Tags, fold=False)


@iam.operation("UntagInstanceProfile", on=profile_named, writes=True)
def untag_instance_profile(
    call: Call, request: shapes.UntagInstanceProfileRequest, profile: InstanceProfile
) -> None:
    tags.remove(call.transaction, profile.id, request.TagKeys, fold=False)


@iam.operation("ListInstanceProfileTags", on=profile_named)
def list_instance_profile_tags(
    call: Call, request: shapes.ListInstanceProfileTagsRequest, profile: InstanceProfile
) -> shapes.ListInstanceProfileTagsResponse:
    page, truncated, marker = tags.page_listed(call, profile.id, request.Marker, request.MaxItems)
    return shapes.ListInstanceProfileTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)


def _shown(call: Call, profile: InstanceProfile) -> shapes.InstanceProfile:
    """A profile as lists show it, its role without description and maximum session (recorded 2026)."""
    held = entities.role_by_id(call.transaction, profile.role_id) if profile.role_id else None
    role = msgspec.structs.replace(held, description=None) if held else None
    return shapes.InstanceProfile(
        Path=profile.path,
        InstanceProfileName=profile.name,
        InstanceProfileId=profile.id,
        Arn=profile.arn(call.partition),
        CreateDate=profile.created,
        Roles=[roles.shown(call, role, session=False)] if role else [],
    )


def _page(
    call: Call, request: Any, condition: ColumnElement[bool]
) -> tuple[list[shapes.InstanceProfile], bool, str | None]:
    statement = select(instance_profile).where(condition)
    rows, truncated, marker = paging.read(call, request, statement, _columns.folded)
    return [_shown(call, entities.record(InstanceProfile, row)) for row in rows], truncated, marker


def _role(call: Call, name: str) -> Role:
    found = entities.role(call.transaction, call.account, name)
    if found is None:
        raise no_role(name)
    return found


def _hold(call: Call, profile: InstanceProfile, role_id: str | None) -> None:
    call.transaction.run(update(instance_profile).where(_columns.id == profile.id).values(role_id=role_id))

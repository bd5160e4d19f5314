"""IAM users."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call, Target
from bailiwick.core import arn, ids
from bailiwick.directory import accounts, aliases, credential_tables, entities, passwords, tables
from bailiwick.directory.entities import User
from bailiwick.directory.role_tables import last_access
from bailiwick.services.iam import boundaries, listing, names, shapes, tags
from bailiwick.services.iam.names import account_arn
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import DeleteConflictException, EntityAlreadyExistsException
from bailiwick.services.iam.targets import owner_or_self, user_named
from bailiwick.store import Duplicate


def shown(user: User, partition: str) -> shapes.User:
    """A user as lists show her: without tags and boundary."""
    return shapes.User(
        Path=user.path,
        UserName=user.name,
        UserId=user.id,
        Arn=user.arn(partition),
        CreateDate=user.created,
        PasswordLastUsed=user.password_last_used,
    )


def shown_whole(call: Call, user: User) -> shapes.User:
    """A user as CreateUser and GetUser show her."""
    return msgspec.structs.replace(
        shown(user, call.partition),
        PermissionsBoundary=boundaries.shown(user.boundary),
        Tags=tags.shown(call.transaction, user.id),
    )


def root_shown(call: Call) -> shapes.User:
    """The root user, who has no path, and no name but the account's alias."""
    account, profile = accounts.find(call.transaction, call.account), passwords.find(call.transaction, call.account)
    root = shapes.User(
        Path="/",
        UserName="root",
        UserId=call.account,
        Arn=arn.root(call.partition, call.account),
        CreateDate=account.created if account else 0.0,
        PasswordLastUsed=profile.last_used if profile else None,
    )
    return msgspec.structs.replace(root, Path=None, UserName=aliases.of(call.transaction, call.account))


def shown_by_id(call: Call, owner_ids: list[str]) -> dict[str, shapes.User]:
    """The owners of devices as lists show them, by id: users of the account, and its root user."""
    rows = call.transaction.all(select(tables.user).where(tables.user.c.id.in_(owner_ids)))
    found = {row.id: shown(entities.record(User, row), call.partition) for row in rows}
    if call.account in owner_ids:
        found[call.account] = root_shown(call)
    return found


def new_user(call: Call, request: shapes.CreateUserRequest) -> Target:
    """The user to be made; with tags, the caller must be allowed to set them too."""
    arn = account_arn(call, "user", request.Path or "/", request.UserName)
    more = boundaries.of_request(request.PermissionsBoundary)
    return tags.new(call, arn, request.Tags, "iam:TagUser", more)


@iam.operation("CreateUser", on=new_user, writes=True)
def create_user(call: Call, request: shapes.CreateUserRequest, record: None) -> shapes.CreateUserResponse:
    boundary = boundaries.checked(call, request.PermissionsBoundary)
    names.check_room(call, tables.user.c.account == call.account, "UsersPerAccount")
    user = User(
        id=ids.unique_id("AIDA", call.account, call.environment.entropy),
        account=call.account,
        name=request.UserName,
        path=request.Path or "/",
        created=names.seconds(call.now),
        boundary=boundary,
    )
    try:
        values = msgspec.structs.asdict(user)
        call.transaction.run(insert(tables.user).values(**values, folded=user.name.lower()))
    except Duplicate:
        raise EntityAlreadyExistsException(f"User with name {user.name} already exists.") from None
    tags.put(call.transaction, user.id, request.Tags)
    return shapes.CreateUserResponse(User=shown_whole(call, user))


@iam.operation("GetUser", on=owner_or_self)
def get_user(call: Call, request: shapes.GetUserRequest, user: User | None) -> shapes.GetUserResponse:
    if user is None:
        return shapes.GetUserResponse(User=root_shown(call))
    return shapes.GetUserResponse(User=shown_whole(call, user))


@iam.operation("UpdateUser", on=user_named, writes=True)
def update_user(call: Call, request: shapes.UpdateUserRequest, user: User) -> None:
    name, path = request.NewUserName or user.name, request.NewPath or user.path
    try:
        call.transaction.run(
            update(tables.user).where(tables.user.c.id == user.id).values(name=name, folded=name.lower(), path=path)
        )
    except Duplicate:
        raise EntityAlreadyExistsException(f"User with name {name} already exists.") from None
    call.transaction.changed(f"principal:{user.id}")


_REFERENCED = "Cannot delete entity, must remove referenced objects first."

# What must be gone before a user can be deleted, in the order in which AWS looks.
_BLOCKING = (
    (tables.attachment.c.owner_id, "Cannot delete entity, must detach all policies first."),
    (tables.inline_policy.c.owner_id, "Cannot delete entity, must delete policies first."),
    (tables.membership.c.user_id, "Cannot delete entity, must remove users from group first."),
    (credential_tables.login_profile.c.owner_id, "Cannot delete entity, must delete login profile first."),
    (tables.access_key.c.owner_id, "Cannot delete entity, must delete access keys first."),
    (credential_tables.mfa_device.c.owner_id, "Cannot delete entity, must delete MFA device first."),
    (
        credential_tables.signing_certificate.c.owner_id,
        "Cannot delete entity, must delete signing certificates first.",
    ),
    (credential_tables.ssh_public_key.c.owner_id, _REFERENCED),
    (credential_tables.service_credential.c.owner_id, _REFERENCED),
)


@iam.operation("DeleteUser", on=user_named, writes=True)
def delete_user(call: Call, request: shapes.DeleteUserRequest, user: User) -> None:
    for column, message in _BLOCKING:
        if names.count(call.transaction, column == user.id):
            raise DeleteConflictException(message)
    tags.remove_all(call.transaction, user.id)
    call.transaction.run(delete(last_access).where(last_access.c.principal_id == user.id))
    call.transaction.run(delete(tables.user).where(tables.user.c.id == user.id))
    call.transaction.changed(f"principal:{user.id}")


def users_under(call: Call, request: shapes.ListUsersRequest) -> Target:
    """Every user of the account."""
    return Target(account=call.account)


@iam.operation("ListUsers", on=users_under)
def list_users(call: Call, request: shapes.ListUsersRequest, record: None) -> shapes.ListUsersResponse:
    page, truncated, marker = listing.page(call, tables.user, User, request)
    return shapes.ListUsersResponse(
        Users=[shown(user, call.partition) for user in page], IsTruncated=truncated, Marker=marker
    )


@iam.operation("TagUser", on=user_named, writes=True)
def tag_user(call: Call, request: shapes.TagUserRequest, user: User) -> None:
    tags.put(call.transaction, user.id, request.Tags)
    call.transaction.changed(f"principal:{user.id}")


@iam.operation("UntagUser", on=user_named, writes=True)
def untag_user(call: Call, request: shapes.UntagUserRequest, user: User) -> None:
    tags.remove(call.transaction, user.id, request.TagKeys)
    call.transaction.changed(f"principal:{user.id}")


@iam.operation("ListUserTags", on=user_named)
def list_user_tags(call: Call, request: shapes.ListUserTagsRequest, user: User) -> shapes.ListUserTagsResponse:
    page, truncated, marker = tags.page(call, user.id, request.Marker, request.MaxItems)
    return shapes.ListUserTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)

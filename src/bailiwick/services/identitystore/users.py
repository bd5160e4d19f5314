"""Users of an identity store."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select

from bailiwick.api import Call
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import ENABLED, StoreUser
from bailiwick.directory.entities import record
from bailiwick.services.identitystore import attributes, paging, shapes
from bailiwick.services.identitystore.service import identitystore
from bailiwick.services.identitystore.shapes import ValidationException
from bailiwick.services.identitystore.targets import Held, arn_of, every, missing, store, user

_CHANGEABLE = frozenset(
    (
        *("UserName", "Name", "DisplayName", "NickName", "ProfileUrl", "Emails", "Addresses", "PhoneNumbers"),
        *("UserType", "Title", "PreferredLanguage", "Locale", "Timezone", "Photos", "Website", "Birthdate"),
        *("Roles", "Extensions"),
    )
)


@identitystore.operation("CreateUser", on=store, writes=True)
def create_user(call: Call, request: shapes.CreateUserRequest, held: Held) -> shapes.CreateUserResponse:
    given = _checked(attributes.given(request))
    _check_name(given)
    made = attributes.make(call, StoreUser, held.instance.store, given["UserName"], given, status=ENABLED)
    return shapes.CreateUserResponse(
        IdentityStoreId=made.store, UserId=made.id, UserArn=arn_of(call, "user", made.id), Revision="1"
    )


@identitystore.operation("DescribeUser", on=user)
def describe_user(call: Call, request: shapes.DescribeUserRequest, held: Held) -> shapes.DescribeUserResponse:
    assert held.user is not None, "it was found"
    return msgspec.convert(_shown(call, held.user), shapes.DescribeUserResponse, strict=False)


@identitystore.operation("UpdateUser", on=user, writes=True)
def update_user(call: Call, request: shapes.UpdateUserRequest, held: Held) -> shapes.UpdateUserResponse:
    assert held.user is not None, "it was found"
    found = held.user
    attributes.check_revision(request.Revision, found.revision)
    given = _checked(attributes.changed(found.attributes, request.Operations, _CHANGEABLE))
    attributes.check({"IdentityStoreId": found.store, **given}, shapes.CreateUserRequest)
    revision = attributes.keep(call, found, given["UserName"], given)
    return shapes.UpdateUserResponse(
        IdentityStoreId=found.store,
        UserId=found.id,
        UserArn=arn_of(call, "user", found.id),
        Revision=revision,
    )


@identitystore.operation("DeleteUser", on=user, writes=True)
def delete_user(call: Call, request: shapes.DeleteUserRequest, held: Held) -> shapes.DeleteUserResponse:
    assert held.user is not None, "it was found"
    attributes.check_revision(request.Revision, held.user.revision)
    people.remove_user(call.transaction, held.user)
    return shapes.DeleteUserResponse()


@identitystore.operation("ListUsers", on=every("user"))
def list_users(call: Call, request: shapes.ListUsersRequest, held: Held) -> shapes.ListUsersResponse:
    columns = tables.user.c
    statement = select(tables.user).where(columns.store == held.instance.store)
    for each in request.Filters or ():
        if each.AttributePath.lower() != "username":
            raise ValidationException("The only attribute to filter users by is UserName.")
        statement = statement.where(columns.folded == each.AttributeValue.lower())
    rows, token = paging.page(call, request, statement, columns.id)
    shown = [_shown(call, record(StoreUser, row)) for row in rows]
    return shapes.ListUsersResponse(Users=msgspec.convert(shown, list[shapes.User], strict=False), NextToken=token)


@identitystore.operation("GetUserId", on=every("user"))
def get_user_id(call: Call, request: shapes.GetUserIdRequest, held: Held) -> shapes.GetUserIdResponse:
    wanted, in_store = request.AlternateIdentifier, held.instance.store
    found = None
    if wanted.UniqueAttribute is not None:
        path, value = wanted.UniqueAttribute.AttributePath.lower(), attributes.sought(wanted.UniqueAttribute)
        if path == "username":
            found = people.user_named(call.transaction, in_store, value)
        elif path == "emails.value":
            found = _with_email(call, in_store, value)
        else:
            raise attributes.not_unique(wanted.UniqueAttribute)
    elif wanted.ExternalId is not None:
        key = attributes.external(wanted.ExternalId.Issuer, wanted.ExternalId.Id)
        found = people.external(call.transaction, tables.user, StoreUser, in_store, key)
    if found is None:
        raise missing("user", "")
    return shapes.GetUserIdResponse(
        IdentityStoreId=in_store, UserId=found.id, UserArn=arn_of(call, "user", found.id)
    )


def _with_email(call: Call, in_store: str, value: str) -> StoreUser | None:
    """The user with this e-mail address: the name is tried first, then those whose attributes have the text."""
    columns, quoted = tables.user.c, msgspec.json.encode(value).decode()
    likely = select(tables.user).where(columns.store == in_store, columns.body.contains(quoted, autoescape=True))
    for row in call.transaction.all(likely.order_by(columns.id).limit(10)):
        found = record(StoreUser, row)
        if any(each.get("Value") == value for each in found.attributes.get("Emails", ())):
            return found
    return None


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Raises ValidationException for attributes without which nobody is known (facts/signin.md section 9)."""
    name = given.get("UserName")
    if not isinstance(name, str) or not name:
        raise ValidationException("userName is a required attribute")
    if name.lower() in ("administrator", "awsadministrators"):
        raise ValidationException("The user name is reserved.")
    return given


def _check_name(given: dict[str, Any]) -> None:
    """Raises ValidationException for a new user without the names that Identity Center wants of everybody.

    Those that come from another directory (SCIM) may lack them.
    """
    name = given.get("Name") or {}
    lacking = [member.lower() for member in ("DisplayName", "Name") if not given.get(member)] or [
        member.lower() for member in ("FamilyName", "GivenName") if not name.get(member)
    ]
    if lacking:
        raise ValidationException(", ".join(f"{each}: The attribute {each} is required" for each in lacking))


def _shown(call: Call, found: StoreUser) -> dict[str, Any]:
    named = {"UserId": found.id, "UserArn": arn_of(call, "user", found.id)}
    return attributes.shown(found) | named | {"UserStatus": found.status}

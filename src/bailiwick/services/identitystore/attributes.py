"""Attributes of users and groups: set at creation, changed by path, kept, looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import update

from bailiwick.api import Call, ValidationError
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import Member, StoreGroup, StoreUser
from bailiwick.services.identitystore.shapes import (
    AttributeOperation,
    ConflictException,
    UniqueAttribute,
    ValidationException,
)
from bailiwick.store import Duplicate

E = TypeVar("E", StoreUser, StoreGroup)

_NOT_ATTRIBUTES = frozenset(("IdentityStoreId",))
_FOLDED = {"username": "UserName", "displayname": "DisplayName", "description": "Description"}
_LONGEST_BODY = 16_384
_TAKEN: dict[type, str] = {
    StoreUser: "Duplicate UserName",
    StoreGroup: "Duplicate GroupDisplayName",
    Member: "Member and Group relationship already exists.",
}


def given(request: Any) -> dict[str, Any]:
    """The attributes that a request sets."""
    members: dict[str, Any] = msgspec.to_builtins(request)
    return {name: value for name, value in members.items() if name not in _NOT_ATTRIBUTES and value is not None}


def changed(
    present: dict[str, Any], operations: Sequence[AttributeOperation], allowed: frozenset[str]
) -> dict[str, Any]:
    """The attributes after these operations; one without a value removes the attribute.

    Paths are such as `userName`, `name.familyName`, `emails`. Raises ValidationException.
    """
    attributes = dict(present)
    for operation in operations:
        top, _, inner = operation.AttributePath.partition(".")
        name = _canonical(top)
        if name not in allowed or "." in inner:
            raise ValidationException(f"The attribute path {operation.AttributePath} is not supported.")
        value = operation.AttributeValue
        if inner:
            whole = attributes.get(name)
            value = {**(whole if isinstance(whole, dict) else {}), _canonical(inner): value}
            value = {key: each for key, each in value.items() if each is not None} or None
        attributes[name] = _capitalised(value)
    return {name: value for name, value in attributes.items() if value is not None}


def check(members: dict[str, Any], like: type[msgspec.Struct]) -> None:
    """Hold attributes that were changed to the forms and bounds of a creation. Raises ValidationError."""
    try:
        msgspec.convert(members, like)
    except msgspec.ValidationError as error:
        raise ValidationError(str(error)) from None


def encoded(attributes: dict[str, Any]) -> str:
    """The attributes as they are kept. Raises ValidationException for too many."""
    text = msgspec.json.encode(attributes).decode()
    if len(text) > _LONGEST_BODY:
        raise ValidationException("The attributes are too long.")
    return text


def make(call: Call, kind: type[E], store: str, name: str, attributes: dict[str, Any], **more: Any) -> E:
    """Keep a new user or group, which is returned. Raises ConflictException for a name that is taken."""
    made = people.new(kind, call, store, name, encoded(attributes), call.caller.arn, external=None, **more)
    add(call, made)
    return made


def add(call: Call, made: StoreUser | StoreGroup | Member) -> None:
    """Keep a new user, group or membership. Raises ConflictException if there is such a one already."""
    try:
        people.add(call.transaction, made)
    except Duplicate:
        raise _taken(made) from None


def keep(call: Call, found: StoreUser | StoreGroup, name: str, attributes: dict[str, Any]) -> str:
    """Keep a user or group with other attributes; returns the revision. Raises ConflictException as `make` does."""
    revision = found.revision + 1
    table = tables.user if isinstance(found, StoreUser) else tables.group
    values = {"folded": name.lower(), "body": encoded(attributes), "revision": revision}
    changed = update(table).where(table.c.id == found.id)
    try:
        call.transaction.run(changed.values(**values, updated=call.now, updated_by=call.caller.arn))
    except Duplicate:
        raise _taken(found) from None
    return str(revision)


def _taken(one: StoreUser | StoreGroup | Member) -> ConflictException:
    return ConflictException(_TAKEN[type(one)], Reason="UNIQUENESS_CONSTRAINT_VIOLATION")


def shown(found: StoreUser | StoreGroup) -> dict[str, Any]:
    """What users and groups have in common, as the API shows it."""
    issuer, _, identifier = (found.external or "").partition(" ")
    return {
        **found.attributes,
        **({"ExternalIds": [{"Issuer": issuer, "Id": identifier}]} if found.external else {}),
        "IdentityStoreId": found.store,
        "Revision": str(found.revision),
        "CreatedAt": found.created,
        "CreatedBy": found.created_by,
        "UpdatedAt": found.updated,
        "UpdatedBy": found.updated_by,
    }


def check_revision(wanted: str | None, present: int) -> None:
    """Raises ConflictException if somebody else changed it since the caller looked."""
    if wanted is not None and wanted != str(present):
        raise ConflictException("The resource was changed in the meantime.", Reason="CONCURRENT_MODIFICATION")


def sought(unique: UniqueAttribute) -> str:
    """The value of a unique attribute to look for. Raises ValidationException for an empty one."""
    if unique.AttributeValue in ("", None):
        raise ValidationException("attribute value cannot be empty or null for attribute path")
    return str(unique.AttributeValue)


def not_unique(unique: UniqueAttribute) -> ValidationException:
    """The refusal to find anything by this attribute."""
    return ValidationException(f"The attribute {unique.AttributePath} is not a unique attribute")


def external(issuer: str, identifier: str) -> str:
    """How the id of another directory is kept."""
    return f"{issuer} {identifier}"


def _canonical(name: str) -> str:
    return _FOLDED.get(name.lower(), name[:1].upper() + name[1:])


def _capitalised(value: Any) -> Any:
    """Names of members as the API has them, also where a client wrote them as SCIM does."""
    if isinstance(value, dict):
        return {_canonical(str(key)): _capitalised(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_capitalised(each) for each in value]
    return value

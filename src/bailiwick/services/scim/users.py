"""Users in SCIM: the attributes that the store keeps, in the other's spelling."""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import Call
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import DISABLED, ENABLED, StoreUser
from bailiwick.services.scim import shapes
from bailiwick.services.scim.common import (
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

SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
_TEXTS = (
    *("displayName", "nickName", "profileUrl", "userType", "title", "preferredLanguage", "locale", "timezone"),
)
_NAME = ("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
_LISTS = {"emails": "Emails", "phoneNumbers": "PhoneNumbers", "addresses": "Addresses"}
_LONGEST, _LONGEST_BODY = 1024, 16_384


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _kept(given: dict[str, Any]) -> dict[str, Any]:
    """SCIM's attributes as the store keeps them; others are passed over. Raises InvalidRequestException."""
    name = given.get("userName")
    if not isinstance(name, str) or not 0 < len(name) <= 128 or not name.isprintable():
        raise InvalidRequestException("userName is required, and of at most 128 characters.")
    kept: dict[str, Any] = {"UserName": name}
    for each in _TEXTS:
        if isinstance(given.get(each), str) and given[each]:
            kept[_capital(each)] = given[each][:_LONGEST]
    whole = given.get("name")
    if isinstance(whole, dict):
        kept["Name"] = {_capital(each): str(whole[each])[:_LONGEST] for each in _NAME if whole.get(each)}
    for each, ours in _LISTS.items():
        entries = given.get(each)
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            kept[ours] = [{_capital(str(key)): value for key, value in entries[0].items() if _plain(value)}]
    if len(msgspec.json.encode(kept)) > _LONGEST_BODY:
        raise InvalidRequestException("The user is too large.")
    return kept


def _plain(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and 0 < len(value) <= _LONGEST)


def _shown(call: Call, found: StoreUser) -> dict[str, Any]:
    attributes = found.attributes
    told: dict[str, Any] = {"schemas": [SCHEMA], "id": found.id, "userName": attributes["UserName"]}
    if found.external is not None:
        told["externalId"] = found.external.partition(" ")[2]
    told |= {each: attributes[_capital(each)] for each in _TEXTS if _capital(each) in attributes}
    if "Name" in attributes:
        told["name"] = {_small(key): value for key, value in attributes["Name"].items()}
    for each, ours in _LISTS.items():
        if ours in attributes:
            told[each] = [{_small(key): value for key, value in entry.items()} for entry in attributes[ours]]
    told["active"] = found.status == ENABLED
    told["meta"] = meta(call, found)
    return told


def found_user(call: Call, user_id: str) -> StoreUser:
    """The user with this id. Raises NotFoundException."""
    found = people.user(call.transaction, store_of(call), user_id)
    if found is None:
        raise NotFoundException(f"There is no user {user_id}.")
    return found


@scim.operation("CreateUser", on=own, by=directory, writes=True)
def create_user(call: Call, request: shapes.CreateUserRequest, record_: None) -> shapes.Answer:
    given = read(request.Body)
    kept = _kept(given)
    made = make(call, StoreUser, kept["UserName"], kept, external=external(given), status=_status(given))
    return answer(_shown(call, made))


@scim.operation("GetUser", on=own, by=directory)
def get_user(call: Call, request: shapes.GetUserRequest, record_: None) -> shapes.Answer:
    return answer(_shown(call, found_user(call, request.Id)))


@scim.operation("ListUsers", on=own, by=directory)
def list_users(call: Call, request: shapes.ListUsersRequest, record_: None) -> shapes.Answer:
    return listed(call, request, tables.user, "userName", StoreUser, _shown)


@scim.operation("ReplaceUser", on=own, by=directory, writes=True)
def replace_user(call: Call, request: shapes.ReplaceUserRequest, record_: None) -> shapes.Answer:
    return answer(_shown(call, _changed(call, found_user(call, request.Id), read(request.Body))))


@scim.operation("PatchUser", on=own, by=directory, writes=True)
def patch_user(call: Call, request: shapes.PatchUserRequest, record_: None) -> shapes.Answer:
    found = found_user(call, request.Id)
    present = _shown(call, found)
    for kind, path, value in operations(read(request.Body)):
        _patch(present, kind, path, value)
    return answer(_shown(call, _changed(call, found, present)))


def _patch(present: dict[str, Any], kind: str, path: str, value: Any) -> None:
    if not path:
        if not isinstance(value, dict):
            raise InvalidRequestException("An operation without a path has an object as its value.")
        present.update(value)
        return
    path = path.removeprefix(f"{SCHEMA}:")
    top, _, inner = path.partition(".")
    top, bracket, _ = top.partition("[")
    if bracket:  # emails[type eq "work"].value: there is one of each here
        if isinstance(value, str):
            value = [{**_first(present.get(top)), inner or "value": value}]
        inner = ""
    if kind == "remove":
        value = None
    if inner:
        whole = present.get(top)
        value = {**(whole if isinstance(whole, dict) else {}), inner: value}
    present[top] = value


def _first(entries: Any) -> dict[str, Any]:
    return entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}


def _changed(call: Call, found: StoreUser, given: dict[str, Any]) -> StoreUser:
    kept = _kept(given)
    changed = change(
        *(call, tables.user, found),
        folded=kept["UserName"].lower(),
        external=external(given),
        status=_status(given),
        body=msgspec.json.encode(kept).decode(),
    )
    if changed.status == DISABLED:
        people.sign_out(call.transaction, changed)
    return changed


def _status(given: dict[str, Any]) -> str:
    """Whether the user is active: yes if that is not said. Some directories say it as a text."""
    active = given.get("active")
    return DISABLED if active is False or str(active).lower() == "false" else ENABLED


@scim.operation("DeleteUser", on=own, by=directory, writes=True)
def delete_user(call: Call, request: shapes.DeleteUserRequest, record_: None) -> shapes.Answer:
    people.remove_user(call.transaction, found_user(call, request.Id))
    return shapes.Answer()


@scim.operation("GetServiceProviderConfig", on=own, by=directory)
def get_service_provider_config(
    call: Call, request: shapes.GetServiceProviderConfigRequest, record_: None
) -> shapes.Answer:
    off = {"supported": False}
    return answer(
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": {"supported": True},
            "bulk": {**off, "maxOperations": 1, "maxPayloadSize": 262_144},
            "filter": {"supported": True, "maxResults": 100},
            "changePassword": off,
            "sort": off,
            "etag": off,
            "authenticationSchemes": [
                {"type": "oauthbearertoken", "name": "Bearer token", "description": "RFC 6750", "primary": True}
            ],
        }
    )

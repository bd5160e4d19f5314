"""Profiles: which roles certificates may take, for how long, and which of their names become session tags."""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import Call, Target, nothing
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_session
from bailiwick.services.rolesanywhere import items, shapes, tags
from bailiwick.services.rolesanywhere.items import PROFILE, Item
from bailiwick.services.rolesanywhere.service import rolesanywhere
from bailiwick.services.rolesanywhere.shapes import ValidationException

SERVICE = "rolesanywhere.amazonaws.com"
DEFAULT_MAPPINGS = {"x509Subject": ("*",), "x509Issuer": ("*",), "x509SAN": ("DNS", "URI", "Name/*")}
_SECONDS = 3600


class Profile(msgspec.Struct, frozen=True):
    """What only a profile has. `mappings` are specifiers by the field of the certificate that they pick from."""

    roles: tuple[str, ...]
    policies: tuple[str, ...] = ()
    session_policy: str | None = None
    seconds: int = _SECONDS
    needs_properties: bool = False
    names_sessions: bool = False
    mappings: dict[str, tuple[str, ...]] = msgspec.field(default_factory=DEFAULT_MAPPINGS.copy)
    created_by: str = ""


_named = items.named(PROFILE, "profileId")


def _passing(call: Call, target: Target, roles: list[str] | None) -> Target:
    """The same target; the caller must be allowed to pass every role of the profile to this service too."""
    passed = [
        Target(account=_account_of(role), arn=role, action="iam:PassRole", context={"iam:passedtoservice": SERVICE})
        for role in roles or ()
    ]
    return msgspec.structs.replace(target, also=(*target.also, *passed))


def _account_of(role_arn: str) -> str:
    return role_arn.split(":")[4]


def _new(call: Call, request: shapes.CreateProfileRequest) -> Target:
    return _passing(call, tags.new(call, request), request.roleArns)


def _changed(call: Call, request: shapes.UpdateProfileRequest) -> Target:
    return _passing(call, _named(call, request), request.roleArns)


@rolesanywhere.operation("CreateProfile", on=_new, writes=True)
def create_profile(call: Call, request: shapes.CreateProfileRequest, record: None) -> shapes.ProfileDetailResponse:
    body = Profile(
        roles=_roles(call, request.roleArns),
        policies=tuple(request.managedPolicyArns or ()),
        session_policy=_session_policy(request.sessionPolicy),
        seconds=request.durationSeconds or _SECONDS,
        needs_properties=bool(request.requireInstanceProperties),
        names_sessions=bool(request.acceptRoleSessionName),
        created_by=call.caller.arn,
    )
    made = items.create(call, PROFILE, request.name, request.aliasName, bool(request.enabled), body)
    tags.put(call, made.id, request.tags)
    return _answer(call, made)


@rolesanywhere.operation("GetProfile", on=_named)
def get_profile(call: Call, request: shapes.ScalarProfileRequest, profile: Item) -> shapes.ProfileDetailResponse:
    return _answer(call, profile)


@rolesanywhere.operation("ListProfiles", on=nothing)
def list_profiles(call: Call, request: shapes.ListRequest, record: None) -> shapes.ListProfilesResponse:
    shown, token = items.page(call, request, PROFILE)
    return shapes.ListProfilesResponse(nextToken=token, profiles=[_detail(call, each) for each in shown])


@rolesanywhere.operation("UpdateProfile", on=_changed, writes=True)
def update_profile(call: Call, request: shapes.UpdateProfileRequest, profile: Item) -> shapes.ProfileDetailResponse:
    given: dict[str, Any] = {
        "roles": None if request.roleArns is None else _roles(call, request.roleArns),
        "policies": None if request.managedPolicyArns is None else tuple(request.managedPolicyArns),
        "session_policy": _session_policy(request.sessionPolicy),
        "seconds": request.durationSeconds,
        "names_sessions": request.acceptRoleSessionName,
    }
    values = {name: value for name, value in given.items() if value is not None}
    body = msgspec.structs.replace(profile.read(Profile), **values)
    return _answer(call, items.change(call, profile, name=request.name, alias=request.aliasName, body=body))


@rolesanywhere.operation("DeleteProfile", on=_named, writes=True)
def delete_profile(call: Call, request: shapes.ScalarProfileRequest, profile: Item) -> shapes.ProfileDetailResponse:
    items.remove(call, profile)
    return _answer(call, profile)


@rolesanywhere.operation("EnableProfile", on=_named, writes=True)
def enable_profile(call: Call, request: shapes.ScalarProfileRequest, profile: Item) -> shapes.ProfileDetailResponse:
    return _answer(call, items.change(call, profile, enabled=True))


@rolesanywhere.operation("DisableProfile", on=_named, writes=True)
def disable_profile(
    call: Call, request: shapes.ScalarProfileRequest, profile: Item
) -> shapes.ProfileDetailResponse:
    return _answer(call, items.change(call, profile, enabled=False))


@rolesanywhere.operation("PutAttributeMapping", on=_named, writes=True)
def put_attribute_mapping(
    call: Call, request: shapes.PutAttributeMappingRequest, profile: Item
) -> shapes.PutAttributeMappingResponse:
    body = profile.read(Profile)
    rules = tuple(dict.fromkeys(rule.specifier for rule in request.mappingRules))
    mapped = msgspec.structs.replace(body, mappings={**body.mappings, request.certificateField: rules})
    return shapes.PutAttributeMappingResponse(profile=_detail(call, items.change(call, profile, body=mapped)))


@rolesanywhere.operation("DeleteAttributeMapping", on=_named, writes=True)
def delete_attribute_mapping(
    call: Call, request: shapes.DeleteAttributeMappingRequest, profile: Item
) -> shapes.DeleteAttributeMappingResponse:
    body, field = profile.read(Profile), request.certificateField
    gone = request.specifiers or list(body.mappings.get(field, ()))
    kept = tuple(each for each in body.mappings.get(field, ()) if each not in gone)
    others = {name: rules for name, rules in body.mappings.items() if name != field}
    mapped = msgspec.structs.replace(body, mappings={**others, field: kept} if kept else others)
    return shapes.DeleteAttributeMappingResponse(profile=_detail(call, items.change(call, profile, body=mapped)))


def _roles(call: Call, roles: list[str]) -> tuple[str, ...]:
    if any(_account_of(role) != call.account for role in roles):
        raise ValidationException("The roles of a profile must be of its own account.")
    return tuple(dict.fromkeys(roles))


def _session_policy(text: str | None) -> str | None:
    if text is not None:
        try:
            check_session(text)
        except PolicyError as error:
            raise ValidationException(f"The session policy is not valid: {error}") from None
    return text


def _answer(call: Call, profile: Item) -> shapes.ProfileDetailResponse:
    return shapes.ProfileDetailResponse(profile=_detail(call, profile))


def _detail(call: Call, profile: Item) -> shapes.ProfileDetail:
    body = profile.read(Profile)
    return shapes.ProfileDetail(
        profileId=profile.id,
        profileArn=profile.arn(call.partition),
        name=profile.name,
        requireInstanceProperties=body.needs_properties,
        enabled=profile.enabled,
        createdBy=body.created_by,
        sessionPolicy=body.session_policy,
        roleArns=list(body.roles),
        managedPolicyArns=list(body.policies),
        createdAt=profile.created,
        updatedAt=profile.updated,
        durationSeconds=body.seconds,
        acceptRoleSessionName=body.names_sessions,
        attributeMappings=[
            shapes.AttributeMapping(
                certificateField=field, mappingRules=[shapes.MappingRule(specifier=rule) for rule in rules]
            )
            for field, rules in body.mappings.items()
        ],
        aliasName=profile.alias,
        aliasArn=profile.alias_arn(call.partition),
    )

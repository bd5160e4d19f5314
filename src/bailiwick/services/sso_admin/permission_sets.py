"""Permission sets: what people may do in the accounts that they are assigned to."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_identity
from bailiwick.directory import entities
from bailiwick.directory.center import access, tables
from bailiwick.directory.center.access import Given, PermissionSet, Reference
from bailiwick.directory.center.people import Instance
from bailiwick.directory.entities import record
from bailiwick.services.sso_admin import paging, shapes, targets
from bailiwick.services.sso_admin.service import sso_admin
from bailiwick.services.sso_admin.shapes import (
    ConflictException,
    ResourceNotFoundException,
    ServiceQuotaExceededException,
    ValidationException,
)
from bailiwick.services.sso_admin.targets import Held
from bailiwick.store import Duplicate

_MOST_POLICIES = 20
_LIMITS = "https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html"


@sso_admin.operation("CreatePermissionSet", on=targets.instance, writes=True)
def create_permission_set(
    call: Call, request: shapes.CreatePermissionSetRequest, found: Instance
) -> shapes.CreatePermissionSetResponse:
    given = Given(
        description=request.Description,
        duration=_duration(request.SessionDuration) or "PT1H",
        relay=request.RelayState,
        tags=_tags({}, request.Tags or []),
    )
    made = PermissionSet(
        *(f"ps-{call.environment.noise(8).hex()}", found.id, request.Name, call.now, call.now),
        body=msgspec.json.encode(given).decode(),
    )
    try:
        call.transaction.run(insert(tables.permission_set).values(**msgspec.structs.asdict(made)))
    except Duplicate:
        text = f"PermissionSet with name {request.Name} already exists."
        raise ConflictException(text) from None
    return shapes.CreatePermissionSetResponse(PermissionSet=_shown(call, made))


@sso_admin.operation("DescribePermissionSet", on=targets.permission_set)
def describe_permission_set(
    call: Call, request: shapes.DescribePermissionSetRequest, held: Held
) -> shapes.DescribePermissionSetResponse:
    return shapes.DescribePermissionSetResponse(PermissionSet=_shown(call, held.permission_set))


@sso_admin.operation("UpdatePermissionSet", on=targets.permission_set, writes=True)
def update_permission_set(
    call: Call, request: shapes.UpdatePermissionSetRequest, held: Held
) -> shapes.UpdatePermissionSetResponse:
    wanted = {
        "description": request.Description,
        "duration": _duration(request.SessionDuration),
        "relay": request.RelayState,
    }
    values: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    _give(call, held, **values)
    return shapes.UpdatePermissionSetResponse()


@sso_admin.operation("DeletePermissionSet", on=targets.permission_set, writes=True)
def delete_permission_set(
    call: Call, request: shapes.DeletePermissionSetRequest, held: Held
) -> shapes.DeletePermissionSetResponse:
    columns = tables.assignment.c
    if call.transaction.one(select(columns.account).where(columns.permission_set == held.id)) is not None:
        raise ConflictException("PermissionSet is assigned to accounts: delete its assignments first.")
    for each in call.transaction.all(
        select(tables.provisioned).where(tables.provisioned.c.permission_set == held.id)
    ):
        access.withdraw(call.transaction, record(access.Provisioned, each))
    call.transaction.run(delete(tables.permission_set).where(tables.permission_set.c.id == held.id))
    return shapes.DeletePermissionSetResponse()


@sso_admin.operation("ListPermissionSets", on=targets.instance)
def list_permission_sets(
    call: Call, request: shapes.ListPermissionSetsRequest, found: Instance
) -> shapes.ListPermissionSetsResponse:
    columns = tables.permission_set.c
    rows = call.transaction.all(
        select(tables.permission_set).where(columns.instance == found.id).order_by(columns.id)
    )
    page, token = paging.page(call, request, [record(PermissionSet, row) for row in rows], lambda each: each.id)
    return shapes.ListPermissionSetsResponse(
        PermissionSets=[each.arn(call.partition) for each in page], NextToken=token
    )


def _shown(call: Call, found: PermissionSet) -> shapes.PermissionSet:
    given = found.given
    return shapes.PermissionSet(
        Name=found.name,
        PermissionSetArn=found.arn(call.partition),
        Description=given.description,
        CreatedDate=found.created,
        SessionDuration=given.duration,
        RelayState=given.relay,
    )


def _duration(text: str | None) -> str | None:
    try:
        access.seconds(text)
    except ValueError:
        raise ValidationException("SessionDuration must be between PT1H and PT12H.") from None
    return text


# -- What it gives ----------------------------------------------------------------------------------------


def _give(call: Call, held: Held, **more: Any) -> None:
    """Have a permission set give something else; the roles that it is follow when it is provisioned again."""
    given = msgspec.structs.replace(held.permission_set.given, **more)
    values = {"body": msgspec.json.encode(given).decode(), "changed": call.now}
    call.transaction.run(
        update(tables.permission_set).where(tables.permission_set.c.id == held.id).values(**values)
    )


@sso_admin.operation("AttachManagedPolicyToPermissionSet", on=targets.permission_set, writes=True)
def attach_managed_policy(
    call: Call, request: shapes.AttachManagedPolicyToPermissionSetRequest, held: Held
) -> shapes.AttachManagedPolicyToPermissionSetResponse:
    given, named = held.permission_set.given, request.ManagedPolicyArn
    if ":iam::aws:policy/" not in named or entities.policy(call.transaction, named) is None:
        raise ResourceNotFoundException(f"Policy does not exist with ARN: {named}")
    if named in given.managed:
        linked = f"already has a typed link attachment to a manged policy with {named}"  # AWS's own spelling
        raise ConflictException(f"Permission set with id {held.id} {linked}")
    _check_count(held, "ManagedPolicy")
    _give(call, held, managed=(*given.managed, named))
    return shapes.AttachManagedPolicyToPermissionSetResponse()


@sso_admin.operation("DetachManagedPolicyFromPermissionSet", on=targets.permission_set, writes=True)
def detach_managed_policy(
    call: Call, request: shapes.DetachManagedPolicyFromPermissionSetRequest, held: Held
) -> shapes.DetachManagedPolicyFromPermissionSetResponse:
    given, named = held.permission_set.given, request.ManagedPolicyArn
    if named not in given.managed:
        raise ResourceNotFoundException(f"Could not find ManagedPolicy with arn {named}")
    kept = tuple(each for each in given.managed if each != named)
    _give(call, held, managed=kept)
    return shapes.DetachManagedPolicyFromPermissionSetResponse()


@sso_admin.operation("ListManagedPoliciesInPermissionSet", on=targets.permission_set)
def list_managed_policies(
    call: Call, request: shapes.ListManagedPoliciesInPermissionSetRequest, held: Held
) -> shapes.ListManagedPoliciesInPermissionSetResponse:
    page, token = paging.page(call, request, sorted(held.permission_set.given.managed), str)
    return shapes.ListManagedPoliciesInPermissionSetResponse(
        AttachedManagedPolicies=[
            shapes.AttachedManagedPolicy(Name=each.rpartition("/")[2], Arn=each) for each in page
        ],
        NextToken=token,
    )


@sso_admin.operation("AttachCustomerManagedPolicyReferenceToPermissionSet", on=targets.permission_set, writes=True)
def attach_reference(
    call: Call, request: shapes.AttachCustomerManagedPolicyReferenceToPermissionSetRequest, held: Held
) -> shapes.AttachCustomerManagedPolicyReferenceToPermissionSetResponse:
    given, named = held.permission_set.given, _reference(request.CustomerManagedPolicyReference)
    if named in given.own:
        what = f"customer managed policy with name: {named.name}  and path {named.path}"
        raise ConflictException(f"Given {what} already attached")
    _check_count(held, "CustomerManagedPolicy")
    _give(call, held, own=(*given.own, named))
    return shapes.AttachCustomerManagedPolicyReferenceToPermissionSetResponse()


@sso_admin.operation(
    "DetachCustomerManagedPolicyReferenceFromPermissionSet", on=targets.permission_set, writes=True
)
def detach_reference(
    call: Call, request: shapes.DetachCustomerManagedPolicyReferenceFromPermissionSetRequest, held: Held
) -> shapes.DetachCustomerManagedPolicyReferenceFromPermissionSetResponse:
    given, named = held.permission_set.given, _reference(request.CustomerManagedPolicyReference)
    if named not in given.own:
        what = f"managed policy with name: {named.name}  and path {named.path}"
        raise ResourceNotFoundException(f"Given {what} does not exist on PermissionSet")
    kept = tuple(each for each in given.own if each != named)
    _give(call, held, own=kept)
    return shapes.DetachCustomerManagedPolicyReferenceFromPermissionSetResponse()


@sso_admin.operation("ListCustomerManagedPolicyReferencesInPermissionSet", on=targets.permission_set)
def list_references(
    call: Call, request: shapes.ListCustomerManagedPolicyReferencesInPermissionSetRequest, held: Held
) -> shapes.ListCustomerManagedPolicyReferencesInPermissionSetResponse:
    named = sorted(held.permission_set.given.own, key=lambda each: each.path + each.name)
    page, token = paging.page(call, request, named, lambda each: each.path + each.name)
    return shapes.ListCustomerManagedPolicyReferencesInPermissionSetResponse(
        CustomerManagedPolicyReferences=[
            shapes.CustomerManagedPolicyReference(Name=each.name, Path=each.path) for each in page
        ],
        NextToken=token,
    )


@sso_admin.operation("PutInlinePolicyToPermissionSet", on=targets.permission_set, writes=True)
def put_inline_policy(
    call: Call, request: shapes.PutInlinePolicyToPermissionSetRequest, held: Held
) -> shapes.PutInlinePolicyToPermissionSetResponse:
    try:
        check_identity(request.InlinePolicy)
    except PolicyError as error:
        raise ValidationException(f"Policy is not valid: {error}") from None
    _give(call, held, inline=request.InlinePolicy)
    return shapes.PutInlinePolicyToPermissionSetResponse()


@sso_admin.operation("GetInlinePolicyForPermissionSet", on=targets.permission_set)
def get_inline_policy(
    call: Call, request: shapes.GetInlinePolicyForPermissionSetRequest, held: Held
) -> shapes.GetInlinePolicyForPermissionSetResponse:
    return shapes.GetInlinePolicyForPermissionSetResponse(InlinePolicy=held.permission_set.given.inline or "")


@sso_admin.operation("DeleteInlinePolicyFromPermissionSet", on=targets.permission_set, writes=True)
def delete_inline_policy(
    call: Call, request: shapes.DeleteInlinePolicyFromPermissionSetRequest, held: Held
) -> shapes.DeleteInlinePolicyFromPermissionSetResponse:
    _give(call, held, inline=None)
    return shapes.DeleteInlinePolicyFromPermissionSetResponse()


@sso_admin.operation("PutPermissionsBoundaryToPermissionSet", on=targets.permission_set, writes=True)
def put_boundary(
    call: Call, request: shapes.PutPermissionsBoundaryToPermissionSetRequest, held: Held
) -> shapes.PutPermissionsBoundaryToPermissionSetResponse:
    asked = request.PermissionsBoundary
    if (asked.CustomerManagedPolicyReference is None) == (asked.ManagedPolicyArn is None):
        raise ValidationException("Give either a ManagedPolicyArn or a CustomerManagedPolicyReference.")
    reference = asked.CustomerManagedPolicyReference
    boundary = _reference(reference) if reference is not None else asked.ManagedPolicyArn
    _give(call, held, boundary=boundary)
    return shapes.PutPermissionsBoundaryToPermissionSetResponse()


@sso_admin.operation("GetPermissionsBoundaryForPermissionSet", on=targets.permission_set)
def get_boundary(
    call: Call, request: shapes.GetPermissionsBoundaryForPermissionSetRequest, held: Held
) -> shapes.GetPermissionsBoundaryForPermissionSetResponse:
    found = held.permission_set.given.boundary
    if found is None:
        raise ResourceNotFoundException("PermissionsBoundary not found.")
    if isinstance(found, str):
        shown = shapes.PermissionsBoundary(ManagedPolicyArn=found)
    else:
        reference = shapes.CustomerManagedPolicyReference(Name=found.name, Path=found.path)
        shown = shapes.PermissionsBoundary(CustomerManagedPolicyReference=reference)
    return shapes.GetPermissionsBoundaryForPermissionSetResponse(PermissionsBoundary=shown)


@sso_admin.operation("DeletePermissionsBoundaryFromPermissionSet", on=targets.permission_set, writes=True)
def delete_boundary(
    call: Call, request: shapes.DeletePermissionsBoundaryFromPermissionSetRequest, held: Held
) -> shapes.DeletePermissionsBoundaryFromPermissionSetResponse:
    if held.permission_set.given.boundary is None:
        raise ResourceNotFoundException("PermissionsBoundary not found.")
    _give(call, held, boundary=None)
    return shapes.DeletePermissionsBoundaryFromPermissionSetResponse()


def _reference(named: shapes.CustomerManagedPolicyReference) -> Reference:
    return Reference(named.Name, named.Path or "/")


def _check_count(held: Held, kind: str) -> None:
    given = held.permission_set.given
    if len(given.managed) + len(given.own) >= _MOST_POLICIES:
        raise ServiceQuotaExceededException(
            f"You have exceeded AWS SSO limits. Cannot create {kind} more than {_MOST_POLICIES} for id {held.id}. "
            f"Please refer to {_LIMITS}"
        )


# -- Tags -------------------------------------------------------------------------------------------------


def _tags(present: dict[str, str], more: list[shapes.Tag]) -> dict[str, str]:
    tags = {**present, **{tag.Key: tag.Value for tag in more}}
    if len(tags) > 50 or any(key.lower().startswith("aws:") for key in tags):
        raise ValidationException("At most 50 tags, whose keys do not begin with aws:.")
    return tags


def _tagged(call: Call, request: Any) -> Any:
    """The permission set that ResourceArn names."""
    _, _, named = request.ResourceArn.partition(":permissionSet/")
    instance_id = named.partition("/")[0]
    both = _Named(
        InstanceArn=f"arn:{call.partition}:sso:::instance/{instance_id or 'none'}",
        PermissionSetArn=request.ResourceArn,
        Tags=getattr(request, "Tags", None),
        TagKeys=getattr(request, "TagKeys", None),
    )
    return targets.permission_set(call, both)


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    InstanceArn: str
    PermissionSetArn: str
    Tags: Any
    TagKeys: Any


@sso_admin.operation("TagResource", on=_tagged, writes=True)
def tag_resource(call: Call, request: shapes.TagResourceRequest, held: Held) -> shapes.TagResourceResponse:
    given = held.permission_set.given
    _keep_tags(call, held, _tags(given.tags, request.Tags))
    return shapes.TagResourceResponse()


@sso_admin.operation("UntagResource", on=_tagged, writes=True)
def untag_resource(call: Call, request: shapes.UntagResourceRequest, held: Held) -> shapes.UntagResourceResponse:
    tags = held.permission_set.given.tags
    _keep_tags(call, held, {key: value for key, value in tags.items() if key not in request.TagKeys})
    return shapes.UntagResourceResponse()


@sso_admin.operation("ListTagsForResource", on=_tagged)
def list_tags(
    call: Call, request: shapes.ListTagsForResourceRequest, held: Held
) -> shapes.ListTagsForResourceResponse:
    tags = held.permission_set.given.tags
    return shapes.ListTagsForResourceResponse(
        Tags=[shapes.Tag(Key=key, Value=value) for key, value in tags.items()]
    )


def _keep_tags(call: Call, held: Held, tags: dict[str, str]) -> None:
    """Tags are no part of what is provisioned."""
    body = msgspec.json.encode(msgspec.structs.replace(held.permission_set.given, tags=tags)).decode()
    columns = tables.permission_set.c
    call.transaction.run(update(tables.permission_set).where(columns.id == held.id).values(body=body))

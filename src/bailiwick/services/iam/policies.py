"""Managed policies; policy_versions.py has their versions."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.api import AccessDenied, Call, Target
from bailiwick.core import ids
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_managed
from bailiwick.directory import entities, managed, tables
from bailiwick.directory.entities import ManagedPolicy
from bailiwick.services.iam import names, paging, policy_usage, shapes, tags
from bailiwick.services.iam.policy_usage import Use
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    LimitExceededException,
    MalformedPolicyDocumentException,
)
from bailiwick.services.iam.targets import policy_named, policy_to_change
from bailiwick.store import Duplicate

MAX_SIZE = 6144
MAX_VERSIONS = 5


def shown(policy: ManagedPolicy, use: Use) -> shapes.Policy:
    """A managed policy as lists show it: without description and tags."""
    return shapes.Policy(**members(policy, use))


def members(policy: ManagedPolicy, use: Use) -> dict[str, Any]:
    """What every answer that shows a managed policy says of it."""
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": use.attachments,
        "PermissionsBoundaryUsageCount": use.boundaries,
        "IsAttachable": True,
        "CreateDate": policy.created,
        "UpdateDate": policy.updated,
    }


def checked(text: str) -> str:
    """A document fit to be a version. Raises MalformedPolicyDocument or LimitExceeded."""
    try:
        check_managed(text)
    except PolicyError as error:
        raise MalformedPolicyDocumentException(str(error)) from None
    if names.size(text) > MAX_SIZE:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {MAX_SIZE}")
    return text


def own(policy: ManagedPolicy, message: str) -> ManagedPolicy:
    """The policy, if it is a customer's. Raises AccessDenied for one of AWS's: nobody changes those."""
    if policy.is_aws:
        raise AccessDenied(message)
    return policy


def new_policy(call: Call, request: shapes.CreatePolicyRequest) -> Target:
    """The policy to be made; with tags, the caller must be allowed to set them too."""
    arn = names.account_arn(call, "policy", request.Path or "/", request.PolicyName)
    return tags.new(call, arn, request.Tags, "iam:TagPolicy", label=f"policy {request.PolicyName}")


@iam.operation("CreatePolicy", on=new_policy, writes=True)
def create_policy(call: Call, request: shapes.CreatePolicyRequest, record: None) -> shapes.CreatePolicyResponse:
    document = checked(request.PolicyDocument)
    names.check_room(call, tables.policy.c.account == call.account, "PoliciesPerAccount")
    now = names.seconds(call.now)
    policy = ManagedPolicy(
        id=ids.unique_id("ANPA", call.account, call.environment.entropy),
        account=call.account,
        arn=names.account_arn(call, "policy", request.Path or "/", request.PolicyName),
        name=request.PolicyName,
        path=request.Path or "/",
        created=now,
        updated=now,
        default_version=1,
        next_version=2,
        description=request.Description or None,
    )
    try:
        call.transaction.run(insert(tables.policy).values(**columns(policy)))
    except Duplicate:
        raise EntityAlreadyExistsException(
            f"A policy called {policy.name} already exists. Duplicate names are not allowed."
        ) from None
    add_version(call, policy, 1, document)
    tags.put(call.transaction, policy.id, request.Tags, fold=False)
    call.transaction.changed(f"policy:{policy.arn}")
    answer = shown(policy, Use())
    return shapes.CreatePolicyResponse(Policy=_with(answer, Tags=tags.shown(call.transaction, policy.id)))


@iam.operation("GetPolicy", on=policy_named)
def get_policy(call: Call, request: shapes.GetPolicyRequest, policy: ManagedPolicy) -> shapes.GetPolicyResponse:
    found = _with(
        shown(policy, policy_usage.of(call.transaction, call.account, policy.arn)),
        Description=policy.description,
        Tags=tags.listed(call.transaction, policy.id),
    )
    return shapes.GetPolicyResponse(Policy=found)


@iam.operation("DeletePolicy", on=policy_to_change, writes=True)
def delete_policy(call: Call, request: shapes.DeletePolicyRequest, policy: ManagedPolicy) -> None:
    own(policy, "Cannot delete policies outside your own account.")
    if policy_usage.of(call.transaction, call.account, policy.arn).is_used:
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if names.count(call.transaction, tables.policy_version.c.policy_id == policy.id) > 1:
        raise DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's "
            "versions. The default version is deleted with the policy."
        )
    tags.remove_all(call.transaction, policy.id)
    versions = tables.policy_version
    call.transaction.run(delete(versions).where(versions.c.policy_id == policy.id))
    call.transaction.run(delete(tables.policy).where(tables.policy.c.id == policy.id))
    call.transaction.changed(f"policy:{policy.arn}")


def every_policy(call: Call, request: shapes.ListPoliciesRequest) -> Target:
    """Every managed policy that the account may attach."""
    return Target(account=call.account)


@iam.operation("ListPolicies", on=every_policy)
def list_policies(call: Call, request: shapes.ListPoliciesRequest, record: None) -> shapes.ListPoliciesResponse:
    # Every ARN of an account comes before those of AWS, in whose place there is no digit.
    found = _customers(call, request) if request.Scope != "AWS" else []
    if request.Scope != "Local":
        found += _amazons(call, request, paging.wanted(request.MaxItems) - len(found))
    page, truncated, marker = paging.page(call, found, request.MaxItems, lambda each: each.arn)
    uses = policy_usage.counted(call.transaction, call.account, [each.arn for each in page])
    return shapes.ListPoliciesResponse(
        Policies=[shown(each, uses.get(each.arn, Use())) for each in page], IsTruncated=truncated, Marker=marker
    )


def _customers(call: Call, request: shapes.ListPoliciesRequest) -> list[ManagedPolicy]:
    """As many of the account's own policies as the page can take, and one more."""
    table = tables.policy.c
    statement = (
        select(tables.policy)
        .where(
            table.account == call.account,
            names.under(table.path, request.PathPrefix),
            table.arn > paging.after(call, request.Marker),
        )
        .order_by(table.arn)
        .limit(paging.wanted(request.MaxItems))
    )
    if request.OnlyAttached or request.PolicyUsageFilter:
        statement = statement.where(policy_usage.condition(call.account, request.PolicyUsageFilter))
    return [entities.record(ManagedPolicy, row) for row in call.transaction.all(statement)]


def _amazons(call: Call, request: shapes.ListPoliciesRequest, most: int) -> list[ManagedPolicy]:
    """As many of AWS's policies as there is room for."""
    start, prefix = paging.after(call, request.Marker), request.PathPrefix or "/"
    used: set[str] | None = None
    if most > 0 and (request.OnlyAttached or request.PolicyUsageFilter):
        within = f"arn:{call.partition}:iam::aws:policy/"
        used = policy_usage.used_of_aws(call.transaction, call.account, request.PolicyUsageFilter, within)
    found = [
        policy
        for policy in managed.every(call.partition)
        if policy.arn > start and policy.path.startswith(prefix) and (used is None or policy.arn in used)
    ]
    return found[: max(most, 0)]


# -- Tags -------------------------------------------------------------------------------------------------


@iam.operation("TagPolicy", on=policy_to_change, writes=True)
def tag_policy(call: Call, request: shapes.TagPolicyRequest, policy: ManagedPolicy) -> None:
    own(policy, "Cannot update policies outside your own account.")
    tags.put(call.transaction, policy.id, request.Tags, fold=False)


@iam.operation("UntagPolicy", on=policy_to_change, writes=True)
def untag_policy(call: Call, request: shapes.UntagPolicyRequest, policy: ManagedPolicy) -> None:
    own(policy, "Cannot update policies outside your own account.")
    tags.remove(call.transaction, policy.id, request.TagKeys, fold=False)


@iam.operation("ListPolicyTags", on=policy_to_change)
def list_policy_tags(
    call: Call, request: shapes.ListPolicyTagsRequest, policy: ManagedPolicy
) -> shapes.ListPolicyTagsResponse:
    page, truncated, marker = tags.page_listed(call, policy.id, request.Marker, request.MaxItems)
    return shapes.ListPolicyTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)


def columns(policy: ManagedPolicy) -> dict[str, Any]:
    """A customer's policy as the columns of its row."""
    values = msgspec.structs.asdict(policy) | {"folded": policy.name.lower()}
    del values["document"]
    return values


def add_version(call: Call, policy: ManagedPolicy, number: int, document: str) -> None:
    """Store a version of a policy."""
    call.transaction.run(
        insert(tables.policy_version).values(
            policy_id=policy.id, number=number, document=document, created=names.seconds(call.now)
        )
    )


def _with(policy: shapes.Policy, **members: Any) -> shapes.Policy:
    return msgspec.structs.replace(policy, **members)

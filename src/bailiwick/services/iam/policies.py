"""Managed policies and their versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, delete, exists, insert, literal, or_, select, update

from bailiwick.api import AccessDenied, Call, Target
from bailiwick.core import ids
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_managed
from bailiwick.directory import entities, managed, tables
from bailiwick.directory.entities import ManagedPolicy
from bailiwick.services.iam import names, paging, shapes, tags
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
)
from bailiwick.services.iam.targets import policy_named, policy_to_change
from bailiwick.store import Duplicate

POLICIES_PER_ACCOUNT = 1500
MAX_SIZE = 6144
MAX_VERSIONS = 5


def shown(call: Call, policy: ManagedPolicy) -> shapes.Policy:
    """A managed policy as lists show it: without description and tags, with true counts of its use."""
    return shapes.Policy(
        PolicyName=policy.name,
        PolicyId=policy.id,
        Arn=policy.arn,
        Path=policy.path,
        DefaultVersionId=f"v{policy.default_version}",
        AttachmentCount=attachments(call, policy),
        PermissionsBoundaryUsageCount=boundary_uses(call, policy),
        IsAttachable=True,
        CreateDate=policy.created,
        UpdateDate=policy.updated,
    )


def attachments(call: Call, policy: ManagedPolicy) -> int:
    """To how many users, groups and roles of the caller's account a policy is attached."""
    attachment = tables.attachment.c
    return names.count(
        call.transaction,
        (attachment.policy_arn == policy.arn) & (attachment.account == call.account),
    )


def boundary_uses(call: Call, policy: ManagedPolicy) -> int:
    """Of how many users and roles of the caller's account a policy is the boundary."""
    return sum(
        names.count(call.transaction, (table.c.boundary == policy.arn) & (table.c.account == call.account))
        for table in (tables.user, tables.role)
    )


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
    label = f"policy {request.PolicyName}"
    context = tags.of_request(request.Tags)
    tagging = Target(account=call.account, arn=arn, action="iam:TagPolicy", context=context, label=label)
    return Target(
        account=call.account, arn=arn, context=context, label=label, also=(tagging,) if request.Tags else ()
    )


@iam.operation("CreatePolicy", on=new_policy, writes=True)
def create_policy(call: Call, request: shapes.CreatePolicyRequest, record: None) -> shapes.CreatePolicyResponse:
    document = checked(request.PolicyDocument)
    present = names.count(call.transaction, tables.policy.c.account == call.account)
    names.check_quota(present, POLICIES_PER_ACCOUNT, "PoliciesPerAccount")
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
        call.transaction.run(
            insert(tables.policy).values(
                id=policy.id,
                account=policy.account,
                arn=policy.arn,
                name=policy.name,
                folded=policy.name.lower(),
                path=policy.path,
                created=now,
                updated=now,
                default_version=1,
                next_version=2,
                description=policy.description,
            )
        )
    except Duplicate:
        raise EntityAlreadyExistsException(
            f"A policy called {policy.name} already exists. Duplicate names are not allowed."
        ) from None
    _insert_version(call, policy, 1, document)
    tags.put(call.transaction, policy.id, request.Tags, fold=False)
    call.transaction.changed(f"policy:{policy.arn}")
    answer = shown(call, policy)
    return shapes.CreatePolicyResponse(Policy=_with(answer, Tags=tags.shown(call.transaction, policy.id)))


@iam.operation("GetPolicy", on=policy_named)
def get_policy(call: Call, request: shapes.GetPolicyRequest, policy: ManagedPolicy) -> shapes.GetPolicyResponse:
    found = _with(
        shown(call, policy),
        Description=policy.description,
        Tags=tags.shown(call.transaction, policy.id) or [],
    )
    return shapes.GetPolicyResponse(Policy=found)


@iam.operation("DeletePolicy", on=policy_to_change, writes=True)
def delete_policy(call: Call, request: shapes.DeletePolicyRequest, policy: ManagedPolicy) -> None:
    own(policy, "Cannot delete policies outside your own account.")
    if attachments(call, policy) or boundary_uses(call, policy):
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
    start, scope = paging.after(call, request.Marker), request.Scope or "All"
    found: list[ManagedPolicy] = []
    if scope != "AWS":
        found += _customers(call, request, start)
    if scope != "Local":
        prefix = request.PathPrefix or "/"
        found += [
            policy
            for policy in managed.every(call.partition)
            if policy.path.startswith(prefix) and policy.arn > start and _passes(call, request, policy)
        ]
    found.sort(key=lambda policy: policy.arn)
    cut, truncated, marker = paging.page(call, found, request.MaxItems, lambda policy: policy.arn)
    page = [shown(call, policy) for policy in cut]
    return shapes.ListPoliciesResponse(Policies=page, IsTruncated=truncated, Marker=marker)


def _customers(call: Call, request: shapes.ListPoliciesRequest, start: str) -> list[ManagedPolicy]:
    """The first of the account's own policies after `start` that the request's filters let through."""
    table = tables.policy.c
    rows = call.transaction.all(
        select(tables.policy)
        .where(
            table.account == call.account,
            names.under(table.path, request.PathPrefix),
            table.arn > start,
            *_filters(call, request, table.arn),
        )
        .order_by(table.arn)
        .limit(paging.wanted(request.MaxItems))
    )
    return [entities.record(ManagedPolicy, row) for row in rows]


def _filters(
    call: Call, request: shapes.ListPoliciesRequest, arn: ColumnElement[str]
) -> Iterator[ColumnElement[bool]]:
    """The conditions that OnlyAttached and PolicyUsageFilter put on a policy with this ARN."""
    attachment = tables.attachment.c
    attached = exists().where(attachment.policy_arn == arn, attachment.account == call.account)
    bounds = or_(
        *(
            exists().where(table.c.boundary == arn, table.c.account == call.account)
            for table in (tables.user, tables.role)
        )
    )
    if request.OnlyAttached:
        yield attached | bounds
    if request.PolicyUsageFilter == "PermissionsPolicy":
        yield attached
    elif request.PolicyUsageFilter == "PermissionsBoundary":
        yield bounds


def _passes(call: Call, request: shapes.ListPoliciesRequest, policy: ManagedPolicy) -> bool:
    """Whether the request's filters let one of AWS's policies through, which have no row."""
    filters = list(_filters(call, request, literal(policy.arn)))
    return not filters or call.transaction.one(select(literal(1)).where(*filters)) is not None


# -- Versions ---------------------------------------------------------------------------------------------


@iam.operation("CreatePolicyVersion", on=policy_named, writes=True)
def create_policy_version(
    call: Call, request: shapes.CreatePolicyVersionRequest, policy: ManagedPolicy
) -> shapes.CreatePolicyVersionResponse:
    own(policy, "Cannot update policies outside your own account.")
    document = checked(request.PolicyDocument)
    if names.count(call.transaction, tables.policy_version.c.policy_id == policy.id) >= MAX_VERSIONS:
        raise LimitExceededException(
            f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you must "
            "delete an existing version."
        )
    number, is_default = policy.next_version, bool(request.SetAsDefault)
    _insert_version(call, policy, number, document)
    _update(call, policy, next_version=number + 1, default=number if is_default else None)
    return shapes.CreatePolicyVersionResponse(
        PolicyVersion=shapes.PolicyVersion(
            VersionId=f"v{number}", IsDefaultVersion=is_default, CreateDate=names.seconds(call.now)
        )
    )


@iam.operation("GetPolicyVersion", on=policy_named)
def get_policy_version(
    call: Call, request: shapes.GetPolicyVersionRequest, policy: ManagedPolicy
) -> shapes.GetPolicyVersionResponse:
    number, document, created = _version(call, policy, request.VersionId)
    return shapes.GetPolicyVersionResponse(
        PolicyVersion=shapes.PolicyVersion(
            Document=names.encoded(document),
            VersionId=f"v{number}",
            IsDefaultVersion=number == policy.default_version,
            CreateDate=created,
        )
    )


@iam.operation("ListPolicyVersions", on=policy_named)
def list_policy_versions(
    call: Call, request: shapes.ListPolicyVersionsRequest, policy: ManagedPolicy
) -> shapes.ListPolicyVersionsResponse:
    start = paging.after(call, request.Marker)
    rows: list[tuple[int, float]] = [(1, policy.created)]
    if not policy.is_aws:
        table = tables.policy_version.c
        rows = [
            (row.number, row.created)
            for row in call.transaction.all(
                select(table.number, table.created)
                .where(table.policy_id == policy.id)
                .order_by(table.number.desc())
            )
        ]
    later = [row for row in rows if not start or row[0] < int(start)]
    page, truncated, marker = paging.page(call, later, request.MaxItems, lambda row: str(row[0]))
    return shapes.ListPolicyVersionsResponse(
        Versions=[
            shapes.PolicyVersion(
                VersionId=f"v{number}",
                IsDefaultVersion=number == policy.default_version,
                CreateDate=created,
            )
            for number, created in page
        ],
        IsTruncated=truncated,
        Marker=marker,
    )


@iam.operation("DeletePolicyVersion", on=policy_named, writes=True)
def delete_policy_version(call: Call, request: shapes.DeletePolicyVersionRequest, policy: ManagedPolicy) -> None:
    own(policy, "Cannot delete policy versions for policies outside your own account.")
    number, _, _ = _version(call, policy, request.VersionId)
    if number == policy.default_version:
        raise DeleteConflictException("Cannot delete the default version of a policy.")
    table = tables.policy_version.c
    call.transaction.run(delete(tables.policy_version).where(table.policy_id == policy.id, table.number == number))


@iam.operation("SetDefaultPolicyVersion", on=policy_named, writes=True)
def set_default_policy_version(
    call: Call, request: shapes.SetDefaultPolicyVersionRequest, policy: ManagedPolicy
) -> None:
    own(policy, "Cannot update policies outside your own account.")
    number, _, _ = _version(call, policy, request.VersionId)
    _update(call, policy, next_version=policy.next_version, default=number)


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
    page, truncated, marker = tags.page(call, policy.id, request.Marker, request.MaxItems)
    return shapes.ListPolicyTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)


def _insert_version(call: Call, policy: ManagedPolicy, number: int, document: str) -> None:
    call.transaction.run(
        insert(tables.policy_version).values(
            policy_id=policy.id, number=number, document=document, created=names.seconds(call.now)
        )
    )


def _update(call: Call, policy: ManagedPolicy, *, next_version: int, default: int | None) -> None:
    call.transaction.run(
        update(tables.policy)
        .where(tables.policy.c.id == policy.id)
        .values(
            next_version=next_version,
            default_version=default or policy.default_version,
            updated=names.seconds(call.now),
        )
    )
    call.transaction.changed(f"policy:{policy.arn}")


def _version(call: Call, policy: ManagedPolicy, version_id: str) -> tuple[int, str, float]:
    """A version's number, document and time. Raises NoSuchEntity if there is none of this id."""
    number = version_id.removeprefix("v")
    if policy.is_aws and number == "1":
        return 1, policy.document or "", policy.created
    row: Row[Any] | None = None
    if number.isdecimal() and len(number) < 10:
        table = tables.policy_version.c
        row = call.transaction.one(
            select(tables.policy_version).where(table.policy_id == policy.id, table.number == int(number))
        )
    if row is None:
        raise NoSuchEntityException(
            f"Policy {policy.arn} version {version_id} does not exist or is not attachable."
        )
    return row.number, row.document, row.created


def _with(policy: shapes.Policy, **members: Any) -> shapes.Policy:
    return msgspec.structs.replace(policy, **members)

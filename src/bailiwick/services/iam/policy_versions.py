"""The versions of managed policies: five at most, their numbers never used again."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, delete, select, update

from bailiwick.api import Call, Target
from bailiwick.directory import tables
from bailiwick.directory.entities import ManagedPolicy
from bailiwick.services.iam import names, paging, shapes
from bailiwick.services.iam.policies import MAX_VERSIONS, add_version, checked, own
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    DeleteConflictException,
    LimitExceededException,
    NoSuchEntityException,
)
from bailiwick.services.iam.targets import policy_named


def version_named(call: Call, request: Any) -> Target:
    """The policy that PolicyArn names. Of one that is missing, the version is told (recorded 2026)."""
    target = policy_named(call, request)
    if target.absent is None:
        return target
    return msgspec.structs.replace(target, absent=_no_version(request.PolicyArn, request.VersionId))


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
    add_version(call, policy, number, document)
    _update(call, policy, next_version=number + 1, updated=names.seconds(call.now))
    if is_default:
        _update(call, policy, default_version=number)
    return shapes.CreatePolicyVersionResponse(
        PolicyVersion=shapes.PolicyVersion(
            VersionId=f"v{number}", IsDefaultVersion=is_default, CreateDate=names.seconds(call.now)
        )
    )


@iam.operation("GetPolicyVersion", on=version_named)
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
    rows: list[tuple[int, float]] = [(policy.default_version, policy.updated)]
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


@iam.operation("DeletePolicyVersion", on=version_named, writes=True)
def delete_policy_version(call: Call, request: shapes.DeletePolicyVersionRequest, policy: ManagedPolicy) -> None:
    own(policy, "Cannot delete policy versions for policies outside your own account.")
    number, _, _ = _version(call, policy, request.VersionId)
    if number == policy.default_version:
        raise DeleteConflictException("Cannot delete the default version of a policy.")
    table = tables.policy_version.c
    call.transaction.run(delete(tables.policy_version).where(table.policy_id == policy.id, table.number == number))


@iam.operation("SetDefaultPolicyVersion", on=version_named, writes=True)
def set_default_policy_version(
    call: Call, request: shapes.SetDefaultPolicyVersionRequest, policy: ManagedPolicy
) -> None:
    own(policy, "Cannot update policies outside your own account.")
    number, _, _ = _version(call, policy, request.VersionId)
    _update(call, policy, default_version=number)


def _version(call: Call, policy: ManagedPolicy, version_id: str) -> tuple[int, str, float]:
    """A version's number, document and time. Raises NoSuchEntity if there is none of this id."""
    number = version_id.removeprefix("v")
    if policy.document is not None and number == str(policy.default_version):
        return policy.default_version, policy.document, policy.updated
    row: Row[Any] | None = None
    if number.isdecimal() and len(number) < 10:
        table = tables.policy_version.c
        row = call.transaction.one(
            select(tables.policy_version).where(table.policy_id == policy.id, table.number == int(number))
        )
    if row is None:
        raise _no_version(policy.arn, version_id)
    return row.number, row.document, row.created


def _no_version(policy_arn: str, version_id: str) -> NoSuchEntityException:
    return NoSuchEntityException(f"Policy {policy_arn} version {version_id} does not exist or is not attachable.")


def _update(call: Call, policy: ManagedPolicy, **values: Any) -> None:
    call.transaction.run(update(tables.policy).where(tables.policy.c.id == policy.id).values(**values))
    call.transaction.changed(f"policy:{policy.arn}")

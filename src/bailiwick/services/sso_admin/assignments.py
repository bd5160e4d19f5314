"""Assignments: who may use which permission set in which account. It is done when the answer leaves.

AWS does it in the background and tells how far it is; the same questions are answered here, with SUCCEEDED.
"""

from __future__ import annotations

import uuid
from typing import Any, TypeVar

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.api import Call, Environment, Transaction
from bailiwick.directory.center import access, people, tables
from bailiwick.directory.center.access import Unprovisionable
from bailiwick.directory.center.people import Instance
from bailiwick.services.sso_admin import paging, shapes, targets
from bailiwick.services.sso_admin.service import sso_admin
from bailiwick.services.sso_admin.shapes import ConflictException, ResourceNotFoundException, ValidationException
from bailiwick.services.sso_admin.targets import Held
from bailiwick.store import Duplicate

T = TypeVar("T")

_CREATION, _DELETION, _PROVISIONING = "creation", "deletion", "provisioning"
_USER = "USER"
_KEPT = 90 * 86_400.0  # seconds

_in_account = targets.with_account(targets.permission_set, "TargetId")


@sso_admin.operation("CreateAccountAssignment", on=_in_account, writes=True)
def create_account_assignment(
    call: Call, request: shapes.CreateAccountAssignmentRequest, held: Held
) -> shapes.CreateAccountAssignmentResponse:
    _check_principal(call, held.instance, request.PrincipalType, request.PrincipalId)
    values = {
        "principal": request.PrincipalId,
        "account": request.TargetId,
        "permission_set": held.id,
        "instance": held.instance.id,
        "kind": request.PrincipalType,
        "created": call.now,
    }
    reason = None
    try:
        _provisioned(call, held, request.TargetId)
        call.transaction.run(insert(tables.assignment).values(**values))
    except Duplicate:
        raise ConflictException("The account assignment exists already.") from None
    except Unprovisionable as error:
        reason = str(error)
    status = _status(call, held, request, reason)
    shown = _keep(call, held.instance, _CREATION, status, shapes.AccountAssignmentOperationStatus)
    return shapes.CreateAccountAssignmentResponse(AccountAssignmentCreationStatus=shown)


@sso_admin.operation("DeleteAccountAssignment", on=_in_account, writes=True)
def delete_account_assignment(
    call: Call, request: shapes.DeleteAccountAssignmentRequest, held: Held
) -> shapes.DeleteAccountAssignmentResponse:
    columns = tables.assignment.c
    here = columns.account == request.TargetId, columns.permission_set == held.id
    if not call.transaction.run(delete(tables.assignment).where(*here, columns.principal == request.PrincipalId)):
        raise ResourceNotFoundException("The account assignment does not exist.")
    if call.transaction.one(select(columns.principal).where(*here)) is None:
        known = access.provisioned(call.transaction, held.id, request.TargetId)
        if known is not None:
            access.withdraw(call.transaction, known)
    status = _status(call, held, request, None)
    shown = _keep(call, held.instance, _DELETION, status, shapes.AccountAssignmentOperationStatus)
    return shapes.DeleteAccountAssignmentResponse(AccountAssignmentDeletionStatus=shown)


@sso_admin.operation("ListAccountAssignments", on=targets.with_account(targets.permission_set, "AccountId"))
def list_account_assignments(
    call: Call, request: shapes.ListAccountAssignmentsRequest, held: Held
) -> shapes.ListAccountAssignmentsResponse:
    columns = tables.assignment.c
    where = columns.account == request.AccountId, columns.permission_set == held.id
    rows = call.transaction.all(select(tables.assignment).where(*where).order_by(columns.principal))
    page, token = paging.page(call, request, rows, lambda row: str(row.principal))
    return shapes.ListAccountAssignmentsResponse(
        AccountAssignments=[
            shapes.AccountAssignment(
                AccountId=row.account,
                PermissionSetArn=request.PermissionSetArn,
                PrincipalType=row.kind,
                PrincipalId=row.principal,
            )
            for row in page
        ],
        NextToken=token,
    )


@sso_admin.operation("ListAccountAssignmentsForPrincipal", on=targets.instance)
def list_account_assignments_for_principal(
    call: Call, request: shapes.ListAccountAssignmentsForPrincipalRequest, found: Instance
) -> shapes.ListAccountAssignmentsForPrincipalResponse:
    columns = tables.assignment.c
    principals = [request.PrincipalId]
    if request.PrincipalType == _USER:
        principals += people.groups_of(call.transaction, request.PrincipalId)
    statement = select(tables.assignment).where(columns.instance == found.id, columns.principal.in_(principals))
    if request.Filter is not None and request.Filter.AccountId is not None:
        statement = statement.where(columns.account == request.Filter.AccountId)
    rows = call.transaction.all(statement.order_by(columns.account, columns.permission_set, columns.principal))
    page, token = paging.page(
        call, request, rows, lambda row: f"{row.account}/{row.permission_set}/{row.principal}"
    )
    return shapes.ListAccountAssignmentsForPrincipalResponse(
        AccountAssignments=[
            shapes.AccountAssignmentForPrincipal(
                AccountId=row.account,
                PermissionSetArn=_arn(call, found, row.permission_set),
                PrincipalId=row.principal,
                PrincipalType=row.kind,
            )
            for row in page
        ],
        NextToken=token,
    )


def _check_principal(call: Call, found: Instance, kind: str, principal: str) -> None:
    look = people.user if kind == _USER else people.group
    if look(call.transaction, found.store, principal) is None:
        raise ResourceNotFoundException(f"{kind} not found: {principal}.")


def _arn(call: Call, found: Instance, set_id: str) -> str:
    return f"arn:{call.partition}:sso:::permissionSet/{found.id}/{set_id}"


# -- Provisioning -----------------------------------------------------------------------------------------


def _provisioned(call: Call, held: Held, account: str) -> None:
    if access.provisioned(call.transaction, held.id, account) is None:
        _provision(call, held, account)


def _provision(call: Call, held: Held, account: str) -> None:
    access.provision(call.transaction, call.environment, held.instance, held.permission_set, account, call.now)


@sso_admin.operation("ProvisionPermissionSet", on=_in_account, writes=True)
def provision_permission_set(
    call: Call, request: shapes.ProvisionPermissionSetRequest, held: Held
) -> shapes.ProvisionPermissionSetResponse:
    if (request.TargetType == "AWS_ACCOUNT") != (request.TargetId is not None):
        raise ValidationException("TargetId goes with the TargetType AWS_ACCOUNT, and only with it.")
    columns = tables.provisioned.c
    rows = call.transaction.all(select(columns.account).where(columns.permission_set == held.id))
    accounts = [request.TargetId] if request.TargetId else [str(row.account) for row in rows]
    reason = None
    try:
        for account in accounts:
            _provision(call, held, account)
    except Unprovisionable as error:
        reason = str(error)
    status = {
        **_began(call, reason),
        "AccountId": request.TargetId,
        "PermissionSetArn": request.PermissionSetArn,
    }
    shown = _keep(call, held.instance, _PROVISIONING, status, shapes.PermissionSetProvisioningStatus)
    return shapes.ProvisionPermissionSetResponse(PermissionSetProvisioningStatus=shown)


@sso_admin.operation("ListAccountsForProvisionedPermissionSet", on=targets.permission_set)
def list_accounts_for_permission_set(
    call: Call, request: shapes.ListAccountsForProvisionedPermissionSetRequest, held: Held
) -> shapes.ListAccountsForProvisionedPermissionSetResponse:
    columns = tables.provisioned.c
    rows = call.transaction.all(
        select(tables.provisioned).where(columns.permission_set == held.id).order_by(columns.account)
    )
    changed = held.permission_set.changed
    accounts = [row.account for row in rows if _is_wanted(request.ProvisioningStatus, row.done >= changed)]
    page, token = paging.page(call, request, accounts, str)
    return shapes.ListAccountsForProvisionedPermissionSetResponse(AccountIds=page, NextToken=token)


@sso_admin.operation(
    "ListPermissionSetsProvisionedToAccount", on=targets.with_account(targets.instance, "AccountId")
)
def list_permission_sets_of_account(
    call: Call, request: shapes.ListPermissionSetsProvisionedToAccountRequest, found: Instance
) -> shapes.ListPermissionSetsProvisionedToAccountResponse:
    columns, sets = tables.provisioned.c, tables.permission_set.c
    rows = call.transaction.all(
        select(sets.id, sets.changed, columns.done)
        .join(tables.permission_set, sets.id == columns.permission_set)
        .where(columns.account == request.AccountId, sets.instance == found.id)
        .order_by(sets.id)
    )
    ids = [str(row.id) for row in rows if _is_wanted(request.ProvisioningStatus, row.done >= row.changed)]
    page, token = paging.page(call, request, ids, str)
    return shapes.ListPermissionSetsProvisionedToAccountResponse(
        PermissionSets=[_arn(call, found, each) for each in page], NextToken=token
    )


def _is_wanted(asked: str | None, is_latest: bool) -> bool:
    return asked is None or (asked == "LATEST_PERMISSION_SET_PROVISIONED") == is_latest


# -- How far it is ----------------------------------------------------------------------------------------


@sso_admin.chore
def forget(transaction: Transaction, environment: Environment, now: float) -> None:
    """What was done long ago needs no status."""
    transaction.run(delete(tables.task).where(tables.task.c.created < now - _KEPT))


def _began(call: Call, reason: str | None) -> dict[str, Any]:
    """What a status begins with: what was done is done, or it failed for a reason."""
    status = {
        "Status": "SUCCEEDED" if reason is None else "FAILED",
        "RequestId": str(uuid.UUID(bytes=call.environment.noise(16), version=4)),
        "CreatedDate": call.now,
    }
    return status | ({"FailureReason": reason} if reason is not None else {})


def _status(call: Call, held: Held, request: Any, reason: str | None) -> dict[str, Any]:
    return {
        **_began(call, reason),
        "TargetId": request.TargetId,
        "TargetType": request.TargetType,
        "PermissionSetArn": request.PermissionSetArn,
        "PrincipalType": request.PrincipalType,
        "PrincipalId": request.PrincipalId,
    }


def _keep(call: Call, found: Instance, kind: str, status: dict[str, Any], like: type[T]) -> T:
    """Keep how far something is, and show it."""
    body = msgspec.json.encode(status).decode()
    values = {"id": status["RequestId"], "instance": found.id, "kind": kind, "created": call.now, "body": body}
    call.transaction.run(insert(tables.task).values(**values))
    return msgspec.convert(status, like)


def _kept(call: Call, found: Instance, kind: str, task_id: str, like: type[T]) -> T:
    """How far something is that was kept. Raises ResourceNotFoundException."""
    columns = tables.task.c
    where = columns.id == task_id, columns.instance == found.id, columns.kind == kind
    row = call.transaction.one(select(tables.task).where(*where))
    if row is None:
        raise ResourceNotFoundException("Request not found.")
    return msgspec.json.decode(row.body, type=like)


def _listed(call: Call, request: Any, found: Instance, kind: str, like: type[T]) -> tuple[list[T], str | None]:
    """A page of what was kept, each in short, and the token of what follows."""
    columns = tables.task.c
    rows = call.transaction.all(
        select(tables.task)
        .where(columns.instance == found.id, columns.kind == kind)
        .order_by(columns.created.desc())
        .limit(1000)
    )
    every = [msgspec.json.decode(row.body) for row in sorted(rows, key=lambda row: str(row.id))]
    wanted = request.Filter.Status if request.Filter else None
    page, token = paging.page(
        call,
        request,
        [each for each in every if wanted in (None, each["Status"])],
        lambda each: str(each["RequestId"]),
    )
    short = [{name: each[name] for name in ("Status", "RequestId", "CreatedDate")} for each in page]
    return [msgspec.convert(each, like) for each in short], token


@sso_admin.operation("DescribeAccountAssignmentCreationStatus", on=targets.instance)
def describe_creation_status(
    call: Call, request: shapes.DescribeAccountAssignmentCreationStatusRequest, found: Instance
) -> shapes.DescribeAccountAssignmentCreationStatusResponse:
    shown = _kept(
        call, found, _CREATION, request.AccountAssignmentCreationRequestId, shapes.AccountAssignmentOperationStatus
    )
    return shapes.DescribeAccountAssignmentCreationStatusResponse(AccountAssignmentCreationStatus=shown)


@sso_admin.operation("DescribeAccountAssignmentDeletionStatus", on=targets.instance)
def describe_deletion_status(
    call: Call, request: shapes.DescribeAccountAssignmentDeletionStatusRequest, found: Instance
) -> shapes.DescribeAccountAssignmentDeletionStatusResponse:
    shown = _kept(
        call, found, _DELETION, request.AccountAssignmentDeletionRequestId, shapes.AccountAssignmentOperationStatus
    )
    return shapes.DescribeAccountAssignmentDeletionStatusResponse(AccountAssignmentDeletionStatus=shown)


@sso_admin.operation("DescribePermissionSetProvisioningStatus", on=targets.instance)
def describe_provisioning_status(
    call: Call, request: shapes.DescribePermissionSetProvisioningStatusRequest, found: Instance
) -> shapes.DescribePermissionSetProvisioningStatusResponse:
    shown = _kept(
        call, found, _PROVISIONING, request.ProvisionPermissionSetRequestId, shapes.PermissionSetProvisioningStatus
    )
    return shapes.DescribePermissionSetProvisioningStatusResponse(PermissionSetProvisioningStatus=shown)


@sso_admin.operation("ListAccountAssignmentCreationStatus", on=targets.instance)
def list_creation_status(
    call: Call, request: shapes.ListAccountAssignmentCreationStatusRequest, found: Instance
) -> shapes.ListAccountAssignmentCreationStatusResponse:
    shown, token = _listed(call, request, found, _CREATION, shapes.AccountAssignmentOperationStatusMetadata)
    return shapes.ListAccountAssignmentCreationStatusResponse(
        AccountAssignmentsCreationStatus=shown, NextToken=token
    )


@sso_admin.operation("ListAccountAssignmentDeletionStatus", on=targets.instance)
def list_deletion_status(
    call: Call, request: shapes.ListAccountAssignmentDeletionStatusRequest, found: Instance
) -> shapes.ListAccountAssignmentDeletionStatusResponse:
    shown, token = _listed(call, request, found, _DELETION, shapes.AccountAssignmentOperationStatusMetadata)
    return shapes.ListAccountAssignmentDeletionStatusResponse(
        AccountAssignmentsDeletionStatus=shown, NextToken=token
    )


@sso_admin.operation("ListPermissionSetProvisioningStatus", on=targets.instance)
def list_provisioning_status(
    call: Call, request: shapes.ListPermissionSetProvisioningStatusRequest, found: Instance
) -> shapes.ListPermissionSetProvisioningStatusResponse:
    shown, token = _listed(call, request, found, _PROVISIONING, shapes.PermissionSetProvisioningStatusMetadata)
    return shapes.ListPermissionSetProvisioningStatusResponse(
        PermissionSetsProvisioningStatus=shown, NextToken=token
    )

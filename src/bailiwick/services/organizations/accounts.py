"""Accounts of an organization: made, moved, closed, let go."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import func, insert, select, update

from bailiwick.api import Call, Target
from bailiwick.directory import accounts as directory
from bailiwick.directory import membership, organizations
from bailiwick.directory import organization_tables as tables
from bailiwick.directory import tables as iam
from bailiwick.directory.entities import record as as_record
from bailiwick.directory.organizations import ACCOUNT, ROOT, UNIT, Node, Organization
from bailiwick.services.organizations import names, paging, shapes, tags
from bailiwick.services.organizations import organization as whole_organization
from bailiwick.services.organizations.service import organizations as service
from bailiwick.services.organizations.shapes import (
    AccountAlreadyClosedException,
    ConstraintViolationException,
    CreateAccountStatusNotFoundException,
    DestinationParentNotFoundException,
    DuplicateAccountException,
    SourceParentNotFoundException,
)
from bailiwick.services.organizations.targets import NO_ACCOUNT, NO_PARENT, Who, node, node_of, whole

ACCOUNTS_PER_ORGANIZATION = 10_000
_Held = tuple[Organization, Node]


def rows(call: Call, organization: Organization, parent: str | None = None) -> list[shapes.Account]:
    """The accounts of an organization, or those right below one node, in the order in which they joined."""
    columns, known = tables.node.c, iam.account
    statement = (
        select(tables.node, known.c.name.label("title"), known.c.email)
        .select_from(tables.node.join(known, known.c.id == columns.id))
        .where(columns.organization == organization.id, columns.kind == ACCOUNT)
        .order_by(columns.joined, columns.id)
    )
    if parent is not None:
        statement = statement.where(columns.parent == parent)
    paths = _paths(call, organization)
    return [
        _shown(call, organization, as_record(Node, row), row.title, row.email, paths[row.parent])
        for row in call.transaction.all(statement)
    ]


def one(call: Call, organization: Organization, account: str) -> shapes.Account:
    """One account of an organization."""
    found = organizations.node(call.transaction, account)
    known = directory.find(call.transaction, account)
    assert found is not None, "who is shown is a member"
    assert known is not None, "a member of an organization is an account"
    return _shown(call, organization, found, known.name, known.email, _paths(call, organization)[found.parent])


def _paths(call: Call, organization: Organization) -> dict[str, str]:
    """The path of each root and unit, such as `o-x/r-y/ou-z/`."""
    columns = tables.node.c
    found = {
        row.id: row.parent
        for row in call.transaction.all(
            select(columns.id, columns.parent).where(
                columns.organization == organization.id, columns.kind != ACCOUNT
            )
        )
    }

    def path(node_id: str) -> str:
        return f"{path(found[node_id]) if found[node_id] else organization.id + '/'}{node_id}/"

    return {node_id: path(node_id) for node_id in found}


def _shown(call: Call, organization: Organization, found: Node, name: str, email: str, path: str) -> shapes.Account:
    closed = found.status != "ACTIVE"
    return shapes.Account(
        Id=found.id,
        Arn=names.node_arn(call, organization, found.id),
        Email=email,
        Name=name,
        Status="SUSPENDED" if closed else "ACTIVE",
        State="CLOSED" if closed else "ACTIVE",
        Paths=[f"{path}{found.id}/"],
        JoinedMethod=found.method,
        JoinedTimestamp=found.joined,
    )


# -- Made -------------------------------------------------------------------------------------------------


def new_account(call: Call, request: shapes.CreateAccountRequest) -> Target:
    """The account to be made; with tags, the caller must be allowed to set them too."""
    return tags.with_tagging(whole(Who.MANAGEMENT)(call, request), request.Tags)


@service.operation("CreateAccount", on=new_account, writes=True)
def create_account(
    call: Call, request: shapes.CreateAccountRequest, organization: Organization
) -> shapes.CreateAccountResponse:
    """Make an account at once; whoever polls for it finds it done."""
    failure, account, now = _failure(call, organization, request), None, call.now
    if failure is None:
        account = names.new_account(call)
        directory.create(call.transaction, account, request.AccountName, now, request.Email)
        role = request.RoleName or membership.ACCESS_ROLE
        membership.add_access_role(call.transaction, call.environment, organization, account, role, now)
        membership.join(call.transaction, organization, account, "CREATED", now)
        tags.put(call, account, request.Tags)
    status = shapes.CreateAccountStatus(
        Id=names.new(call, "car-", 32),
        AccountName=request.AccountName,
        State="FAILED" if failure else "SUCCEEDED",
        RequestedTimestamp=now,
        CompletedTimestamp=now,
        AccountId=account,
        FailureReason=failure,
    )
    call.transaction.run(
        insert(tables.creation).values(
            id=status.Id,
            organization=organization.id,
            name=status.AccountName,
            state=status.State,
            account=account,
            failure=failure,
            requested=now,
            completed=now,
        )
    )
    return shapes.CreateAccountResponse(CreateAccountStatus=status)


def _failure(call: Call, organization: Organization, request: shapes.CreateAccountRequest) -> str | None:
    """Why an account cannot be made, in AWS's word for it."""
    email = func.lower(iam.account.c.email) == request.Email.lower()
    if call.transaction.one(select(iam.account.c.id).where(email)) is not None:
        return "EMAIL_ALREADY_EXISTS"
    where = tables.node.c.organization == organization.id, tables.node.c.kind == ACCOUNT
    row = call.transaction.one(select(func.count().label("rows")).select_from(tables.node).where(*where))
    return "ACCOUNT_LIMIT_EXCEEDED" if row is not None and row.rows >= ACCOUNTS_PER_ORGANIZATION else None


@service.operation("DescribeCreateAccountStatus", on=whole(Who.READER))
def describe_create_account_status(
    call: Call, request: shapes.DescribeCreateAccountStatusRequest, organization: Organization
) -> shapes.DescribeCreateAccountStatusResponse:
    found = [each for each in _creations(call, organization) if each.Id == request.CreateAccountRequestId]
    if not found:
        raise CreateAccountStatusNotFoundException("You specified a create account request that doesn't exist.")
    return shapes.DescribeCreateAccountStatusResponse(CreateAccountStatus=found[0])


@service.operation("ListCreateAccountStatus", on=whole(Who.READER))
def list_create_account_status(
    call: Call, request: shapes.ListCreateAccountStatusRequest, organization: Organization
) -> shapes.ListCreateAccountStatusResponse:
    found = _creations(call, organization, request.States)
    page, token = paging.page(
        call, request, found, lambda each: paging.moment(each.RequestedTimestamp or 0, each.Id or "")
    )
    return shapes.ListCreateAccountStatusResponse(CreateAccountStatuses=page, NextToken=token)


def _creations(
    call: Call, organization: Organization, states: Sequence[str] | None = None
) -> list[shapes.CreateAccountStatus]:
    columns = tables.creation.c
    statement = select(tables.creation).where(columns.organization == organization.id)
    if states:
        statement = statement.where(columns.state.in_(states))
    return [
        shapes.CreateAccountStatus(
            Id=row.id,
            AccountName=row.name,
            State=row.state,
            RequestedTimestamp=row.requested,
            CompletedTimestamp=row.completed,
            AccountId=row.account,
            FailureReason=row.failure,
        )
        for row in call.transaction.all(statement.order_by(columns.requested, columns.id))
    ]


# -- Shown ------------------------------------------------------------------------------------------------


@service.operation("DescribeAccount", on=node("AccountId", NO_ACCOUNT, Who.READER))
def describe_account(
    call: Call, request: shapes.DescribeAccountRequest, record: _Held
) -> shapes.DescribeAccountResponse:
    return shapes.DescribeAccountResponse(Account=one(call, record[0], record[1].id))


@service.operation("ListAccounts", on=whole(Who.READER))
def list_accounts(
    call: Call, request: shapes.ListAccountsRequest, organization: Organization
) -> shapes.ListAccountsResponse:
    page, token = paging.page(call, request, rows(call, organization), _joined)
    return shapes.ListAccountsResponse(Accounts=page, NextToken=token)


@service.operation("ListAccountsForParent", on=node("ParentId", NO_PARENT, Who.READER))
def list_accounts_for_parent(
    call: Call, request: shapes.ListAccountsForParentRequest, record: _Held
) -> shapes.ListAccountsForParentResponse:
    page, token = paging.page(call, request, rows(call, record[0], record[1].id), _joined)
    return shapes.ListAccountsForParentResponse(Accounts=page, NextToken=token)


def _joined(account: shapes.Account) -> str:
    return paging.moment(account.JoinedTimestamp or 0, account.Id or "")


# -- Moved, closed, let go --------------------------------------------------------------------------------


def account_to_move(call: Call, request: shapes.MoveAccountRequest) -> Target:
    """The account, where it is and where it goes. The record is the organization, the account and both parents."""
    target = node("AccountId", NO_ACCOUNT)(call, request)
    if target.record is None:
        return target
    organization, found = target.record
    places = []
    for parent_id, missing in (
        (
            request.SourceParentId,
            SourceParentNotFoundException("You specified a source parent that doesn't exist."),
        ),
        (
            request.DestinationParentId,
            DestinationParentNotFoundException("You specified a destination parent that doesn't exist."),
        ),
    ):
        parent = node_of(call, organization, parent_id)
        place = names.node_arn(call, organization, parent_id)
        places.append(Target(account=call.account, arn=place, record=parent, absent=None if parent else missing))
    record = organization, found, places[1].record
    return msgspec.structs.replace(target, record=record, also=tuple(places))


@service.operation("MoveAccount", on=account_to_move, writes=True)
def move_account(call: Call, request: shapes.MoveAccountRequest, record: tuple[Organization, Node, Node]) -> None:
    organization, account, destination = record
    if account.parent == destination.id:
        raise DuplicateAccountException("That account is already present in the specified destination.")
    if account.parent != request.SourceParentId:
        raise SourceParentNotFoundException("You specified a source parent that doesn't exist.")
    assert destination.kind in (ROOT, UNIT), "the pattern of a parent's id matches nothing else"
    call.transaction.run(update(tables.node).where(tables.node.c.id == account.id).values(parent=destination.id))
    whole_organization.changed(call, organization, account.id)


@service.operation("CloseAccount", on=node("AccountId", NO_ACCOUNT), writes=True)
def close_account(call: Call, request: shapes.CloseAccountRequest, record: _Held) -> None:
    """End an account: nobody of it can call any more. It stays in the organization."""
    organization, account = record
    if account.id == organization.management:
        raise ConstraintViolationException(
            "You can't close the management account.", Reason="CANNOT_CLOSE_MANAGEMENT_ACCOUNT"
        )
    if account.status != "ACTIVE":
        raise AccountAlreadyClosedException("The provided account is already closed.")
    call.transaction.run(update(tables.node).where(tables.node.c.id == account.id).values(status="SUSPENDED"))
    whole_organization.changed(call, organization, account.id)


@service.operation("RemoveAccountFromOrganization", on=node("AccountId", NO_ACCOUNT), writes=True)
def remove_account(call: Call, request: shapes.RemoveAccountFromOrganizationRequest, record: _Held) -> None:
    _check_open(record[1])
    whole_organization.remove_account(call, record[0], record[1].id)


@service.operation("LeaveOrganization", on=whole(Who.MEMBER), writes=True)
def leave_organization(call: Call, request: None, organization: Organization) -> None:
    whole_organization.remove_account(call, organization, call.account)


def _check_open(account: Node) -> None:
    """A closed account stays: alone, it would be open again."""
    if account.status != "ACTIVE":
        raise ConstraintViolationException(
            "You can't remove an account that is closed.", Reason="ACCOUNT_CANNOT_LEAVE_ORGANIZATION"
        )

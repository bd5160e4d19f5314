"""Which services may work across the organization, and which accounts administer them for it."""

from __future__ import annotations

import re

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.analysis import actions
from bailiwick.api import Call
from bailiwick.directory import organization_tables as tables
from bailiwick.directory import service_principals
from bailiwick.directory.organizations import Node, Organization
from bailiwick.services.organizations import accounts, paging, shapes
from bailiwick.services.organizations.service import organizations as service
from bailiwick.services.organizations.shapes import (
    AccountAlreadyRegisteredException,
    AccountNotRegisteredException,
    ConcurrentModificationException,
    ConstraintViolationException,
    InvalidInputException,
)
from bailiwick.services.organizations.targets import NO_ACCOUNT, Who, is_delegated, node, whole
from bailiwick.store import Duplicate

_PRINCIPAL = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)*)\.amazonaws\.com(?:\.cn)?", re.ASCII)

# What stands in the name of a service that AWS lets work across organizations, and begins no action's name.
_OTHERS = frozenset(
    (
        *("aws-artifact-account-sync", "config-multiaccountsetup", "declarative-policies-ec2", "ipam", "macie"),
        *("marketplace", "networkinsights", "networkflowmonitor", "notifications", "security-ir"),
    )
)


@service.operation("EnableAWSServiceAccess", on=whole(Who.MANAGEMENT), writes=True)
def enable_service_access(call: Call, request: shapes.EnableAWSServiceAccessRequest, within: Organization) -> None:
    _check_principal(call, request.ServicePrincipal)
    columns = tables.service_access.c
    where = columns.organization == within.id, columns.service == request.ServicePrincipal
    if call.transaction.one(select(columns.service).where(*where)) is None:
        made = insert(tables.service_access).values(
            organization=within.id, service=request.ServicePrincipal, enabled=call.now
        )
        try:
            call.transaction.run(made)
        except Duplicate:
            raise ConcurrentModificationException("Another request is changing the same. Try again.") from None


@service.operation("DisableAWSServiceAccess", on=whole(Who.MANAGEMENT), writes=True)
def disable_service_access(
    call: Call, request: shapes.DisableAWSServiceAccessRequest, within: Organization
) -> None:
    _check_principal(call, request.ServicePrincipal)
    columns = tables.service_access.c
    call.transaction.run(
        delete(tables.service_access).where(
            columns.organization == within.id, columns.service == request.ServicePrincipal
        )
    )


@service.operation("ListAWSServiceAccessForOrganization", on=whole(Who.READER))
def list_service_access(
    call: Call, request: shapes.ListAWSServiceAccessForOrganizationRequest, within: Organization
) -> shapes.ListAWSServiceAccessForOrganizationResponse:
    columns = tables.service_access.c
    rows = call.transaction.all(
        select(tables.service_access).where(columns.organization == within.id).order_by(columns.service)
    )
    page, token = paging.page(call, request, rows, lambda row: str(row.service))
    return shapes.ListAWSServiceAccessForOrganizationResponse(
        EnabledServicePrincipals=[
            shapes.EnabledServicePrincipal(ServicePrincipal=row.service, DateEnabled=row.enabled) for row in page
        ],
        NextToken=token,
    )


@service.operation("RegisterDelegatedAdministrator", on=node("AccountId", NO_ACCOUNT), writes=True)
def register_delegated_administrator(
    call: Call, request: shapes.RegisterDelegatedAdministratorRequest, record: tuple[Organization, Node]
) -> None:
    within, account = record
    _check_principal(call, request.ServicePrincipal)
    if account.id == within.management:
        raise ConstraintViolationException(
            "You cannot register master account/yourself as delegated administrator for your organization.",
            Reason="CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
        )
    try:
        call.transaction.run(
            insert(tables.delegation).values(
                organization=within.id, account=account.id, service=request.ServicePrincipal, enabled=call.now
            )
        )
    except Duplicate:
        raise AccountAlreadyRegisteredException(
            "The provided account is already a delegated administrator for your organization."
        ) from None


@service.operation("DeregisterDelegatedAdministrator", on=node("AccountId", NO_ACCOUNT), writes=True)
def deregister_delegated_administrator(
    call: Call, request: shapes.DeregisterDelegatedAdministratorRequest, record: tuple[Organization, Node]
) -> None:
    within, account = record
    if account.id == within.management:
        raise ConstraintViolationException(
            "You cannot register master account/yourself as delegated administrator for your organization.",
            Reason="CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
        )
    if not is_delegated(call.transaction, within.id, account.id):
        raise AccountNotRegisteredException(
            "The provided account is not a registered delegated administrator for your organization."
        )
    columns = tables.delegation.c
    removed = call.transaction.run(
        delete(tables.delegation).where(
            columns.organization == within.id,
            columns.account == account.id,
            columns.service == request.ServicePrincipal,
        )
    )
    if not removed:
        raise InvalidInputException(
            "You specified an unrecognized service principal.", Reason="UNRECOGNIZED_SERVICE_PRINCIPAL"
        )


@service.operation("ListDelegatedAdministrators", on=whole(Who.READER))
def list_delegated_administrators(
    call: Call, request: shapes.ListDelegatedAdministratorsRequest, within: Organization
) -> shapes.ListDelegatedAdministratorsResponse:
    columns = tables.delegation.c
    statement = select(tables.delegation).where(columns.organization == within.id)
    if request.ServicePrincipal is not None:
        _check_principal(call, request.ServicePrincipal)
        statement = statement.where(columns.service == request.ServicePrincipal)
    first: dict[str, float] = {}
    for row in call.transaction.all(statement.order_by(columns.enabled)):
        first.setdefault(row.account, row.enabled)
    page, token = paging.page(call, request, sorted(first), str)
    return shapes.ListDelegatedAdministratorsResponse(
        DelegatedAdministrators=[_administrator(call, within, account, first[account]) for account in page],
        NextToken=token,
    )


@service.operation("ListDelegatedServicesForAccount", on=node("AccountId", NO_ACCOUNT, Who.READER))
def list_delegated_services(
    call: Call, request: shapes.ListDelegatedServicesForAccountRequest, record: tuple[Organization, Node]
) -> shapes.ListDelegatedServicesForAccountResponse:
    within, account = record
    columns = tables.delegation.c
    rows = call.transaction.all(
        select(tables.delegation)
        .where(columns.organization == within.id, columns.account == account.id)
        .order_by(columns.service)
    )
    if not rows:
        raise AccountNotRegisteredException(
            "The provided account is not a registered delegated administrator for your organization."
        )
    page, token = paging.page(call, request, rows, lambda row: str(row.service))
    return shapes.ListDelegatedServicesForAccountResponse(
        DelegatedServices=[
            shapes.DelegatedService(ServicePrincipal=row.service, DelegationEnabledDate=row.enabled) for row in page
        ],
        NextToken=token,
    )


def _administrator(call: Call, within: Organization, account: str, enabled: float) -> shapes.DelegatedAdministrator:
    shown = msgspec.structs.asdict(accounts.one(call, within, account))
    del shown["Paths"]
    return shapes.DelegatedAdministrator(**shown, DelegationEnabledDate=enabled)


def _check_principal(call: Call, name: str) -> None:
    """Refuse what is no service: neither one of AWS's, by what its name is made of, nor one that is registered."""
    match = _PRINCIPAL.fullmatch(name)
    parts = set(match[1].split(".")) if match else set[str]()
    if not (parts & _OTHERS or parts & actions.load().services) and not service_principals.find(
        call.transaction, name
    ):
        raise InvalidInputException(
            "You specified an unrecognized service principal.", Reason="UNRECOGNIZED_SERVICE_PRINCIPAL"
        )

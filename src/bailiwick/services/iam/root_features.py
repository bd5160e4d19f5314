"""Central root access: what an organization may do about the root users of its member accounts.

Source: facts/iam.md section 3.1. What is enabled is kept with the organization; its precondition is that IAM has
access to the organization (EnableAWSServiceAccess).
"""

from __future__ import annotations

from sqlalchemy import select, update

from bailiwick.api import ApiError, Call, Target
from bailiwick.directory import organization_tables as tables
from bailiwick.directory import organizations
from bailiwick.directory.organizations import Organization
from bailiwick.services.iam import shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    AccountNotManagementOrDelegatedAdministratorException,
    OrganizationNotFoundException,
    OrganizationNotInAllFeaturesModeException,
    ServiceAccessNotEnabledException,
)

CREDENTIALS, SESSIONS = "RootCredentialsManagement", "RootSessions"
_IAM = "iam.amazonaws.com"


def of_the_organization(call: Call, request: object) -> Target:
    """The caller's organization, if its account may manage root users there. The record is the Organization."""
    found = organizations.of_account(call.transaction, call.account)
    refused: ApiError | None = None
    if found is None:
        refused = OrganizationNotFoundException("Your account is not a member of an organization.")
    elif not _manages(call, found):
        refused = AccountNotManagementOrDelegatedAdministratorException(
            "The account is neither the management account nor a delegated administrator for IAM."
        )
    elif found.feature_set != "ALL":
        refused = OrganizationNotInAllFeaturesModeException("The organization does not have all features enabled.")
    elif not _has_access(call, found):
        refused = ServiceAccessNotEnabledException(f"Trusted access for {_IAM} is not enabled in the organization.")
    return Target(account=call.account, record=found, absent=refused)


def _manages(call: Call, found: Organization) -> bool:
    columns = tables.delegation.c
    where = columns.organization == found.id, columns.account == call.account, columns.service == _IAM
    return (
        found.management == call.account or call.transaction.one(select(columns.service).where(*where)) is not None
    )


def _has_access(call: Call, found: Organization) -> bool:
    columns = tables.service_access.c
    where = columns.organization == found.id, columns.service == _IAM
    return call.transaction.one(select(columns.service).where(*where)) is not None


def _with(call: Call, found: Organization, feature: str, *, enabled: bool) -> list[str]:
    """The features that are enabled after this one is, or is not."""
    features = {*found.root_features.split()} - {feature} | ({feature} if enabled else set())
    kept = sorted(features)
    call.transaction.run(
        update(tables.organization).where(tables.organization.c.id == found.id).values(root_features=" ".join(kept))
    )
    call.transaction.changed(f"organization:{found.id}")
    return kept


@iam.operation("EnableOrganizationsRootCredentialsManagement", on=of_the_organization, writes=True)
def enable_credentials(
    call: Call, request: shapes.EnableOrganizationsRootCredentialsManagementRequest, found: Organization
) -> shapes.EnableOrganizationsRootCredentialsManagementResponse:
    return shapes.EnableOrganizationsRootCredentialsManagementResponse(
        OrganizationId=found.id, EnabledFeatures=_with(call, found, CREDENTIALS, enabled=True)
    )


@iam.operation("DisableOrganizationsRootCredentialsManagement", on=of_the_organization, writes=True)
def disable_credentials(
    call: Call, request: shapes.DisableOrganizationsRootCredentialsManagementRequest, found: Organization
) -> shapes.DisableOrganizationsRootCredentialsManagementResponse:
    return shapes.DisableOrganizationsRootCredentialsManagementResponse(
        OrganizationId=found.id, EnabledFeatures=_with(call, found, CREDENTIALS, enabled=False)
    )


@iam.operation("EnableOrganizationsRootSessions", on=of_the_organization, writes=True)
def enable_sessions(
    call: Call, request: shapes.EnableOrganizationsRootSessionsRequest, found: Organization
) -> shapes.EnableOrganizationsRootSessionsResponse:
    return shapes.EnableOrganizationsRootSessionsResponse(
        OrganizationId=found.id, EnabledFeatures=_with(call, found, SESSIONS, enabled=True)
    )


@iam.operation("DisableOrganizationsRootSessions", on=of_the_organization, writes=True)
def disable_sessions(
    call: Call, request: shapes.DisableOrganizationsRootSessionsRequest, found: Organization
) -> shapes.DisableOrganizationsRootSessionsResponse:
    return shapes.DisableOrganizationsRootSessionsResponse(
        OrganizationId=found.id, EnabledFeatures=_with(call, found, SESSIONS, enabled=False)
    )


@iam.operation("ListOrganizationsFeatures", on=of_the_organization)
def list_features(
    call: Call, request: shapes.ListOrganizationsFeaturesRequest, found: Organization
) -> shapes.ListOrganizationsFeaturesResponse:
    return shapes.ListOrganizationsFeaturesResponse(
        OrganizationId=found.id, EnabledFeatures=found.root_features.split()
    )

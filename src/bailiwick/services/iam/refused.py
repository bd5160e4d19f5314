"""The operations of IAM that have no meaning on one's own machines, each with its reason."""

from __future__ import annotations

from bailiwick.services.iam.service import iam

iam.refuse(
    "delegation requests are how AWS's product providers ask an AWS account for temporary access; no such provider "
    "knows this deployment. A role with a trust policy does the same",
    "AcceptDelegationRequest",
    "AssociateDelegationRequest",
    "CreateDelegationRequest",
    "GetDelegationRequest",
    "ListDelegationRequests",
    "RejectDelegationRequest",
    "SendDelegationToken",
    "UpdateDelegationRequest",
)
iam.refuse(
    "the summary of a delegation request or policy in plain language comes from a service of AWS's own",
    "GetHumanReadableSummary",
)
iam.refuse(
    "role templates are published by AWS for its services, and none of those runs here; CreateRole makes any role",
    "AcquireRole",
    "GetRoleTemplateVersion",
)
iam.refuse(
    "reports on the use of services are made for one account: GenerateServiceLastAccessedDetails, per user, group, "
    "role and policy",
    "GenerateOrganizationsAccessReport",
    "GetOrganizationsAccessReport",
)

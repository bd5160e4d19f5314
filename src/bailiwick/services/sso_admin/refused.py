"""What is not offered, and why."""

from __future__ import annotations

from bailiwick.services.sso_admin.service import sso_admin

sso_admin.refuse(
    "people come in here to accounts, not to applications",
    *("CreateApplication", "DeleteApplication", "DescribeApplication", "UpdateApplication", "ListApplications"),
    *("DescribeApplicationProvider", "ListApplicationProviders"),
    *("CreateApplicationAssignment", "DeleteApplicationAssignment", "DescribeApplicationAssignment"),
    *("ListApplicationAssignments", "ListApplicationAssignmentsForPrincipal"),
    *("GetApplicationAssignmentConfiguration", "PutApplicationAssignmentConfiguration"),
    *("GetApplicationSessionConfiguration", "PutApplicationSessionConfiguration"),
    *("DeleteApplicationAccessScope", "GetApplicationAccessScope", "ListApplicationAccessScopes"),
    "PutApplicationAccessScope",
    *("DeleteApplicationAuthenticationMethod", "GetApplicationAuthenticationMethod"),
    *("ListApplicationAuthenticationMethods", "PutApplicationAuthenticationMethod"),
    *("DeleteApplicationGrant", "GetApplicationGrant", "ListApplicationGrants", "PutApplicationGrant"),
)
sso_admin.refuse(
    "tokens of other issuers are taken by AssumeRoleWithWebIdentity",
    *("CreateTrustedTokenIssuer", "DeleteTrustedTokenIssuer", "DescribeTrustedTokenIssuer"),
    *("ListTrustedTokenIssuers", "UpdateTrustedTokenIssuer"),
)
sso_admin.refuse(
    "sessions carry no attributes of people as tags yet",
    *("CreateInstanceAccessControlAttributeConfiguration", "DeleteInstanceAccessControlAttributeConfiguration"),
    *("DescribeInstanceAccessControlAttributeConfiguration", "UpdateInstanceAccessControlAttributeConfiguration"),
)
sso_admin.refuse(
    "an instance is served by every node of the deployment",
    *("AddRegion", "DescribeRegion", "ListRegions", "RemoveRegion"),
)

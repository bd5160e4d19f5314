"""The operations of Organizations that have no meaning on one's own machines, each with its reason."""

from __future__ import annotations

from bailiwick.services.organizations.service import organizations

organizations.refuse("there is one partition here, and no other to make the account in", "CreateGovCloudAccount")
organizations.refuse(
    "an organization here is for consolidated billing or has all features from its beginning; one made anew with "
    "the FeatureSet ALL has control policies",
    "EnableAllFeatures",
)
organizations.refuse(
    "only control policies exist here, and those are not merged into an effective policy that could be invalid",
    "ListAccountsWithInvalidEffectivePolicy",
    "ListEffectivePolicyValidationErrors",
)
organizations.refuse(
    "nobody is billed here, so there is no responsibility to transfer",
    "DescribeResponsibilityTransfer",
    "InviteOrganizationToTransferResponsibility",
    "ListInboundResponsibilityTransfers",
    "ListOutboundResponsibilityTransfers",
    "TerminateResponsibilityTransfer",
    "UpdateResponsibilityTransfer",
)
organizations.refuse(
    "an organization here has no resource policy: it is managed from its management account, and delegated "
    "administrators may read",
    "DeleteResourcePolicy",
    "DescribeResourcePolicy",
    "PutResourcePolicy",
)

"""What IAM tells of an account as a whole."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select

from bailiwick.api import Call, nothing
from bailiwick.directory import quotas, tables
from bailiwick.directory.credential_tables import (
    login_profile,
    mfa_device,
    server_certificate,
    signing_certificate,
)
from bailiwick.directory.provider_tables import oidc_provider, saml_provider
from bailiwick.directory.role_tables import instance_profile
from bailiwick.services.iam import (
    access_keys,
    account_settings,
    inline,
    names,
    policies,
    server_certificates,
    shapes,
    signing_certificates,
)
from bailiwick.services.iam.service import iam

# What an account has, by the table that has it.
_OF_ACCOUNT = {
    "Groups": tables.group,
    "InstanceProfiles": instance_profile,
    "MFADevices": mfa_device,
    "Policies": tables.policy,
    "Roles": tables.role,
    "ServerCertificates": server_certificate,
    "Users": tables.user,
}

# What its root user has: told as 1 or 0.
_OF_ROOT = {
    "AccountAccessKeysPresent": tables.access_key,
    "AccountMFAEnabled": mfa_device,
    "AccountPasswordPresent": login_profile,
    "AccountSigningCertificatesPresent": signing_certificate,
}


@iam.operation("GetAccountSummary", on=nothing)
def get_account_summary(call: Call, request: None, record: None) -> shapes.GetAccountSummaryResponse:
    account = call.account

    def count(condition: ColumnElement[bool]) -> int:
        return names.count(call.transaction, condition)

    allowed = quotas.every(call.transaction, account)
    summary = {
        **_QUOTAS,
        **{name: allowed[quota] for name, quota in _RAISED.items()},
        **{name: count(table.c.account == account) for name, table in _OF_ACCOUNT.items()},
        **{name: int(count(table.c.owner_id == account) > 0) for name, table in _OF_ROOT.items()},
        "GlobalEndpointTokenVersion": account_settings.token_version(call),
        "MFADevicesInUse": count((mfa_device.c.account == account) & mfa_device.c.owner_id.is_not(None)),
        "PolicyVersionsInUse": _versions(call),
        "Providers": count(oidc_provider.c.account == account) + count(saml_provider.c.account == account),
    }
    return shapes.GetAccountSummaryResponse(SummaryMap=dict(sorted(summary.items())))


def _versions(call: Call) -> int:
    """How many versions the account's own policies have together."""
    version, policy = tables.policy_version.c, tables.policy.c
    row = call.transaction.one(
        select(func.count().label("rows"))
        .select_from(tables.policy_version)
        .join(tables.policy, policy.id == version.policy_id)
        .where(policy.account == call.account)
    )
    return row.rows if row else 0


# Quotas that are the same for every account, and those that can be raised, by their names in directory/quotas.py.
_QUOTAS = {
    "AccessKeysPerUserQuota": access_keys.KEYS_PER_OWNER,
    "GroupPolicySizeQuota": inline.MAX_SIZE["group"],
    "PolicySizeQuota": policies.MAX_SIZE,
    "PolicyVersionsInUseQuota": 10000,
    "RolePolicySizeQuota": inline.MAX_SIZE["role"],
    "ServerCertificatesQuota": server_certificates.CERTIFICATES_PER_ACCOUNT,
    "SigningCertificatesPerUserQuota": signing_certificates.CERTIFICATES_PER_OWNER,
    "UserPolicySizeQuota": inline.MAX_SIZE["user"],
    "VersionsPerPolicyQuota": policies.MAX_VERSIONS,
}
_RAISED = {
    "AssumeRolePolicySizeQuota": "ACLSizePerRole",
    "AttachedPoliciesPerGroupQuota": "PoliciesPerGroup",
    "AttachedPoliciesPerRoleQuota": "PoliciesPerRole",
    "AttachedPoliciesPerUserQuota": "PoliciesPerUser",
    "GroupsPerUserQuota": "GroupsPerUser",
    "GroupsQuota": "GroupsPerAccount",
    "InstanceProfilesQuota": "InstanceProfilesPerAccount",
    "PoliciesQuota": "PoliciesPerAccount",
    "RolesQuota": "RolesPerAccount",
    "UsersQuota": "UsersPerAccount",
}

"""What IAM tells of an account as a whole."""

from __future__ import annotations

from sqlalchemy import func, select

from bailiwick.api import Call, nothing
from bailiwick.directory import tables
from bailiwick.services.iam import access_keys, attachments, groups, inline, names, policies, roles, shapes, trust
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.users import USERS_PER_ACCOUNT


@iam.operation("ListAccountAliases", on=nothing)
def list_account_aliases(
    call: Call, request: shapes.ListAccountAliasesRequest, record: None
) -> shapes.ListAccountAliasesResponse:
    return shapes.ListAccountAliasesResponse(AccountAliases=[], IsTruncated=False)


@iam.operation("GetAccountSummary", on=nothing)
def get_account_summary(call: Call, request: None, record: None) -> shapes.GetAccountSummaryResponse:
    counted = {
        name: names.count(call.transaction, table.c.account == call.account)
        for name, table in (
            ("Groups", tables.group),
            ("Policies", tables.policy),
            ("Roles", tables.role),
            ("Users", tables.user),
        )
    }
    version, policy = tables.policy_version.c, tables.policy.c
    row = call.transaction.one(
        select(func.count().label("rows"))
        .select_from(tables.policy_version)
        .join(tables.policy, policy.id == version.policy_id)
        .where(policy.account == call.account)
    )
    root_keys = names.count(call.transaction, tables.access_key.c.owner_id == call.account)
    summary = {**_QUOTAS, **_NOT_HERE, **counted, "PolicyVersionsInUse": row.rows if row else 0}
    summary["AccountAccessKeysPresent"] = int(root_keys > 0)
    return shapes.GetAccountSummaryResponse(SummaryMap=dict(sorted(summary.items())))


_QUOTAS = {
    "AccessKeysPerUserQuota": access_keys.KEYS_PER_OWNER,
    "AssumeRolePolicySizeQuota": trust.MAX_SIZE,
    "AttachedPoliciesPerGroupQuota": attachments.POLICIES_PER_OWNER,
    "AttachedPoliciesPerRoleQuota": attachments.POLICIES_PER_OWNER,
    "AttachedPoliciesPerUserQuota": attachments.POLICIES_PER_OWNER,
    "GroupPolicySizeQuota": inline.MAX_SIZE["group"],
    "GroupsPerUserQuota": groups.GROUPS_PER_USER,
    "GroupsQuota": groups.GROUPS_PER_ACCOUNT,
    "PoliciesQuota": policies.POLICIES_PER_ACCOUNT,
    "PolicySizeQuota": policies.MAX_SIZE,
    "PolicyVersionsInUseQuota": 10000,
    "RolePolicySizeQuota": inline.MAX_SIZE["role"],
    "RolesQuota": roles.ROLES_PER_ACCOUNT,
    "UserPolicySizeQuota": inline.MAX_SIZE["user"],
    "UsersQuota": USERS_PER_ACCOUNT,
    "VersionsPerPolicyQuota": policies.MAX_VERSIONS,
}

# What this version does not keep: there is none of it.
_NOT_HERE = dict.fromkeys(
    (
        "AccountMFAEnabled",
        "AccountPasswordPresent",
        "AccountSigningCertificatesPresent",
        "InstanceProfiles",
        "MFADevices",
        "MFADevicesInUse",
        "Providers",
        "ServerCertificates",
    ),
    0,
) | {"GlobalEndpointTokenVersion": 2}

"""What the operations of Organizations are called with in test_matrix.py. The account is in no organization."""

from __future__ import annotations

import json
from typing import Any

SCP = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}})
ACCOUNT = {"AccountId": "210987654321"}
HANDSHAKE = {"HandshakeId": "h-abcdefgh"}
PARENT = {"ParentId": "r-abcd"}
POLICY = {"PolicyId": "p-FullAWSAccess"}
RESOURCE = {"ResourceId": "r-abcd"}
SERVICE = {"ServicePrincipal": "iam.amazonaws.com"}
TARGET = {"TargetId": "r-abcd"}
TYPE = {"RootId": "r-abcd", "PolicyType": "SERVICE_CONTROL_POLICY"}
UNIT = {"OrganizationalUnitId": "ou-abcd-abcdefgh"}

CALLS: dict[str, dict[str, Any]] = {
    f"organizations:{name}": parameters
    for name, parameters in {
        "AcceptHandshake": HANDSHAKE,
        "AttachPolicy": POLICY | TARGET,
        "CancelHandshake": HANDSHAKE,
        "CloseAccount": ACCOUNT,
        "CreateAccount": {"Email": "a@example.com", "AccountName": "a"},
        "CreateOrganization": {},
        "CreateOrganizationalUnit": PARENT | {"Name": "u"},
        "CreatePolicy": {"Content": SCP, "Description": "d", "Name": "p", "Type": "SERVICE_CONTROL_POLICY"},
        "DeclineHandshake": HANDSHAKE,
        "DeleteOrganization": {},
        "DeleteOrganizationalUnit": UNIT,
        "DeletePolicy": POLICY,
        "DeregisterDelegatedAdministrator": ACCOUNT | SERVICE,
        "DescribeAccount": ACCOUNT,
        "DescribeCreateAccountStatus": {"CreateAccountRequestId": "car-abcdefgh"},
        "DescribeEffectivePolicy": {"PolicyType": "TAG_POLICY"},
        "DescribeHandshake": HANDSHAKE,
        "DescribeOrganization": {},
        "DescribeOrganizationalUnit": UNIT,
        "DescribePolicy": POLICY,
        "DetachPolicy": POLICY | TARGET,
        "DisableAWSServiceAccess": SERVICE,
        "DisablePolicyType": TYPE,
        "EnableAWSServiceAccess": SERVICE,
        "EnablePolicyType": TYPE,
        "InviteAccountToOrganization": {"Target": {"Id": "210987654321", "Type": "ACCOUNT"}},
        "LeaveOrganization": {},
        "ListAWSServiceAccessForOrganization": {},
        "ListAccounts": {},
        "ListAccountsForParent": PARENT,
        "ListChildren": PARENT | {"ChildType": "ACCOUNT"},
        "ListCreateAccountStatus": {},
        "ListDelegatedAdministrators": {},
        "ListDelegatedServicesForAccount": ACCOUNT,
        "ListHandshakesForAccount": {},
        "ListHandshakesForOrganization": {},
        "ListOrganizationalUnitsForParent": PARENT,
        "ListParents": {"ChildId": "210987654321"},
        "ListPolicies": {"Filter": "SERVICE_CONTROL_POLICY"},
        "ListPoliciesForTarget": TARGET | {"Filter": "SERVICE_CONTROL_POLICY"},
        "ListRoots": {},
        "ListTagsForResource": RESOURCE,
        "ListTargetsForPolicy": POLICY,
        "MoveAccount": ACCOUNT | {"SourceParentId": "r-abcd", "DestinationParentId": "ou-abcd-abcdefgh"},
        "RegisterDelegatedAdministrator": ACCOUNT | SERVICE,
        "RemoveAccountFromOrganization": ACCOUNT,
        "TagResource": RESOURCE | {"Tags": [{"Key": "k", "Value": "v"}]},
        "UntagResource": RESOURCE | {"TagKeys": ["k"]},
        "UpdateOrganizationalUnit": UNIT | {"Name": "v"},
        "UpdatePolicy": POLICY | {"Name": "v"},
    }.items()
}

CALLS |= {
    f"iam:{name}": {}
    for name in (
        "DisableOrganizationsRootCredentialsManagement",
        "DisableOrganizationsRootSessions",
        "EnableOrganizationsRootCredentialsManagement",
        "EnableOrganizationsRootSessions",
        "ListOrganizationsFeatures",
    )
}

"""What the operations of IAM Identity Center are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

_STORE = "d-0123456789"
_ID = "0123456789-11111111-2222-4333-8444-555555555555"
_TASK = "11111111-2222-4333-8444-555555555555"
_INSTANCE = "arn:aws:sso:::instance/ssoins-0123456789abcdef"
_SET = "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef"
_CLIENT = {"clientId": "c", "clientSecret": "s"}

CALLS: dict[str, dict[str, Any]] = {
    "identitystore:CreateGroup": {"IdentityStoreId": _STORE},
    "identitystore:CreateGroupMembership": {"IdentityStoreId": _STORE, "GroupId": _ID, "MemberId": {"UserId": _ID}},
    "identitystore:CreateUser": {"IdentityStoreId": _STORE},
    "identitystore:DeleteGroup": {"IdentityStoreId": _STORE, "GroupId": _ID},
    "identitystore:DeleteGroupMembership": {"IdentityStoreId": _STORE, "MembershipId": _ID},
    "identitystore:DeleteUser": {"IdentityStoreId": _STORE, "UserId": _ID},
    "identitystore:DescribeGroup": {"IdentityStoreId": _STORE, "GroupId": _ID},
    "identitystore:DescribeGroupMembership": {"IdentityStoreId": _STORE, "MembershipId": _ID},
    "identitystore:DescribeIdentityStore": {"IdentityStoreId": _STORE},
    "identitystore:DescribeUser": {"IdentityStoreId": _STORE, "UserId": _ID},
    "identitystore:GetGroupId": {
        "IdentityStoreId": _STORE,
        "AlternateIdentifier": {"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": "x"}},
    },
    "identitystore:GetGroupMembershipId": {"IdentityStoreId": _STORE, "GroupId": _ID, "MemberId": {"UserId": _ID}},
    "identitystore:GetUserId": {
        "IdentityStoreId": _STORE,
        "AlternateIdentifier": {"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": "x"}},
    },
    "identitystore:IsMemberInGroups": {"IdentityStoreId": _STORE, "MemberId": {"UserId": _ID}, "GroupIds": [_ID]},
    "identitystore:ListGroupMemberships": {"IdentityStoreId": _STORE, "GroupId": _ID},
    "identitystore:ListGroupMembershipsForMember": {"IdentityStoreId": _STORE, "MemberId": {"UserId": _ID}},
    "identitystore:ListGroups": {"IdentityStoreId": _STORE},
    "identitystore:ListIdentityStores": {},
    "identitystore:ListUsers": {"IdentityStoreId": _STORE},
    "identitystore:UpdateGroup": {
        "IdentityStoreId": _STORE,
        "GroupId": _ID,
        "Operations": [{"AttributePath": "title", "AttributeValue": "x"}],
    },
    "identitystore:UpdateUser": {
        "IdentityStoreId": _STORE,
        "UserId": _ID,
        "Operations": [{"AttributePath": "title", "AttributeValue": "x"}],
    },
    "sso-admin:AttachCustomerManagedPolicyReferenceToPermissionSet": {
        "InstanceArn": _INSTANCE,
        "PermissionSetArn": _SET,
        "CustomerManagedPolicyReference": {"Name": "own"},
    },
    "sso-admin:AttachManagedPolicyToPermissionSet": {
        "InstanceArn": _INSTANCE,
        "PermissionSetArn": _SET,
        "ManagedPolicyArn": "arn:aws:iam::aws:policy/SecurityAudit",
    },
    "sso-admin:CreateAccountAssignment": {
        "InstanceArn": _INSTANCE,
        "TargetId": "123456789012",
        "TargetType": "AWS_ACCOUNT",
        "PermissionSetArn": _SET,
        "PrincipalType": "USER",
        "PrincipalId": _ID,
    },
    "sso-admin:CreateInstance": {},
    "sso-admin:CreatePermissionSet": {"Name": "p", "InstanceArn": _INSTANCE},
    "sso-admin:DeleteAccountAssignment": {
        "InstanceArn": _INSTANCE,
        "TargetId": "123456789012",
        "TargetType": "AWS_ACCOUNT",
        "PermissionSetArn": _SET,
        "PrincipalType": "USER",
        "PrincipalId": _ID,
    },
    "sso-admin:DeleteInlinePolicyFromPermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "sso-admin:DeleteInstance": {"InstanceArn": _INSTANCE},
    "sso-admin:DeletePermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "sso-admin:DeletePermissionsBoundaryFromPermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "sso-admin:DescribeAccountAssignmentCreationStatus": {
        "InstanceArn": _INSTANCE,
        "AccountAssignmentCreationRequestId": _TASK,
    },
    "sso-admin:DescribeAccountAssignmentDeletionStatus": {
        "InstanceArn": _INSTANCE,
        "AccountAssignmentDeletionRequestId": _TASK,
    },
    "sso-admin:DescribeInstance": {"InstanceArn": _INSTANCE},
    "sso-admin:DescribePermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "sso-admin:DescribePermissionSetProvisioningStatus": {
        "InstanceArn": _INSTANCE,
        "ProvisionPermissionSetRequestId": _TASK,
    },
    "sso-admin:DetachCustomerManagedPolicyReferenceFromPermissionSet": {
        "InstanceArn": _INSTANCE,
        "PermissionSetArn": _SET,
        "CustomerManagedPolicyReference": {"Name": "own"},
    },
    "sso-admin:DetachManagedPolicyFromPermissionSet": {
        "InstanceArn": _INSTANCE,
        "PermissionSetArn": _SET,
        "ManagedPolicyArn": "arn:aws:iam::aws:policy/SecurityAudit",
    },
    "sso-admin:GetInlinePolicyForPermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "sso-admin:GetPermissionsBoundaryForPermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "sso-admin:ListAccountAssignmentCreationStatus": {"InstanceArn": _INSTANCE},
    "sso-admin:ListAccountAssignmentDeletionStatus": {"InstanceArn": _INSTANCE},
    "sso-admin:ListAccountAssignments": {
        "InstanceArn": _INSTANCE,
        "AccountId": "123456789012",
        "PermissionSetArn": _SET,
    },
    "sso-admin:ListAccountAssignmentsForPrincipal": {
        "InstanceArn": _INSTANCE,
        "PrincipalId": _ID,
        "PrincipalType": "USER",
    },
    "sso-admin:ListAccountsForProvisionedPermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "sso-admin:ListCustomerManagedPolicyReferencesInPermissionSet": {
        "InstanceArn": _INSTANCE,
        "PermissionSetArn": _SET,
    },
    "sso-admin:ListInstances": {},
    "sso-admin:ListManagedPoliciesInPermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "sso-admin:ListPermissionSetProvisioningStatus": {"InstanceArn": _INSTANCE},
    "sso-admin:ListPermissionSets": {"InstanceArn": _INSTANCE},
    "sso-admin:ListPermissionSetsProvisionedToAccount": {"InstanceArn": _INSTANCE, "AccountId": "123456789012"},
    "sso-admin:ListTagsForResource": {"ResourceArn": _SET},
    "sso-admin:ProvisionPermissionSet": {
        "InstanceArn": _INSTANCE,
        "PermissionSetArn": _SET,
        "TargetType": "AWS_ACCOUNT",
    },
    "sso-admin:PutInlinePolicyToPermissionSet": {
        "InstanceArn": _INSTANCE,
        "PermissionSetArn": _SET,
        "InlinePolicy": "{}",
    },
    "sso-admin:PutPermissionsBoundaryToPermissionSet": {
        "InstanceArn": _INSTANCE,
        "PermissionSetArn": _SET,
        "PermissionsBoundary": {"ManagedPolicyArn": "arn:aws:iam::aws:policy/SecurityAudit"},
    },
    "sso-admin:TagResource": {"ResourceArn": _SET, "Tags": [{"Key": "k", "Value": "v"}]},
    "sso-admin:UntagResource": {"ResourceArn": _SET, "TagKeys": ["k"]},
    "sso-admin:UpdateInstance": {"InstanceArn": _INSTANCE},
    "sso-admin:UpdatePermissionSet": {"InstanceArn": _INSTANCE, "PermissionSetArn": _SET},
    "identitystore:UpdatePassword": {"IdentityStoreId": _STORE, "UserId": _ID, "Password": "a long Password 1"},
    "signin:AuthorizeOAuth2Access": {
        "clientId": "arn:aws:signin:::devtools/same-device",
        "redirectUri": "http://127.0.0.1:1/oauth/callback",
        "codeChallenge": "c" * 43,
    },
    "signin:CreateOAuth2Token": {
        "tokenInput": {"clientId": "arn:aws:signin:::devtools/same-device", "grantType": "refresh_token"}
    },
    "sso-oidc:RegisterClient": {"clientName": "aws", "clientType": "public"},
    "sso-oidc:StartDeviceAuthorization": {**_CLIENT, "startUrl": "https://d-0123456789.awsapps.com/start"},
    "sso-oidc:CreateToken": {**_CLIENT, "grantType": "refresh_token"},
    "sso:ListAccounts": {"accessToken": "t"},
    "sso:ListAccountRoles": {"accessToken": "t", "accountId": "123456789012"},
    "sso:GetRoleCredentials": {"accessToken": "t", "accountId": "123456789012", "roleName": "r"},
    "sso:Logout": {"accessToken": "t"},
}

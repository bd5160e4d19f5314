"""What each operation is called with in test_matrix.py: the calls of each service in a table of their own.

The entities exist, so that a refusal is one of permission. KEY, BLOB and KEYPOLICY are put in by the test.
"""

from __future__ import annotations

import json
from typing import Any

POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
        ],
    }
)
ARN = "arn:aws:iam::123456789012"
TAGS = [{"Key": "k", "Value": "v"}]
USER, GROUP, ROLE = {"UserName": "u"}, {"GroupName": "g"}, {"RoleName": "r"}
CUSTOM = {"PolicyArn": f"{ARN}:policy/p"}
KEY = {"KeyId": "KEY"}  # put in by `parameters`
ALIAS = {"AliasName": "alias/a"}

# What each operation is called with. The entities exist, so that a refusal is one of permission.
CALLS: dict[str, dict[str, Any]] = {
    "accessanalyzer:CheckAccessNotGranted": {
        "policyDocument": POLICY,
        "access": [{"actions": ["s3:GetObject"]}],
        "policyType": "IDENTITY_POLICY",
    },
    "accessanalyzer:CheckNoNewAccess": {
        "newPolicyDocument": POLICY,
        "existingPolicyDocument": POLICY,
        "policyType": "IDENTITY_POLICY",
    },
    "accessanalyzer:CheckNoPublicAccess": {
        "policyDocument": TRUST,
        "resourceType": "AWS::IAM::AssumeRolePolicyDocument",
    },
    "accessanalyzer:ValidatePolicy": {"policyDocument": POLICY, "policyType": "IDENTITY_POLICY"},
    "iam:AddUserToGroup": GROUP | USER,
    "iam:AttachGroupPolicy": GROUP | CUSTOM,
    "iam:AttachRolePolicy": ROLE | CUSTOM,
    "iam:AttachUserPolicy": USER | CUSTOM,
    "iam:CreateAccessKey": USER,
    "iam:CreateGroup": {"GroupName": "new"},
    "iam:CreatePolicy": {"PolicyName": "new", "PolicyDocument": POLICY},
    "iam:CreatePolicyVersion": CUSTOM | {"PolicyDocument": POLICY},
    "iam:CreateRole": {"RoleName": "new", "AssumeRolePolicyDocument": TRUST},
    "iam:CreateUser": {"UserName": "new"},
    "iam:DeleteAccessKey": USER | {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
    "iam:DeleteGroup": GROUP,
    "iam:DeleteGroupPolicy": GROUP | {"PolicyName": "i"},
    "iam:DeletePolicy": CUSTOM,
    "iam:DeletePolicyVersion": CUSTOM | {"VersionId": "v1"},
    "iam:DeleteRole": ROLE,
    "iam:DeleteRolePermissionsBoundary": ROLE,
    "iam:DeleteRolePolicy": ROLE | {"PolicyName": "i"},
    "iam:DeleteUser": USER,
    "iam:DeleteUserPermissionsBoundary": USER,
    "iam:DeleteUserPolicy": USER | {"PolicyName": "i"},
    "iam:DetachGroupPolicy": GROUP | CUSTOM,
    "iam:DetachRolePolicy": ROLE | CUSTOM,
    "iam:DetachUserPolicy": USER | CUSTOM,
    "iam:GetAccessKeyLastUsed": {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
    "iam:GetAccountSummary": {},
    "iam:GetContextKeysForCustomPolicy": {"PolicyInputList": [POLICY]},
    "iam:GetContextKeysForPrincipalPolicy": {"PolicySourceArn": f"{ARN}:user/u"},
    "iam:GetGroup": GROUP,
    "iam:GetGroupPolicy": GROUP | {"PolicyName": "i"},
    "iam:GetPolicy": CUSTOM,
    "iam:GetPolicyVersion": CUSTOM | {"VersionId": "v1"},
    "iam:GetRole": ROLE,
    "iam:GetRolePolicy": ROLE | {"PolicyName": "i"},
    "iam:GetUser": USER,
    "iam:GetUserPolicy": USER | {"PolicyName": "i"},
    "iam:ListAccessKeys": USER,
    "iam:ListAccountAliases": {},
    "iam:ListAttachedGroupPolicies": GROUP,
    "iam:ListAttachedRolePolicies": ROLE,
    "iam:ListAttachedUserPolicies": USER,
    "iam:ListEntitiesForPolicy": CUSTOM,
    "iam:ListGroupPolicies": GROUP,
    "iam:ListGroups": {},
    "iam:ListGroupsForUser": USER,
    "iam:ListPolicies": {},
    "iam:ListPolicyTags": CUSTOM,
    "iam:ListPolicyVersions": CUSTOM,
    "iam:ListRolePolicies": ROLE,
    "iam:ListRoleTags": ROLE,
    "iam:ListRoles": {},
    "iam:ListUserPolicies": USER,
    "iam:ListUserTags": USER,
    "iam:ListUsers": {},
    "iam:PutGroupPolicy": GROUP | {"PolicyName": "i", "PolicyDocument": POLICY},
    "iam:PutRolePermissionsBoundary": ROLE | {"PermissionsBoundary": f"{ARN}:policy/p"},
    "iam:PutRolePolicy": ROLE | {"PolicyName": "i", "PolicyDocument": POLICY},
    "iam:PutUserPermissionsBoundary": USER | {"PermissionsBoundary": f"{ARN}:policy/p"},
    "iam:PutUserPolicy": USER | {"PolicyName": "i", "PolicyDocument": POLICY},
    "iam:RemoveUserFromGroup": GROUP | USER,
    "iam:SetDefaultPolicyVersion": CUSTOM | {"VersionId": "v1"},
    "iam:SimulateCustomPolicy": {"PolicyInputList": [POLICY], "ActionNames": ["s3:GetObject"]},
    "iam:SimulatePrincipalPolicy": {"PolicySourceArn": f"{ARN}:user/u", "ActionNames": ["s3:GetObject"]},
    "iam:TagPolicy": CUSTOM | {"Tags": TAGS},
    "iam:TagRole": ROLE | {"Tags": TAGS},
    "iam:TagUser": USER | {"Tags": TAGS},
    "iam:UntagPolicy": CUSTOM | {"TagKeys": ["k"]},
    "iam:UntagRole": ROLE | {"TagKeys": ["k"]},
    "iam:UntagUser": USER | {"TagKeys": ["k"]},
    "iam:UpdateAccessKey": USER | {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive"},
    "iam:UpdateAssumeRolePolicy": ROLE | {"PolicyDocument": TRUST},
    "iam:UpdateGroup": GROUP | {"NewPath": "/x/"},
    "iam:UpdateRole": ROLE | {"Description": "d"},
    "iam:UpdateRoleDescription": ROLE | {"Description": "d"},
    "iam:UpdateUser": USER | {"NewPath": "/x/"},
    "kms:CancelKeyDeletion": KEY,
    "kms:CreateAlias": {"AliasName": "alias/new", "TargetKeyId": "KEY"},
    "kms:CreateKey": {},
    "kms:Decrypt": {"CiphertextBlob": "BLOB"},
    "kms:DeleteAlias": ALIAS,
    "kms:DescribeKey": KEY,
    "kms:DisableKey": KEY,
    "kms:EnableKey": KEY,
    "kms:Encrypt": KEY | {"Plaintext": b"x"},
    "kms:GenerateDataKey": KEY | {"KeySpec": "AES_256"},
    "kms:GenerateDataKeyWithoutPlaintext": KEY | {"KeySpec": "AES_256"},
    "kms:GenerateRandom": {"NumberOfBytes": 8},
    "kms:GetKeyPolicy": KEY | {"PolicyName": "default"},
    "kms:ListAliases": {},
    "kms:ListKeyPolicies": KEY,
    "kms:ListKeys": {},
    "kms:ListResourceTags": KEY,
    "kms:PutKeyPolicy": KEY | {"PolicyName": "default", "Policy": "KEYPOLICY"},
    "kms:ReEncrypt": {"CiphertextBlob": "BLOB", "DestinationKeyId": "KEY"},
    "kms:ScheduleKeyDeletion": KEY,
    "kms:TagResource": KEY | {"Tags": [{"TagKey": "k", "TagValue": "v"}]},
    "kms:UntagResource": KEY | {"TagKeys": ["k"]},
    "kms:UpdateAlias": ALIAS | {"TargetKeyId": "KEY"},
    "kms:UpdateKeyDescription": KEY | {"Description": "d"},
    "sts:AssumeRole": {"RoleArn": f"{ARN}:role/r", "RoleSessionName": "s1"},
    "sts:DecodeAuthorizationMessage": {"EncodedMessage": "x"},
    "sts:GetAccessKeyInfo": {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
    "sts:GetCallerIdentity": {},
    "sts:GetSessionToken": {},
}

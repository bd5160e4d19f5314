"""What the operations around roles are called with in test_matrix.py: profiles, providers, service-linked roles."""

from __future__ import annotations

from typing import Any

TAGS = [{"Key": "k", "Value": "v"}]
PROFILE, ROLE = {"InstanceProfileName": "ip"}, {"RoleName": "r"}

OIDC = {"OpenIDConnectProviderArn": "arn:aws:iam::123456789012:oidc-provider/example.org"}
SAML = {"SAMLProviderArn": "arn:aws:iam::123456789012:saml-provider/s"}
JOB = {"JobId": "00000000-0000-4000-8000-000000000000"}
TASK = {"DeletionTaskId": "task/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch/0"}
CALLS: dict[str, dict[str, Any]] = {
    "iam:AddRoleToInstanceProfile": PROFILE | ROLE,
    "iam:CreateInstanceProfile": {"InstanceProfileName": "new"},
    "iam:CreateServiceLinkedRole": {"AWSServiceName": "ecs.amazonaws.com"},
    "iam:DeleteInstanceProfile": PROFILE,
    "iam:DeleteServiceLinkedRole": {"RoleName": "AWSServiceRoleForBatch"},
    "iam:GetInstanceProfile": PROFILE,
    "iam:GetServiceLinkedRoleDeletionStatus": TASK,
    "iam:ListInstanceProfileTags": PROFILE,
    "iam:ListInstanceProfiles": {},
    "iam:ListInstanceProfilesForRole": ROLE,
    "iam:RemoveRoleFromInstanceProfile": PROFILE | ROLE,
    "iam:TagInstanceProfile": PROFILE | {"Tags": TAGS},
    "iam:UntagInstanceProfile": PROFILE | {"TagKeys": ["k"]},
    "iam:AddClientIDToOpenIDConnectProvider": OIDC | {"ClientID": "c"},
    "iam:CreateOpenIDConnectProvider": {"Url": "https://example.com"},
    "iam:CreateSAMLProvider": {"Name": "new", "SAMLMetadataDocument": " " * 1000},
    "iam:DeleteOpenIDConnectProvider": OIDC,
    "iam:DeleteSAMLProvider": SAML,
    "iam:GetOpenIDConnectProvider": OIDC,
    "iam:GetSAMLProvider": SAML,
    "iam:ListOpenIDConnectProviderTags": OIDC,
    "iam:ListOpenIDConnectProviders": {},
    "iam:ListSAMLProviderTags": SAML,
    "iam:ListSAMLProviders": {},
    "iam:RemoveClientIDFromOpenIDConnectProvider": OIDC | {"ClientID": "c"},
    "iam:TagOpenIDConnectProvider": OIDC | {"Tags": TAGS},
    "iam:TagSAMLProvider": SAML | {"Tags": TAGS},
    "iam:UntagOpenIDConnectProvider": OIDC | {"TagKeys": ["k"]},
    "iam:UntagSAMLProvider": SAML | {"TagKeys": ["k"]},
    "iam:UpdateOpenIDConnectProviderThumbprint": OIDC | {"ThumbprintList": ["a" * 40]},
    "iam:UpdateSAMLProvider": SAML | {"AssertionEncryptionMode": "Allowed"},
    "iam:DisableOutboundWebIdentityFederation": {},
    "iam:EnableOutboundWebIdentityFederation": {},
    "iam:GenerateServiceLastAccessedDetails": {"Arn": "arn:aws:iam::123456789012:user/u"},
    "iam:GetOutboundWebIdentityFederationInfo": {},
    "iam:GetServiceLastAccessedDetails": JOB,
    "iam:GetServiceLastAccessedDetailsWithEntities": JOB | {"ServiceNamespace": "s3"},
    "iam:ListPoliciesGrantingServiceAccess": {
        "Arn": "arn:aws:iam::123456789012:user/u",
        "ServiceNamespaces": ["s3"],
    },
}

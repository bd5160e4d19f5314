"""What the operations on credentials and devices are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

USER, TAGS = {"UserName": "u"}, [{"Key": "k", "Value": "v"}]
PASSWORD = "Correct-Horse-1"
SERIAL = {"SerialNumber": "arn:aws:iam::123456789012:mfa/d"}
CODES = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
CERTIFICATE = {"CertificateId": "A" * 32}
SERVER = {"ServerCertificateName": "c"}
SSH = {"SSHPublicKeyId": "APKAEIBAERJR2EXAMPLE"}
CREDENTIAL = {"ServiceSpecificCredentialId": "ACCA12345678901234567"}
SERVICE = {"ServiceName": "codecommit.amazonaws.com"}

CALLS: dict[str, dict[str, Any]] = {
    "iam:ChangePassword": {"OldPassword": PASSWORD, "NewPassword": PASSWORD + "2"},
    "iam:CreateAccountAlias": {"AccountAlias": "some-name"},
    "iam:CreateLoginProfile": USER | {"Password": PASSWORD},
    "iam:CreateServiceSpecificCredential": USER | SERVICE,
    "iam:CreateVirtualMFADevice": {"VirtualMFADeviceName": "d"},
    "iam:DeactivateMFADevice": USER | SERIAL,
    "iam:DeleteAccountAlias": {"AccountAlias": "some-name"},
    "iam:DeleteAccountPasswordPolicy": {},
    "iam:DeleteLoginProfile": USER,
    "iam:DeleteSSHPublicKey": USER | SSH,
    "iam:DeleteServerCertificate": SERVER,
    "iam:DeleteServiceSpecificCredential": USER | CREDENTIAL,
    "iam:DeleteSigningCertificate": USER | CERTIFICATE,
    "iam:DeleteVirtualMFADevice": SERIAL,
    "iam:EnableMFADevice": USER | SERIAL | CODES,
    "iam:GenerateCredentialReport": {},
    "iam:GetAccountPasswordPolicy": {},
    "iam:GetAccountProperties": {},
    "iam:GetCredentialReport": {},
    "iam:GetLoginProfile": USER,
    "iam:GetMFADevice": USER | SERIAL,
    "iam:GetSSHPublicKey": USER | SSH | {"Encoding": "SSH"},
    "iam:GetServerCertificate": SERVER,
    "iam:ListMFADeviceTags": SERIAL,
    "iam:ListMFADevices": USER,
    "iam:ListSSHPublicKeys": USER,
    "iam:ListServerCertificateTags": SERVER,
    "iam:ListServerCertificates": {},
    "iam:ListServiceSpecificCredentials": USER,
    "iam:ListSigningCertificates": USER,
    "iam:ListVirtualMFADevices": {},
    "iam:PutAccountProperties": {"Properties": {"Team/Name": "v"}},
    "iam:ResetServiceSpecificCredential": USER | CREDENTIAL,
    "iam:ResyncMFADevice": USER | SERIAL | CODES,
    "iam:SetSecurityTokenServicePreferences": {"GlobalEndpointTokenVersion": "v2Token"},
    "iam:TagMFADevice": SERIAL | {"Tags": TAGS},
    "iam:TagServerCertificate": SERVER | {"Tags": TAGS},
    "iam:UntagMFADevice": SERIAL | {"TagKeys": ["k"]},
    "iam:UntagServerCertificate": SERVER | {"TagKeys": ["k"]},
    "iam:UpdateAccountPasswordPolicy": {},
    "iam:UpdateLoginProfile": USER | {"Password": PASSWORD},
    "iam:UpdateSSHPublicKey": USER | SSH | {"Status": "Active"},
    "iam:UpdateServerCertificate": SERVER | {"NewPath": "/x/"},
    "iam:UpdateServiceSpecificCredential": USER | CREDENTIAL | {"Status": "Active"},
    "iam:UpdateSigningCertificate": USER | CERTIFICATE | {"Status": "Active"},
    "iam:UploadSSHPublicKey": USER | {"SSHPublicKeyBody": "ssh-rsa AAAA"},
    "iam:UploadServerCertificate": SERVER | {"CertificateBody": "body", "PrivateKey": "key"},
    "iam:UploadSigningCertificate": USER | {"CertificateBody": "body"},
}

"""What the operations of IAM Roles Anywhere are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

_ID = "11111111-2222-4333-8444-555555555555"
_ARN = f"arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/{_ID}"
_ROLE = "arn:aws:iam::123456789012:role/r"
_SOURCE = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": "none"}}
_NOTICE = {"enabled": True, "event": "CA_CERTIFICATE_EXPIRY"}

CALLS: dict[str, dict[str, Any]] = {
    "rolesanywhere:CreateTrustAnchor": {"name": "a", "source": _SOURCE},
    "rolesanywhere:CreateProfile": {"name": "p", "roleArns": [_ROLE]},
    "rolesanywhere:ImportCrl": {"name": "c", "crlData": b"none", "trustAnchorArn": _ARN},
    **{
        f"rolesanywhere:{verb}{kind}": {f"{member}Id": _ID}
        for kind, member in (("TrustAnchor", "trustAnchor"), ("Profile", "profile"), ("Crl", "crl"))
        for verb in ("Get", "Update", "Delete", "Enable", "Disable")
    },
    **{f"rolesanywhere:List{kind}": {} for kind in ("TrustAnchors", "Profiles", "Crls", "Subjects")},
    "rolesanywhere:GetSubject": {"subjectId": _ID},
    "rolesanywhere:PutAttributeMapping": {
        "profileId": _ID,
        "certificateField": "x509Subject",
        "mappingRules": [{"specifier": "CN"}],
    },
    "rolesanywhere:DeleteAttributeMapping": {"profileId": _ID, "certificateField": "x509Subject"},
    "rolesanywhere:PutNotificationSettings": {"trustAnchorId": _ID, "notificationSettings": [_NOTICE]},
    "rolesanywhere:ResetNotificationSettings": {
        "trustAnchorId": _ID,
        "notificationSettingKeys": [{"event": "CA_CERTIFICATE_EXPIRY"}],
    },
    "rolesanywhere:TagResource": {"resourceArn": _ARN, "tags": [{"key": "k", "value": "v"}]},
    "rolesanywhere:UntagResource": {"resourceArn": _ARN, "tagKeys": ["k"]},
    "rolesanywhere:ListTagsForResource": {"resourceArn": _ARN},
    "rolesanywhere:CreateSession": {"profileArn": _ID, "roleArn": _ROLE, "trustAnchorArn": _ARN},
}

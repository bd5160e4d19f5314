"""What AssumeRoleWithSAML is called with in test_matrix.py: nothing that anybody has signed."""

from __future__ import annotations

from typing import Any

CALLS: dict[str, dict[str, Any]] = {
    "sts:AssumeRoleWithSAML": {
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "PrincipalArn": "arn:aws:iam::123456789012:saml-provider/s",
        "SAMLAssertion": "bm8gYXNzZXJ0aW9u",
    },
}

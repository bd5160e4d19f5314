"""Calls of test_matrix.py: custom key stores."""

from __future__ import annotations

from typing import Any

STORE = {"CustomKeyStoreId": "cks-1234567890abcdef0"}

CALLS: dict[str, dict[str, Any]] = {
    "kms:ConnectCustomKeyStore": STORE,
    "kms:CreateCustomKeyStore": {
        "CustomKeyStoreName": "new",
        "CloudHsmClusterId": "cluster-frankfurthsm",
        "TrustAnchorCertificate": "anchor",
        "KeyStorePassword": "password",
    },
    "kms:DeleteCustomKeyStore": STORE,
    "kms:DescribeCustomKeyStores": {},
    "kms:DisconnectCustomKeyStore": STORE,
    "kms:UpdateCustomKeyStore": STORE,
}

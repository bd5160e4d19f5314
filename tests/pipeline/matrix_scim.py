"""What SCIM's operations are called with in test_matrix.py."""

from __future__ import annotations

from typing import Any

_STORE: dict[str, Any] = {"StoreId": "d-0123456789"}
_ONE = {**_STORE, "Id": "0123456789-11111111-2222-4333-8444-555555555555"}
_TOKEN = {"IdentityStoreId": "d-0123456789"}

CALLS: dict[str, dict[str, Any]] = {
    **{f"scim:List{kind}s": _STORE for kind in ("User", "Group")},
    **{f"scim:Create{kind}": {**_STORE, "Body": b"{}"} for kind in ("User", "Group")},
    **{f"scim:{verb}{kind}": _ONE for kind in ("User", "Group") for verb in ("Get", "Delete")},
    **{
        f"scim:{verb}{kind}": {**_ONE, "Body": b"{}"} for kind in ("User", "Group") for verb in ("Replace", "Patch")
    },
    "scim:GetServiceProviderConfig": _STORE,
    "identitystore:CreateBearerToken": _TOKEN,
    "identitystore:ListBearerTokens": _TOKEN,
    "identitystore:DeleteBearerToken": {**_TOKEN, "TokenId": "11111111-2222-4333-8444-555555555555"},
}

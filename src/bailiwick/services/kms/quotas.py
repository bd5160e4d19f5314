"""The request quotas of KMS, as AWS has them by default (facts/kms.md section 17).

Cryptographic operations share the rate of their kind of key; the others have one each.
"""

from __future__ import annotations

from typing import Any

from bailiwick.api import Call, Target
from bailiwick.core.rates import Charges, Quota

SYMMETRIC, RSA, ECC, ML_DSA, ML_KEM = "symmetric", "rsa", "ecc", "ml-dsa", "ml-kem"
_LARGE, _MIDDLE = 100_000.0, 20_000.0
_PAIRS = "GenerateDataKeyPair/"

_RATES: dict[str, float] = {
    SYMMETRIC: 10_000,
    RSA: 1_000,
    ECC: 1_000,
    ML_DSA: 1_000,
    ML_KEM: 1_000,  # AWS has not said yet
    **{
        f"{_PAIRS}{spec}": 100
        for spec in (
            *("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"),
            *("ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"),
        )
    },
    f"{_PAIRS}RSA_2048": 20,
    f"{_PAIRS}RSA_3072": 4,
    f"{_PAIRS}RSA_4096": 1,
    **dict.fromkeys(("DescribeKey", "GetPublicKey", "ListResourceTags"), 2_000),
    **dict.fromkeys(("GetKeyPolicy", "GetKeyRotationStatus"), 1_000),
    **dict.fromkeys(("ListAliases", "ListKeys"), 500),
    **dict.fromkeys(("ListGrants", "ListKeyPolicies", "ListKeyRotations", "ListRetirableGrants"), 100),
    **dict.fromkeys(("CreateGrant", "RetireGrant", "RevokeGrant"), 50),
    **dict.fromkeys(
        (
            *("DeleteAlias", "EnableKeyRotation", "DeleteImportedKeyMaterial", "ImportKeyMaterial"),
            *("PutKeyPolicy", "ScheduleKeyDeletion"),
        ),
        15,
    ),
    "TagResource": 10,
    **dict.fromkeys(
        (
            *("CancelKeyDeletion", "CreateAlias", "CreateKey", "DisableKey", "DisableKeyRotation", "EnableKey"),
            *("GetKeyLastUsage", "ReplicateKey", "RotateKeyOnDemand", "UntagResource", "UpdateAlias"),
            *("UpdateKeyDescription", "UpdatePrimaryRegion", "ConnectCustomKeyStore", "CreateCustomKeyStore"),
            *("DeleteCustomKeyStore", "DescribeCustomKeyStores", "DisconnectCustomKeyStore"),
            "UpdateCustomKeyStore",
        ),
        5,
    ),
    "GetParametersForImport": 1,
}
_REGIONAL = {
    SYMMETRIC: {
        **dict.fromkeys(("us-east-1", "us-west-2", "eu-west-1"), _LARGE),
        **dict.fromkeys(("us-east-2", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2"), _MIDDLE),
        **dict.fromkeys(("eu-central-1", "eu-west-2"), _MIDDLE),
    }
}

_BY_KEY = frozenset(
    (
        *("Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "VerifyMac"),
        *("Sign", "Verify", "DeriveSharedSecret", "Encapsulate", "Decapsulate"),
    )
)
_OF_SPECS = {"RSA_": RSA, "ECC_": ECC, "SM2": ECC, "ML_DSA": ML_DSA, "ML_KEM": ML_KEM}
_ONE = {kind: ((kind, 1.0),) for kind in _RATES}
_OTHERS: dict[str, Charges] = {
    "GenerateRandom": _ONE[SYMMETRIC],
    "ReplicateKey": (("ReplicateKey", 1.0), ("CreateKey", 2.0)),
}
_OF_PEERS = "SynchronizeMultiRegionKey"


def _charges(call: Call, request: Any, target: Target) -> Charges:
    """The classes for which a call counts."""
    name = call.operation.name
    if name in _BY_KEY:
        return _ONE[_kind(target.record)]
    if name == "ReEncrypt":
        return (*((_kind(key), 1.0) for key in target.record or (None, None)),)
    if name.startswith("GenerateDataKeyPair"):
        return _ONE.get(f"{_PAIRS}{request.KeyPairSpec}", _ONE[SYMMETRIC])
    return () if name == _OF_PEERS else _OTHERS.get(name) or _ONE[name]


def _kind(key: Any) -> str:
    """The class that a key's cryptographic operations share; what is no key costs what a symmetric one does."""
    if key is None or key.spec == "SYMMETRIC_DEFAULT":
        return SYMMETRIC
    return next((kind for prefix, kind in _OF_SPECS.items() if key.spec.startswith(prefix)), SYMMETRIC)


QUOTA = Quota(
    _RATES,
    _REGIONAL,
    _charges,
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
)

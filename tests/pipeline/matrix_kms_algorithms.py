"""Calls of test_matrix.py: what keys of every kind do. The key is a symmetric one, so the admitted fail later."""

from __future__ import annotations

from typing import Any

KEY = {"KeyId": "KEY"}
_MAC = KEY | {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
_SIGN = KEY | {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
_KEM = KEY | {"EncapsulationAlgorithm": "ML_KEM"}

CALLS: dict[str, dict[str, Any]] = {
    "kms:Decapsulate": _KEM | {"SharedSecretCiphertextBlob": b"x"},
    "kms:DeriveSharedSecret": KEY | {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"x"},
    "kms:Encapsulate": _KEM,
    "kms:GenerateDataKeyPair": KEY | {"KeyPairSpec": "ECC_NIST_P256"},
    "kms:GenerateDataKeyPairWithoutPlaintext": KEY | {"KeyPairSpec": "ECC_NIST_P256"},
    "kms:GenerateMac": _MAC,
    "kms:GetPublicKey": KEY,
    "kms:Sign": _SIGN,
    "kms:Verify": _SIGN | {"Signature": b"x"},
    "kms:VerifyMac": _MAC | {"Mac": b"x"},
}

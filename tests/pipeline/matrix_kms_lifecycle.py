"""Calls of test_matrix.py: rotation, imported material and multi-Region keys."""

from __future__ import annotations

from typing import Any

KEY = {"KeyId": "KEY"}

CALLS: dict[str, dict[str, Any]] = {
    "kms:DeleteImportedKeyMaterial": KEY,
    "kms:DisableKeyRotation": KEY,
    "kms:EnableKeyRotation": KEY,
    "kms:GetKeyRotationStatus": KEY,
    "kms:GetParametersForImport": KEY | {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
    "kms:ImportKeyMaterial": KEY | {"ImportToken": b"x", "EncryptedKeyMaterial": b"x"},
    "kms:ListKeyRotations": KEY,
    "kms:ReplicateKey": KEY | {"ReplicaRegion": "us-west-2"},
    "kms:RotateKeyOnDemand": KEY,
    "kms:UpdatePrimaryRegion": KEY | {"PrimaryRegion": "us-west-2"},
}

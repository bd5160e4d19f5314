"""Which operation a key allows in which state (facts/kms.md section 4.2)."""

from __future__ import annotations

from bailiwick.services.kms import specs
from bailiwick.services.kms.records import (
    DISABLED,
    ENABLED,
    PENDING_DELETION,
    PENDING_IMPORT,
    PENDING_REPLICA_DELETION,
    UNAVAILABLE,
    UPDATING,
    Key,
)
from bailiwick.services.kms.shapes import (
    DisabledException,
    KMSInvalidStateException,
    UnsupportedOperationException,
)

_PENDING = {PENDING_DELETION: "pending deletion", PENDING_REPLICA_DELETION: "pending replica deletion"}

# Operations that need an enabled key.
_NEED_ENABLED = frozenset(
    (
        "CreateGrant",
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "DisableKeyRotation",
        "EnableKeyRotation",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetPublicKey",
        "ReEncrypt",
        "ReplicateKey",
        "RotateKeyOnDemand",
        "Sign",
        "UpdatePrimaryRegion",
        "Verify",
        "VerifyMac",
    )
)
# Those of them that need the custom key store that the key is in.
_NEED_STORE = frozenset(
    (
        *("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"),
        *("GenerateDataKeyWithoutPlaintext", "ReEncrypt"),
    )
)
# Those that need one that has its material, and is to be kept.
_NEED_MATERIAL = frozenset(("DisableKey", "EnableKey"))
# What waits until a primary that is being moved has arrived.
_NOT_MEANWHILE = frozenset(
    (
        "DisableKey",
        "EnableKey",
        "GetParametersForImport",
        "ReplicateKey",
        "RotateKeyOnDemand",
        "ScheduleKeyDeletion",
    )
)
# Those that need one that is to be kept.
_NEED_KEPT = frozenset(
    (
        "CreateAlias",
        "GetParametersForImport",
        "ImportKeyMaterial",
        "ScheduleKeyDeletion",
        "TagResource",
        "UntagResource",
        "UpdateAlias",
        "UpdateKeyDescription",
    )
)


def check_use(operation: str, key: Key, needed: str, algorithm: str | None = None) -> None:
    """Refuse what a key's usage, its state or its spec do not allow, in the order in which AWS looks.

    Raises InvalidKeyUsageException, DisabledException or KMSInvalidStateException with AWS's text.
    """
    specs.check_usage(key.arn, key.usage, operation, needed)
    check(operation, key)
    if algorithm is not None:
        specs.check_algorithm(key.spec, key.usage, algorithm)


def check(operation: str, key: Key) -> None:
    """Refuse an operation that the key's state does not allow.

    Raises DisabledException or KMSInvalidStateException with AWS's text.
    """
    if key.state == ENABLED and operation != "CancelKeyDeletion":
        return
    pending = _PENDING.get(key.state)
    if operation == "CancelKeyDeletion" and pending is None:
        raise KMSInvalidStateException(f"{key.arn} is not pending deletion.")
    if key.state == UPDATING and operation in _NOT_MEANWHILE:
        raise KMSInvalidStateException(f"{key.arn} is updating.")
    if operation not in _NEED_ENABLED | _NEED_MATERIAL | _NEED_KEPT:
        return
    if pending is not None:
        raise KMSInvalidStateException(f"{key.arn} is {pending}.")
    if key.state == PENDING_IMPORT and operation not in _NEED_KEPT:
        raise KMSInvalidStateException(f"{key.arn} is pending import.")
    if key.state == UNAVAILABLE and operation in _NEED_STORE:
        raise KMSInvalidStateException(f"{key.arn} is unavailable.")
    if key.state == DISABLED and operation in _NEED_ENABLED:
        raise DisabledException(f"{key.arn} is disabled.")


def check_origin(key: Key, *allowed: str) -> None:
    """Refuse an operation on a key whose material came from elsewhere. Raises UnsupportedOperationException."""
    if key.origin not in allowed:
        raise UnsupportedOperationException(
            f"{key.arn} origin is {key.origin} which is not valid for this operation."
        )

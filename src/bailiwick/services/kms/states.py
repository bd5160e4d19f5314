"""Which operation a key allows in which state (facts/kms.md section 4.2)."""

from __future__ import annotations

from bailiwick.services.kms.records import DISABLED, ENABLED, PENDING_DELETION, Key
from bailiwick.services.kms.shapes import DisabledException, KMSInvalidStateException

# Operations that need an enabled key, and those that need one that is not pending deletion.
_NEED_ENABLED = frozenset(
    (
        "Encrypt",
        "Decrypt",
        "ReEncrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "CreateGrant",
        "Sign",
        "Verify",
        "GenerateMac",
        "VerifyMac",
        "GetPublicKey",
        "DeriveSharedSecret",
        "Encapsulate",
        "Decapsulate",
    )
)
_NEED_KEPT = frozenset(
    (
        "CreateAlias",
        "UpdateAlias",
        "EnableKey",
        "DisableKey",
        "ScheduleKeyDeletion",
        "TagResource",
        "UntagResource",
        "UpdateKeyDescription",
    )
)


def check(operation: str, key: Key) -> None:
    """Refuse an operation that the key's state does not allow.

    Raises DisabledException or KMSInvalidStateException with AWS's text.
    """
    if operation == "CancelKeyDeletion" and key.state != PENDING_DELETION:
        raise KMSInvalidStateException(f"{key.arn} is not pending deletion.")
    if operation not in _NEED_ENABLED | _NEED_KEPT or key.state == ENABLED:
        return
    if key.state == PENDING_DELETION:
        raise KMSInvalidStateException(f"{key.arn} is pending deletion.")
    if key.state == DISABLED and operation in _NEED_ENABLED:
        raise DisabledException(f"{key.arn} is disabled.")

"""What the cryptographic operations check of a request beside the key (facts/kms.md sections 2 and 15)."""

from __future__ import annotations

from bailiwick.api import Call, ValidationError
from bailiwick.core.message import Request
from bailiwick.services.kms import shapes
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.shapes import DryRunOperationException


def is_short(request: Request) -> bool:
    """Whether this is quick work: AES is, RSA is not, and a request for it names its algorithm.

    A caller who writes the name in another way has RSA done where AES is, which costs the others some time.
    """
    body = request.body
    return b"_" not in body or b"RSAES_OAEP" not in body  # one letter is found quickly, and base64 does not have it


def makes_no_key(request: Request) -> bool:
    """Whether this makes no AWS managed key, which a request for one might, and then it writes."""
    return b"alias/aws/" not in request.body


def check_recipient(recipient: shapes.RecipientInfo | None) -> None:
    """Refuse to answer an enclave: ignoring it would hand the plaintext to whoever is in between."""
    if recipient is not None:
        raise ValidationError("Recipient is not supported: no attestation roots are configured.")


def ignores_ciphertext(request: shapes.DecryptRequest | shapes.ReEncryptRequest) -> bool:
    """Whether a dry run is to go without the ciphertext, of which nothing is asked then.

    Raises ValidationError where it is no dry run.
    """
    if not request.DryRunModifiers:
        return False
    if not request.DryRun:
        raise ValidationError("DryRunModifiers can only be used with DryRun.")
    return True


def check_dry_run(dry_run: bool | None) -> None:
    """End a dry run, after everything was done that can fail."""
    if dry_run:
        raise DryRunOperationException("The request would have succeeded, but the DryRun option is set.")


def tell(call: Call, **materials: str | None) -> None:
    """Have the audit trail tell which key material was used, where it has an id."""
    call.additional = {name: material for name, material in materials.items() if material is not None}


def done(call: Call, dry_run: bool | None, *keys: Key) -> None:
    """End a dry run; of a cryptographic operation that has succeeded in earnest, note when its keys were used."""
    check_dry_run(dry_run)
    for key in keys:
        call.environment.key_uses.uses[key.arn] = (call.now, call.operation.name, call.request_id)

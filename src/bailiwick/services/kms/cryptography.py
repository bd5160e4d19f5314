"""What keys are for: encryption with context, data keys, random bytes.

Check order (facts/kms.md section 4.2): authorization, then usage and sizes, then the key's state, then the
cryptography, then the answer of a dry run.
"""

from __future__ import annotations

from collections.abc import Mapping

from bailiwick.api import Call, ValidationError, nothing
from bailiwick.services.kms import ciphertext, grants, shapes, states
from bailiwick.services.kms.ciphertext import BadCiphertext
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import (
    CustomKeyStoreNotFoundException,
    DryRunOperationException,
    InvalidCiphertextException,
    InvalidKeyUsageException,
    UnsupportedOperationException,
)
from bailiwick.services.kms.targets import (
    SYMMETRIC_DEFAULT,
    key_to_decrypt_with,
    key_to_encrypt_with,
    keys_to_reencrypt_with,
)

_DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}


@kms.operation("Encrypt", on=key_to_encrypt_with, quick=True)
def encrypt(call: Call, request: shapes.EncryptRequest, key: Key) -> shapes.EncryptResponse:
    grants.check_tokens(request.GrantTokens)
    _check_algorithm(request.EncryptionAlgorithm, key)
    states.check("Encrypt", key)
    blob = _sealed(call, key, request.Plaintext, request.EncryptionContext)
    _check_dry_run(request.DryRun)
    return shapes.EncryptResponse(CiphertextBlob=blob, KeyId=key.arn, EncryptionAlgorithm=SYMMETRIC_DEFAULT)


@kms.operation("Decrypt", on=key_to_decrypt_with, quick=True)
def decrypt(call: Call, request: shapes.DecryptRequest, key: Key) -> shapes.DecryptResponse:
    grants.check_tokens(request.GrantTokens)
    _check_recipient(request.Recipient)
    _check_modifiers(request.DryRunModifiers)
    _check_algorithm(request.EncryptionAlgorithm, key)
    states.check("Decrypt", key)
    plaintext, material_id = _opened(key, request.CiphertextBlob or b"", request.EncryptionContext)
    _check_dry_run(request.DryRun)
    return shapes.DecryptResponse(
        KeyId=key.arn, Plaintext=plaintext, EncryptionAlgorithm=SYMMETRIC_DEFAULT, KeyMaterialId=material_id
    )


@kms.operation("ReEncrypt", on=keys_to_reencrypt_with, quick=True)
def re_encrypt(call: Call, request: shapes.ReEncryptRequest, record: tuple[Key, Key]) -> shapes.ReEncryptResponse:
    source, destination = record
    grants.check_tokens(request.GrantTokens)
    _check_modifiers(request.DryRunModifiers)
    _check_algorithm(request.SourceEncryptionAlgorithm, source)
    _check_algorithm(request.DestinationEncryptionAlgorithm, destination)
    states.check("ReEncrypt", source)
    states.check("ReEncrypt", destination)
    plaintext, material_id = _opened(source, request.CiphertextBlob or b"", request.SourceEncryptionContext)
    blob = _sealed(call, destination, plaintext, request.DestinationEncryptionContext)
    _check_dry_run(request.DryRun)
    return shapes.ReEncryptResponse(
        CiphertextBlob=blob,
        SourceKeyId=source.arn,
        KeyId=destination.arn,
        SourceEncryptionAlgorithm=SYMMETRIC_DEFAULT,
        DestinationEncryptionAlgorithm=SYMMETRIC_DEFAULT,
        SourceKeyMaterialId=material_id,
        DestinationKeyMaterialId=destination.material,
    )


@kms.operation("GenerateDataKey", on=key_to_encrypt_with, quick=True)
def generate_data_key(
    call: Call, request: shapes.GenerateDataKeyRequest, key: Key
) -> shapes.GenerateDataKeyResponse:
    grants.check_tokens(request.GrantTokens)
    _check_recipient(request.Recipient)
    plaintext = call.environment.entropy(_data_key_size(request.KeySpec, request.NumberOfBytes))
    states.check("GenerateDataKey", key)
    blob = _sealed(call, key, plaintext, request.EncryptionContext)
    _check_dry_run(request.DryRun)
    return shapes.GenerateDataKeyResponse(
        CiphertextBlob=blob, Plaintext=plaintext, KeyId=key.arn, KeyMaterialId=key.material
    )


@kms.operation("GenerateDataKeyWithoutPlaintext", on=key_to_encrypt_with, quick=True)
def generate_data_key_without_plaintext(
    call: Call, request: shapes.GenerateDataKeyWithoutPlaintextRequest, key: Key
) -> shapes.GenerateDataKeyWithoutPlaintextResponse:
    grants.check_tokens(request.GrantTokens)
    plaintext = call.environment.entropy(_data_key_size(request.KeySpec, request.NumberOfBytes))
    states.check("GenerateDataKeyWithoutPlaintext", key)
    blob = _sealed(call, key, plaintext, request.EncryptionContext)
    _check_dry_run(request.DryRun)
    return shapes.GenerateDataKeyWithoutPlaintextResponse(
        CiphertextBlob=blob, KeyId=key.arn, KeyMaterialId=key.material
    )


@kms.operation("GenerateRandom", on=nothing, quick=True)
def generate_random(
    call: Call, request: shapes.GenerateRandomRequest, record: None
) -> shapes.GenerateRandomResponse:
    _check_recipient(request.Recipient)
    if request.CustomKeyStoreId is not None:
        raise CustomKeyStoreNotFoundException
    if request.NumberOfBytes is None:
        raise ValidationError("NumberOfBytes is required.")
    return shapes.GenerateRandomResponse(Plaintext=call.environment.entropy(request.NumberOfBytes))


def _sealed(call: Call, key: Key, plaintext: bytes, context: Mapping[str, str] | None) -> bytes:
    try:
        return key.sealing.seal(plaintext, context, call.environment.noise)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _opened(key: Key, blob: bytes, context: Mapping[str, str] | None) -> tuple[bytes, str]:
    """The plaintext of a ciphertext of this key, and the id of the material that it was made with."""
    try:
        origin = ciphertext.read(blob)
        material = key.materials.get(origin.material_id)
        if material is None or origin.key_id != key.id:
            raise BadCiphertext
        return ciphertext.open_blob(material, blob, context), origin.material_id
    except BadCiphertext:
        raise InvalidCiphertextException from None


def _data_key_size(spec: str | None, size: int | None) -> int:
    if (spec is None) == (size is None):
        raise ValidationError("Please specify either number of bytes or key spec.")
    return size if size is not None else _DATA_KEY_BYTES[spec or ""]


def _check_algorithm(algorithm: str | None, key: Key) -> None:
    if algorithm not in (None, SYMMETRIC_DEFAULT):
        raise InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {key.spec}.")


def _check_recipient(recipient: shapes.RecipientInfo | None) -> None:
    """Refuse to answer an enclave: ignoring it would hand the plaintext to whoever is in between."""
    if recipient is not None:
        raise ValidationError("Recipient is not supported: no attestation roots are configured.")


def _check_modifiers(modifiers: object) -> None:
    if modifiers:
        raise UnsupportedOperationException("DryRunModifiers are not supported yet.")


def _check_dry_run(dry_run: bool | None) -> None:
    if dry_run:
        raise DryRunOperationException("The request would have succeeded, but the DryRun option is set.")

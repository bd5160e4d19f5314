"""Encryption: under AES with an encryption context, and under RSA without.

Check order: authorization, then the key's usage, its state, the algorithm, sizes, then the cryptography, then the
answer of a dry run.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bailiwick.api import Call, ValidationError
from bailiwick.services.kms import algorithms, backing, ciphertext, grants, shapes, specs, states
from bailiwick.services.kms.algorithms import DoesNotOpen, Unusable
from bailiwick.services.kms.ciphertext import BadCiphertext
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.requesting import (
    check_dry_run,
    check_recipient,
    done,
    ignores_ciphertext,
    is_short,
    tell,
)
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import InvalidCiphertextException
from bailiwick.services.kms.specs import SYMMETRIC_DEFAULT
from bailiwick.services.kms.targets import key_to_decrypt_with, key_to_encrypt_with, keys_to_reencrypt_with

Context = Mapping[str, str] | None


@kms.operation("Encrypt", on=key_to_encrypt_with, quick=is_short)
def encrypt(call: Call, request: shapes.EncryptRequest, key: Key) -> shapes.EncryptResponse:
    grants.check_tokens(call, request.GrantTokens)
    algorithm = _checked(key, "Encrypt", request.EncryptionAlgorithm, request.EncryptionContext)
    blob = _encrypted(call, key, algorithm, request.Plaintext, request.EncryptionContext)
    done(call, request.DryRun, key)
    tell(call, keyMaterialId=_current(key))
    return shapes.EncryptResponse(CiphertextBlob=blob, KeyId=key.arn, EncryptionAlgorithm=algorithm)


@kms.operation("Decrypt", on=key_to_decrypt_with, quick=is_short)
def decrypt(call: Call, request: shapes.DecryptRequest, key: Key) -> shapes.DecryptResponse:
    grants.check_tokens(call, request.GrantTokens)
    check_recipient(request.Recipient)
    algorithm = _checked(key, "Decrypt", request.EncryptionAlgorithm, request.EncryptionContext)
    if ignores_ciphertext(request):
        check_dry_run(request.DryRun)
    plaintext, material_id = _decrypted(
        call, key, algorithm, request.CiphertextBlob or b"", request.EncryptionContext
    )
    done(call, request.DryRun, key)
    tell(call, keyMaterialId=material_id)
    return shapes.DecryptResponse(
        KeyId=key.arn, Plaintext=plaintext, EncryptionAlgorithm=algorithm, KeyMaterialId=material_id
    )


@kms.operation("ReEncrypt", on=keys_to_reencrypt_with, quick=is_short)
def re_encrypt(call: Call, request: shapes.ReEncryptRequest, record: tuple[Key, Key]) -> shapes.ReEncryptResponse:
    source, destination = record
    grants.check_tokens(call, request.GrantTokens)
    old, new = request.SourceEncryptionContext, request.DestinationEncryptionContext
    opening = _checked(source, "ReEncrypt", request.SourceEncryptionAlgorithm, old)
    sealing = _checked(destination, "ReEncrypt", request.DestinationEncryptionAlgorithm, new)
    if ignores_ciphertext(request):
        check_dry_run(request.DryRun)
    plaintext, material_id = _decrypted(call, source, opening, request.CiphertextBlob or b"", old)
    blob = _encrypted(call, destination, sealing, plaintext, new)
    done(call, request.DryRun, source, destination)
    new_material = _current(destination)
    tell(call, sourceKeyMaterialId=material_id, destinationKeyMaterialId=new_material)
    return shapes.ReEncryptResponse(
        CiphertextBlob=blob,
        SourceKeyId=source.arn,
        KeyId=destination.arn,
        SourceEncryptionAlgorithm=opening,
        DestinationEncryptionAlgorithm=sealing,
        SourceKeyMaterialId=material_id,
        DestinationKeyMaterialId=new_material,
    )


def sealed(call: Call, key: Key, plaintext: bytes, context: Context) -> bytes:
    """A ciphertext under a symmetric key. Raises ValidationError for a context that is too large."""
    try:
        if key.store is not None:
            return backing.seal(call, key, plaintext, context)
        assert key.sealing is not None, "only a symmetric key seals"
        return key.sealing.seal(plaintext, context, call.environment.noise)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _current(key: Key) -> str | None:
    """The id of the material that a key encrypts with; None for one that has none to show."""
    return key.shown_material if specs.is_symmetric(key.spec) else None


def _checked(key: Key, operation: str, algorithm: str | None, context: Context) -> str:
    """The algorithm that is meant, once usage, state and context are in order."""
    meant = algorithm or SYMMETRIC_DEFAULT
    states.check_use(operation, key, specs.ENCRYPT, meant)
    if context and meant != SYMMETRIC_DEFAULT:
        raise ValidationError("EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.")
    return meant


def _encrypted(call: Call, key: Key, algorithm: str, plaintext: bytes, context: Context) -> bytes:
    if algorithm == SYMMETRIC_DEFAULT:
        return sealed(call, key, plaintext, context)
    assert isinstance(key.private, RSAPrivateKey), "the other algorithms are those of RSA"
    try:
        return algorithms.encrypt(key.private, algorithm, plaintext)
    except Unusable as error:
        raise ValidationError(str(error)) from None


def _decrypted(call: Call, key: Key, algorithm: str, blob: bytes, context: Context) -> tuple[bytes, str | None]:
    """The plaintext of a ciphertext of this key, and the id of the material, if the ciphertext names one."""
    try:
        if key.store is not None:
            return backing.open_blob(call, key, blob, context), None
        if algorithm == SYMMETRIC_DEFAULT:
            return _opened(key, blob, context)
        assert isinstance(key.private, RSAPrivateKey), "the other algorithms are those of RSA"
        return algorithms.decrypt(key.private, algorithm, blob), None
    except (BadCiphertext, DoesNotOpen):
        raise InvalidCiphertextException from None


def _opened(key: Key, blob: bytes, context: Context) -> tuple[bytes, str]:
    origin = ciphertext.read(blob)
    material = key.materials.get(origin.material_id)
    if material is None or origin.key_id != key.id:
        raise BadCiphertext
    return ciphertext.open_blob(material, blob, context, key.ciphers), origin.material_id

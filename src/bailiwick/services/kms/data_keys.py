"""Data keys and data key pairs, made for the caller and sealed under a symmetric key; and random bytes."""

from __future__ import annotations

from bailiwick.api import Call, Target, ValidationError, nothing
from bailiwick.services.kms import backing, grants, material, shapes, specs, states
from bailiwick.services.kms.cryptography import Context, sealed
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.requesting import check_recipient, done, makes_no_key, tell
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import InvalidKeyUsageException, UnsupportedOperationException
from bailiwick.services.kms.targets import key_to_encrypt_with, key_to_seal_pair_with
from bailiwick.store import waiting

_BYTES = {"AES_128": 16, "AES_256": 32}


@kms.operation("GenerateDataKey", on=key_to_encrypt_with, quick=makes_no_key)
def generate_data_key(
    call: Call, request: shapes.GenerateDataKeyRequest, key: Key
) -> shapes.GenerateDataKeyResponse:
    check_recipient(request.Recipient)
    plaintext, blob = _data_key(call, request, key)
    return shapes.GenerateDataKeyResponse(
        CiphertextBlob=blob, Plaintext=plaintext, KeyId=key.arn, KeyMaterialId=key.shown_material
    )


@kms.operation("GenerateDataKeyWithoutPlaintext", on=key_to_encrypt_with, quick=makes_no_key)
def generate_data_key_without_plaintext(
    call: Call, request: shapes.GenerateDataKeyWithoutPlaintextRequest, key: Key
) -> shapes.GenerateDataKeyWithoutPlaintextResponse:
    _, blob = _data_key(call, request, key)
    return shapes.GenerateDataKeyWithoutPlaintextResponse(
        CiphertextBlob=blob, KeyId=key.arn, KeyMaterialId=key.shown_material
    )


@kms.operation("GenerateDataKeyPair", on=key_to_seal_pair_with)
def generate_data_key_pair(
    call: Call, request: shapes.GenerateDataKeyPairRequest, key: Key
) -> shapes.GenerateDataKeyPairResponse:
    check_recipient(request.Recipient)
    private, public, blob = _pair(call, request, key)
    return shapes.GenerateDataKeyPairResponse(
        PrivateKeyCiphertextBlob=blob,
        PrivateKeyPlaintext=private,
        PublicKey=public,
        KeyId=key.arn,
        KeyPairSpec=request.KeyPairSpec,
        KeyMaterialId=key.shown_material,
    )


@kms.operation("GenerateDataKeyPairWithoutPlaintext", on=key_to_seal_pair_with)
def generate_data_key_pair_without_plaintext(
    call: Call, request: shapes.GenerateDataKeyPairWithoutPlaintextRequest, key: Key
) -> shapes.GenerateDataKeyPairWithoutPlaintextResponse:
    _, public, blob = _pair(call, request, key)
    return shapes.GenerateDataKeyPairWithoutPlaintextResponse(
        PrivateKeyCiphertextBlob=blob,
        PublicKey=public,
        KeyId=key.arn,
        KeyPairSpec=request.KeyPairSpec,
        KeyMaterialId=key.shown_material,
    )


def whoever_makes_it(call: Call, request: shapes.GenerateRandomRequest) -> Target:
    """No resource. Random bytes of a token are waited for where nobody else waits."""
    if request.CustomKeyStoreId is not None:
        waiting.leave()
    return nothing(call, request)


@kms.operation("GenerateRandom", on=whoever_makes_it, quick=True)
def generate_random(
    call: Call, request: shapes.GenerateRandomRequest, record: None
) -> shapes.GenerateRandomResponse:
    check_recipient(request.Recipient)
    size = request.NumberOfBytes
    if size is None:
        raise ValidationError("NumberOfBytes is required.")
    if request.CustomKeyStoreId is not None:
        return shapes.GenerateRandomResponse(Plaintext=backing.random(call, request.CustomKeyStoreId, size))
    return shapes.GenerateRandomResponse(Plaintext=call.environment.entropy(size))


_KeyRequest = shapes.GenerateDataKeyRequest | shapes.GenerateDataKeyWithoutPlaintextRequest
_PairRequest = shapes.GenerateDataKeyPairRequest | shapes.GenerateDataKeyPairWithoutPlaintextRequest


def _data_key(call: Call, request: _KeyRequest, key: Key) -> tuple[bytes, bytes]:
    """A data key, and it sealed."""
    if (request.KeySpec is None) == (request.NumberOfBytes is None):
        raise ValidationError("Please specify either number of bytes or key spec.")
    size = request.NumberOfBytes or _BYTES[request.KeySpec or ""]
    _check(call, request, key, request.EncryptionContext)
    plaintext = call.environment.entropy(size)
    blob = sealed(call, key, plaintext, request.EncryptionContext)
    done(call, request.DryRun, key)
    tell(call, keyMaterialId=key.shown_material)
    return plaintext, blob


def _pair(call: Call, request: _PairRequest, key: Key) -> tuple[bytes, bytes, bytes]:
    """A private key in PKCS#8, its public key, and the private key sealed."""
    spec = request.KeyPairSpec
    specs.check_made(spec, "KeyPairSpec")
    if key.store is not None:
        raise UnsupportedOperationException(
            f"{key.arn} origin is {key.origin} which is not valid for this operation."
        )
    _check(call, request, key, request.EncryptionContext)
    done(call, request.DryRun, key)
    call.transaction.rest()  # RSA takes its time
    private = material.generate(spec, call.environment.entropy)
    blob = sealed(call, key, private, request.EncryptionContext)
    tell(call, keyMaterialId=key.shown_material)
    return private, material.public_der(material.private(private)), blob


def _check(call: Call, request: _KeyRequest | _PairRequest, key: Key, context: Context) -> None:
    grants.check_tokens(call, request.GrantTokens)
    states.check_use(call.operation.name, key, specs.ENCRYPT)
    if not specs.is_symmetric(key.spec):
        raise InvalidKeyUsageException("You cannot generate a data key with an asymmetric CMK")

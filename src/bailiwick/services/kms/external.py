"""Keys of this deployment as the external keys of another KMS: what its XKS proxy does with them.

The calls are Encrypt, Decrypt and DescribeKey, made by the service principal `cks.kms.amazonaws.com`: the key
policy says whether it may, and for which keys of AWS (aws:SourceArn). The form of what is encrypted is another one:
the specification bounds it. Its metadata is 01, the first 7 bytes of the material's id, and a salt (12), from which
comes the key of this one message, as in ciphertext.py; or 02, if the key is in a token.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailiwick.api import Call, Operation, Target
from bailiwick.core.errors import HsmUnavailable, SealError
from bailiwick.outside import Token
from bailiwick.services.kms import backing, records, specs, states
from bailiwick.services.kms.records import ENABLED, EXTERNAL_KEY_STORE, Key
from bailiwick.services.kms.requesting import done
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import (
    InvalidCiphertextException,
    KMSInvalidStateException,
    NotFoundException,
    UnsupportedOperationException,
)
from bailiwick.services.kms.targets import encrypting, target_of_key
from bailiwick.services.kms.xks import Encrypted
from bailiwick.store import waiting

PRINCIPAL = "cks.kms.amazonaws.com"
_BY_MATERIAL, _BY_TOKEN = 1, 2
_PREFIX, _SALT, _NONCE, _TAG = 7, 12, 12, 16
_LABEL = b"bailiwick/kms/xks/v1\x00"


class Work(msgspec.Struct, frozen=True):
    """What the other KMS asks. `KeyId` is a key's ARN; the rest is no parameter to write down."""

    KeyId: str
    associated: bytes = b""
    plaintext: bytes = b""
    sealed: Encrypted | None = None

    def __repr__(self) -> str:
        return f"Work({self.KeyId})"


def _key(call: Call, work: Work) -> Target:
    """The key. That there is none may be told: whoever comes here has this account's credential."""
    key = records.key(call.transaction, call.environment, work.KeyId, call.now)
    if key is None:
        raise NotFoundException(f"Key '{work.KeyId}' does not exist")
    backing.leave_for(key)
    return target_of_key(call, key, encrypting(None, None))


def _describe(call: Call, work: Work, key: Key) -> dict[str, Any]:
    _check(key)
    usage = ["ENCRYPT", "DECRYPT"]
    return {"keySpec": "AES_256", "keyUsage": usage, "keyStatus": "ENABLED" if key.state == ENABLED else "DISABLED"}


def _encrypt(call: Call, work: Work, key: Key) -> Encrypted:
    _check(key)
    states.check("Encrypt", key)
    if key.store is not None:
        metadata, made = bytes((_BY_TOKEN,)), b""
        try:
            made = _token(call, key).seal(_id(key), work.plaintext, _bound(work.associated, metadata))
        except HsmUnavailable:
            raise _away(key) from None
        nonce, sealed = made[:_NONCE], made[_NONCE:]
    else:
        metadata = bytes((_BY_MATERIAL,)) + _id(key)[:_PREFIX] + call.environment.noise(_SALT)
        nonce = call.environment.noise(_NONCE)
        cipher = AESGCM(_message_key(key.materials[key.material], metadata, key.arn))
        sealed = cipher.encrypt(nonce, work.plaintext, _bound(work.associated, metadata))
    done(call, None, key)
    return Encrypted(sealed[:-_TAG], nonce, sealed[-_TAG:], metadata)


def _decrypt(call: Call, work: Work, key: Key) -> bytes:
    _check(key)
    states.check("Decrypt", key)
    assert work.sealed is not None, "it is what is to be decrypted"
    try:
        opened = _opened(call, key, work.sealed, work.associated)
    except HsmUnavailable:
        raise _away(key) from None
    except (InvalidTag, SealError, LookupError, ValueError):
        raise InvalidCiphertextException from None
    done(call, None, key)
    return opened


def _opened(call: Call, key: Key, sealed: Encrypted, associated: bytes) -> bytes:
    metadata = sealed.ciphertextMetadata
    bound, body = _bound(associated, metadata), sealed.ciphertext + sealed.authenticationTag
    if key.store is not None:
        if metadata != bytes((_BY_TOKEN,)) or len(sealed.initializationVector) != _NONCE:
            raise SealError("it is of another form")
        return _token(call, key).open(_id(key), sealed.initializationVector + body, bound)
    if len(metadata) != 1 + _PREFIX + _SALT or metadata[0] != _BY_MATERIAL:
        raise SealError("it is of another form")
    begins = metadata[1 : 1 + _PREFIX].hex()
    (material,) = (material for name, material in key.materials.items() if name.startswith(begins))
    return AESGCM(_message_key(material, metadata, key.arn)).decrypt(sealed.initializationVector, body, bound)


DESCRIBE = Operation("kms", "DescribeKey", _key, _describe, quota=kms.quota)
ENCRYPT = Operation("kms", "Encrypt", _key, _encrypt, quota=kms.quota)
DECRYPT = Operation("kms", "Decrypt", _key, _decrypt, quota=kms.quota)


def _check(key: Key) -> None:
    if not specs.is_symmetric(key.spec):
        raise UnsupportedOperationException("Only symmetric encryption keys can be external keys.")
    if key.origin == EXTERNAL_KEY_STORE:
        raise UnsupportedOperationException("A key that is external itself cannot be one for others.")


def _bound(associated: bytes, metadata: bytes) -> bytes:
    """What is authenticated, as the specification has it."""
    return len(associated).to_bytes(2, "big") + associated + bytes((len(metadata),)) + metadata


def _message_key(material: bytes, metadata: bytes, arn: str) -> bytes:
    """One block of the KDF in counter mode (SP 800-108 section 4.1, r = 32)."""
    fixed = _LABEL + metadata + arn.encode() + (256).to_bytes(4, "big")
    return hmac.digest(material, (1).to_bytes(4, "big") + fixed, "sha256")


def _id(key: Key) -> bytes:
    return bytes.fromhex(key.material)


def _token(call: Call, key: Key) -> Token:
    waiting.leave()
    token = call.environment.hsms.get((key.store.cluster if key.store else None) or "")
    if token is None:
        raise HsmUnavailable("it is not configured")
    return token


def _away(key: Key) -> KMSInvalidStateException:
    return KMSInvalidStateException(f"{key.arn}: the HSM of its custom key store cannot be asked.")

"""The form of a ciphertext, version 1: it names its key and material, and is bound to both and to its context.

    offset  bytes  field
    0       4      magic "BWKC"
    4       1      version, 1
    5       1      algorithm, 1: SP 800-108 counter KDF with HMAC-SHA-256, then AES-256-GCM
    6       1      flags, 0
    7       6      the key's account, as a number, big-endian
    13      16     the key's id, the 16 bytes of its UUID
    29      32     the id of the key's material
    61      16     salt of the message key
    77      12     nonce
    89      n+16   ciphertext and tag

The message key is the first block of KDF(material, label "bailiwick/kms/v1", context salt || key id || material
id, 256 bits), so that no bound on random nonces is near. Authenticated: everything before the ciphertext, and
the encryption context in its canonical form. Pure: the salt and nonce are passed in.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MATERIAL_BYTES = 32
RANDOM_BYTES = 28  # salt and nonce
MAX_CONTEXT_BYTES = 8192
_PREFIX = b"BWKC\x01\x01\x00"
_HEADER = 89
_TAG = 16


class BadCiphertext(Exception):
    """It does not open. Which of the possible reasons it was is not told."""


class Origin(msgspec.Struct, frozen=True):
    """Which key and material a ciphertext says it was made with."""

    account: str
    key_id: str
    material_id: str


def seal(
    material: bytes, origin: Origin, plaintext: bytes, context: Mapping[str, str] | None, random: bytes
) -> bytes:
    """Encrypt under 32 bytes of material, with 28 fresh random bytes. Raises ValueError for a context too large."""
    salt, nonce = random[:16], random[16:]
    header = b"".join(
        (
            _PREFIX,
            int(origin.account).to_bytes(6, "big"),
            uuid.UUID(origin.key_id).bytes,
            bytes.fromhex(origin.material_id),
            salt,
            nonce,
        )
    )
    return header + AESGCM(_message_key(material, header)).encrypt(nonce, plaintext, header + canonical(context))


def read(blob: bytes) -> Origin:
    """What a ciphertext says of its origin; nothing is authenticated yet. Raises BadCiphertext."""
    if len(blob) < _HEADER + _TAG or not blob.startswith(_PREFIX):
        raise BadCiphertext
    account = int.from_bytes(blob[7:13], "big")
    if account >= 10**12:
        raise BadCiphertext
    return Origin(f"{account:012d}", str(uuid.UUID(bytes=blob[13:29])), blob[29:61].hex())


def open_blob(material: bytes, blob: bytes, context: Mapping[str, str] | None) -> bytes:
    """Decrypt what `seal` made with this material and context. Raises BadCiphertext for anything else."""
    read(blob)
    header, nonce = blob[:_HEADER], blob[77:_HEADER]
    try:
        additional = header + canonical(context)
        return AESGCM(_message_key(material, header)).decrypt(nonce, blob[_HEADER:], additional)
    except (InvalidTag, ValueError):
        raise BadCiphertext from None


def canonical(context: Mapping[str, str] | None) -> bytes:
    """The encryption context as authenticated: counted, sorted by key, each part with its length.

    No context and an empty one are the same. Raises ValueError above 8,192 bytes.
    """
    pairs = sorted((key.encode(), value.encode()) for key, value in (context or {}).items())
    parts = [len(pairs).to_bytes(2, "big")]
    for pair in pairs:
        for part in pair:
            parts += (len(part).to_bytes(4, "big"), part)
    joined = b"".join(parts)
    if len(joined) > MAX_CONTEXT_BYTES:
        raise ValueError(f"the encryption context is larger than {MAX_CONTEXT_BYTES} bytes")
    return joined


def _message_key(material: bytes, header: bytes) -> bytes:
    """One block of the KDF in counter mode (SP 800-108 section 4.1, r = 32)."""
    fixed = b"bailiwick/kms/v1\x00" + header[61:77] + header[13:61] + (256).to_bytes(4, "big")
    return hmac.digest(material, (1).to_bytes(4, "big") + fixed, "sha256")

"""The form of a ciphertext, version 1: it names its key and material, and is bound to both and to its context.

    offset  bytes  field
    0       4      magic "BWKC"
    4       1      version, 1
    5       1      algorithm, 1: SP 800-108 counter KDF with HMAC-SHA-256, then AES-256-GCM
                   (2 and 3: the key is in a token or behind a proxy, see backing.py)
    6       1      flags: 1 if the key's id is that of a multi-Region key, else 0
    7       6      the key's account, as a number, big-endian
    13      16     the key's id: the 16 bytes of its UUID, or of what follows `mrk-`
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
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailiwick.core.bounded import Bounded

Context = Mapping[str, str] | None

MESSAGES = 1 << 20
MAX_CONTEXT_BYTES = 8192
_MAGIC = b"BWKC\x01"
MATERIAL, TOKEN, PROXY = 1, 2, 3
"""The algorithms: by material that is here, by a token, and by material that is here and a proxy."""
_SINGLE, _MULTI = b"\x00", b"\x01"
_MRK = "mrk-"
_HEADER = 89
_ORIGIN = 61
_SALT, _NONCE, _TAG = 16, 12, 16
_NO_CONTEXT = bytes(2)
_SMALL = 256  # letters of a pair, an encryption context of its own, whose form is remembered


class BadCiphertext(Exception):
    """It does not open. Which of the possible reasons it was is not told."""


class Origin(msgspec.Struct, frozen=True):
    """Which key and material a ciphertext says it was made with."""

    account: str
    key_id: str
    material_id: str


class Sealing:
    """Encrypts under a material, with one message key for many ciphertexts: a new salt, so a new key, in time.

    INVARIANT: one message key seals no more than about MESSAGES ciphertexts, which keeps two random nonces of it
    from meeting (SP 800-38D, section 8.3, allows 2^32).
    """

    __slots__ = ("_current", "_left", "_material", "_origin")

    def __init__(self, material: bytes, origin: Origin) -> None:
        """Take 32 bytes of material and what a ciphertext is to say of them."""
        self._material = material
        self._origin = origin
        self._left = 0
        self._current: tuple[bytes, AESGCM] | None = None  # always read and replaced as one

    def seal(self, plaintext: bytes, context: Mapping[str, str] | None, random: Callable[[int], bytes]) -> bytes:
        """Encrypt; `random` gives that many fresh random bytes. Raises ValueError for a context too large."""
        current = self._current
        if current is None or self._left == 0:
            self._current = current = self._with(random(_SALT))
            self._left = MESSAGES
        self._left -= 1
        start, cipher = current
        nonce = random(_NONCE)
        head = start + nonce
        return head + cipher.encrypt(nonce, plaintext, head + canonical(context))

    def _with(self, salt: bytes) -> tuple[bytes, AESGCM]:
        """What a header begins with, and the cipher, of this salt."""
        start = header(MATERIAL, self._origin, salt)
        return start, AESGCM(_message_key(self._material, start))


def header(algorithm: int, origin: Origin, salt: bytes = bytes(_SALT)) -> bytes:
    """What a ciphertext begins with: everything before its nonce, 77 bytes."""
    return b"".join(
        (
            _MAGIC,
            bytes((algorithm,)),
            _MULTI if origin.key_id.startswith(_MRK) else _SINGLE,
            int(origin.account).to_bytes(6, "big"),
            uuid.UUID(origin.key_id.removeprefix(_MRK)).bytes,
            bytes.fromhex(origin.material_id),
            salt,
        )
    )


def algorithm_of(blob: bytes) -> int:
    """By which algorithm a ciphertext, which was read before, says that it was made."""
    return blob[5]


def read(blob: bytes) -> Origin:
    """What a ciphertext says of its origin; nothing is authenticated yet. Raises BadCiphertext."""
    if len(blob) < _HEADER + _TAG:
        raise BadCiphertext
    return _origin(blob[:_ORIGIN])


@lru_cache(maxsize=4096)
def _origin(start: bytes) -> Origin:
    """The origin in a header's beginning: that of one key and material is always the same."""
    flags = start[6:7]
    if not start.startswith(_MAGIC) or not MATERIAL <= start[5] <= PROXY or flags not in (_SINGLE, _MULTI):
        raise BadCiphertext
    account = int.from_bytes(start[7:13], "big")
    if account >= 10**12:
        raise BadCiphertext
    key_id = _MRK + start[13:29].hex() if flags == _MULTI else str(uuid.UUID(bytes=start[13:29]))
    return Origin(f"{account:012d}", key_id, start[29:].hex())


Ciphers = Bounded[bytes, AESGCM]
"""Ciphers of one key by what their message key follows from: the key's id, the material's and the salt."""


def open_blob(
    material: bytes, blob: bytes, context: Mapping[str, str] | None, ciphers: Ciphers | None = None
) -> bytes:
    """Decrypt what `seal` made with this material and context. Raises BadCiphertext for anything else.

    `ciphers` is a memory of the key whose material it is: a salt serves many ciphertexts.
    """
    read(blob)
    if blob[5] != MATERIAL:
        raise BadCiphertext
    head = blob[:_HEADER]
    known = None if ciphers is None else ciphers.get(head[13:77])
    cipher = known or AESGCM(_message_key(material, head))
    try:
        plaintext = cipher.decrypt(head[77:], blob[_HEADER:], head + canonical(context))
    except (InvalidTag, ValueError):
        raise BadCiphertext from None
    if known is None and ciphers is not None:
        ciphers.put(head[13:77], cipher)  # only now: what does not open drives nothing out
    return plaintext


def canonical(context: Mapping[str, str] | None) -> bytes:
    """The encryption context as authenticated: counted, sorted by key, each part with its length.

    No context and an empty one are the same. Raises ValueError above 8,192 bytes.
    """
    if not context:
        return _NO_CONTEXT
    if len(context) == 1:
        (pair,) = context.items()
        if len(pair[0]) + len(pair[1]) <= _SMALL:
            return _of_one(pair)
    return _joined(context.items())


@lru_cache(maxsize=1024)
def _of_one(pair: tuple[str, str]) -> bytes:
    return _joined((pair,))


def _joined(items: Iterable[tuple[str, str]]) -> bytes:
    pairs = sorted([(key.encode(), value.encode()) for key, value in items])
    parts = [len(pairs).to_bytes(2, "big")]
    for key, value in pairs:
        parts += (len(key).to_bytes(4, "big"), key, len(value).to_bytes(4, "big"), value)
    joined = b"".join(parts)
    if len(joined) > MAX_CONTEXT_BYTES:
        raise ValueError(f"the encryption context is larger than {MAX_CONTEXT_BYTES} bytes")
    return joined


def _message_key(material: bytes, header: bytes) -> bytes:
    """One block of the KDF in counter mode (SP 800-108 section 4.1, r = 32)."""
    fixed = b"bailiwick/kms/v1\x00" + header[61:77] + header[13:61] + (256).to_bytes(4, "big")
    return hmac.digest(material, (1).to_bytes(4, "big") + fixed, "sha256")

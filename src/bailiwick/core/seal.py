"""The versioned authenticated envelope that everything secret is kept in, and the key ring that opens it.

Layout, version 1:  version (1) | root key id (4) | salt (16) | nonce (12) | ciphertext and tag

The message key is HMAC-SHA256(purpose key, salt), so that one root may seal any number of values under
random nonces; the purpose key is HKDF-SHA256(root, info=purpose). The header and the caller's associated
data are authenticated. A purpose separates domains: what was sealed as one thing never opens as another.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bailiwick.core.errors import SealError
from bailiwick.core.ids import Entropy

ROOT_KEY_BYTES = 32
_VERSION = 1
_ID = slice(1, 5)
_SALT = slice(5, 21)
_NONCE = slice(21, 33)
_HEADER_BYTES = 33
_TAG_BYTES = 16


class KeyRing:
    """The root keys of one deployment, each known by its id; the first one seals, all of them open.

    Its repr shows no key. Purpose keys are derived once each and kept. Roots may come, go and be promoted while
    other threads use it.
    """

    def __init__(self, *roots: bytes) -> None:
        """Take root keys of 32 bytes each, the primary first. Raises ValueError for another length or none."""
        if not roots or any(len(root) != ROOT_KEY_BYTES for root in roots):
            raise ValueError(f"a key ring needs at least one root key, each of {ROOT_KEY_BYTES} bytes")
        self._roots: Mapping[bytes, bytes] = {_root_id(root): root for root in reversed(roots)}
        self._primary = _root_id(roots[0])
        self._purposes: dict[tuple[bytes, str], bytes] = {}
        self._pinned: dict[str, bytes] = {}

    @property
    def primary(self) -> str:
        """The id of the root key that seals: 8 hexadecimal digits, not secret."""
        return self._primary.hex()

    def seal(self, purpose: str, plaintext: bytes, entropy: Entropy, associated: bytes = b"") -> bytes:
        """Encrypt and authenticate `plaintext` for `purpose`, bound to `associated` (not stored)."""
        random, primary = entropy(28), self._primary  # of which another may be made meanwhile
        header = bytes((_VERSION,)) + primary + random
        key = hmac.digest(self._purpose_key(primary, purpose), random[:16], "sha256")
        return header + AESGCM(key).encrypt(random[16:], plaintext, header + associated)

    def open(self, purpose: str, sealed: bytes, associated: bytes = b"") -> bytes:
        """Return what was sealed for `purpose` and bound to `associated`. Raises SealError otherwise."""
        if len(sealed) < _HEADER_BYTES + _TAG_BYTES or sealed[0] != _VERSION or sealed[_ID] not in self._roots:
            raise SealError("the sealed value does not open")
        key = hmac.digest(self._purpose_key(sealed[_ID], purpose), sealed[_SALT], "sha256")
        header = sealed[:_HEADER_BYTES]
        try:
            return AESGCM(key).decrypt(sealed[_NONCE], sealed[_HEADER_BYTES:], header + associated)
        except InvalidTag:
            raise SealError("the sealed value does not open") from None

    def mac(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA256 of `message` under the key for `purpose`, the primary root's unless pinned: 32 bytes."""
        key = self._pinned.get(purpose) or self._purpose_key(self._primary, purpose)
        return hmac.digest(key, message, "sha256")

    def verifies(self, purpose: str, message: bytes, mac: bytes, size: int = 32) -> bool:
        """Whether these are the first `size` bytes of what `mac` gives, or gave under another root."""
        keys = [self._pinned.get(purpose), *(self._purpose_key(root, purpose) for root in tuple(self._roots))]
        made = [hmac.digest(key, message, "sha256")[:size] for key in keys if key]
        return any(list(map(partial(hmac.compare_digest, mac), made)))

    def learn(self, *roots: bytes) -> None:
        """Have further root keys open what they sealed."""
        self._roots = {**self._roots, **{_root_id(root): root for root in roots}}

    def promote(self, root: str) -> None:
        """Have the root key of this id seal from now on. Raises SealError if it is not in the ring."""
        if root not in self.roots:
            raise SealError(f"the root key {root} is not at hand")
        self._primary = bytes.fromhex(root)

    def under(self, root: str) -> KeyRing:
        """Another ring of the same root keys, of which this one seals. Raises SealError if it has none."""
        ring = KeyRing(*self._roots.values())
        ring.promote(root)
        return ring

    def keep(self, *roots: bytes) -> None:
        """Have only these root keys open anything, and the one that seals."""
        kept = {_root_id(root) for root in roots} | {self._primary}
        self._roots = {name: root for name, root in self._roots.items() if name in kept}
        self._purposes = {known: key for known, key in self._purposes.items() if known[0] in kept}

    def pin(self, keys: Mapping[str, bytes]) -> None:
        """Have these purposes keep the keys that they had under an earlier root, for what outlives it."""
        self._pinned = {**self._pinned, **keys}

    def keys_to_pin(self, *purposes: str) -> dict[str, bytes]:
        """What `mac` uses for these purposes now, which is secret."""
        return {each: self._pinned.get(each) or self._purpose_key(self._primary, each) for each in purposes}

    @property
    def roots(self) -> tuple[str, ...]:
        """The ids of all root keys, the primary first."""
        others = (each.hex() for each in tuple(self._roots) if each != self._primary)
        return (self.primary, *others)

    def derive(self, root: str, purpose: str, salt: bytes) -> bytes:
        """A key of 32 bytes for one use, under the root of this id. Raises SealError if it is not in the ring."""
        try:
            root_id = bytes.fromhex(root)
            return hmac.digest(self._purpose_key(root_id, purpose), salt, "sha256")
        except (KeyError, ValueError):
            raise SealError(f"the root key {root} is not at hand") from None

    def _purpose_key(self, root_id: bytes, purpose: str) -> bytes:
        key = self._purposes.get((root_id, purpose))
        if key is None:
            info = b"bailiwick/seal/1/" + purpose.encode()
            key = HKDF(SHA256(), 32, salt=None, info=info).derive(self._roots[root_id])
            self._purposes[root_id, purpose] = key
        return key

    def __repr__(self) -> str:
        return f"KeyRing(primary={self.primary}, roots={len(self._roots)})"


def _root_id(root: bytes) -> bytes:
    return hmac.digest(root, b"bailiwick/id-of-root", "sha256")[:4]

"""The root keys locked in the file `root.sealed`: under a passphrase, a key that operators hold in shares, or a key
that a PKCS#11 token opens.

The file is JSON (`Locked`): what opens it, and the root keys, sealed (AES-256-GCM, which authenticates the rest).
The root keys themselves are those of `root.key`, so that a deployment changes from one kind to another and
back, and nothing in the database is touched. docs/kms/custody.md says what each kind is good for.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailiwick.app.files import UnsafeFile, read_private, write_private
from bailiwick.core import shamir
from bailiwick.core.errors import HsmUnavailable, SealError, ShareError
from bailiwick.core.ids import Entropy
from bailiwick.core.seal import ROOT_KEY_BYTES
from bailiwick.core.shamir import Share
from bailiwick.outside import Token

FILE = "root.sealed"
SHORTEST = 12
"""Characters of a passphrase."""

_VERSION, _NONCE_BYTES, _SALT_BYTES, _ID_BYTES, _LONGEST = 1, 12, 16, 16, 1024
_WRAPPED = b"bailiwick/root.sealed/1/token"
# RFC 9106, section 4, the second recommended choice: 64 MiB.
_ITERATIONS, _MEMORY_KIB, _LANES = 3, 65536, 4


class CustodyError(Exception):
    """The locked root keys cannot be opened; the text says why, and never with what."""


class Stopped(Exception):
    """The server was told to end while it was sealed."""


class Argon2id(msgspec.Struct, frozen=True, tag="argon2id", tag_field="opened_by"):
    """A passphrase, and how it becomes a key (RFC 9106)."""

    salt: bytes
    iterations: int = _ITERATIONS
    memory_kib: int = _MEMORY_KIB
    lanes: int = _LANES


class Shares(msgspec.Struct, frozen=True, tag="shares", tag_field="opened_by"):
    """A key in shares: their set, how many there are, how many are needed, and the digest of each."""

    set: str
    threshold: int
    digests: tuple[bytes, ...]


class InToken(msgspec.Struct, frozen=True, tag="token", tag_field="opened_by"):
    """A key that a PKCS#11 token opens: what the setting `hsm` calls it, and the id of the key that stays in it."""

    token: str
    id: bytes
    wrapped: bytes


Opener = Argon2id | Shares | InToken


class Locked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the file."""

    version: int
    opener: Opener
    sealed: bytes

    @property
    def needs(self) -> str:
        """What an operator must bring."""
        if isinstance(self.opener, Argon2id):
            return "a passphrase"
        if isinstance(self.opener, InToken):
            return f"the token {self.opener.token}"
        return f"{self.opener.threshold} of {len(self.opener.digests)} shares"


class Opened(msgspec.Struct, frozen=True):
    """The root keys, and the key that locks them, by which a changed file is read again. Its repr shows neither."""

    keys: tuple[bytes, ...]
    key: bytes
    opener: Opener

    def __repr__(self) -> str:
        return f"Opened({len(self.keys)} root keys)"


def read(folder: Path) -> Locked | None:
    """The locked root keys of a data folder, None if there are none. Raises CustodyError."""
    path = folder / FILE
    try:
        locked = msgspec.json.decode(read_private(path), type=Locked)
    except FileNotFoundError:
        return None
    except UnsafeFile as error:
        raise CustodyError(str(error)) from None
    except msgspec.MsgspecError:
        raise CustodyError(f"{path} is damaged; put it back from its backup") from None
    if locked.version != _VERSION:
        raise CustodyError(f"{path} is of version {locked.version}, which this program does not know")
    return locked


def write(folder: Path, opened: Opened, keys: Sequence[bytes], entropy: Entropy) -> None:
    """Lock these root keys as those were that were opened. Raises OSError."""
    nonce = entropy(_NONCE_BYTES)
    sealed = AESGCM(opened.key).encrypt(nonce, b"".join(keys), _bound(opened.opener))
    locked = Locked(_VERSION, opened.opener, nonce + sealed)
    write_private(folder / FILE, msgspec.json.format(msgspec.json.encode(locked)) + b"\n")


def unlock(locked: Locked, key: bytes) -> Opened:
    """The root keys, with the key that locks them. Raises CustodyError."""
    nonce, sealed = locked.sealed[:_NONCE_BYTES], locked.sealed[_NONCE_BYTES:]
    try:
        plain = AESGCM(key).decrypt(nonce, sealed, _bound(locked.opener))
    except (InvalidTag, ValueError):
        raise CustodyError("the root keys do not open") from None
    if not plain or len(plain) % ROOT_KEY_BYTES:
        raise CustodyError("the root keys do not open")
    keys = (plain[start : start + ROOT_KEY_BYTES] for start in range(0, len(plain), ROOT_KEY_BYTES))
    return Opened(tuple(keys), key, locked.opener)


def by_passphrase(keys: Sequence[bytes], passphrase: str, entropy: Entropy) -> Opened:
    """What locks root keys under a new passphrase. Raises CustodyError for one that is too short."""
    if not SHORTEST <= len(passphrase) <= _LONGEST:
        raise CustodyError(f"a passphrase has {SHORTEST} characters or more")
    opener = Argon2id(entropy(_SALT_BYTES))
    return Opened(tuple(keys), _stretched(opener, passphrase), opener)


def by_shares(keys: Sequence[bytes], shares: int, threshold: int, entropy: Entropy) -> tuple[Opened, list[Share]]:
    """What locks root keys under a new key in shares, and the shares. Raises core.errors.ShareError."""
    key = entropy(ROOT_KEY_BYTES)
    made = shamir.split(key, shares, threshold, entropy)
    return Opened(tuple(keys), key, Shares(made[0].set, threshold, tuple(map(shamir.digest, made)))), made


def with_passphrase(locked: Locked, passphrase: str) -> Opened:
    """The root keys that are locked under a passphrase. Takes a third of a second. Raises CustodyError."""
    if not isinstance(locked.opener, Argon2id):
        raise CustodyError(f"what is needed is {locked.needs}, and no passphrase")
    try:
        return unlock(locked, _stretched(locked.opener, passphrase[:_LONGEST]))
    except CustodyError:
        raise CustodyError("the passphrase is wrong") from None


def by_token(keys: Sequence[bytes], name: str, token: Token, entropy: Entropy) -> Opened:
    """What locks root keys under a new key that this token opens. Raises core.errors.HsmUnavailable."""
    made, key = entropy(_ID_BYTES), entropy(ROOT_KEY_BYTES)
    token.make(made, "bailiwick root key")
    return Opened(tuple(keys), key, InToken(name, made, token.seal(made, key, _WRAPPED)))


def with_token(locked: Locked, token: Token) -> Opened:
    """The root keys that this token opens. Raises CustodyError."""
    if not isinstance(locked.opener, InToken):
        raise CustodyError(f"what is needed is {locked.needs}, and no token")
    try:
        return unlock(locked, token.open(locked.opener.id, locked.opener.wrapped, _WRAPPED))
    except HsmUnavailable as error:
        raise CustodyError(f"the token that opens the root key does not answer: {error}") from None
    except SealError:
        raise CustodyError(f"the token {locked.opener.token} does not open the root key") from None


class Gathering:
    """The shares that were brought so far. Its repr shows none."""

    def __init__(self, locked: Locked) -> None:
        """Take what they open. Raises CustodyError if that is not opened by shares."""
        if not isinstance(locked.opener, Shares):
            raise CustodyError(f"what is needed is {locked.needs}, and no shares")
        self._locked, self._opener = locked, locked.opener
        self._shares: dict[int, Share] = {}

    @property
    def numbers(self) -> list[int]:
        """The numbers of the shares that are here."""
        return sorted(self._shares)

    @property
    def threshold(self) -> int:
        """How many are needed."""
        return self._opener.threshold

    @property
    def complete(self) -> bool:
        """Whether there are enough."""
        return len(self._shares) >= self.threshold

    def add(self, typed: str) -> int:
        """Take a share; returns its number. Raises CustodyError for a wrong one, and keeps the others."""
        try:
            share = shamir.read(typed)
        except ShareError as error:
            raise CustodyError(str(error)) from None
        if share.set != self._opener.set:
            raise CustodyError(f"this share is of the set {share.set}; needed are those of {self._opener.set}")
        known = self._opener.digests[share.number - 1] if share.number <= len(self._opener.digests) else b""
        if not hmac.compare_digest(shamir.digest(share), known):
            raise CustodyError(f"share {share.number} is wrong")
        self._shares[share.number] = share
        return share.number

    def forget(self) -> None:
        """Drop what is here."""
        self._shares.clear()

    def open(self) -> Opened:
        """The root keys, once there are enough. Raises CustodyError."""
        try:
            return unlock(self._locked, shamir.combine(self._shares.values()))
        except ShareError as error:
            raise CustodyError(str(error)) from None


def _stretched(opener: Argon2id, passphrase: str) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    if not (1 <= opener.iterations <= 100 and 8 <= opener.memory_kib <= 4 << 20 and 1 <= opener.lanes <= 64):
        raise CustodyError(f"the parameters of Argon2id in {FILE} are out of bounds")
    secret = unicodedata.normalize("NFC", passphrase).encode()
    return hash_secret_raw(
        secret, opener.salt, opener.iterations, opener.memory_kib, opener.lanes, ROOT_KEY_BYTES, Type.ID
    )


def _bound(opener: Opener) -> bytes:
    return b"bailiwick/root.sealed/1" + msgspec.json.encode(opener, order="deterministic")

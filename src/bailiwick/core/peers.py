"""Peers: other deployments with which keys are shared, and the sealed messages between two of them. Version 1.

    version (1) | secret id (8) | time in ms (8) | salt (16) | nonce (12) | length (1), sender | ciphertext and tag

The sender names itself by its home region. The key of a message is HKDF-SHA256(secret, salt, info), where the info
names this protocol, whether it asks or answers, and the sender: so each direction has keys of its own, and no
message opens as another. What comes before the ciphertext is authenticated; an answer is bound to what it answers.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bailiwick.core.errors import SealError
from bailiwick.core.ids import Entropy

SECRET_BYTES = 32
WINDOW = 300
"""Seconds by which the clocks of two peers may differ."""

Kind = Literal["ask", "answer"]

_VERSION = 1
_ID, _TIME, _SALT, _NONCE = slice(1, 9), slice(9, 17), slice(17, 33), slice(33, 45)
_FIXED, _TAG = 46, 16


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Another deployment. Keys in its `regions` are in its store; those of `accounts` may be shared with it.

    Its repr shows no secret.
    """

    name: str
    url: str
    regions: frozenset[str]
    accounts: frozenset[str]
    secret: bytes
    authorities: str | None = None  # PEM: who vouches for its certificate, instead of the system's authorities

    @property
    def id(self) -> bytes:
        """What names the secret in messages, and is none."""
        return hmac.digest(self.secret, b"bailiwick/peer/id", "sha256")[:8]

    def __repr__(self) -> str:
        return f"Peer({self.name})"


class Peers:
    """The peers of this deployment. `wake` tells whoever delivers that there is something to deliver."""

    def __init__(self, peers: Iterable[Peer] = (), wake: Callable[[], None] = lambda: None) -> None:
        """Raises ValueError where two of them have the same region or secret."""
        self.all = tuple(peers)
        self.wake = wake
        self._of_regions = {region: peer for peer in self.all for region in peer.regions}
        self._of_ids = {peer.id: peer for peer in self.all}
        if len(self._of_regions) < sum(len(peer.regions) for peer in self.all):
            raise ValueError("two peers have the same region")
        if len(self._of_ids) < len(self.all):
            raise ValueError("two peers have the same secret")

    def of_region(self, region: str) -> Peer | None:
        """The peer that has the keys of a region; None for a region of this deployment."""
        return self._of_regions.get(region)

    def of_id(self, secret_id: bytes) -> Peer | None:
        """The peer whose secret has this id."""
        return self._of_ids.get(secret_id)

    def named(self, name: str) -> Peer | None:
        """The peer of this name."""
        return next((peer for peer in self.all if peer.name == name), None)


class Sealed(NamedTuple):
    """What a message says of itself; nothing is proven yet. `once` is the same for this message alone."""

    secret_id: bytes
    time: float
    once: bytes
    sender: str
    header: bytes
    body: bytes


def seal(
    peer: Peer, kind: Kind, sender: str, plaintext: bytes, now: float, entropy: Entropy, answers: bytes = b""
) -> bytes:
    """A message to a peer from the deployment at home in `sender`. `answers` is the `once` of what it answers."""
    name = sender.encode("ascii")
    head = bytes((_VERSION,)) + peer.id + round(now * 1000).to_bytes(8, "big") + entropy(28)
    head += bytes((len(name),)) + name
    return head + _cipher(peer, kind, sender, head).encrypt(head[_NONCE], plaintext, head + answers)


def read(message: bytes) -> Sealed:
    """What a message says of itself. Raises SealError for what is none of this version."""
    if len(message) < _FIXED + _TAG or message[0] != _VERSION:
        raise SealError("it is no message of a peer")
    end = _FIXED + message[_FIXED - 1]
    name, time = message[_FIXED:end], int.from_bytes(message[_TIME], "big") / 1000
    if len(message) < end + _TAG or not name.isascii():
        raise SealError("it is no message of a peer")
    once = message[_SALT] + message[_NONCE]
    return Sealed(message[_ID], time, once, name.decode("ascii"), message[:end], message[end:])


def opened(peer: Peer, kind: Kind, sealed: Sealed, now: float, answers: bytes = b"") -> bytes:
    """What `seal` sealed. Raises SealError for what this peer did not send, or not now, or not as this kind."""
    if sealed.sender not in peer.regions:
        raise SealError("it was sent by another deployment")
    if abs(sealed.time - now) > WINDOW:
        raise SealError(f"it is of another time: it is {int(now)} here, and not {int(sealed.time)}")
    cipher = _cipher(peer, kind, sealed.sender, sealed.header)
    try:
        return cipher.decrypt(sealed.header[_NONCE], sealed.body, sealed.header + answers)
    except InvalidTag:
        raise SealError("it does not open") from None


def _cipher(peer: Peer, kind: Kind, sender: str, head: bytes) -> AESGCM:
    info = f"bailiwick/peer/1/{kind}/{sender}".encode()
    return AESGCM(HKDF(SHA256(), 32, salt=head[_SALT], info=info).derive(peer.secret))

"""Digests: what the segments of a process were at an hour, signed.

A digest is called `digest-20261124T040000.000000Z-4242.json` and has two lines: a JSON object (Digest), and the
Ed25519 signature over that first line in base64. It names the digest before it and that one's SHA-256, so that a
digest that was taken away is missed. The key hangs on the deployment's root key; its public half verifies.
"""

from __future__ import annotations

import base64
import hashlib
import os
from datetime import UTC, datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bailiwick.trail.segment import State

FORMAT = "bailiwick-trail-digest-1"
PREFIX, SUFFIX = "digest-", ".json"


class Previous(msgspec.Struct, frozen=True):
    """The digest before: its name, and its SHA-256 in hexadecimal digits."""

    name: str
    sha256: str


class Digest(msgspec.Struct, frozen=True):
    """What a process has written between two times (epoch seconds).

    `segments` are those it wrote to, or took over from a process that died; `closed` names those that will not
    grow again. `removed` are segments that are gone because their time was over.
    """

    format: str
    begin: float
    end: float
    segments: tuple[State, ...]
    closed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    previous: Previous | None = None


class BadDigest(Exception):
    """This is no digest, or its signature does not hold."""


class Signer:
    """Who signs the digests of a deployment."""

    def __init__(self, seed: bytes) -> None:
        """Take 32 secret bytes that are the deployment's own."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, digest: Digest) -> tuple[str, bytes, Previous]:
        """A digest's name, the digest signed, and what the next one says of it."""
        text = msgspec.json.encode(digest)
        data = text + b"\n" + base64.b64encode(self._key.sign(text)) + b"\n"
        name = f"{PREFIX}{datetime.fromtimestamp(digest.end, UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}{SUFFIX}"
        return name, data, Previous(name, hashlib.sha256(data).hexdigest())


def read(name: str, data: bytes, public: bytes) -> Digest:
    """The digest in `data`, its signature checked. Raises BadDigest."""
    text, _, rest = data.partition(b"\n")
    try:
        signature = base64.b64decode(rest.rstrip(b"\n"), validate=True)
        if data != text + b"\n" + base64.b64encode(signature) + b"\n":
            raise BadDigest(f"{name}: there is more in it than a digest")
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
        digest = msgspec.json.decode(text, type=Digest)
    except InvalidSignature:
        raise BadDigest(f"{name}: the signature does not hold") from None
    except (ValueError, msgspec.MsgspecError):
        raise BadDigest(f"{name}: this is no digest") from None
    if digest.format != FORMAT:
        raise BadDigest(f"{name}: a digest of another version")
    return digest

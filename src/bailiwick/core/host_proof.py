"""How a host signs what it asks of the server: version 1.

    x-bailiwick-host     the instance, empty for a host that is about to join
    x-bailiwick-time     epoch seconds
    x-bailiwick-nonce    16 random bytes or more, base64url without padding: good once
    x-bailiwick-proof    `1:` and the base64 of the signature

Signed are these lines, joined by line feeds: `BAILIWICK-HOST-1`, the Host header, the X-Amz-Target header, the
instance, the time, the nonce, and the SHA-256 of the body in hexadecimal digits. Keys are Ed25519 or P-256 (ECDSA
with SHA-256, DER); a host that joins by a certificate signs the same with that key as well, which may also be P-384
or RSA (PKCS #1 v1.5 with SHA-256), and sends it as x-bailiwick-certificate-proof.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from bailiwick.core.errors import HostUnproven
from bailiwick.core.message import Request

HOST, TIME, NONCE, PROOF, CERTIFICATE_PROOF = (
    *("x-bailiwick-host", "x-bailiwick-time", "x-bailiwick-nonce", "x-bailiwick-proof"),
    "x-bailiwick-certificate-proof",
)
HEADERS = (HOST, TIME, NONCE, PROOF, CERTIFICATE_PROOF)
WINDOW = 300
"""Seconds by which the clocks of host and server may differ."""

_VERSION = "1:"
_INSTANCE = re.compile(r"i-[0-9a-f]{17}|", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9_-]{22,64}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_LEAST_RSA = 2048


class Signed(NamedTuple):
    """What a request says of itself; nothing is proven yet. `text` is what was signed."""

    instance: str
    time: int
    nonce: str
    text: bytes
    proof: bytes
    certificate_proof: bytes | None


def read(request: Request, now: float) -> Signed:
    """What a request says of itself. Raises HostUnproven for what is missing, malformed, or of another time."""
    for name in (*HEADERS, "host", "x-amz-target"):
        if len(request.all(name)) > 1:
            raise HostUnproven(f"The request has more than one {name} header.")
    fields = request.fields
    instance, time, nonce = fields.get(HOST, ""), fields.get(TIME, ""), fields.get(NONCE, "")
    if not (_INSTANCE.fullmatch(instance) and _NONCE.fullmatch(nonce) and _TIME.fullmatch(time)):
        raise HostUnproven("The request is not signed as a host signs.")
    if abs(int(time) - now) > WINDOW:
        raise HostUnproven(f"The request is of another time: it is {int(now)} here, and not {time}.")
    signed = text(fields.get("host", ""), fields.get("x-amz-target", ""), instance, time, nonce, request.body)
    shown = fields.get(CERTIFICATE_PROOF)
    return Signed(
        instance, int(time), nonce, signed, _decoded(fields.get(PROOF, "")), _decoded(shown) if shown else None
    )


def text(host: str, target: str, instance: str, time: str, nonce: str, body: bytes) -> bytes:
    """What is signed."""
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join(("BAILIWICK-HOST-1", host.lower(), target, instance, time, nonce, digest)).encode()


def public_key(der: bytes) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey:
    """A key that a host may sign with, from its SubjectPublicKeyInfo. Raises HostUnproven for any other."""
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise HostUnproven("The public key is not a SubjectPublicKeyInfo.") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise HostUnproven("The key of a host is an Ed25519 or P-256 key.")


def verify(key: PublicKeyTypes, signature: bytes, signed: bytes) -> None:
    """Whether this key made the signature. Raises HostUnproven if not."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size in (256, 384):
            key.verify(signature, signed, ec.ECDSA(SHA256()))
        elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA:
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
        else:
            raise HostUnproven("The key is of a kind that nobody joins with.")
    except InvalidSignature:
        raise HostUnproven("The signature does not match the request.") from None


def sign(key: PrivateKeyTypes, message: bytes) -> str:
    """The value of a header that proves `message`. Raises ValueError for a key of another kind."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(message)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(message, ec.ECDSA(SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(message, padding.PKCS1v15(), SHA256())
    else:
        raise ValueError("the key is neither Ed25519, ECDSA nor RSA")
    return as_header(signature)


def as_header(signature: bytes) -> str:
    """The value of a header with a signature that was made elsewhere, as by a token: ECDSA in DER."""
    return _VERSION + base64.b64encode(signature).decode("ascii")


def _decoded(header: str) -> bytes:
    try:
        if header.startswith(_VERSION) and len(header) < 1024:
            return base64.b64decode(header[len(_VERSION) :], validate=True)
    except (binascii.Error, ValueError):
        pass
    raise HostUnproven("The proof is not one of version 1.")

"""Certificates and keys as people upload them: PEM and OpenSSH text, read narrowly."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_public_key,
)

if TYPE_CHECKING:
    from cryptography import x509

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_LEAST_RSA_BITS, _MOST_RSA_BITS = 2048, 16_384
_LONGEST_CHAIN = 20


class Unreadable(Exception):
    """The text is not what it should be; its message says what, without showing the text."""


def certificate(text: str) -> x509.Certificate:
    """The one X.509 certificate in a PEM text. Raises Unreadable."""
    found = certificates(text)
    if len(found) != 1:
        raise Unreadable("there must be exactly one certificate")
    return found[0]


def certificates(text: str) -> list[x509.Certificate]:
    """The X.509 certificates in a PEM text, at most 20. Raises Unreadable."""
    if "PRIVATE KEY" in text or text.count("BEGIN CERTIFICATE") > _LONGEST_CHAIN:
        raise Unreadable("there is a private key among the certificates, or there are too many of them")
    from cryptography import x509  # not at every start

    try:
        return x509.load_pem_x509_certificates(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unreadable("this is no certificate in PEM") from error


def fingerprint(found: x509.Certificate) -> str:
    """The SHA-256 fingerprint of a certificate: 64 hexadecimal digits."""
    return found.fingerprint(SHA256()).hex()


def expires(found: x509.Certificate) -> float:
    """When a certificate expires, in epoch seconds."""
    return found.not_valid_after_utc.timestamp()


def private_key(text: str) -> PrivateKey:
    """The unencrypted private key in a PEM text: RSA or elliptic curve. Raises Unreadable."""
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Unreadable("this is no unencrypted private key in PEM") from error
    if not isinstance(key, PrivateKey):
        raise Unreadable("the private key must be of RSA or of an elliptic curve")
    return key


def belongs(key: PrivateKey, found: x509.Certificate) -> bool:
    """Whether a private key is that of a certificate."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        return key.public_key().public_bytes(*form) == found.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        return False


def is_chain(leaf: x509.Certificate, chain: list[x509.Certificate]) -> bool:
    """Whether each certificate was issued by the next one, from the leaf on. Expiry and trust are not looked at."""
    try:
        for below, above in zip([leaf, *chain], chain, strict=False):
            below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def ssh_key(text: str) -> rsa.RSAPublicKey:
    """The RSA public key in an OpenSSH line or a PEM text: 2,048 to 16,384 bits. Raises Unreadable."""
    stripped = text.strip()
    try:
        load = load_ssh_public_key if stripped.startswith("ssh-") else load_pem_public_key
        key: object = load(stripped.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unreadable("this is no public key") from error
    if not isinstance(key, rsa.RSAPublicKey) or not _LEAST_RSA_BITS <= key.key_size <= _MOST_RSA_BITS:
        raise Unreadable("the key must be of RSA with at least 2,048 bits")
    return key


def ssh_line(key: rsa.RSAPublicKey) -> str:
    """A public key as OpenSSH has it: `ssh-rsa AAAA...`."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")


def pem(key: rsa.RSAPublicKey) -> str:
    """A public key in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def ssh_fingerprint(key: rsa.RSAPublicKey) -> str:
    """The MD5 fingerprint of a public key as `ssh-keygen -E md5` shows it. It names a key, and protects nothing."""
    blob = base64.b64decode(ssh_line(key).split(" ")[1])
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[place : place + 2] for place in range(0, 32, 2))

"""Certificates and keys for the tests that upload them. Elliptic curves are quick to make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

Key = ec.EllipticCurvePrivateKey
START = datetime(2024, 1, 1, tzinfo=UTC)


@cache
def curve_key(number: int) -> Key:
    """The key of a number: made once."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ssh_keys() -> list[rsa.RSAPublicKey]:
    first = rsa.generate_private_key(65537, 2048).public_key()
    # Any odd number of the right size will do as the modulus of a public key that signs nothing.
    others = [rsa.RSAPublicNumbers(65537, first.public_numbers().n + 2 * n).public_key() for n in range(1, 7)]
    return [first, *others]


def certificate(
    key: Key, issuer: Key, name: str = "c", by: str = "ca", days: int = 36_500, ca: bool = False
) -> str:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(by))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(issuer, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def private(key: Key, encryption: Any = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def ssh(number: int = 0) -> str:
    return ssh_keys()[number].public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def ssh_pem(number: int = 0) -> str:
    return ssh_keys()[number].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

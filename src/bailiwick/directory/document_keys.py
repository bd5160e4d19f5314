"""The key that signs instance identity documents, and the certificate that verifies them: one of the deployment.

It is made when the first host asks for its document, and sealed in the store. All nodes share it.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from cryptography.x509.oid import NameOID
from sqlalchemy import insert, select

from bailiwick.api import Environment, Transaction
from bailiwick.core import ids
from bailiwick.directory.instance_tables import document_key

_PURPOSE = "identity-document-key"
_YEARS = 30
_BITS = 2048
_LINE = 76


class Signatures(NamedTuple):
    """A document, signed: text as the metadata service serves it."""

    signature: str
    rsa2048: str
    certificate: str


def sign(transaction: Transaction, environment: Environment, document: bytes) -> Signatures:
    """Sign a document. Wants a write transaction: the key is made if there is none."""
    sealed, key_id, certificate = _found(transaction) or _made(transaction, environment)
    key = _loaded(environment.ring.open(_PURPOSE, sealed, key_id.encode()))
    signer = x509.load_pem_x509_certificate(certificate.encode())
    options = [PKCS7Options.Binary, PKCS7Options.NoCapabilities, PKCS7Options.NoCerts]
    builder = PKCS7SignatureBuilder().set_data(document).add_signer(signer, key, SHA256())
    return Signatures(
        _lines(key.sign(document, padding.PKCS1v15(), SHA256())),
        _lines(builder.sign(Encoding.DER, options)),
        certificate,
    )


def published(transaction: Transaction, environment: Environment) -> str:
    """The certificate (PEM) that verifies documents. Wants a write transaction: it is made if there is none."""
    return (_found(transaction) or _made(transaction, environment))[2]


def _found(transaction: Transaction) -> tuple[bytes, str, str] | None:
    row = transaction.one(select(document_key).order_by(document_key.c.created, document_key.c.id))
    return None if row is None else (row.sealed, row.id, row.certificate)


def _made(transaction: Transaction, environment: Environment) -> tuple[bytes, str, str]:
    key, now = rsa.generate_private_key(65537, _BITS), environment.now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bailiwick instance identity documents")])
    begins = datetime.fromtimestamp(now, UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(environment.entropy(19), "big") | 1)
        .not_valid_before(begins - timedelta(days=1))
        .not_valid_after(begins + timedelta(days=365 * _YEARS))
        .sign(key, SHA256())
    )
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    key_id, pem = ids.request_id(environment.noise), signed.public_bytes(Encoding.PEM).decode()
    sealed = environment.ring.seal(_PURPOSE, der, environment.entropy, key_id.encode())
    transaction.run(insert(document_key).values(id=key_id, created=now, sealed=sealed, certificate=pem))
    return sealed, key_id, pem


@lru_cache(maxsize=4)
def _loaded(der: bytes) -> rsa.RSAPrivateKey:
    key = load_der_private_key(der, None)
    assert isinstance(key, rsa.RSAPrivateKey), "what was made here"
    return key


def _lines(signed: bytes) -> str:
    text = base64.b64encode(signed).decode("ascii")
    return "\n".join(text[place : place + _LINE] for place in range(0, len(text), _LINE))

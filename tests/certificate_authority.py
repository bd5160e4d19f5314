"""A certificate authority for tests, and a client that signs as AWS's signing helper does."""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bailiwick.core.message import Header, Request, Response

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
HOST = "rolesanywhere.us-east-1.bailiwick.test"


class Holder(msgspec.Struct, frozen=True):
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def header(self) -> str:
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()


def named(common: str, **more: str) -> x509.Name:
    other = [x509.NameAttribute(getattr(NameOID, key.upper()), value) for key, value in more.items()]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common), *other])


def issued(
    now: float,
    name: x509.Name,
    issuer: Holder | None = None,
    *,
    key: Any = None,
    authority: bool = False,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    signs: bool = True,
    days: tuple[int, int] = (-1, 10),
    serial: int | None = None,
    digest: hashes.HashAlgorithm | None = None,
) -> Holder:
    """A certificate for `name`, by `issuer` or by itself."""
    key, moment = key or ec.generate_private_key(ec.SECP256R1()), datetime.datetime.fromtimestamp(now, datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).public_key(key.public_key())
    builder = builder.issuer_name(issuer.certificate.subject if issuer else name)
    builder = builder.serial_number(serial or x509.random_serial_number())
    builder = builder.not_valid_before(moment + datetime.timedelta(days[0]))
    builder = builder.not_valid_after(moment + datetime.timedelta(days[1]))
    builder = builder.add_extension(x509.BasicConstraints(authority, None), True)
    usage = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"),
            *("decipher_only", "crl_sign"),
        ),
        False,
    )
    builder = builder.add_extension(
        x509.KeyUsage(digital_signature=signs and not authority, key_cert_sign=authority, **usage), True
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Holder(builder.sign(issuer.key if issuer else key, digest or hashes.SHA256()), key)


def revoking(now: float, issuer: Holder, *gone: Holder) -> bytes:
    """A list of revoked certificates, in DER."""
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(moment).next_update(moment + datetime.timedelta(30))
    for each in gone:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(moment).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def session_request(
    holder: Holder,
    arns: dict[str, str],
    now: float,
    *,
    body: dict[str, Any] | None = None,
    chain: Sequence[Holder] = (),
    signer: Any = None,
    region: str = "us-east-1",
    serial: int | None = None,
) -> Request:
    """CreateSession, signed with the holder's key (or another `signer`)."""
    key = signer or holder.key
    stamp = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    algorithm = "AWS4-X509-RSA-SHA256" if isinstance(key, rsa.RSAPrivateKey) else "AWS4-X509-ECDSA-SHA256"
    payload = msgspec.json.encode(body or {})
    query = urlencode(sorted(arns.items()), quote_via=quote, safe="")
    headers = {"content-type": "application/json", "host": HOST, "x-amz-date": stamp, "x-amz-x509": holder.header}
    if chain:
        headers["x-amz-x509-chain"] = ",".join(each.header for each in chain)
    signed = ";".join(sorted(headers))
    lines = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    canonical = f"POST\n/sessions\n{query}\n{lines}\n{signed}\n{hashlib.sha256(payload).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/rolesanywhere/aws4_request"
    to_sign = f"{algorithm}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode()
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(to_sign, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(to_sign, ec.ECDSA(hashes.SHA256()))
    credential = f"{serial or holder.certificate.serial_number}/{scope}"
    headers["authorization"] = (
        f"{algorithm} Credential={credential}, SignedHeaders={signed}, Signature={signature.hex()}"
    )
    return Request("POST", "/sessions", query, tuple(Header(*each) for each in headers.items()), payload)


def told(response: Response) -> dict[str, Any]:
    """The answer's body."""
    body: dict[str, Any] = msgspec.json.decode(response.body)
    return body

"""Requests that are signed with the private key of an X.509 certificate, which they bring: IAM Roles Anywhere.

As SigV4, but for the algorithm's name, the certificate's serial number in place of a key id, and the signature: the
private key signs the string to sign as it is. Source: facts/imds.md section 7.1.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from bailiwick.core.errors import CertificateRefused, IncompleteSignature
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import canonical
from bailiwick.core.sigv4.claim import time_of
from bailiwick.core.sigv4.verify import TERMINATOR

RSA, ECDSA = "AWS4-X509-RSA-SHA256", "AWS4-X509-ECDSA-SHA256"
CERTIFICATE, CHAIN = "x-amz-x509", "x-amz-x509-chain"
SERVICE = "rolesanywhere"
WINDOW = 300
_LONGEST = 4096
_FORM = re.compile(
    r"(AWS4-X509-(?:RSA|ECDSA)-SHA256) "
    r"Credential=([0-9]{1,60})/([0-9]{8})/([a-z0-9-]{1,32})/([a-z]{1,32})/([a-z0-9_]{1,32}), ?"
    r"SignedHeaders=([a-z0-9;:_-]{1,1024}), ?Signature=((?:[0-9a-f]{2}){8,1024})",
    re.ASCII,
)
_MUST_BE_SIGNED = {"host", "x-amz-date", CERTIFICATE}


class CertificateClaim(msgspec.Struct, frozen=True):
    """What such a request says: with which certificate (its serial number, decimal) it was signed, and when."""

    algorithm: str
    serial: int
    scope: str
    region: str
    signed_headers: tuple[str, ...]
    signature: bytes
    timestamp: str
    epoch: int


def read(request: Request) -> CertificateClaim:
    """The claim in the Authorization header. It proves nothing yet.

    Raises CertificateRefused for a request that carries none, or an unreadable or ambiguous one.
    """
    for name in ("authorization", "x-amz-date", "host", CERTIFICATE, CHAIN):
        if len(request.all(name)) > 1:
            raise CertificateRefused("form", f"The request has more than one {name} header.")
    authorization = request.header("authorization") or ""
    matched = _FORM.fullmatch(authorization) if len(authorization) <= _LONGEST else None
    if matched is None:
        raise CertificateRefused("form", "Missing or malformed Authorization header.")
    algorithm, serial, date, region, service, terminator, signed, signature = matched.groups()
    names = tuple(signed.split(";"))
    must = _MUST_BE_SIGNED | ({CHAIN} if CHAIN in request.fields else set())
    if names != tuple(sorted(set(names))) or not must <= set(names):
        raise CertificateRefused("form", "Host, X-Amz-Date and the certificates must be signed.")
    try:
        timestamp, epoch = time_of(request.header("x-amz-date") or "")
    except IncompleteSignature as error:
        raise CertificateRefused("time", str(error)) from None
    if (service, terminator, date) != (SERVICE, TERMINATOR, timestamp[:8]):
        raise CertificateRefused("scope", f"Credential should be scoped to {SERVICE} and the request's date.")
    scope = f"{date}/{region}/{service}/{terminator}"
    return CertificateClaim(
        algorithm, int(serial), scope, region, names, bytes.fromhex(signature), timestamp, epoch
    )


def verify(request: Request, claim: CertificateClaim, certificate: x509.Certificate, now: float) -> None:
    """Check that the owner of `certificate` signed this request within five minutes of `now`.

    Raises CertificateRefused. Whether the certificate is to be trusted is another question.
    """
    if not -WINDOW <= now - claim.epoch <= WINDOW:
        raise CertificateRefused("time", f"Signature expired or not yet current: {claim.timestamp}.")
    if claim.serial != certificate.serial_number:
        raise CertificateRefused("serial", "The credential is not the serial number of the certificate.")
    payload = hashlib.sha256(request.body).hexdigest()
    if request.fields.get("x-amz-content-sha256", payload) != payload:
        raise CertificateRefused("signature", "The body is not what was signed.")
    to_sign = _to_sign(request, claim.algorithm, claim.timestamp, claim.scope, claim.signed_headers)
    try:
        key = certificate.public_key()
        if claim.algorithm == RSA and isinstance(key, rsa.RSAPublicKey):
            return key.verify(claim.signature, to_sign, padding.PKCS1v15(), hashes.SHA256())
        if claim.algorithm == ECDSA and isinstance(key, ec.EllipticCurvePublicKey):
            return key.verify(claim.signature, to_sign, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise CertificateRefused("signature", "The request signature does not match.") from None
    except (ValueError, UnsupportedAlgorithm):  # a key of a kind or on a curve that nobody here knows
        raise CertificateRefused("key", "The certificate's algorithm is not supported.") from None
    raise CertificateRefused("algorithm", f"The certificate's key is not for {claim.algorithm}.")


def sign(
    request: Request,
    certificate: x509.Certificate,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    chain: Sequence[x509.Certificate],
    region: str,
    now: float,
) -> Request:
    """The request with X-Amz-Date, the certificates and Authorization added. It must have a host header."""
    encoded = [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in (certificate, *chain)]
    stamp = datetime.fromtimestamp(int(now), UTC).strftime("%Y%m%dT%H%M%SZ")
    added = [Header("x-amz-date", stamp), Header(CERTIFICATE, encoded[0])]
    if chain:
        added.append(Header(CHAIN, ",".join(encoded[1:])))
    dated = msgspec.structs.replace(request, headers=(*request.headers, *added))
    names = tuple(sorted({name for name, _ in dated.headers} - {"user-agent"}))
    scope = f"{stamp[:8]}/{region}/{SERVICE}/{TERMINATOR}"
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = RSA
        signature = key.sign(_to_sign(dated, RSA, stamp, scope, names), padding.PKCS1v15(), hashes.SHA256())
    else:
        algorithm = ECDSA
        signature = key.sign(_to_sign(dated, ECDSA, stamp, scope, names), ec.ECDSA(hashes.SHA256()))
    authorization = (
        f"{algorithm} Credential={certificate.serial_number}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature.hex()}"
    )
    return msgspec.structs.replace(dated, headers=(*dated.headers, Header("authorization", authorization)))


def _to_sign(request: Request, algorithm: str, timestamp: str, scope: str, names: tuple[str, ...]) -> bytes:
    text = canonical.request(request, names, hashlib.sha256(request.body).hexdigest())
    digest = hashlib.sha256(text.encode("latin-1")).hexdigest()
    return f"{algorithm}\n{timestamp}\n{scope}\n{digest}".encode("latin-1")

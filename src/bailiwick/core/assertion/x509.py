"""X.509 certificates that vouch for a workload: read, held against a trust anchor, told by their names.

Path building, times, name constraints and critical extensions are the library's (RFC 5280 section 6); what IAM
Roles Anywhere asks beyond that is here. Source: facts/imds.md section 7.2; its User Guide, "Trust model".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from bailiwick.core.errors import CertificateRefused

E = TypeVar("E", bound=x509.ExtensionType)

MAX_INTERMEDIATES = 5
MAX_CERTIFICATE = 16_384  # bytes of DER
_MIN_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNTRUSTED = "Untrusted certificate. Signature verification failed."

_CA = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, None)
)
_WORKLOAD = ExtensionPolicy.permit_all()


def read_bundle(text: str, most: int) -> list[x509.Certificate]:
    """The certificates of a PEM bundle. Raises CertificateRefused for none, more than `most`, or else."""
    try:
        found = x509.load_pem_x509_certificates(text.encode("utf-8", "surrogatepass"))
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateRefused("form", "The certificate bundle is not PEM-encoded X.509.") from None
    if not 1 <= len(found) <= most:
        raise CertificateRefused("form", f"The certificate bundle must have 1 to {most} certificates.")
    return found


def read(encoded: str) -> x509.Certificate:
    """A certificate in base64 of DER, as a header has it. Raises CertificateRefused."""
    if len(encoded) > 2 * MAX_CERTIFICATE:
        raise CertificateRefused("form", "The certificate is too long.")
    try:
        return x509.load_der_x509_certificate(base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise CertificateRefused("form", "Unable to parse the certificate.") from None


def check_anchor(certificate: x509.Certificate) -> None:
    """Check that a certificate can be a trust anchor: version 3, a CA that signs certificates, not with SHA-1.

    Raises CertificateRefused.
    """
    constraints = _extension(certificate, x509.BasicConstraints)
    if certificate.version is not x509.Version.v3 or constraints is None or not constraints.ca:
        raise CertificateRefused("ca", "Incorrect basic constraints for CA certificate.")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise CertificateRefused("ca", "Incorrect key usage for CA certificate.")
    _check_strength(certificate)


def vouched(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    now: float,
) -> list[x509.Certificate]:
    """The chain from a workload's certificate to one of the anchors, at `now` (epoch seconds).

    Raises CertificateRefused for an expired, an untrusted and a misused certificate.
    """
    moment = datetime.fromtimestamp(now, UTC)
    if not leaf.not_valid_before_utc <= moment <= leaf.not_valid_after_utc:
        raise CertificateRefused("expired", "Certificate is expired or not yet valid.")
    _check_workload(leaf)
    builder = PolicyBuilder().store(Store(list(anchors))).time(moment.replace(tzinfo=None))
    builder = builder.max_chain_depth(MAX_INTERMEDIATES + 1)
    verifier = builder.extension_policies(ca_policy=_CA, ee_policy=_WORKLOAD).build_client_verifier()
    try:
        chain = verifier.verify(leaf, list(intermediates)).chain
    except VerificationError as error:
        raise CertificateRefused("chain", _UNTRUSTED, str(error)) from None
    for certificate in chain[1:]:
        check_anchor(certificate)
    return chain


def _check_workload(leaf: x509.Certificate) -> None:
    constraints, usage = _extension(leaf, x509.BasicConstraints), _extension(leaf, x509.KeyUsage)
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if leaf.version is not x509.Version.v3 or (constraints is not None and constraints.ca):
        raise CertificateRefused("use", "Incorrect basic constraints for end entity certificate.")
    if usage is None or not usage.digital_signature:
        raise CertificateRefused("use", "Incorrect key usage for end entity certificate.")
    if purposes is not None and not {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    }.intersection(purposes):
        raise CertificateRefused("use", "Incorrect extended key usage for end entity certificate.")
    _check_strength(leaf)


def _check_strength(certificate: x509.Certificate) -> None:
    try:
        key, digest = certificate.public_key(), certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateRefused("key", "The certificate's algorithm is not supported.") from None
    strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_BITS
    strong = strong or (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES))
    if not strong or not isinstance(digest, _STRONG):
        raise CertificateRefused("key", "The certificate must have an RSA or ECDSA key, and be signed with SHA-2.")


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise CertificateRefused("form", "Unable to parse the certificate.") from None


# -- Revocation -------------------------------------------------------------------------------------------


def read_crl(data: bytes) -> x509.CertificateRevocationList:
    """A list of revoked certificates, in PEM or DER. Raises CertificateRefused."""
    load = x509.load_pem_x509_crl if data.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_crl
    try:
        return load(data)
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateRefused("crl", "The certificate revocation list could not be read.") from None


def is_signed_by(crl: x509.CertificateRevocationList, anchors: Iterable[x509.Certificate]) -> bool:
    """Whether one of these authorities issued the list."""
    for anchor in anchors:
        if crl.issuer != anchor.subject:
            continue
        try:
            key = anchor.public_key()
            if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
                continue
            if crl.is_signature_valid(key):
                return True
        except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
            continue
    return False


def is_revoked(
    chain: Sequence[x509.Certificate], crls: Iterable[x509.CertificateRevocationList]
) -> x509.Certificate | None:
    """The certificate of a chain that is on a list of its issuer, if there is one."""
    for crl in crls:
        for certificate in chain:
            listed = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if certificate.issuer == crl.issuer and listed is not None:
                return certificate
    return None

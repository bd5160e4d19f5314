"""What stands in the headers of CreateSession is attacked input: it is read, or refused as our own error."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.core.assertion import x509 as reading
from bailiwick.core.errors import CertificateRefused
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import certificate as signed

GOOD = (
    "AWS4-X509-ECDSA-SHA256 Credential=123/20270115/us-east-1/rolesanywhere/aws4_request, "
    "SignedHeaders=host;x-amz-date;x-amz-x509, Signature=" + "ab" * 70
)
PIECES = st.lists(
    st.sampled_from([*GOOD.split(), "Signature=", "=", ",", "a" * 5000, "\x00", "é", GOOD]), max_size=8
)


def request(authorization: str, date: str = "20270115T080000Z") -> Request:
    named = {"authorization": authorization, "host": "h", "x-amz-date": date, "x-amz-x509": "x"}
    return Request("POST", "/sessions", "", tuple(Header(*each) for each in named.items()), b"{}")


def test_a_claim_is_read() -> None:
    claim = signed.read(request(GOOD))
    assert (claim.serial, claim.region, claim.algorithm) == (123, "us-east-1", signed.ECDSA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Credential=123", "Credential=0x7b"),
        ("/20270115/", "/20270116/"),
        ("/rolesanywhere/", "/sts/"),
        ("aws4_request", "aws5_request"),
        ("host;x-amz-date;x-amz-x509", "host;x-amz-date"),
        ("host;x-amz-date;x-amz-x509", "x-amz-x509;host;x-amz-date"),
        ("host;x-amz-date;x-amz-x509", "host;host;x-amz-date;x-amz-x509"),
        ("ECDSA", "MLDSA"),
        ("Signature=ab", "Signature=aB"),
        ("Signature=ab", "Signature=b"),
    ],
)
def test_what_is_not_quite_a_claim_is_refused(old: str, new: str) -> None:
    with pytest.raises(CertificateRefused):
        signed.read(request(GOOD.replace(old, new)))


@settings(max_examples=200)
@given(st.one_of(st.text(), PIECES.map(" ".join)), st.text(max_size=20))
def test_anything_is_read_or_refused(authorization: str, date: str) -> None:
    with pytest.raises(CertificateRefused):
        signed.read(request(authorization, date))


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    key, builder = ec.generate_private_key(ec.SECP256R1()), x509.CertificateSigningRequestBuilder()
    return builder.subject_name(name).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 200))
def test_no_bytes_break_the_readers(noise: bytes, place: int) -> None:
    sound = _certificate()
    mixed = sound[:place] + noise + sound[place:]
    for attempt in (
        lambda: reading.read(base64.b64encode(mixed).decode()),
        lambda: reading.read(noise.decode("latin-1")),
        lambda: reading.read_bundle(noise.decode("latin-1"), 2),
        lambda: reading.read_crl(mixed),
    ):
        with pytest.raises(CertificateRefused):
            attempt()

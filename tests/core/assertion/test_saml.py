"""SAML responses: the good ones are read, every bad one is refused for what is wrong with it.

The files in saml/ are written by saml_cases.py, which says what each of them is.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from saml_cases import CASES, NOW, PROVIDER, ROLE

from bailiwick.core.assertion import encryption, saml, signature
from bailiwick.core.assertion.saml import Assertion, Trust
from bailiwick.core.errors import (
    SamlExpired,
    SamlForbids,
    SamlMalformed,
    SamlMismatch,
    SamlRefused,
    SamlRejected,
    SamlUnproven,
)
from saml_idp import ACS, AWS, DS, IdentityProvider, der, ec_provider, encrypted, rsa_key

FOLDER = Path(__file__).parent / "saml"
CERTIFICATE = x509.load_pem_x509_certificate((FOLDER / "provider.pem").read_bytes())
KEY = load_pem_private_key((FOLDER / "decryption_key.pem").read_bytes(), None)
assert isinstance(KEY, rsa.RSAPrivateKey)
TRUST = Trust("https://idp.example.org/saml", signature.keys_of([der(CERTIFICATE)]), private_keys=(KEY,))
INVALID = "Response signature invalid"
AUDIENCE = "Response does not contain the required audience."
REDEEM = "Token must be redeemed within 5 minutes of issuance"
DENIED = "Not authorized to perform sts:AssumeRoleWithSAML"

GOOD = {name for name in CASES if name.startswith("good_")} | {"comment_added_to_a_name", "comment_in_the_subject"}
ATTACKS = {  # on whoever reads XML
    *(
        "xxe_file",
        "xxe_url",
        "xxe_parameter_entity",
        "external_document_type",
        "billion_laughs",
        "quadratic_blowup",
    ),
    *("too_deep", "too_many_elements", "processing_instruction", "not_well_formed", "duplicate_ids"),
    "element_in_the_subject",
}
OTHERS: dict[str, tuple[type[SamlRefused], str, str]] = {
    "another_issuer": (SamlMismatch, "issuer", "Issuer not present in specified provider"),
    "another_audience": (SamlMismatch, "audience", AUDIENCE),
    "no_audience": (SamlMismatch, "audience", AUDIENCE),
    "another_recipient": (SamlMismatch, "recipient", AUDIENCE),
    "recipient_that_looks_like_ours": (SamlMismatch, "recipient", AUDIENCE),
    "another_destination": (SamlMismatch, "recipient", AUDIENCE),
    "expired": (SamlExpired, "time", REDEEM),
    "confirmation_expired": (SamlExpired, "time", REDEEM),
    "not_valid_yet": (SamlExpired, "time", REDEEM),
    "issued_long_ago": (SamlExpired, "time", REDEEM),
    "issued_in_the_future": (SamlExpired, "time", REDEEM),
    "session_at_the_provider_over": (SamlExpired, "time", REDEEM),
    "authentication_failed": (
        SamlRejected,
        "status",
        "The identity provider did not authenticate the subject",
    ),
    "no_subject_name": (SamlForbids, "subject", DENIED),
    "no_session_name": (SamlMismatch, "attributes", "RoleSessionName is required in AuthnResponse"),
    "session_name_with_a_space": (
        SamlMismatch,
        "attributes",
        "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}",
    ),
    "source_identity_of_aws": (
        SamlMismatch,
        "attributes",
        'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"',
    ),
    "tag_with_two_values": (SamlMismatch, "attributes", "Session tag team must have exactly one value"),
}
REASONS = {  # where the check that fails must be the one that is meant
    "algorithm_hmac": "hmac-sha256' is not accepted",
    "algorithm_none": "'none' is not accepted",
    "algorithm_sha1": "rsa-sha1' is not accepted",
    "algorithm_md5_digest": "md5' is not accepted",
    "canonicalization_with_comments": "not canonicalized exclusively",
    "transform_xslt": "other transforms",
    "transform_missing": "other transforms",
    "reference_to_the_whole_document": "something else",
    "reference_to_a_file": "something else",
    "two_references": "exactly one Reference",
    "encrypted_with_pkcs1": "rsa-1_5' is not accepted",
    "another_key": "no certificate",
    "changed_subject": "changed after",
    "no_signature": "neither",
    "encrypted_and_not_signed": "neither",
}


def read(name: str, trust: Trust = TRUST) -> Assertion:
    return saml.verified((FOLDER / f"{name}.xml").read_bytes(), trust, NOW)


def trusting(idp: IdentityProvider, **more: object) -> Trust:
    return Trust(idp.entity_id, signature.keys_of([der(idp.certificate)]), **more)  # type: ignore[arg-type]


def test_every_case_is_a_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.xml")} == set(CASES)


@pytest.mark.parametrize("name", sorted(name for name in CASES if name.startswith("good_")))
def test_a_good_one_is_read(name: str) -> None:
    found = read(name)
    assert (found.issuer, found.subject, found.subject_type) == (TRUST.entity_id, "alice", "persistent")
    assert (found.recipient, found.expires, found.session_ends) == (ACS, NOW + 300, None)
    assert found.said.roles == (frozenset((ROLE, PROVIDER)),)
    assert found.said.session_name == "alice@example.org"


@pytest.mark.parametrize("name", sorted(set(CASES) - GOOD))
def test_a_bad_one_is_refused_for_what_is_wrong_with_it(name: str) -> None:
    kind, check, told = OTHERS.get(name, (SamlUnproven, "signature", INVALID))
    if name in ATTACKS:
        kind, check = SamlMalformed, "form"
    with pytest.raises(kind) as caught:
        read(name)
    assert (type(caught.value), caught.value.check, str(caught.value)) == (kind, check, told)
    assert REASONS.get(name, "") in caught.value.reason


def test_a_comment_does_not_cut_a_name() -> None:
    assert read("comment_in_the_subject").subject == "admin@example.org.evil.example"
    assert read("comment_added_to_a_name").said.session_name == "alice@example.org"


def test_sha1_only_where_it_is_allowed() -> None:
    assert read("algorithm_sha1", msgspec.structs.replace(TRUST, sha1=True)).subject == "alice"


def test_encryption_where_it_is_required() -> None:
    strict = msgspec.structs.replace(TRUST, encrypted=True)
    assert read("good_encrypted_gcm", strict).subject == "alice"
    with pytest.raises(SamlUnproven) as caught:
        read("good_signed_assertion", strict)
    assert caught.value.check == "encryption"


def test_either_private_key_opens() -> None:
    two = msgspec.structs.replace(TRUST, private_keys=(rsa_key("other"), *TRUST.private_keys))
    assert read("good_encrypted_gcm", two).subject == "alice"
    with pytest.raises(SamlUnproven, match=INVALID):
        read("good_encrypted_gcm", msgspec.structs.replace(TRUST, private_keys=()))


def test_the_key_transport_of_xml_encryption_1_1() -> None:
    from bailiwick.core.assertion import xml_tree

    closed = xml_tree.read(encrypted("<a>b</a>", rsa_key("sp").public_key(), transport="oaep").encode())
    assert encryption.decrypted(closed, [rsa_key("sp")], signed=False).text == "b"


def test_cbc_is_opened_only_where_a_signature_covers_it() -> None:
    idp, key = IdentityProvider(), rsa_key("sp")
    trust = trusting(idp, private_keys=(key,))
    for sign in ("response", "both"):
        response = idp.response(NOW, sign=sign, encrypt=key.public_key(), cipher="cbc")
        assert saml.verified(response, trust, NOW).subject == "alice"
    with pytest.raises(SamlUnproven, match=INVALID) as caught:
        saml.verified(idp.response(NOW, encrypt=key.public_key(), cipher="cbc"), trust, NOW)
    assert caught.value.check == "encryption"


@pytest.mark.parametrize("algorithm", ["rsa-sha384", "rsa-sha512"])
def test_the_other_hashes_of_rsa(algorithm: str) -> None:
    idp = IdentityProvider()
    assert saml.verified(idp.response(NOW, algorithm=algorithm), trusting(idp), NOW).subject == "alice"


def test_elliptic_curves_and_a_key_of_another_kind() -> None:
    idp = ec_provider()
    response = idp.response(NOW, algorithm="ecdsa-sha256")
    both = msgspec.structs.replace(trusting(idp), keys=(*TRUST.keys, *trusting(idp).keys))
    assert saml.verified(response, both, NOW).subject == "alice"
    with pytest.raises(SamlUnproven):
        saml.verified(response, msgspec.structs.replace(trusting(idp), keys=TRUST.keys), NOW)


def test_no_key_proves_nothing() -> None:
    with pytest.raises(SamlUnproven):
        read("good_signed_assertion", msgspec.structs.replace(TRUST, keys=()))


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("https://signin.aws.amazon.com/saml", True),
        ("https://signin.aws.amazon.com/static/saml", True),
        ("https://eu-central-1.signin.aws.amazon.com/saml", True),
        ("https://us-gov-west-1.signin.aws.amazon.com/saml/acs/SAMLSP1234", True),
        ("https://iam.example.org/saml", True),
        ("https://iam.example.org/saml/", False),
        ("http://signin.aws.amazon.com/saml", False),
        ("https://evil.signin.aws.amazon.com/saml", False),
        ("https://signin.aws.amazon.com/saml\n", False),
        (None, False),
    ],
)
def test_addresses_that_are_ours(address: str | None, ours: bool) -> None:
    assert Trust("x", (), recipients=("https://iam.example.org/saml",)).receives(address) is ours


def test_attributes_that_aws_defines() -> None:
    idp = IdentityProvider()
    response = idp.response(
        NOW,
        roles=[(ROLE, PROVIDER), (ROLE + "2", PROVIDER)],
        attributes=[
            (AWS + "SessionDuration", ["1800"]),
            (AWS + "PrincipalTag:team", ["blue"]),
            (AWS + "PrincipalTag:Cost Center", [""]),
            (AWS + "TransitiveTagKeys", ["team"]),
            (AWS + "SourceIdentity", ["alice"]),
            ("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", ["staff", "member"]),
            ("urn:oid:0.9.2342.19200300.100.1.3", ["alice@example.org", "second@example.org"]),
            ("unknown", ["x"]),
        ],
        session_ends=NOW + 7200,
        name_format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    )
    found = saml.verified(response, trusting(idp), NOW)
    said = found.said
    assert said.roles == (frozenset((ROLE, PROVIDER)), frozenset((ROLE + "2", PROVIDER)))
    assert (said.duration, said.source_identity, said.transitive) == (1800, "alice", ("team",))
    assert said.tags == {"team": "blue", "Cost Center": ""}
    assert said.keys == {"saml:edupersonaffiliation": ("staff", "member"), "saml:mail": "alice@example.org"}
    assert found.session_ends == NOW + 7200
    assert found.subject_type == "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"


@pytest.mark.parametrize("value", ["899", "43201", "-900", "1800.0", "", "٣٦٠٠", "9" * 400])
def test_a_session_duration_is_a_number_of_seconds(value: str) -> None:
    idp = IdentityProvider()
    response = idp.response(NOW, attributes=[(AWS + "SessionDuration", [value])])
    with pytest.raises(SamlMismatch, match="SessionDuration"):
        saml.verified(response, trusting(idp), NOW)


@pytest.mark.parametrize("after", [0, 299.9])
def test_an_assertion_is_good_for_five_minutes(after: float) -> None:
    idp = IdentityProvider()
    response = idp.response(NOW, not_after=NOW + 3600, confirmed_until=NOW + 3600)
    assert saml.verified(response, trusting(idp), NOW + after).expires == NOW + 300
    with pytest.raises(SamlExpired):
        saml.verified(response, trusting(idp), NOW + 300)


_PIECES = [
    (FOLDER / f"{name}.xml").read_bytes() for name in ("good_both_signed", "good_encrypted_gcm", "wrapping_8")
]
_CUTS = st.tuples(st.integers(0, 9000), st.integers(0, 9000))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(piece=st.sampled_from(_PIECES), other=st.sampled_from(_PIECES), cut=_CUTS, put=st.binary(max_size=8))
def test_whatever_arrives_is_read_or_refused(piece: bytes, other: bytes, cut: tuple[int, int], put: bytes) -> None:
    mixed = piece[: cut[0]] + put + other[cut[1] :]
    try:
        found = saml.verified(mixed, TRUST, NOW)
    except SamlRefused:
        return
    assert (found.subject, found.said.roles) == ("alice", (frozenset((ROLE, PROVIDER)),))


_WORDS = [
    *(b"<samlp:Response", b"</samlp:Response>", b"<saml:Assertion", b"</saml:Assertion>", b' ID="', b'"', b">"),
    *(b"<ds:Signature", b"</ds:Signature>", b"<ds:SignedInfo>", b"#", b"<!--", b"-->", b"&lt;", b"xmlns=", b"\xff"),
    *(DS.encode(), b"NotOnOrAfter=", b"9999-99-99T99:99:99Z", b"=", b"AAAA"),
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    piece=st.sampled_from(_PIECES),
    places=st.lists(st.tuples(st.integers(0, 9000), st.sampled_from(_WORDS)), max_size=4),
)
def test_words_of_xml_in_any_place_are_read_or_refused(piece: bytes, places: list[tuple[int, bytes]]) -> None:
    for place, word in places:
        piece = piece[:place] + word + piece[place + len(word) :]
    try:
        subject = saml.verified(piece, TRUST, NOW).subject
    except SamlRefused:
        return
    assert subject == "alice"

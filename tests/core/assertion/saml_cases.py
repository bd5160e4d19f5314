"""Writes the files in saml/: one named after what is wrong with it, and a few with which nothing is.

    python tests/core/assertion/saml_cases.py        makes new keys, and all files anew

Wrapping is numbered as in Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be" (USENIX Security 2012). The
one who attacks is alice, who has a good response of her own and wants to be admin.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

from lxml import etree

FOLDER = Path(__file__).parent / "saml"
sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding  # noqa: E402

from saml_idp import DS, SAML, SAMLP, IdentityProvider, encrypted, rsa_key  # noqa: E402

NOW = 1_764_072_000.0  # 2025-11-25T12:00:00Z
ROLE, PROVIDER = "arn:aws:iam::123456789012:role/r", "arn:aws:iam::123456789012:saml-provider/idp"
IDP = IdentityProvider()
THIEF = IdentityProvider(key=rsa_key("thief"))

CASES: dict[str, Callable[[], bytes]] = {}


def case(make: Callable[[], bytes]) -> Callable[[], bytes]:
    CASES[make.__name__] = make
    return make


def good(**how: object) -> bytes:
    return IDP.response(NOW, roles=[(ROLE, PROVIDER)], **how)  # type: ignore[arg-type]


def tree(sign: str = "assertion") -> etree._Element:
    return etree.fromstring(good(sign=sign))


def text(root: etree._Element) -> bytes:
    return etree.tostring(root)


def the_assertion(root: etree._Element) -> etree._Element:
    return root.find(f"{{{SAML}}}Assertion")


def the_signature(element: etree._Element) -> etree._Element:
    return element.find(f"{{{DS}}}Signature")


def evil(element: etree._Element, *, signed: bool = False) -> etree._Element:
    """A copy with another ID, in which alice is admin; without the signature unless it is kept."""
    copy = deepcopy(element)
    copy.set("ID", "_evil")
    for inside in copy.iter(f"{{{SAML}}}Assertion"):
        if inside is not copy:
            inside.set("ID", "_evil_assertion")
    for name in copy.iter(f"{{{SAML}}}NameID"):
        name.text = "admin"
    if not signed:
        copy.remove(the_signature(copy))
    return copy


def unsigned(element: etree._Element) -> etree._Element:
    copy = deepcopy(element)
    copy.remove(the_signature(copy))
    return copy


# -- Good ones ----------------------------------------------------------------------------------------------


@case
def good_signed_assertion() -> bytes:
    return good()


@case
def good_signed_response() -> bytes:
    return good(sign="response")


@case
def good_both_signed() -> bytes:
    return good(sign="both")


@case
def good_encrypted_gcm() -> bytes:
    return good(encrypt=rsa_key("decryption").public_key())


@case
def good_encrypted_cbc() -> bytes:
    return good(sign="response", encrypt=rsa_key("decryption").public_key(), cipher="cbc")


# -- Attacks on whoever reads XML ---------------------------------------------------------------------------


def with_document_type(declaration: str, entity: str) -> bytes:
    return declaration.encode() + good().replace(b">alice<", f">{entity}<".encode())


@case
def xxe_file() -> bytes:
    return with_document_type('<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;")


@case
def xxe_url() -> bytes:
    return with_document_type('<!DOCTYPE r [<!ENTITY e SYSTEM "http://127.0.0.1:1/">]>', "&e;")


@case
def xxe_parameter_entity() -> bytes:
    return with_document_type('<!DOCTYPE r [<!ENTITY % e SYSTEM "http://127.0.0.1:1/x.dtd"> %e;]>', "alice")


@case
def external_document_type() -> bytes:
    return with_document_type('<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd">', "alice")


@case
def billion_laughs() -> bytes:
    ladder = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return with_document_type(f'<!DOCTYPE r [<!ENTITY e0 "ha">{ladder}]>', "&e9;")


@case
def quadratic_blowup() -> bytes:
    return with_document_type(f'<!DOCTYPE r [<!ENTITY e "{"a" * 5000}">]>', "&e;" * 500)


@case
def too_deep() -> bytes:
    return good().replace(b"</samlp:Response>", b"<a>" * 60 + b"</a>" * 60 + b"</samlp:Response>")


@case
def too_many_elements() -> bytes:
    return good().replace(b"</samlp:Response>", b"<a/>" * 5000 + b"</samlp:Response>")


@case
def processing_instruction() -> bytes:
    return good().replace(b">alice<", b">ali<?php x?>ce<")


@case
def not_well_formed() -> bytes:
    return good()[:-5]


@case
def duplicate_ids() -> bytes:
    root = tree()
    copy = evil(the_assertion(root))
    copy.set("ID", the_assertion(root).get("ID"))
    root.insert(2, copy)
    return text(root)


# -- Signature wrapping -------------------------------------------------------------------------------------


@case
def wrapping_1() -> bytes:
    """The signed response is put into the signature of another."""
    root = tree("response")
    copy = evil(root, signed=True)
    the_signature(copy).append(unsigned(root))
    return text(copy)


@case
def wrapping_2() -> bytes:
    """The signed response is put before the signature of another."""
    root = tree("response")
    copy = evil(root, signed=True)
    the_signature(copy).addprevious(unsigned(root))
    return text(copy)


@case
def wrapping_3() -> bytes:
    """Another assertion comes before the signed one."""
    root = tree()
    the_assertion(root).addprevious(evil(the_assertion(root)))
    return text(root)


@case
def wrapping_4() -> bytes:
    """The signed assertion is put into another."""
    root = tree()
    original = the_assertion(root)
    copy = evil(original)
    root.replace(original, copy)
    copy.append(original)
    return text(root)


@case
def wrapping_5() -> bytes:
    """Another assertion has the signature, and the one that was signed comes after it."""
    root = tree()
    original = the_assertion(root)
    root.replace(original, evil(original, signed=True))
    root.append(unsigned(original))
    return text(root)


@case
def wrapping_6() -> bytes:
    """Another assertion has the signature, and in it the one that was signed."""
    root = tree()
    original = the_assertion(root)
    copy = evil(original, signed=True)
    root.replace(original, copy)
    the_signature(copy).append(unsigned(original))
    return text(root)


@case
def wrapping_7() -> bytes:
    """Another assertion is among the extensions of the response."""
    root = tree()
    extensions = etree.Element(f"{{{SAMLP}}}Extensions")
    extensions.append(evil(the_assertion(root)))
    root.insert(1, extensions)
    return text(root)


@case
def wrapping_8() -> bytes:
    """Another assertion has the signature, and in an Object of it the one that was signed."""
    root = tree()
    original = the_assertion(root)
    copy = evil(original, signed=True)
    root.replace(original, copy)
    etree.SubElement(the_signature(copy), f"{{{DS}}}Object").append(unsigned(original))
    return text(root)


@case
def wrapping_of_an_unsigned_response() -> bytes:
    """The signed assertion is hidden; the one beside it is read by who asks for the first of the name."""
    root = tree()
    original = the_assertion(root)
    root.replace(original, evil(original))
    etree.SubElement(root, "hidden").append(original)
    return text(root)


@case
def two_signatures() -> bytes:
    root = tree()
    found = the_assertion(root)
    found.insert(1, deepcopy(the_signature(found)))
    return text(root)


@case
def two_references() -> bytes:
    root = tree()
    reference = next(root.iter(f"{{{DS}}}Reference"))
    reference.addnext(deepcopy(reference))
    return resigned(text(root))


@case
def two_signed_infos() -> bytes:
    root = tree()
    info = next(root.iter(f"{{{DS}}}SignedInfo"))
    copy = deepcopy(info)
    next(copy.iter(f"{{{DS}}}DigestValue")).text = base64.b64encode(bytes(32)).decode()
    info.addprevious(copy)
    return text(root)


# -- What signatures do not cover ---------------------------------------------------------------------------


@case
def comment_in_the_subject() -> bytes:
    """Signed by the provider for the whole name: it must be read as the whole name, or not at all."""
    return good(subject="admin@example.org<!---->.evil.example")


@case
def comment_added_to_a_name() -> bytes:
    """Comments are not signed, so one that was added changes nothing."""
    return good().replace(b">alice@example.org<", b">alice<!-- x -->@example.org<")


@case
def changed_subject() -> bytes:
    return good().replace(b">alice<", b">admin<")


@case
def changed_signed_response() -> bytes:
    return good(sign="response").replace(b">alice<", b">admin<")


@case
def changed_digest() -> bytes:
    root = tree()
    next(root.iter(f"{{{DS}}}DigestValue")).text = base64.b64encode(bytes(32)).decode()
    return text(root)


@case
def no_signature() -> bytes:
    return good(sign="none")


@case
def encrypted_and_not_signed() -> bytes:
    return good(sign="none", encrypt=rsa_key("decryption").public_key())


@case
def another_key() -> bytes:
    """By somebody who has the provider's name, and puts a certificate of his own into the signature."""
    return THIEF.response(NOW, roles=[(ROLE, PROVIDER)])


@case
def another_key_on_the_response() -> bytes:
    """The assertion is well signed, the response around it by somebody else."""
    return THIEF.sign(good().decode()).encode()


def algorithm(old: str, new: str) -> bytes:
    signed = good()
    assert old.encode() in signed
    return signed.replace(old.encode(), new.encode())


def resigned(signed: bytes) -> bytes:
    """The same with the provider's own signature over what SignedInfo says now."""
    root = etree.fromstring(signed)
    info = next(root.iter(f"{{{DS}}}SignedInfo"))
    message = etree.tostring(info, method="c14n", exclusive=True)
    made = IDP.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    next(root.iter(f"{{{DS}}}SignatureValue")).text = base64.b64encode(made).decode()
    return text(root)


_RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@case
def algorithm_none() -> bytes:
    return algorithm(_RSA, "none")


@case
def algorithm_hmac() -> bytes:
    """The public certificate as an HMAC's key, where somebody takes it for one."""
    import hmac

    signed = algorithm(_RSA, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
    root = etree.fromstring(signed)
    info = next(root.iter(f"{{{DS}}}SignedInfo"))
    key = IDP.certificate.public_bytes(serialization.Encoding.PEM)
    mac = hmac.digest(key, etree.tostring(info, method="c14n", exclusive=True), "sha256")
    next(root.iter(f"{{{DS}}}SignatureValue")).text = base64.b64encode(mac).decode()
    return text(root)


@case
def algorithm_sha1() -> bytes:
    return good(algorithm="rsa-sha1")


@case
def algorithm_md5_digest() -> bytes:
    return resigned(
        algorithm("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#md5")
    )


@case
def transform_xslt() -> bytes:
    return resigned(algorithm(f"{DS}enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116"))


@case
def canonicalization_with_comments() -> bytes:
    return resigned(
        algorithm(
            'Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>',
            'Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#WithComments"/>',
        )
    )


@case
def transform_missing() -> bytes:
    return resigned(re.sub(rb"<ds:Transforms>.*?</ds:Transforms>", b"<ds:Transforms/>", good(), flags=re.DOTALL))


@case
def reference_to_the_whole_document() -> bytes:
    return resigned(re.sub(rb'Reference URI="[^"]*"', b'Reference URI=""', good()))


@case
def reference_to_a_file() -> bytes:
    return resigned(re.sub(rb'Reference URI="[^"]*"', b'Reference URI="file:///etc/passwd"', good()))


@case
def encrypted_to_another() -> bytes:
    return good(encrypt=rsa_key("thief").public_key())


@case
def encrypted_with_pkcs1() -> bytes:
    inside = IDP.sign(IDP.assertion(NOW, roles=[(ROLE, PROVIDER)]))
    outside = encrypted(inside, rsa_key("decryption").public_key(), transport="pkcs1")
    return re.sub(rb"<saml:Assertion.*</saml:Assertion>", outside.encode(), good(), flags=re.DOTALL)


@case
def encrypted_ends_its_element() -> bytes:
    """What is encrypted closes the element that it was put into."""
    outside = encrypted("</opened><opened>", rsa_key("decryption").public_key())
    return re.sub(rb"<saml:Assertion.*</saml:Assertion>", outside.encode(), good(), flags=re.DOTALL)


# -- True, and not for us ----------------------------------------------------------------------------------


@case
def another_issuer() -> bytes:
    return good(issuer="https://other.example.org/saml")


@case
def another_audience() -> bytes:
    return good(audience="https://other.example.org/")


@case
def no_audience() -> bytes:
    return good(audience=None)


@case
def another_recipient() -> bytes:
    return good(recipient="https://other.example.org/acs")


@case
def recipient_that_looks_like_ours() -> bytes:
    return good(recipient="https://signin.aws.amazon.com.evil.example/saml")


@case
def another_destination() -> bytes:
    return good(destination="https://other.example.org/acs")


@case
def expired() -> bytes:
    return good(not_after=NOW - 1)


@case
def confirmation_expired() -> bytes:
    return good(confirmed_until=NOW)


@case
def not_valid_yet() -> bytes:
    return good(not_before=NOW + 120)


@case
def issued_long_ago() -> bytes:
    return good(issued=NOW - 301)


@case
def issued_in_the_future() -> bytes:
    return good(issued=NOW + 120)


@case
def session_at_the_provider_over() -> bytes:
    return good(session_ends=NOW - 1)


@case
def authentication_failed() -> bytes:
    return good(status="urn:oasis:names:tc:SAML:2.0:status:Responder")


@case
def no_subject_name() -> bytes:
    return good(subject=None)


@case
def element_in_the_subject() -> bytes:
    return good(subject="admin<x/>@evil.example")


@case
def no_session_name() -> bytes:
    return good(session_name=None)


@case
def session_name_with_a_space() -> bytes:
    return good(session_name="al ice")


@case
def source_identity_of_aws() -> bytes:
    return good(attributes=[("https://aws.amazon.com/SAML/Attributes/SourceIdentity", ["aws:alice"])])


@case
def tag_with_two_values() -> bytes:
    return good(attributes=[("https://aws.amazon.com/SAML/Attributes/PrincipalTag:team", ["a", "b"])])


def main() -> None:
    for old in FOLDER.glob("*"):
        old.unlink()
    for name, make in CASES.items():
        (FOLDER / f"{name}.xml").write_bytes(make())
    (FOLDER / "provider.pem").write_bytes(IDP.certificate.public_bytes(serialization.Encoding.PEM))
    (FOLDER / "decryption_key.pem").write_bytes(
        rsa_key("decryption").private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


if __name__ == "__main__":
    main()

"""SAML providers, and the reading of their metadata. Fields and texts: facts/iam.md sections 4 to 6."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from services_support import ACCOUNT, refusal

from bailiwick.core import saml_metadata
from bailiwick.core.errors import MetadataError
from bailiwick.directory import providers
from world import World

ARN = f"arn:aws:iam::{ACCOUNT}:saml-provider/s"
PROVIDER = {"SAMLProviderArn": ARN}
MD = 'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'
DS = 'xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'


@cache
def private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def certificate(kind: str = "rsa") -> str:
    key: Any = {
        "rsa": private_key,
        "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=365))
        .sign(key, None if kind == "ed25519" else hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    return base64.b64encode(made).decode()


def key_descriptor(text: str | None = None, use: str = 'use="signing"') -> str:
    data = f"<ds:X509Data><ds:X509Certificate>\n{text or certificate()}\n</ds:X509Certificate></ds:X509Data>"
    return f"<md:KeyDescriptor {use}><ds:KeyInfo>{data}</ds:KeyInfo></md:KeyDescriptor>"


def metadata(keys: str | None = None, attributes: str = "", inside: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><md:EntityDescriptor {MD} {DS} entityID="https://idp" {attributes}>'
        f"<md:IDPSSODescriptor {inside}>{key_descriptor() if keys is None else keys}"
        f'<md:SingleSignOnService Location="https://idp/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    ).ljust(1000)


def create(iam: Any, **more: Any) -> Any:
    return iam.create_saml_provider(**{"Name": "s", "SAMLMetadataDocument": metadata()} | more)


def test_a_provider_as_created_read_and_listed(iam: Any) -> None:
    made = create(iam)
    assert (made["SAMLProviderArn"], "Tags" in made) == (ARN, False)
    read = iam.get_saml_provider(**PROVIDER)
    assert read["SAMLMetadataDocument"] == metadata()
    assert (read["AssertionEncryptionMode"], read["PrivateKeyList"], read["Tags"]) == ("Allowed", [], [])
    assert len(read["SAMLProviderUUID"]) == 26
    assert read["ValidUntil"].year - read["CreateDate"].year == 100
    (entry,) = iam.list_saml_providers()["SAMLProviderList"]
    assert entry == {"Arn": ARN, "ValidUntil": read["ValidUntil"], "CreateDate": read["CreateDate"]}
    changed = metadata(attributes='validUntil="2030-01-02T03:04:05.678Z"')
    assert iam.update_saml_provider(**PROVIDER, SAMLMetadataDocument=changed)["SAMLProviderArn"] == ARN
    again = iam.get_saml_provider(**PROVIDER)
    assert again["SAMLMetadataDocument"] == changed
    assert again["ValidUntil"] == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert again["SAMLProviderUUID"] == read["SAMLProviderUUID"]
    assert refusal(create, iam=iam, Name="S") == ("EntityAlreadyExists", "SAMLProvider S already exists.")
    iam.delete_saml_provider(**PROVIDER)
    assert iam.list_saml_providers()["SAMLProviderList"] == []
    for operation in (iam.get_saml_provider, iam.delete_saml_provider, iam.update_saml_provider):
        assert refusal(operation, **PROVIDER) == ("NoSuchEntity", f"Manifest not found for arn {ARN}")


def test_tags(iam: Any) -> None:
    tags = [{"Key": "k", "Value": "v"}]
    assert create(iam, Tags=tags)["Tags"] == tags
    iam.tag_saml_provider(**PROVIDER, Tags=[{"Key": "l", "Value": "w"}])
    iam.untag_saml_provider(**PROVIDER, TagKeys=["k"])
    assert iam.list_saml_provider_tags(**PROVIDER)["Tags"] == [{"Key": "l", "Value": "w"}]
    assert iam.get_saml_provider(**PROVIDER)["Tags"] == [{"Key": "l", "Value": "w"}]


def pem(encryption: Any = None, key: Any = None) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return str(
        (key or private_key()).private_bytes(encoding, form, encryption or serialization.NoEncryption()).decode()
    )


def test_private_keys(world: World, iam: Any) -> None:
    needed = refusal(create, iam=iam, AssertionEncryptionMode="Required")
    assert needed[0] == "InvalidInput"
    create(iam, AssertionEncryptionMode="Required", AddPrivateKey=pem())
    (first,) = iam.get_saml_provider(**PROVIDER)["PrivateKeyList"]
    assert set(first) == {"KeyId", "Timestamp"}
    assert refusal(iam.update_saml_provider, **PROVIDER, RemovePrivateKey=first["KeyId"]) == needed
    iam.update_saml_provider(**PROVIDER, AddPrivateKey=pem())
    assert refusal(iam.update_saml_provider, **PROVIDER, AddPrivateKey=pem())[0] == "LimitExceeded"
    iam.update_saml_provider(**PROVIDER, AddPrivateKey=pem(), RemovePrivateKey=first["KeyId"])
    assert len(iam.get_saml_provider(**PROVIDER)["PrivateKeyList"]) == 2
    assert refusal(iam.update_saml_provider, **PROVIDER, RemovePrivateKey=first["KeyId"])[0] == "NoSuchEntity"
    with world.store.transaction() as transaction:
        kept = providers.saml_keys(transaction, ARN)
    assert [providers.open_key(world.environment.ring, each) for each in kept] == [pem().encode()] * 2
    assert all(b"PRIVATE" not in each.sealed and "sealed" not in repr(each) for each in kept)


@pytest.mark.parametrize(
    "bad",
    [
        "not a key",
        pytest.param("ec", id="not RSA"),
        pytest.param("locked", id="encrypted"),
    ],
)
def test_what_is_no_private_key(iam: Any, bad: str) -> None:
    if bad == "ec":
        bad = pem(key=ec.generate_private_key(ec.SECP256R1()))
    elif bad == "locked":
        bad = pem(serialization.BestAvailableEncryption(b"x"))
    code, told = refusal(create, iam=iam, AddPrivateKey=bad)
    assert (code, "PRIVATE" in told) == ("InvalidInput", False)


def test_what_sts_needs_is_kept_parsed(world: World, iam: Any) -> None:
    create(iam)
    with world.store.transaction() as transaction:
        found = providers.saml(transaction, ARN)
    assert found is not None
    assert (found.entity_id, found.certificates) == ("https://idp", (base64.b64decode(certificate()),))


ENTITY = '<!DOCTYPE x [<!ENTITY e "x">]>'


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("a" * 1000, "it is not well-formed XML"),
        (metadata().replace("</md:EntityDescriptor>", ""), "it is not well-formed XML"),
        (ENTITY + metadata().partition("?>")[2], "it has a document type or an entity of its own"),
        (metadata().replace("IDPSSO", "SPSSO"), "it has no IDPSSODescriptor"),
        (
            metadata().replace("SAML:2.0:metadata", "SAML:1.1:metadata"),
            "its root is no EntityDescriptor of SAML 2.0",
        ),
        (f"<md:EntitiesDescriptor {MD}/>", "its root is no EntityDescriptor of SAML 2.0"),
        (metadata().replace('entityID="https://idp"', ""), "its entityID is missing or too long"),
        (metadata().replace("https://idp", "i" * 1025, 1), "its entityID is missing or too long"),
        (metadata(""), "it has no signing certificate"),
        (metadata(key_descriptor(use='use="encryption"')), "it has no signing certificate"),
        (metadata(key_descriptor("!")), "a signing certificate cannot be read"),
        (metadata(key_descriptor("AAAA")), "a signing certificate cannot be read"),
        (metadata(attributes='validUntil="soon"'), "its validUntil is not a time"),
        (metadata("<md:x>" * 40 + "</md:x>" * 40), "it is too deep or has too many elements"),
        (metadata("<md:x/>" * 20_000), "it is too deep or has too many elements"),
        (metadata(key_descriptor("A" * 40_000)), "its certificates are too long or too many"),
        (metadata(key_descriptor() * 30), "its certificates are too long or too many"),
    ],
)
def test_metadata_of_no_use(document: str, reason: str) -> None:
    with pytest.raises(MetadataError) as caught:
        saml_metadata.read(document)
    assert str(caught.value) == reason


def test_keys_that_a_provider_may_sign_with(iam: Any) -> None:
    create(iam, SAMLMetadataDocument=metadata(key_descriptor(certificate("ec"))))
    told = "Could not parse metadata: a signing certificate holds neither an RSA nor an elliptic curve key"
    other = metadata(key_descriptor(certificate("ed25519")))
    assert refusal(iam.update_saml_provider, **PROVIDER, SAMLMetadataDocument=other) == ("InvalidInput", told)


def test_what_is_read() -> None:
    found = saml_metadata.read(metadata(key_descriptor(use="") * 2, 'validUntil="2030-01-01T00:00:00Z"'))
    assert found == saml_metadata.Metadata("https://idp", (base64.b64decode(certificate()),), 1893456000.0)
    sooner = metadata(
        attributes='validUntil="2030-01-01T00:00:00Z"', inside='validUntil="2029-12-31T23:00:00-01:00"'
    )
    assert saml_metadata.read(sooner).valid_until == 1893456000.0
    elsewhere = metadata(key_descriptor() + f"<md:Extensions>{key_descriptor('AAAA')}</md:Extensions>")
    assert len(saml_metadata.read(elsewhere).certificates) == 1


@given(st.integers(0, 1000), st.binary(min_size=1, max_size=4))
def test_damaged_metadata_is_read_or_refused(place: int, noise: bytes) -> None:
    text = metadata()
    damaged = text[:place] + noise.decode("latin-1") + text[place + len(noise) :]
    try:
        found = saml_metadata.read(damaged)
    except MetadataError:
        return
    assert found.certificates

"""SSH public keys, signing certificates and server certificates. Texts: facts/iam.md section 5."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from papers import START, certificate, curve_key, private, ssh, ssh_pem
from services_support import ACCOUNT, refusal

from bailiwick.services.iam import pem
from world import World


@pytest.fixture(autouse=True)
def users(iam: Any) -> None:
    iam.create_user(UserName="u")
    iam.create_user(UserName="other")


# -- SSH public keys --------------------------------------------------------------------------------------


def test_the_life_of_an_ssh_key(iam: Any) -> None:
    body = ssh() + " alice@home"
    made = iam.upload_ssh_public_key(UserName="u", SSHPublicKeyBody=body)["SSHPublicKey"]
    key_id = made["SSHPublicKeyId"]
    assert set(made) == {"UserName", "SSHPublicKeyId", "Fingerprint", "SSHPublicKeyBody", "Status", "UploadDate"}
    assert key_id.startswith("APKA")
    blob = base64.b64decode(body.split(" ")[1])
    assert made["Fingerprint"].replace(":", "") == hashlib.md5(blob).hexdigest()
    named = {"UserName": "u", "SSHPublicKeyId": key_id}
    assert iam.get_ssh_public_key(**named, Encoding="SSH")["SSHPublicKey"] == made
    assert iam.get_ssh_public_key(**named, Encoding="PEM")["SSHPublicKey"]["SSHPublicKeyBody"] == ssh_pem()
    iam.update_ssh_public_key(**named, Status="Inactive")
    [listed] = iam.list_ssh_public_keys(UserName="u")["SSHPublicKeys"]
    assert (set(listed), listed["Status"]) == ({"UserName", "SSHPublicKeyId", "Status", "UploadDate"}, "Inactive")
    missing = ("NoSuchEntity", f"The Public Key with id {key_id} cannot be found.")
    assert refusal(iam.delete_ssh_public_key, UserName="other", SSHPublicKeyId=key_id) == missing
    iam.delete_ssh_public_key(**named)
    assert refusal(iam.get_ssh_public_key, **named, Encoding="SSH") == missing
    assert refusal(iam.update_ssh_public_key, **named, Status="Active") == missing
    assert iam.list_ssh_public_keys(UserName="u")["SSHPublicKeys"] == []


def test_a_key_uploaded_in_pem_is_shown_in_both_encodings(iam: Any) -> None:
    made = iam.upload_ssh_public_key(UserName="u", SSHPublicKeyBody=ssh_pem())["SSHPublicKey"]
    named = {"UserName": "u", "SSHPublicKeyId": made["SSHPublicKeyId"]}
    assert iam.get_ssh_public_key(**named, Encoding="PEM")["SSHPublicKey"]["SSHPublicKeyBody"] == ssh_pem()
    assert iam.get_ssh_public_key(**named, Encoding="SSH")["SSHPublicKey"]["SSHPublicKeyBody"] == ssh()
    assert refusal(iam.get_ssh_public_key, **named, Encoding="DER")[0] == "ValidationError"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("not a key", "UnrecognizedPublicKeyEncoding"),
        ("ssh-rsa AAAA", "InvalidPublicKey"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "InvalidPublicKey"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO50k6Y0mUcw35ebCHpElMVBkMGAPIwN2rkfzZcQf5+7", "InvalidPublicKey"),
    ],
)
def test_what_is_no_ssh_key(iam: Any, body: str, code: str) -> None:
    assert refusal(iam.upload_ssh_public_key, UserName="u", SSHPublicKeyBody=body)[0] == code


def test_a_short_key_is_refused(iam: Any) -> None:
    short = rsa.generate_private_key(65537, 1024).public_key()
    body = short.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert refusal(iam.upload_ssh_public_key, UserName="u", SSHPublicKeyBody=body)[0] == "InvalidPublicKey"


def test_five_keys_and_none_twice(iam: Any) -> None:
    for number in range(4):
        iam.upload_ssh_public_key(UserName="u", SSHPublicKeyBody=ssh(number))
    told = refusal(iam.upload_ssh_public_key, UserName="u", SSHPublicKeyBody=ssh(0) + " again")
    assert told[0] == "DuplicateSSHPublicKey"
    iam.upload_ssh_public_key(UserName="other", SSHPublicKeyBody=ssh(0))
    iam.upload_ssh_public_key(UserName="u", SSHPublicKeyBody=ssh(4))
    assert refusal(iam.upload_ssh_public_key, UserName="u", SSHPublicKeyBody=ssh(5)) == (
        "LimitExceeded",
        "Cannot exceed quota for SSHPublicKeysPerUser: 5",
    )


# -- Signing certificates ---------------------------------------------------------------------------------


def test_the_life_of_a_signing_certificate(iam: Any) -> None:
    body = certificate(curve_key(1), curve_key(0))
    made = iam.upload_signing_certificate(UserName="u", CertificateBody=body)["Certificate"]
    assert set(made) == {"UserName", "CertificateId", "CertificateBody", "Status", "UploadDate"}
    assert (made["CertificateBody"], made["Status"], len(made["CertificateId"])) == (body, "Active", 32)
    named = {"UserName": "u", "CertificateId": made["CertificateId"]}
    assert iam.list_signing_certificates(UserName="u")["Certificates"] == [made]
    iam.update_signing_certificate(**named, Status="Inactive")
    assert iam.list_signing_certificates(UserName="u")["Certificates"][0]["Status"] == "Inactive"
    assert refusal(iam.update_signing_certificate, **named, Status="Expired")[0] == "InvalidInput"
    told = refusal(iam.upload_signing_certificate, UserName="other", CertificateBody=body)
    assert told[0] == "DuplicateCertificate"
    iam.delete_signing_certificate(**named)
    missing = ("NoSuchEntity", f"The Certificate with id {made['CertificateId']} cannot be found.")
    assert refusal(iam.delete_signing_certificate, **named) == missing
    assert refusal(iam.update_signing_certificate, **named, Status="Active") == missing


def test_two_signing_certificates_at_most(iam: Any) -> None:
    for number in (1, 2):
        iam.upload_signing_certificate(UserName="u", CertificateBody=certificate(curve_key(number), curve_key(0)))
    third = certificate(curve_key(3), curve_key(0))
    assert refusal(iam.upload_signing_certificate, UserName="u", CertificateBody=third) == (
        "LimitExceeded",
        "Cannot exceed quota for CertificatesPerUser: 2",
    )
    iam.upload_signing_certificate(CertificateBody=third)
    assert iam.list_signing_certificates()["Certificates"][0]["UserName"] == "root"
    assert iam.get_account_summary()["SummaryMap"]["AccountSigningCertificatesPresent"] == 1


def test_what_is_no_signing_certificate(iam: Any) -> None:
    assert refusal(iam.upload_signing_certificate, UserName="u", CertificateBody="invalid-certificate-body") == (
        "MalformedCertificate",
        "Certificate invalid-certificate-body is malformed.",
    )
    old = certificate(curve_key(1), curve_key(0), days=1)
    assert refusal(iam.upload_signing_certificate, UserName="u", CertificateBody=old)[0] == "InvalidCertificate"


@pytest.mark.parametrize("operation", ["upload", "list", "update", "delete"])
def test_the_user_is_looked_for_first(iam: Any, operation: str) -> None:
    given: dict[str, Any] = {"UserName": "nobody"}
    if operation == "upload":
        given["CertificateBody"] = "x"
    elif operation != "list":
        given["CertificateId"] = "x" * 32
    if operation == "update":
        given["Status"] = "Active"
    call = getattr(iam, f"{operation}_signing_certificate{'s' if operation == 'list' else ''}")
    assert refusal(call, **given) == ("NoSuchEntity", "The user with name nobody cannot be found.")


# -- Server certificates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "/", "/test-path/"])
def test_the_life_of_a_server_certificate(world: World, iam: Any, path: str | None) -> None:
    given = {} if path is None else {"Path": path}
    body = certificate(curve_key(1), curve_key(0))
    upload = {"ServerCertificateName": "Web", "CertificateBody": body, "PrivateKey": private(curve_key(1))}
    answer = iam.upload_server_certificate(**upload, **given)
    made = answer["ServerCertificateMetadata"]
    assert set(answer) == {"ServerCertificateMetadata", "ResponseMetadata"}
    assert set(made) == {"Path", "ServerCertificateName", "ServerCertificateId", "Arn", "UploadDate", "Expiration"}
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:server-certificate{path or '/'}Web"
    assert made["Expiration"] == START + timedelta(days=36_500)
    assert iam.list_server_certificates(PathPrefix=path or "/")["ServerCertificateMetadataList"] == [made]
    assert iam.list_server_certificates(PathPrefix="/none/")["ServerCertificateMetadataList"] == []
    got = iam.get_server_certificate(ServerCertificateName="web")["ServerCertificate"]
    assert got == {"ServerCertificateMetadata": made, "CertificateBody": body, "Tags": []}
    assert refusal(iam.upload_server_certificate, **upload | {"ServerCertificateName": "wEb"}) == (
        "EntityAlreadyExists",
        "The Server Certificate with name wEb already exists.",
    )
    iam.delete_server_certificate(ServerCertificateName="Web")
    missing = ("NoSuchEntity", "The Server Certificate with name Web cannot be found.")
    assert refusal(iam.get_server_certificate, ServerCertificateName="Web") == missing
    assert refusal(iam.delete_server_certificate, ServerCertificateName="Web") == missing


def test_a_server_certificate_is_renamed_and_tagged(iam: Any) -> None:
    body, tags = certificate(curve_key(1), curve_key(0)), [{"Key": "k", "Value": "v"}]
    answer = iam.upload_server_certificate(
        ServerCertificateName="c", CertificateBody=body, PrivateKey=private(curve_key(1)), Tags=tags
    )
    assert answer["Tags"] == tags
    iam.update_server_certificate(ServerCertificateName="c", NewServerCertificateName="d", NewPath="/x/")
    got = iam.get_server_certificate(ServerCertificateName="d")["ServerCertificate"]
    assert got["ServerCertificateMetadata"]["Arn"].endswith(":server-certificate/x/d")
    assert got["Tags"] == tags
    iam.tag_server_certificate(ServerCertificateName="d", Tags=[{"Key": "K", "Value": "w"}])
    iam.untag_server_certificate(ServerCertificateName="d", TagKeys=["k"])
    assert iam.list_server_certificate_tags(ServerCertificateName="d")["Tags"] == [{"Key": "K", "Value": "w"}]


def test_a_chain_is_followed(iam: Any) -> None:
    root = certificate(curve_key(0), curve_key(0), "ca", "ca", ca=True)
    middle = certificate(curve_key(1), curve_key(0), "middle", "ca", ca=True)
    leaf = certificate(curve_key(2), curve_key(1), "leaf", "middle")
    given = {"CertificateBody": leaf, "PrivateKey": private(curve_key(2))}
    iam.upload_server_certificate(ServerCertificateName="c", **given, CertificateChain=middle + root)
    got = iam.get_server_certificate(ServerCertificateName="c")["ServerCertificate"]
    assert got["CertificateChain"] == middle + root
    for chain in (root + middle, root, "text", private(curve_key(0))):
        told = refusal(iam.upload_server_certificate, ServerCertificateName="d", **given, CertificateChain=chain)
        assert told[0] == "MalformedCertificate"


def test_what_does_not_belong_together(iam: Any) -> None:
    body = certificate(curve_key(1), curve_key(0))
    for key, code in (
        (private(curve_key(2)), "KeyPairMismatch"),
        (private(curve_key(1), BestAvailableEncryption(b"secret")), "MalformedCertificate"),
        ("key", "MalformedCertificate"),
    ):
        given = {"CertificateBody": body, "PrivateKey": key}
        assert refusal(iam.upload_server_certificate, ServerCertificateName="c", **given)[0] == code
    given = {"CertificateBody": "body", "PrivateKey": private(curve_key(1))}
    assert refusal(iam.upload_server_certificate, ServerCertificateName="c", **given)[0] == "MalformedCertificate"


def test_the_private_key_is_sealed_and_stays_inside(world: World, iam: Any) -> None:
    from sqlalchemy import select

    from bailiwick.app.record import record_of
    from bailiwick.directory.credential_tables import server_certificate

    key = private(curve_key(1))
    body = certificate(curve_key(1), curve_key(0))
    iam.upload_server_certificate(ServerCertificateName="c", CertificateBody=body, PrivateKey=key)
    with world.store.transaction(write=False) as transaction:
        row = transaction.one(select(server_certificate))
    assert row is not None
    secret = key.splitlines()[1].encode()
    assert secret not in row.private_key
    assert world.environment.ring.open("server-certificate", row.private_key, row.id.encode()) == key.encode()
    assert all(secret not in record_of(event, world.environment.noise) for event in world.events)


def test_twenty_server_certificates_at_most(iam: Any) -> None:
    given = {"CertificateBody": certificate(curve_key(1), curve_key(0)), "PrivateKey": private(curve_key(1))}
    for number in range(20):
        iam.upload_server_certificate(ServerCertificateName=f"c{number:02}", **given)
    assert refusal(iam.upload_server_certificate, ServerCertificateName="more", **given) == (
        "LimitExceeded",
        "Cannot exceed quota for ServerCertificatesPerAccount: 20",
    )
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = iam.list_server_certificates(MaxItems=7, **marker)
        seen += [each["ServerCertificateName"] for each in page["ServerCertificateMetadataList"]]
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert seen == [f"c{number:02}" for number in range(20)]


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=200)
    | st.text(max_size=100).map(lambda t: f"-----BEGIN CERTIFICATE-----\n{t}\n-----END CERTIFICATE-----")
)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is uploaded, it is read or refused as unreadable; no other error leaves the parsers."""
    for read in (pem.certificate, pem.certificates, pem.private_key, pem.ssh_key):
        with suppress(pem.Unreadable):
            assert read(text)

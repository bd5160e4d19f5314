"""CreateSession: who comes in with a certificate, with what, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from bailiwick.core.message import Header, Response
from certificate_authority import Holder, issued, named, revoking, session_request, told
from still_clock import NOW, Clock
from world import World

TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "rolesanywhere.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
}


@pytest.fixture(scope="module")
def authority() -> Holder:
    return issued(NOW, named("Example CA", country_name="DE"), authority=True)


class Place(msgspec.Struct):
    """A world with a trust anchor, a role and a profile."""

    world: World
    anywhere: Any
    arns: dict[str, str]

    def session(self, holder: Holder, **more: Any) -> Response:
        return self.world.pipeline.handle(session_request(holder, self.arns, NOW, **more))

    def refused(self, holder: Holder, text: str, status: int = 403, **more: Any) -> None:
        answer = self.session(holder, **more)
        assert (answer.status, told(answer)["message"]) == (status, text)


@pytest.fixture
def place(authority: Holder, monkeypatch: pytest.MonkeyPatch) -> Place:
    world = World(Clock(monkeypatch))
    anywhere = world.client("rolesanywhere")
    source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": authority.pem}}
    anchor = anywhere.create_trust_anchor(name="ours", source=source, enabled=True)["trustAnchor"]["trustAnchorArn"]
    statement = TRUST | {"Condition": {"ArnEquals": {"aws:SourceArn": anchor}}}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    role = world.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}
    only = {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "worker-1"}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allow | {"Condition": only}})
    world.client("iam").put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=policy)
    made = anywhere.create_profile(name="workers", roleArns=[role], enabled=True)
    arns = {"trustAnchorArn": anchor, "roleArn": role, "profileArn": made["profile"]["profileArn"]}
    return Place(world, anywhere, arns)


@pytest.mark.parametrize(
    "key",
    [
        *(ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "P-521", "RSA-2048"],
)
def test_the_owner_of_a_certificate_is_let_in(place: Place, authority: Holder, key: Any) -> None:
    names = [x509.DNSName("one.example"), x509.UniformResourceIdentifier("spiffe://example/worker")]
    extensions = [
        (x509.SubjectAlternativeName(names), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
    ]
    holder = issued(NOW, named("worker-1"), authority, key=key, extensions=extensions, serial=0xABCDEF)
    answer = place.session(holder)
    assert answer.status == 201
    (given,) = told(answer)["credentialSet"]
    assert given["sourceIdentity"] == "CN=worker-1"
    assert given["assumedRoleUser"]["arn"].endswith(":assumed-role/worker/abcdef")
    credentials = given["credentials"]
    keys = {
        "aws_access_key_id": credentials["accessKeyId"],
        "aws_secret_access_key": credentials["secretAccessKey"],
        "aws_session_token": credentials["sessionToken"],
    }
    assert place.world.client("kms", keys).list_keys()["Keys"] == []
    caller = place.world.events[-1].caller
    assert caller is not None
    assert caller.tags == {
        "x509Subject/CN": "worker-1",
        "x509Issuer/CN": "Example CA",
        "x509Issuer/C": "DE",
        "x509SAN/DNS": "one.example",
        "x509SAN/URI": "spiffe://example/worker",
    }
    (subject,) = place.anywhere.list_subjects()["subjects"]
    assert subject["x509Subject"] == "CN=worker-1"
    assert told(answer)["subjectArn"] == subject["subjectArn"]
    detail = place.anywhere.get_subject(subjectId=subject["subjectId"])["subject"]
    assert detail["credentials"][0]["serialNumber"] == str(0xABCDEF)


def test_intermediates_lead_to_the_anchor(place: Place, authority: Holder) -> None:
    middle = issued(NOW, named("Middle"), authority, authority=True)
    holder = issued(NOW, named("worker-1"), middle)
    assert place.session(holder, chain=[middle]).status == 201
    place.refused(holder, "Untrusted certificate. Signature verification failed.")
    leaf_as_authority = issued(NOW, named("x"), issued(NOW, named("worker-1"), authority))
    place.refused(leaf_as_authority, "Untrusted certificate. Signature verification failed.")


UNTRUSTED = "Untrusted certificate. Signature verification failed."


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"days": (-20, -10)}, "Certificate is expired or not yet valid."),
        ({"days": (10, 20)}, "Certificate is expired or not yet valid."),
        ({"authority": True}, "Incorrect basic constraints for end entity certificate."),
        ({"signs": False}, "Incorrect key usage for end entity certificate."),
        (
            {"extensions": [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)]},
            "Incorrect extended key usage for end entity certificate.",
        ),
        (
            {"key": rsa.generate_private_key(65537, 1024)},
            "The certificate must have an RSA or ECDSA key, and be signed with SHA-2.",
        ),
        (
            {"extensions": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True)]},
            UNTRUSTED,
        ),
    ],
)
def test_a_certificate_of_no_use_is_refused(place: Place, authority: Holder, how: Any, text: str) -> None:
    place.refused(issued(NOW, named("worker-1"), authority, **how), text)


def test_another_authority_is_refused_even_of_the_same_name(place: Place) -> None:
    other = issued(NOW, named("Example CA", country_name="DE"), authority=True)
    place.refused(issued(NOW, named("worker-1"), other), UNTRUSTED)


def test_a_certificate_for_a_key_on_an_unknown_curve_is_refused(place: Place, authority: Holder) -> None:
    holder = issued(NOW, named("worker-1"), authority)
    der = holder.certificate.public_bytes(Encoding.DER)
    known, unknown = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030177")
    altered = x509.load_der_x509_certificate(der.replace(known, unknown))
    place.refused(Holder(altered, holder.key), "The certificate's algorithm is not supported.")


def test_a_signature_with_another_key_is_refused(place: Place, authority: Holder) -> None:
    holder = issued(NOW, named("worker-1"), authority)
    place.refused(holder, "The request signature does not match.", signer=ec.generate_private_key(ec.SECP256R1()))
    place.refused(holder, "The credential is not the serial number of the certificate.", serial=5)
    place.refused(holder, "Credential should be scoped to us-east-1.", region="eu-west-1")
    other = rsa.generate_private_key(65537, 2048)
    place.refused(holder, "The certificate's key is not for AWS4-X509-RSA-SHA256.", signer=other)


@pytest.mark.parametrize("name", ["x-amz-date", "host", "authorization", "x-amz-x509"])
def test_a_repeated_or_missing_header_is_refused(place: Place, authority: Holder, name: str) -> None:
    request = session_request(issued(NOW, named("worker-1"), authority), place.arns, NOW)
    twice = msgspec.structs.replace(request, headers=(*request.headers, Header(name, request.fields[name])))
    without = msgspec.structs.replace(request, headers=tuple(each for each in request.headers if each[0] != name))
    for changed in (twice, without):
        assert place.world.pipeline.handle(changed).status == 403


def test_the_time_is_looked_at(place: Place, authority: Holder) -> None:
    holder = issued(NOW, named("worker-1"), authority)
    for late, status in ((299, 201), (301, 403), (-301, 403)):
        request = session_request(holder, place.arns, NOW - late)
        assert place.world.pipeline.handle(request).status == status


def test_a_changed_body_or_query_is_refused(place: Place, authority: Holder) -> None:
    request = session_request(issued(NOW, named("worker-1"), authority), place.arns, NOW)
    changes: list[dict[str, Any]] = [{"body": b'{"durationSeconds":900}'}, {"query": request.query + "&x=y"}]
    for change in changes:
        assert place.world.pipeline.handle(msgspec.structs.replace(request, **change)).status == 403


def test_a_revoked_certificate_is_refused(place: Place, authority: Holder) -> None:
    holder, other = (issued(NOW, named(name), authority) for name in ("worker-1", "worker-2"))
    data = revoking(NOW, authority, holder)
    anchor = place.arns["trustAnchorArn"]
    crl = place.anywhere.import_crl(name="gone", crlData=data, trustAnchorArn=anchor, enabled=True)["crl"]
    place.refused(holder, "Certificate revoked.")
    assert place.session(other).status == 201
    place.anywhere.disable_crl(crlId=crl["crlId"])
    assert place.session(holder).status == 201
    stranger = issued(NOW, named("Example CA", country_name="DE"), authority=True)
    with pytest.raises(place.anywhere.exceptions.ValidationException):
        place.anywhere.import_crl(name="x", crlData=revoking(NOW, stranger, other), trustAnchorArn=anchor)


def test_what_the_profile_says(place: Place, authority: Holder) -> None:
    holder = issued(NOW, named("worker-1"), authority)
    text = "A role session name is not accepted by the profile."
    place.refused(holder, text, body={"roleSessionName": "chosen"})
    place.refused(
        holder, "The requested durationSeconds exceeds that of the profile.", 400, body={"durationSeconds": 3601}
    )
    profile = place.arns["profileArn"].rpartition("/")[2]
    place.anywhere.update_profile(profileId=profile, durationSeconds=7200)
    exceeds = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    place.refused(holder, exceeds, 400, body={"durationSeconds": 3601})
    place.anywhere.update_profile(profileId=profile, durationSeconds=3600)
    place.anywhere.update_profile(profileId=profile, acceptRoleSessionName=True)
    answer = place.session(holder, body={"roleSessionName": "chosen", "durationSeconds": 900})
    assert told(answer)["credentialSet"][0]["assumedRoleUser"]["arn"].endswith("/chosen")
    place.anywhere.put_attribute_mapping(
        profileId=profile, certificateField="x509Subject", mappingRules=[{"specifier": "O"}]
    )
    place.anywhere.delete_attribute_mapping(profileId=profile, certificateField="x509Issuer")
    assert place.session(holder).status == 201
    event = next(
        each for each in place.world.events[::-1] if each.route and each.route.operation.name == "AssumeRole"
    )
    assert event.request.Tags is None
    place.anywhere.disable_profile(profileId=profile)
    place.refused(holder, "Profile is disabled.")


def test_what_is_disabled_or_not_the_profiles_is_refused(place: Place, authority: Holder) -> None:
    holder = issued(NOW, named("worker-1"), authority)
    role = place.arns["roleArn"]
    place.arns["roleArn"] = role + "2"
    place.refused(holder, f"Unable to assume role for {role}2: the profile lacks it.")
    place.arns["roleArn"] = role
    place.anywhere.disable_trust_anchor(trustAnchorId=place.arns["trustAnchorArn"].rpartition("/")[2])
    place.refused(holder, "Trust anchor is disabled.")


def test_the_roles_trust_policy_decides(place: Place, authority: Holder) -> None:
    holder, iam = issued(NOW, named("worker-1"), authority), place.world.client("iam")
    role = place.arns["roleArn"]
    for condition in (
        {"ArnEquals": {"aws:SourceArn": place.arns["trustAnchorArn"] + "x"}},
        {"StringEquals": {"aws:SourceAccount": "210987654321"}},
        {"StringEquals": {"aws:RequestTag/x509Subject/CN": "worker-2"}},
    ):
        document = json.dumps({"Version": "2012-10-17", "Statement": TRUST | {"Condition": condition}})
        iam.update_assume_role_policy(RoleName="worker", PolicyDocument=document)
        place.refused(holder, f"Unable to assume role for {role}")
    only = TRUST | {"Action": "sts:AssumeRole"}  # neither tags nor a source identity
    document = json.dumps({"Version": "2012-10-17", "Statement": only})
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=document)
    place.refused(holder, f"Unable to assume role for {role}")


def test_what_is_no_authority_is_no_anchor(place: Place) -> None:
    weak = issued(NOW, named("weak"), key=rsa.generate_private_key(65537, 1024), authority=True)
    plain = issued(NOW, named("no authority"))
    for holder in (weak, plain):
        source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": holder.pem}}
        with pytest.raises(place.anywhere.exceptions.ValidationException):
            place.anywhere.create_trust_anchor(name="x", source=source)

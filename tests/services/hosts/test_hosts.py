"""Hosts: how they join, what proves them, what they get, and when it ends."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from bailiwick.app.record import record_of
from bailiwick.core.formats import open_session
from bailiwick.core.message import Header, Request
from bailiwick.directory import instances, joining
from bailiwick.directory.joining import Authority, Grants
from hosts_support import FakeHost, Refused, joined, p256, role_in_profile, token
from join_authority import JoinAuthority
from still_clock import Clock
from world import ACCOUNT, REGION, World


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


# -- Joining ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, p256()], ids=["Ed25519", "P-256"])
def test_a_host_joins_once_with_a_token(world: World, key: Any) -> None:
    role_in_profile(world)
    shown = token(world, profile="web", tags={"team": "a"}, vpc="vpc-1", user_data=base64.b64encode(b"hi").decode())
    host = FakeHost(world, key)
    told = host.join(JoinToken=shown, Hostname="web-1", Architecture="arm64")
    assert told["Arn"] == f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{host.id}"
    assert (told["Hostname"], told["PrivateIpAddress"], told["Tags"]) == ("web-1", "10.0.0.7", {"team": "a"})
    assert base64.b64decode(told["UserData"]) == b"hi"
    assert [(each["InstanceProfileName"], each["RoleName"]) for each in told["Profiles"]] == [("web", "web")]
    assert host.ask("GetInstance")["Instance"] == told
    with pytest.raises(Refused) as refused:
        FakeHost(world).join(JoinToken=shown)
    assert refused.value.code == "InvalidJoinTokenException"


def test_a_token_ends(world: World, clock: Clock) -> None:
    shown = token(world, seconds=60)
    clock.now += 60
    with pytest.raises(Refused, match="too old"):
        FakeHost(world).join(JoinToken=shown)


def test_who_joins_holds_the_key_that_he_names(world: World) -> None:
    host, other = FakeHost(world), FakeHost(world)
    values = {"PublicKey": base64.b64encode(other.public_key).decode(), "JoinToken": token(world)}
    response = host.send(host.request("JoinInstance", values))
    assert response.status == 403
    assert b"InvalidHostProofException" in response.body


def test_a_token_is_in_no_record(world: World) -> None:
    shown = token(world)
    FakeHost(world).join(JoinToken=shown)
    record = json.loads(record_of(world.events[-1], world.environment.noise))
    assert shown not in json.dumps(record)
    assert record["userIdentity"]["type"] == "Instance"
    assert record["recipientAccountId"] == ACCOUNT
    assert record["responseElements"]["instance"]["instanceId"] == record["userIdentity"]["principalId"]


def test_what_the_trail_says_of_a_host(world: World) -> None:
    role_in_profile(world)
    host = joined(world, profile="web")
    host.ask("GetInstance")
    told = host.ask("GetInstanceCredentials")["Credentials"]
    asked, taken, given = (json.loads(record_of(event, world.environment.noise)) for event in world.events[-3:])
    assert (asked["eventName"], asked["readOnly"], asked["responseElements"]) == ("GetInstance", True, None)
    assert taken["userIdentity"] == {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    assert taken["requestParameters"]["instanceId"] == host.id
    assert taken["bailiwick"]["sourceArn"] == given["userIdentity"]["arn"]
    assert given["responseElements"]["credentials"]["accessKeyId"] == told["AccessKeyId"]
    for secret in (told["SecretAccessKey"], told["SessionToken"]):
        assert secret not in json.dumps([asked, taken, given])


def issued(ca: JoinAuthority, key: Any, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH) -> bytes:
    """The certificate of a host (DER)."""
    return ca.issue(key, usage=usage).public_bytes(Encoding.DER)


@pytest.fixture
def ca(world: World) -> JoinAuthority:
    made = JoinAuthority(world.now())
    grants = json.dumps({"region": REGION, "zone": f"{REGION}b", "tags": {"by": "ca"}})
    with world.store.transaction(write=True) as transaction:
        joining.add_authority(transaction, Authority("company", ACCOUNT, world.now(), made.pem, grants))
    return made


def encoded(*chain: bytes) -> list[str]:
    return [base64.b64encode(each).decode() for each in chain]


@pytest.mark.parametrize("kind", ["P-256", "RSA"])
def test_a_host_joins_with_a_certificate(world: World, ca: JoinAuthority, kind: str) -> None:
    key = p256() if kind == "P-256" else rsa.generate_private_key(65537, 2048)
    chain = encoded(issued(ca, key))
    host = FakeHost(world)
    told = host.join(CertificateChain=chain, also=key)
    assert told["Tags"] == {"by": "ca"}
    with pytest.raises(Refused, match="terminate that instance first") as again:
        FakeHost(world).join(CertificateChain=chain, also=key)
    assert again.value.code == "InvalidCertificateException"
    world.client("ec2").terminate_instances(InstanceIds=[host.id])
    assert FakeHost(world).join(CertificateChain=chain, also=key)["AvailabilityZone"] == f"{REGION}b"


def test_certificates_that_let_nobody_in(world: World, ca: JoinAuthority, clock: Clock) -> None:
    key, stranger = p256(), JoinAuthority(world.now())
    for chain, also in (
        (encoded(issued(ca, key)), None),  # shown without its key
        (encoded(issued(ca, key)), p256()),
        (encoded(issued(stranger, key)), key),
        (encoded(issued(ca, key, ExtendedKeyUsageOID.SERVER_AUTH)), key),
        (encoded(b"no certificate"), key),
    ):
        with pytest.raises(Refused) as refused:
            FakeHost(world).join(CertificateChain=chain, also=also)
        assert refused.value.code == "InvalidCertificateException"
    good = encoded(issued(ca, key))
    clock.now += 91 * 24 * 3600
    with pytest.raises(Refused, match="stands behind"):
        FakeHost(world).join(CertificateChain=good, also=key)


# -- Proof --------------------------------------------------------------------------------------------------


def changed(request: Request, name: str, value: str) -> Request:
    headers = tuple(Header(each.name, value if each.name == name else each.value) for each in request.headers)
    return Request(request.method, request.path, request.query, headers, request.body, request.source)


@pytest.fixture(scope="module")
def known() -> FakeHost:
    """A host of a world whose clock runs."""
    return joined(World())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "elsewhere.test"),
        ("x-amz-target", "BailiwickHosts.GetInstanceCredentials"),
        ("x-bailiwick-nonce", "A" * 24),
        ("x-bailiwick-nonce", "short"),
        ("x-bailiwick-time", "1"),
        ("x-bailiwick-time", "-1"),
        ("x-bailiwick-host", "i-00000000000000000"),
        ("x-bailiwick-host", ""),
        ("x-bailiwick-proof", "1:AAAA"),
        ("x-bailiwick-proof", "2:AAAA"),
        ("x-bailiwick-proof", ""),
    ],
)
def test_what_is_signed_cannot_be_changed(known: FakeHost, name: str, value: str) -> None:
    response = known.send(changed(known.request("GetInstance", {}), name, value))
    assert (response.status, b"InvalidHostProofException" in response.body) == (403, True)


def test_a_request_is_good_once_and_for_a_while(world: World, clock: Clock) -> None:
    host = joined(world)
    request = host.request("GetInstance", {})
    assert host.send(request).status == 200
    again = host.send(request)
    assert b"sent before" in again.body
    late = host.request("GetInstance", {})
    clock.now += 301
    assert b"of another time" in host.send(late).body


def test_one_host_is_not_another(world: World) -> None:
    host, other = joined(world), joined(world)
    forged = FakeHost(world, host.key)
    forged.id = other.id
    with pytest.raises(Refused, match="does not match"):
        forged.ask("GetInstanceCredentials")


# -- Credentials --------------------------------------------------------------------------------------------


def test_credentials_of_the_role(world: World) -> None:
    role_in_profile(world)
    host = joined(world, profile="web", vpc="vpc-1")
    told = host.ask("GetInstanceCredentials")
    session = open_session(world.environment.ring, told["Credentials"]["SessionToken"])
    assert session.expires - session.issued == 6 * 3600  # the role's own limit of an hour is for people
    assert session.said == {
        "ec2:sourceinstancearn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{host.id}",
        "ec2:roledelivery": "2.0",
        "aws:ec2instancesourceprivateipv4": "10.0.0.7",
        "aws:ec2instancesourcevpc": "vpc-1",
    }
    sts = world.client("sts", host.credentials())
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/{host.id}"


def test_a_policy_binds_credentials_to_the_address_of_their_host(world: World) -> None:
    role_in_profile(world)
    conditions = {"StringEquals": {"aws:SourceIp": "${aws:Ec2InstanceSourcePrivateIPv4}"}}
    statement = {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*", "Condition": conditions}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    world.client("iam").put_role_policy(RoleName="web", PolicyName="p", PolicyDocument=document)
    host = joined(world, profile="web")
    away = world.client("iam", host.credentials())  # whose requests come from 127.0.0.1
    with pytest.raises(ClientError, match="AccessDenied"):
        away.list_users()
    host.source = "127.0.0.1"
    assert world.client("iam", host.credentials()).list_users()["Users"] == []


def test_a_role_that_does_not_trust_ec2(world: World) -> None:
    role_in_profile(
        world,
        "web",
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
        '"Principal":{"Service":"lambda.amazonaws.com"}}]}',
    )
    host = joined(world, profile="web")
    told = host.ask("GetInstanceCredentials")
    assert (told["Code"], told["RoleName"]) == ("AssumeRoleUnauthorizedAccess", "web")
    assert told["Message"] == "EC2 cannot assume the role web."
    denied = [event for event in world.events if event.error is not None]
    assert [event.route.operation.action for event in denied if event.route] == ["sts:AssumeRole"]


def test_a_further_profile_is_had_by_its_name_and_no_other(world: World) -> None:
    for name in ("web", "batch", "secret"):
        role_in_profile(world, name)
    host = joined(world, profile="web", further=("batch",))
    assert host.ask("GetInstanceCredentials", InstanceProfileName="batch")["RoleName"] == "batch"
    told = host.ask("GetInstanceCredentials", InstanceProfileName="secret")
    assert told["Code"] == "InstanceProfileNotFound"
    assert host.ask("GetInstanceCredentials")["RoleName"] == "web"


def test_a_swapped_profile_and_a_detached_role(world: World) -> None:
    role_in_profile(world, "web")
    role_in_profile(world, "batch")
    host, ec2 = joined(world, profile="web"), world.client("ec2")
    old = host.credentials()
    association = host.ask("GetInstance")["Instance"]["Profiles"][0]["AssociationId"]
    ec2.replace_iam_instance_profile_association(IamInstanceProfile={"Name": "batch"}, AssociationId=association)
    assert host.ask("GetInstanceCredentials")["RoleName"] == "batch"
    assert world.client("sts", old).get_caller_identity()["Arn"].endswith(f"/web/{host.id}")  # it lives on
    world.client("iam").remove_role_from_instance_profile(InstanceProfileName="batch", RoleName="batch")
    assert host.ask("GetInstanceCredentials")["Code"] == "InstanceProfileNotFound"


def test_revoked_credentials_are_refused_at_once_and_new_ones_given(world: World, clock: Clock) -> None:
    role_in_profile(world)
    host, other = joined(world, profile="web"), joined(world, profile="web")
    old, theirs = host.credentials(), other.credentials()
    clock.now += 10
    world.client("ec2").revoke_instance_credentials(InstanceIds=[host.id])
    with pytest.raises(ClientError, match="ExpiredToken"):
        world.client("sts", old).get_caller_identity()
    assert host.ask("GetInstanceCredentials")["Code"] == "TryAgain"
    clock.now += 1
    world.client("sts", host.credentials()).get_caller_identity()
    world.client("sts", theirs).get_caller_identity()


def test_a_host_that_is_revoked_gets_nothing(world: World, clock: Clock) -> None:
    role_in_profile(world)
    host = joined(world, profile="web")
    old = host.credentials()
    world.client("ec2").terminate_instances(InstanceIds=[host.id])
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        world.client("sts", old).get_caller_identity()
    for operation in ("GetInstance", "GetInstanceCredentials", "GetInstanceDocument"):
        with pytest.raises(Refused) as refused:
            host.ask(operation)
        assert refused.value.code == "InstanceRevokedException"
    clock.now += 3601
    with world.store.transaction(write=True) as transaction:
        instances.forget_terminated(transaction, world.now())
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        world.client("sts", old).get_caller_identity()


def test_requests_at_the_time_of_an_earlier_one_do_not_pile_up(world: World, clock: Clock) -> None:
    host = joined(world)
    host.ask("GetInstance")
    clock.now += 1000
    with world.store.transaction(write=True) as transaction:
        joining.forget_expired(transaction, world.now())
        assert transaction.all(joining.select(joining.host_nonce)) == []


# -- The document -------------------------------------------------------------------------------------------


def test_the_identity_document_verifies(world: World, tmp_path: Path) -> None:
    host = joined(world)
    told = host.ask("GetInstanceDocument")
    document = told["Document"].encode()
    said = json.loads(document)
    assert (said["instanceId"], said["accountId"], said["version"]) == (host.id, ACCOUNT, "2017-09-30")
    assert list(said) == sorted(said)
    certificate = x509.load_pem_x509_certificate(told["Certificate"].encode())
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(told["Signature"]), document, padding.PKCS1v15(), SHA256())
    (tmp_path / "certificate").write_text(told["Certificate"])
    (tmp_path / "pkcs7").write_text(f"-----BEGIN PKCS7-----\n{told['Rsa2048']}\n-----END PKCS7-----\n")
    verify = ["openssl", "smime", "-verify", "-in", "pkcs7", "-inform", "PEM", "-certfile", "certificate"]
    done = subprocess.run([*verify, "-noverify", "-nointern"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == document
    assert host.ask("GetInstanceDocument")["Certificate"] == told["Certificate"]


def test_grants_are_what_they_were(world: World) -> None:
    grants = Grants(REGION, "z", "web", ("a", "b"), {"k": "v"}, "vpc-1", "eA==")
    shown = token(world, **{name: getattr(grants, name) for name in grants.__struct_fields__})
    with world.store.transaction() as transaction:
        admitted = joining.token(transaction, shown, world.now())
    assert admitted is not None
    assert admitted.grants == grants

"""AssumeRoleWithSAML through boto3: people of a SAML provider with real keys come in, forgers do not."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from sqlalchemy import update
from structlog.testing import capture_logs

from bailiwick.app.record import record_of
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import tables
from bailiwick.services.sts.redeeming import forget_what_has_expired
from bailiwick.services.sts.tables import redeemed
from bailiwick.store import Store
from saml_idp import AWS, IdentityProvider, rsa_key
from still_clock import NOW, Clock
from world import ACCOUNT, World

ROLE = f"arn:aws:iam::{ACCOUNT}:role/people/reader"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/idp"
DENIED = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")
ACS = "https://signin.aws.amazon.com/saml"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(*actions: str, **condition: Any) -> str:
    actions = actions or ("sts:AssumeRoleWithSAML",)
    statement = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": list(actions)}
    return document(statement | ({"Condition": condition} if condition else {}))


class House:
    """A world whose clock stands still, with a provider, a role for its people, and a KMS key that the role may use."""

    clock: Clock  # of the test that runs

    def __init__(self, trust_policy: str = "", store: Store | None = None, **provider: Any) -> None:
        self.world = World(self.clock, store)
        self.idp = IdentityProvider()
        self.iam = self.world.client("iam")
        self.iam.create_saml_provider(Name="idp", SAMLMetadataDocument=self.idp.metadata, **provider)
        self.role("reader", trust_policy or trust())
        self.key = self.world.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.allow("kms:Encrypt", self.key)

    def role(self, name: str, trust_policy: str, **more: Any) -> None:
        self.iam.create_role(RoleName=name, Path="/people/", AssumeRolePolicyDocument=trust_policy, **more)

    def allow(self, action: str, resource: str, **condition: Any) -> None:
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        text = document(statement | ({"Condition": condition} if condition else {}))
        self.iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=text)

    def response(self, **said: Any) -> bytes:
        return self.idp.response(self.clock.now, **({"roles": [(ROLE, PROVIDER)]} | said))

    def call(self, response: bytes | None = None, /, **more: Any) -> Any:
        parameters = {
            "RoleArn": ROLE,
            "PrincipalArn": PROVIDER,
            "SAMLAssertion": base64.b64encode(response or self.response()).decode(),
        }
        return self.world.client("sts").assume_role_with_saml(**(parameters | more))

    def refusal(self, response: bytes | None = None, /, **more: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            self.call(response, **more)
        return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]

    def client(self, service: str, answer: Any) -> Any:
        credentials = answer["Credentials"]
        keys = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }
        return self.world.client(service, keys)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    House.clock = Clock(monkeypatch)


@cache
def shared() -> House:
    """One house for calls that leave it as it was."""
    return House()


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
def test_a_person_comes_in_and_uses_a_key(sign: str) -> None:
    house = House()
    answer = house.call(house.response(sign=sign))
    issuer = house.idp.entity_id
    assert answer["Subject"] == "alice"
    assert answer["SubjectType"] == "persistent"
    assert answer["Issuer"] == issuer
    assert answer["Audience"] == ACS
    digest = hashlib.sha1(f"{issuer}{ACCOUNT}/idp".encode()).digest()
    assert answer["NameQualifier"] == base64.b64encode(digest).decode()
    assert "PackedPolicySize" not in answer
    assert "SourceIdentity" not in answer
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/alice@example.org"
    assert answer["AssumedRoleUser"]["Arn"] == session
    assert answer["Credentials"]["Expiration"].timestamp() == NOW + 3600
    assert house.client("sts", answer).get_caller_identity()["Arn"] == session
    assert house.client("kms", answer).encrypt(KeyId=house.key, Plaintext=b"x")["KeyId"] == house.key
    with pytest.raises(ClientError, match="AccessDenied"):
        house.client("kms", answer).disable_key(KeyId=house.key)


@pytest.mark.parametrize("mode", ["Required", "Allowed"])
def test_encrypted_assertions(mode: str) -> None:
    pem = rsa_key("sp").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    house = House(AssertionEncryptionMode=mode, AddPrivateKey=pem.decode())
    assert house.call(house.response(encrypt=rsa_key("sp").public_key()))["Subject"] == "alice"
    with capture_logs() as logs:
        if mode == "Allowed":
            assert house.call()["Subject"] == "alice"
        else:
            assert house.refusal() == ("InvalidIdentityToken", "Response signature invalid")
            assert [line["check"] for line in logs] == ["encryption"]


def test_an_assertion_is_good_for_one_session() -> None:
    house = shared()
    response = house.response()
    house.call(response)
    with capture_logs() as logs:
        code, text = house.refusal(response)
    assert code == "InvalidIdentityToken"
    assert "used before" in text
    assert [line["check"] for line in logs] == ["replay"]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_two_who_redeem_an_assertion_at_once_one_gets_a_session(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if database == "sqlite":
        place: Any = tmp_path
    else:
        place = request.getfixturevalue("postgres_server").new_database()
    with closing(Store(place)) as store:
        house = House(store=store)
        response = house.response()

        def redeem(_: int) -> str:
            try:
                return str(house.call(response)["Subject"])
            except ClientError as error:
                return str(error.response["Error"]["Code"])

        with ThreadPoolExecutor(4) as pool:
            outcomes = sorted(pool.map(redeem, range(4)))
    assert outcomes == ["InvalidIdentityToken"] * 3 + ["alice"]


def test_a_refused_one_is_not_used_up() -> None:
    house = shared()
    response = house.response()
    assert house.refusal(response, DurationSeconds=7200)[0] == "ValidationError"
    assert house.refusal(response, Policy="{")[0] == "MalformedPolicyDocument"
    house.call(response)


def test_what_was_used_is_forgotten_when_it_is_too_old_anyway() -> None:
    house = House()
    response = house.response()
    house.call(response)
    environment, store = house.world.environment, house.world.store

    def kept() -> int:
        with store.transaction(write=True) as transaction:
            forget_what_has_expired(transaction, environment, house.clock.now)
        with store.transaction(write=False) as transaction:
            return len(transaction.all(redeemed.select()))

    assert kept() == 1
    house.clock.now += 300
    assert house.refusal(response)[0] == "ExpiredTokenException"
    assert kept() == 1
    house.clock.now += 3600
    assert kept() == 0


REFUSALS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("audience", {"audience": "urn:other"}, "InvalidIdentityToken", "Response does not contain the", "audience"),
    ("recipient", {"recipient": "https://evil.example/"}, "InvalidIdentityToken", "Response does not", "recipient"),
    ("issuer", {"issuer": "urn:other"}, "InvalidIdentityToken", "Issuer not present in specified", "issuer"),
    ("expired", {"not_after": NOW - 1}, "ExpiredTokenException", "Token must be redeemed within 5 minutes", "time"),
    ("old", {"issued": NOW - 400}, "ExpiredTokenException", "Token must be redeemed within 5 minutes", "time"),
    ("unsigned", {"sign": "none"}, "InvalidIdentityToken", "Response signature invalid", "signature"),
    ("sha1", {"algorithm": "rsa-sha1"}, "InvalidIdentityToken", "Response signature invalid", "signature"),
    (
        "failed",
        {"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"},
        "IDPRejectedClaim",
        "The iden",
        "status",
    ),
    ("nobody", {"subject": None}, *DENIED, "subject"),
    ("format", {"name_format": "urn:" + "x" * 253}, *DENIED, "subject"),
    ("role", {"roles": [(ROLE + "2", PROVIDER)]}, *DENIED, "role"),
    ("provider", {"roles": [(ROLE, PROVIDER + "2")]}, *DENIED, "role"),
    ("no role", {"roles": []}, *DENIED, "role"),
    ("no name", {"session_name": None}, "InvalidIdentityToken", "RoleSessionName is required in", "attributes"),
]


@pytest.mark.parametrize(
    ("said", "code", "text", "check"), [each[1:] for each in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_a_refusal_tells_the_client_awss_code_and_the_operator_the_check(
    said: dict[str, Any], code: str, text: str, check: str
) -> None:
    house = shared()
    with capture_logs() as logs:
        refused = house.refusal(house.response(**said))
    assert refused[0] == code
    assert refused[1].startswith(text)
    assert [(line["check"], line["role"], line["provider"]) for line in logs] == [(check, ROLE, PROVIDER)]
    assert logs[0]["request_id"] == house.world.events[-1].request_id
    assert house.world.events[-1].caller is None


def test_a_response_that_somebody_else_signed() -> None:
    house = shared()
    thief = IdentityProvider(house.idp.entity_id, rsa_key("thief"))
    forged = thief.response(NOW, roles=[(ROLE, PROVIDER)])
    assert house.refusal(forged) == ("InvalidIdentityToken", "Response signature invalid")


def test_the_key_of_new_metadata_counts_and_the_old_one_no_more() -> None:
    house = House()
    house.call()
    new = IdentityProvider(house.idp.entity_id, rsa_key("new"))
    house.iam.update_saml_provider(SAMLProviderArn=PROVIDER, SAMLMetadataDocument=new.metadata)
    assert house.refusal() == ("InvalidIdentityToken", "Response signature invalid")
    house.idp = new
    house.call()
    house.iam.delete_saml_provider(SAMLProviderArn=PROVIDER)
    assert house.refusal() == ("InvalidIdentityToken", "Specified provider doesn't exist.")


def test_what_is_not_base64_and_what_is_no_arn() -> None:
    house = shared()
    assert house.refusal(SAMLAssertion="<xml>") == ("InvalidIdentityToken", "Invalid base64 SAMLResponse")
    assert house.refusal(RoleArn="x" * 20) == ("ValidationError", "x" * 20 + " is invalid")
    assert house.refusal(PrincipalArn="y" * 20) == ("ValidationError", "y" * 20 + " is invalid")


def test_a_role_that_is_not_there_is_refused_like_one_that_does_not_trust() -> None:
    house = House()
    missing = ROLE.replace("reader", "nobody")
    assert house.refusal(house.response(roles=[(missing, PROVIDER)]), RoleArn=missing) == DENIED
    house.role("other", document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}))
    other = ROLE.replace("reader", "other")
    assert house.refusal(house.response(roles=[(other, PROVIDER)]), RoleArn=other) == DENIED


def test_a_provider_of_another_account_is_refused() -> None:
    house = shared()
    theirs = "arn:aws:iam::210987654321:role/r"
    assert house.refusal(house.response(roles=[(theirs, PROVIDER)]), RoleArn=theirs) == DENIED


@pytest.mark.parametrize(
    ("key", "value", "passes"),
    [
        ("SAML:aud", ACS, True),
        ("SAML:aud", "https://other.example/", False),
        ("saml:iss", "https://idp.example.org/saml", True),
        ("saml:sub", "alice", True),
        ("saml:sub", "bob", False),
        ("saml:sub_type", "persistent", True),
        ("saml:doc", f"{ACCOUNT}/idp", True),
        ("saml:edupersonaffiliation", "staff", True),
        ("saml:mail", "bob@example.org", False),
        ("aws:FederatedProvider", PROVIDER, True),
        ("sts:RoleSessionName", "alice@example.org", True),
    ],
)
def test_condition_keys_of_the_trust_policy(key: str, value: str, passes: bool) -> None:
    operator = "ForAnyValue:StringEquals" if "affiliation" in key else "StringEquals"
    house = House(trust(**{operator: {key: value}}))
    response = house.response(
        attributes=[
            ("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", ["staff", "member"]),
            ("urn:oid:0.9.2342.19200300.100.1.3", ["alice@example.org"]),
        ]
    )
    if passes:
        house.call(response)
    else:
        assert house.refusal(response) == DENIED


TAGS = [(AWS + "PrincipalTag:team", ["blue"]), (AWS + "TransitiveTagKeys", ["team"])]


def test_session_tags_need_sts_tagsession() -> None:
    house = House()
    refused = house.refusal(house.response(attributes=TAGS))
    assert refused == ("AccessDenied", "Not authorized to perform sts:TagSession")
    house.role(
        "tagged", trust("sts:AssumeRoleWithSAML", "sts:TagSession", StringEquals={"aws:RequestTag/team": "blue"})
    )
    tagged = ROLE.replace("reader", "tagged")
    answer = house.call(house.response(roles=[(tagged, PROVIDER)], attributes=TAGS), RoleArn=tagged)
    assert answer["PackedPolicySize"] > 0
    session = house.client("sts", answer)
    session.get_caller_identity()
    caller = house.world.events[-1].caller
    assert caller is not None
    assert caller.session is not None
    assert (caller.tags, caller.session.transitive) == ({"team": "blue"}, ("team",))
    wrong = [(AWS + "PrincipalTag:team", ["red"])]
    assert house.refusal(house.response(roles=[(tagged, PROVIDER)], attributes=wrong), RoleArn=tagged) == DENIED


def test_a_transitive_key_must_be_among_the_tags() -> None:
    house = House(trust("sts:AssumeRoleWithSAML", "sts:TagSession"))
    refused = house.refusal(house.response(attributes=[(AWS + "TransitiveTagKeys", ["team"])]))
    assert refused[0] == "InvalidParameterValue"


def test_a_source_identity_needs_sts_setsourceidentity_and_stays() -> None:
    said = {"attributes": [(AWS + "SourceIdentity", ["alice"])]}
    assert House().refusal(House().response(**said)) == DENIED
    house = House(
        trust("sts:AssumeRoleWithSAML", "sts:SetSourceIdentity", StringEquals={"sts:SourceIdentity": "alice"})
    )
    house.allow("kms:Encrypt", house.key, StringEquals={"aws:SourceIdentity": "alice", "saml:sub": "alice"})
    answer = house.call(house.response(**said))
    assert answer["SourceIdentity"] == "alice"
    house.client("kms", answer).encrypt(KeyId=house.key, Plaintext=b"x")


@pytest.mark.parametrize(
    ("asked", "said", "seconds"),
    [
        ({}, {}, 3600),
        ({"DurationSeconds": 900}, {}, 900),
        ({}, {"attributes": [(AWS + "SessionDuration", ["1800"])]}, 1800),
        ({"DurationSeconds": 900}, {"attributes": [(AWS + "SessionDuration", ["1800"])]}, 900),
        ({}, {"attributes": [(AWS + "SessionDuration", ["43200"])]}, 3600),
        ({}, {"session_ends": NOW + 1200}, 1200),
    ],
)
def test_how_long_a_session_lasts(asked: dict[str, Any], said: dict[str, Any], seconds: int) -> None:
    house = shared()
    assert house.call(house.response(**said), **asked)["Credentials"]["Expiration"].timestamp() == NOW + seconds


def test_no_longer_than_the_role_allows() -> None:
    house = shared()
    text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert house.refusal(DurationSeconds=3601) == ("ValidationError", text)


def test_session_policies_limit() -> None:
    house = shared()
    answer = house.call(Policy=document({"Effect": "Deny", "Action": "*", "Resource": "*"}))
    with pytest.raises(ClientError, match="session policy"):
        house.client("kms", answer).encrypt(KeyId=house.key, Plaintext=b"x")


def test_the_audit_record_tells_who_through_which_provider_and_which_assertion() -> None:
    house = House(trust("sts:AssumeRoleWithSAML", "sts:TagSession"))
    response = house.response(identifier="_the-assertion", attributes=TAGS)
    answer = house.call(response)
    event = house.world.events[-1]
    assert event.caller is not None
    assert event.caller.kind is PrincipalKind.PROVIDER
    raw = record_of(event, lambda n: bytes(n))
    record = json.loads(raw)
    assert record["userIdentity"] == {
        "type": "SAMLUser",
        "principalId": f"{answer['NameQualifier']}:alice",
        "userName": "alice",
        "identityProvider": answer["NameQualifier"],
    }
    assert record["requestParameters"] == {
        "roleArn": ROLE,
        "principalArn": PROVIDER,
        "sAMLAssertionID": "_the-assertion",
        "roleSessionName": "alice@example.org",
        "principalTags": {"team": "blue"},
    }
    assert record["responseElements"]["credentials"]["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert base64.b64encode(response)[:60] not in raw
    assert record["recipientAccountId"] == ACCOUNT


def test_roles_of_identity_center_are_not_for_this_call() -> None:
    house = House()
    name, path = "AWSReservedSSO_Reader_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/"
    arn = f"arn:aws:iam::{ACCOUNT}:role{path}{name}"
    with house.world.store.transaction(write=True) as transaction:
        transaction.run(update(tables.role).values(name=name, folded=name.lower(), path=path))
    assert house.refusal(house.response(roles=[(arn, PROVIDER)]), RoleArn=arn) == DENIED


def test_our_own_address_is_a_recipient_and_a_signature_with_sha1_can_be_allowed() -> None:
    house = House()
    own = house.world.environment.public_url + "/saml"
    assert house.call(house.response(recipient=own, audience=own, destination=own))["Audience"] == own
    house.world.pipeline.environment = msgspec.structs.replace(house.world.environment, saml_weak_signatures=True)
    assert house.call(house.response(algorithm="rsa-sha1"))["Subject"] == "alice"

"""The audit trail: what a record says, what it never says, and that no event is lost on the way to the disk."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bailiwick import api
from bailiwick.api import Caller, Operation, Target, nothing
from bailiwick.app import record
from bailiwick.app.audit import Trail
from bailiwick.app.record import identity_of
from bailiwick.core.formats import Session, SessionKind
from bailiwick.core.message import Tls
from bailiwick.core.policy.decide import Layers, Ruling
from bailiwick.core.policy.question import Decision, LayerKind, Match, Principal, PrincipalKind, Question
from bailiwick.pipeline import Event, Route
from bailiwick.services.iam import shapes as iam
from bailiwick.services.kms import shapes as kms
from bailiwick.services.sts import shapes as sts
from bailiwick.trail.files import Files
from bailiwick.trail.segment import record_in
from bailiwick.wire import models

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NOW = 1_795_492_800.5  # 2026-11-24T04:00:00Z


def route(service: str, name: str, *, writes: bool = False) -> Route:
    model = models.service(service)
    operation = Operation(service, name, nothing, lambda call, request, record: None, writes=writes)
    return Route(operation, model.operations[name], model, is_global=False, input=api.Target)


def session_of(kind: SessionKind, owner: str, **more: Any) -> Session:
    """A session of fifteen minutes that began now."""
    return Session(kind, ACCOUNT, owner, "ASIAX", "hidden", int(NOW), int(NOW) + 900, **more)


def caller(kind: PrincipalKind = PrincipalKind.USER, **more: Any) -> Caller:
    arns = {
        PrincipalKind.ROOT: (f"arn:aws:iam::{ACCOUNT}:root",) * 2,
        PrincipalKind.USER: (f"arn:aws:iam::{ACCOUNT}:user/a/alice",) * 2,
        PrincipalKind.ROLE: (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/vault/s1",
            f"arn:aws:iam::{ACCOUNT}:role/deep/vault",
        ),
    }
    unique = {PrincipalKind.ROOT: ACCOUNT, PrincipalKind.USER: "AIDAX", PrincipalKind.ROLE: "AROAX"}[kind]
    principal = Principal(kind, "aws", ACCOUNT, *arns[kind], unique)
    return Caller(principal, user_id=more.pop("user_id", unique), access_key_id="AKIAX", **more)


def record_of(of: Event) -> dict[str, Any]:
    return json.loads(record.record_of(of, os.urandom))  # type: ignore[no-any-return]


def event(**more: Any) -> Event:
    defaults: dict[str, Any] = {
        "time": NOW,
        "request_id": "r-1",
        "source": "192.0.2.7",
        "user_agent": "aws-cli/2",
        "region": "eu-central-1",
        "access_key_id": "AKIAX",
        "route": route("kms", "Encrypt"),
        "caller": caller(name="alice"),
    }
    return Event(**{**defaults, **more})


def text_of(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob("*.jsonl")))


def ruling(decision: Decision) -> Ruling:
    who = caller().principal
    return Ruling(Question(who, "kms:Encrypt", KEY, ACCOUNT, {}), Layers(), decision)


# -- Records ------------------------------------------------------------------------------------------------


def test_the_record_of_a_call() -> None:
    decision = Decision(True, LayerKind.IDENTITY, match=Match("use-key", None, 2, None))
    request = kms.EncryptRequest(KeyId=KEY, Plaintext=b"hidden", EncryptionContext={"purpose": "walk"})
    record = record_of(event(request=request, targets=(Target(account=ACCOUNT, arn=KEY),), decision=decision))
    assert re.fullmatch(r"[0-9a-f-]{36}", record.pop("eventID"))
    assert record == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAX",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/a/alice",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAX",
            "userName": "alice",
        },
        "eventTime": "2026-11-24T04:00:00Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"keyId": KEY, "encryptionContext": {"purpose": "walk"}},
        "responseElements": None,
        "requestID": "r-1",
        "readOnly": True,
        "resources": [{"ARN": KEY, "accountId": ACCOUNT, "type": "AWS::KMS::Key"}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        "bailiwick": {
            "decision": {
                "allowed": True,
                "layer": "identity-based policy",
                "explicit": False,
                "policy": "use-key",
                "statement": 2,
            }
        },
    }


def test_a_key_that_is_made_is_named_though_nobody_could_name_it_before() -> None:
    made = kms.CreateKeyResponse(KeyMetadata=kms.KeyMetadata(AWSAccountId=ACCOUNT, KeyId=KEY[-36:], Arn=KEY))
    created = record_of(event(route=route("kms", "CreateKey", writes=True), response=made))
    assert created["resources"] == [{"ARN": KEY, "accountId": ACCOUNT, "type": "AWS::KMS::Key"}]
    assert record_of(event(route=route("kms", "CreateKey", writes=True)))["resources"] == []


def test_how_a_call_came_over_tls() -> None:
    tls = Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    assert record_of(event(tls=(tls, "kms.example.com")))["tlsDetails"] == {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_256_GCM_SHA384",
        "clientProvidedHostHeader": "kms.example.com",
    }
    assert set(record_of(event(tls=(tls, "")))["tlsDetails"]) == {"tlsVersion", "cipherSuite"}
    assert "tlsDetails" not in record_of(event())
    through = Session(SessionKind.FORWARDED, ACCOUNT, "AIDAX", "ASIAX", "s", 0, 1, via=("s3.amazonaws.com",))
    assert "tlsDetails" not in record_of(event(tls=(tls, "a"), caller=caller(session=through)))


@pytest.mark.parametrize("seconds", [1e18, -1e18, float("nan"), float("inf")])
def test_a_time_that_no_calendar_has_leaves_a_record_all_the_same(seconds: float) -> None:
    request = kms.ImportKeyMaterialRequest(KeyId=KEY, ImportToken=b"", EncryptedKeyMaterial=b"", ValidTo=seconds)
    record = record_of(event(route=route("kms", "ImportKeyMaterial", writes=True), request=request))
    assert record["requestParameters"] == {"keyId": KEY, "validTo": str(seconds)}


def test_a_refusal_names_the_code_of_its_protocol_and_why() -> None:
    decision = Decision(
        False, LayerKind.BOUNDARY, explicit=True, match=Match("edge", "arn:aws:iam::1:policy/edge", 0, "No")
    )
    refused = api.AccessDenied("User: x is not authorized", ruling(decision))
    record = record_of(event(error=refused, decision=decision))
    assert (record["errorCode"], record["errorMessage"]) == ("AccessDeniedException", "User: x is not authorized")
    assert record["bailiwick"]["decision"] == {
        "allowed": False,
        "layer": "permissions boundary",
        "explicit": True,
        "policy": "arn:aws:iam::1:policy/edge",
        "statement": "No",
    }
    record = record_of(event(route=route("iam", "ListUsers"), error=refused))
    assert record["errorCode"] == "AccessDenied"
    record = record_of(event(error=kms.NotFoundException("no such key")))
    assert record["errorCode"] == "NotFoundException"


def test_a_change_shows_what_came_of_it() -> None:
    user = iam.User(
        Path="/", UserName="bob", UserId="AIDAB", Arn=f"arn:aws:iam::{ACCOUNT}:user/bob", CreateDate=NOW
    )
    record = record_of(
        event(
            route=route("iam", "CreateUser", writes=True),
            request=iam.CreateUserRequest(UserName="bob"),
            response=iam.CreateUserResponse(User=user),
        )
    )
    assert record["readOnly"] is False
    assert record["requestParameters"] == {"userName": "bob"}
    assert record["responseElements"] == {
        "user": {
            "path": "/",
            "userName": "bob",
            "userId": "AIDAB",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/bob",
            "createDate": "2026-11-24T04:00:00Z",
        }
    }


def test_the_root_user_and_a_session_and_nobody() -> None:
    assert identity_of(caller(PrincipalKind.ROOT), "AKIAX") == {
        "type": "Root",
        "principalId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:root",
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAX",
    }
    session = session_of(SessionKind.ROLE, "AROAX", mfa=1, source_identity="eve")
    assert identity_of(caller(PrincipalKind.ROLE, user_id="AROAX:s1", session=session), "ASIAX") == {
        "type": "AssumedRole",
        "principalId": "AROAX:s1",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/vault/s1",
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAX",
        "sessionContext": {
            "attributes": {"creationDate": "2026-11-24T04:00:00Z", "mfaAuthenticated": "true"},
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAX",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/deep/vault",
                "accountId": ACCOUNT,
                "userName": "vault",
            },
            "sourceIdentity": "eve",
        },
    }
    nobody = {"type": "Unknown", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}
    assert identity_of(None, None) == nobody
    assert identity_of(None, "wJalrXUtnFEMI/a-secret-in-the-wrong-place") == nobody
    assert identity_of(None, "AKIAZ7ZZZZZZZZZZZZZZ")["accessKeyId"] == "AKIAZ7ZZZZZZZZZZZZZZ"


def test_those_for_whom_a_provider_vouches() -> None:
    domain = "accounts.google.com"
    context = {f"{domain}:sub": "117", f"{domain}:aud": "app", "saml:sub": "carol", "saml:namequalifier": "q+1="}
    web = Principal(PrincipalKind.PROVIDER, "aws", "", domain, domain, "")
    assert identity_of(Caller(web, user_id="", context=context), None) == {
        "type": "WebIdentityUser",
        "principalId": "accounts.google.com:app:117",
        "userName": "117",
        "identityProvider": "accounts.google.com",
    }
    provider = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
    saml = Principal(PrincipalKind.PROVIDER, "aws", "", provider, provider, "")
    assert identity_of(Caller(saml, user_id="", context=context), None) == {
        "type": "SAMLUser",
        "principalId": "q+1=:carol",
        "userName": "carol",
        "identityProvider": "q+1=",
    }
    service = Principal(PrincipalKind.SERVICE, "aws", "", "rotation.amazonaws.com", "rotation.amazonaws.com", "")
    told = identity_of(Caller(service, user_id=""), None)
    assert told == {"type": "AWSService", "invokedBy": "rotation.amazonaws.com"}


def test_a_federated_user_and_a_session_of_a_web_identity() -> None:
    session = session_of(SessionKind.FEDERATED, "AIDAX")
    principal = Principal(
        PrincipalKind.FEDERATED,
        "aws",
        ACCOUNT,
        f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
        f"arn:aws:iam::{ACCOUNT}:user/a/alice",
        "AIDAX",
    )
    told = identity_of(Caller(principal, user_id=f"{ACCOUNT}:bob", access_key_id="ASIAX", session=session), "ASIAX")
    assert told["type"] == "FederatedUser"
    assert told["sessionContext"]["sessionIssuer"] == {
        "type": "IAMUser",
        "principalId": "AIDAX",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/a/alice",
        "accountId": ACCOUNT,
        "userName": "alice",
    }
    session = session_of(SessionKind.ROLE, "AROAX", federated_provider="accounts.google.com")
    told = identity_of(caller(PrincipalKind.ROLE, session=session), "ASIAX")
    assert told["sessionContext"]["webIdFederationData"] == {
        "federatedProvider": "accounts.google.com",
        "attributes": {},
    }


OTHER = "444455556666"
FOREIGN = f"arn:aws:kms:us-east-1:{OTHER}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def records_of(tmp_path: Path, of: Event) -> list[dict[str, Any]]:
    trail = Trail(Files(tmp_path))
    trail.write(of)
    trail.close()
    return [json.loads(record_in(line)) for line in text_of(tmp_path).encode().splitlines(keepends=True)]


def test_the_owner_of_a_resource_has_a_record_too(tmp_path: Path) -> None:
    allowed = Decision(True, LayerKind.IDENTITY, match=Match("use-key", None, 2, None))
    targets = (Target(account=ACCOUNT, arn=KEY), Target(account=OTHER, arn=FOREIGN))
    mine, theirs = records_of(
        tmp_path, event(route=route("kms", "ReEncrypt"), targets=targets, decision=allowed, request_id="r-9")
    )
    assert mine["sharedEventID"] == theirs["sharedEventID"] != mine["eventID"] != theirs["eventID"]
    assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
    assert (mine["requestID"], theirs["requestID"]) == ("r-9", "r-9")
    assert mine["userIdentity"]["type"] == "IAMUser"
    assert theirs["userIdentity"] == {"type": "AWSAccount", "principalId": "AIDAX", "accountId": ACCOUNT}
    assert [each["ARN"] for each in mine["resources"]] == [KEY, FOREIGN]
    assert [each["ARN"] for each in theirs["resources"]] == [FOREIGN]
    assert theirs["bailiwick"] == {"decision": None}, "the caller's policies are not the owner's to read"


@pytest.mark.parametrize("kind", ["refused", "own", "failed", "of aws"])
def test_a_call_that_touched_nothing_of_others_has_one_record(tmp_path: Path, kind: str) -> None:
    decision = Decision(kind != "refused", LayerKind.IDENTITY)
    more: dict[str, Any] = {"decision": decision, "targets": (Target(account=OTHER, arn=FOREIGN),)}
    if kind == "refused":
        more["error"] = api.AccessDenied("no", ruling(decision))
    if kind == "own":
        more["targets"] = (Target(account=ACCOUNT, arn=KEY), Target(account=ACCOUNT, arn=KEY))
    if kind == "failed":
        more["error"] = kms.DisabledException("no")
    if kind == "of aws":
        more["targets"] = (Target(account="aws", arn="arn:aws:iam::aws:policy/ReadOnlyAccess"),)
    (record,) = records_of(tmp_path, event(**more))
    assert "sharedEventID" not in record


def test_who_took_a_role_can_be_told_from_the_temporary_key() -> None:
    record = record_of(
        event(
            route=route("sts", "AssumeRole"),
            response=sts.AssumeRoleResponse(
                Credentials=sts.Credentials(
                    AccessKeyId="ASIAX", SecretAccessKey="hidden", SessionToken="hidden", Expiration=NOW
                )
            ),
        )
    )
    assert record["readOnly"] is True
    assert record["responseElements"] == {
        "credentials": {"accessKeyId": "ASIAX", "expiration": "2026-11-24T04:00:00Z"}
    }


def test_a_request_that_named_nothing_is_recorded_too() -> None:
    refused = api.MissingAuthenticationToken("Missing Authentication Token")
    record = record_of(event(route=None, caller=None, error=refused, access_key_id=None))
    assert (record["eventName"], record["errorCode"]) == ("UnknownOperation", "MissingAuthenticationToken")
    assert record["recipientAccountId"] is None


SECRETS = [
    event(request=kms.EncryptRequest(KeyId="k", Plaintext=b"hidden", GrantTokens=["hidden"])),
    event(route=route("kms", "Decrypt"), request=kms.DecryptRequest(CiphertextBlob=b"hidden", KeyId="k")),
    event(
        route=route("kms", "GenerateDataKey", writes=True),
        response=kms.GenerateDataKeyResponse(CiphertextBlob=b"hidden", Plaintext=b"hidden", KeyId="k"),
    ),
    event(
        route=route("iam", "CreateAccessKey", writes=True),
        response=iam.CreateAccessKeyResponse(
            AccessKey=iam.AccessKey(UserName="u", AccessKeyId="AK", Status="Active", SecretAccessKey="hidden")
        ),
    ),
    event(
        route=route("sts", "AssumeRole", writes=True),
        request=sts.AssumeRoleRequest(RoleArn="r", RoleSessionName="s", TokenCode="hidden"),
        response=sts.AssumeRoleResponse(
            Credentials=sts.Credentials(
                AccessKeyId="AS", SecretAccessKey="hidden", SessionToken="hidden", Expiration=NOW
            )
        ),
    ),
    event(
        route=route("iam", "CreateLoginProfile", writes=True),
        request=iam.CreateLoginProfileRequest(UserName="u", Password="hidden"),
    ),
    event(error=api.SignatureDoesNotMatch("It does not match.\n\nx-amz-security-token:hidden\n")),
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda each: each.route.operation.name)
def test_no_secret_is_written_down(secret: Event) -> None:
    text = json.dumps(record_of(secret))
    assert "hidden" not in text
    assert "aGlkZGVu" not in text  # the same in base64


@pytest.mark.parametrize("service", models.names())
def test_every_member_that_a_model_calls_a_secret_or_that_sounds_like_one_is_left_out(service: str) -> None:
    """The list of names in loggable.py is looked over again when a model brings a new one."""
    from bailiwick.app import loggable

    model = models.service(service)
    sounds = re.compile(r"password$|secret(?!Id|Arn|s?Name)|token$|tokens$|privatekey$", re.IGNORECASE)
    written = {
        name
        for shape in model.shapes.values()
        for name, reference in shape.members.items()
        if sounds.search(name)
        and model.shapes[reference.shape].kind in ("string", "list")
        and name not in loggable._UNNAMED
        and not loggable._secret(model, reference)
    }
    assert written <= HARMLESS


HARMLESS = {
    "BearerTokens",  # what is told of them when they are listed: their ids and dates
    "ClientToken",  # of an instance: for idempotency
    "HttpTokens",
    "NextToken",
    "RemovePrivateKey",
    "SubjectFromWebIdentityToken",
    "clientRequestToken",  # for idempotency as well
    "clientToken",
    "nextToken",
    "secretPolicy",
}


# -- The trail ----------------------------------------------------------------------------------------------


def test_events_become_lines_in_private_files_named_after_begin_and_process(tmp_path: Path) -> None:
    trail = Trail(Files(tmp_path / "audit"), now=lambda: NOW)
    for number in range(300):
        trail.write(event(request_id=f"r-{number}"))
    trail.close()
    (path,) = (tmp_path / "audit").iterdir()
    assert path.name == f"20261124T040000Z-{os.getpid()}.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700
    assert [json.loads(line)["requestID"] for line in path.read_text().splitlines()] == [
        f"r-{number}" for number in range(300)
    ]


def test_flush_returns_when_everything_is_on_disk(tmp_path: Path) -> None:
    trail = Trail(Files(tmp_path))
    for number in range(3):
        trail.write(event())
        trail.flush()
        assert len(text_of(tmp_path).splitlines()) == number + 1
    trail.close()


def test_a_new_file_by_size_and_by_day(tmp_path: Path) -> None:
    clock = [NOW]
    trail = Trail(Files(tmp_path), rotate_bytes=4096, now=lambda: clock[0])
    for number in range(12):
        trail.write(event(request_id=f"r-{number}"))
        trail.flush()
    by_size = sorted(path.name for path in tmp_path.iterdir())
    assert len(by_size) > 1
    assert all(path.stat().st_size < 4096 + 2000 for path in tmp_path.iterdir())
    clock[0] += 24 * 3600
    trail.write(event(request_id="tomorrow"))
    trail.close()
    (new,) = {path.name for path in tmp_path.iterdir()} - set(by_size)
    assert new == f"20261125T040000Z-{os.getpid()}.jsonl"
    assert len(text_of(tmp_path).splitlines()) == 13


def test_writers_that_wait_for_room_lose_nothing(tmp_path: Path) -> None:
    trail = Trail(Files(tmp_path), capacity=5)

    def write() -> None:
        for _ in range(200):
            assert trail.wait()
            trail.write(event())

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    trail.close()
    assert len(text_of(tmp_path).splitlines()) == 800


def test_a_disk_that_refuses_is_asked_again_and_no_line_is_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bailiwick.app.audit._RETRY", 0.001)
    trail = Trail(Files(tmp_path))
    trail.write(event(request_id="first"))
    trail.flush()
    real, failures = os.writev, [OSError(28, "No space left on device")] * 3

    def writev(handle: int, parts: Sequence[bytes]) -> int:
        if failures:
            real(handle, [parts[0][:10]])  # what a full disk takes of it
            raise failures.pop()
        return real(handle, parts)

    monkeypatch.setattr(os, "writev", writev)
    trail.write(event(request_id="second"))
    trail.flush()
    assert failures == []
    assert [json.loads(line)["requestID"] for line in text_of(tmp_path).splitlines()] == ["first", "second"]
    trail.close()


def test_a_disk_that_refuses_for_good_does_not_keep_the_server_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bailiwick.app.audit._RETRY", 0.001)

    def writev(handle: int, parts: Sequence[bytes]) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", writev)
    trail = Trail(Files(tmp_path))
    trail.write(event())
    trail.close()
    assert text_of(tmp_path) == ""
    assert "audit records lost" in capsys.readouterr().out


def test_an_event_that_cannot_be_recorded_does_not_stop_the_trail(tmp_path: Path) -> None:
    trail = Trail(Files(tmp_path))
    trail.write(event(request_id="odd", source=object()))
    trail.write(event(request_id="even"))
    trail.close()
    lines = [json.loads(line) for line in text_of(tmp_path).splitlines()]
    assert lines[0] == {"requestID": "odd", "errorCode": "RecordNotMade"}
    assert lines[1]["requestID"] == "even"

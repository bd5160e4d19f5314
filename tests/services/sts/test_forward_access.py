"""A service that acts with the rights of who called it: the proof, the session, and what conditions see of it."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import pytest
from services_support import ACCOUNT, allow, deny, document, refusal, session_of, trusts
from sqlalchemy import select

from bailiwick.app.record import record_of
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import sign
from bailiwick.services.kms import shapes as kms_shapes
from bailiwick.services.sts.redeeming import forget_what_has_expired
from bailiwick.services.sts.tables import redeemed
from still_clock import Clock
from world import World

REDSHIFT, BACKUP = "redshift.amazonaws.com", "backup.example.internal"
QUERY = b'{"sql": "select 1"}'
VIA = "secretsmanager.amazonaws.com"


@pytest.fixture
def world(clock: Clock) -> World:
    return World(now=clock)


@pytest.fixture
def alice(world: World) -> dict[str, str]:
    world.client("iam").create_user(UserName="alice")
    return world.keys_of("alice")


def asked(world: World, person: dict[str, str], service: str = "redshift", **more: Any) -> Request:
    """What a person sends to a service."""
    headers = (Header("host", f"{service}.example.internal"), Header("content-type", "application/json"))
    return sign.sign(
        Request("POST", "/query", "", headers, QUERY),
        access_key_id=person["aws_access_key_id"],
        secret=person["aws_secret_access_key"],
        token=person.get("aws_session_token"),
        region="us-east-1",
        service=service,
        now=more.pop("now", world.now()),
    )


def proof(request: Request, **changes: Any) -> dict[str, Any]:
    """The same as the service hands it on."""
    return {
        "Method": request.method,
        "Url": f"https://redshift.example.internal{request.path}",
        "Headers": [{"Name": name, "Value": value} for name, value in request.headers],
        "PayloadHash": hashlib.sha256(request.body).hexdigest(),
        **changes,
    }


def forward(world: World, service: dict[str, str], request: Request, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.client("sts", service).get_forward_access_session(**proof(request, **changes))
    return answer


def put(world: World, statement: dict[str, Any], user: str = "alice") -> None:
    world.client("iam").put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(statement))


def test_a_service_is_the_person(world: World, alice: dict[str, str]) -> None:
    answer = forward(world, world.service(REDSHIFT), asked(world, alice))
    arn = f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert (answer["Arn"], answer["Account"], answer["CalledVia"]) == (arn, ACCOUNT, [REDSHIFT])
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    told = world.client("sts", session_of(answer)).get_caller_identity()
    assert (told["Arn"], told["UserId"]) == (arn, answer["UserId"])


def test_it_may_what_the_person_may_and_conditions_see_it(world: World, alice: dict[str, str]) -> None:
    key = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    client = world.client("kms", session_of(forward(world, world.service(REDSHIFT), asked(world, alice))))
    assert refusal(client.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    through = {"StringEquals": {"kms:ViaService": "redshift.us-east-1.amazonaws.com"}}
    put(world, allow("kms:Encrypt", key, Condition=through))
    assert client.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
    assert refusal(world.client("kms", alice).encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    put(world, allow("kms:*"))
    assert client.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key


@pytest.mark.parametrize(
    ("condition", "directly", "forwarded"),
    [
        ({"Bool": {"aws:ViaAWSService": "true"}}, False, True),
        ({"Bool": {"aws:ViaAWSService": "false"}}, True, False),
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": REDSHIFT}}, False, True),
        ({"StringEquals": {"aws:CalledViaFirst": REDSHIFT}}, False, True),
        ({"StringEquals": {"aws:CalledViaLast": REDSHIFT}}, False, True),
        ({"StringEquals": {"aws:CalledViaLast": BACKUP}}, False, False),
        ({"Null": {"kms:ViaService": "true"}}, True, False),
        ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, True, True),
        ({"StringEquals": {"aws:username": "alice"}}, True, True),
        ({"Null": {"aws:MultiFactorAuthPresent": "true"}}, True, False),
        ({"Null": {"aws:TokenIssueTime": "true"}}, True, True),
        ({"IpAddress": {"aws:SourceIp": "192.0.2.7"}}, False, True),
    ],
)
def test_condition_keys(
    world: World, alice: dict[str, str], condition: Any, directly: bool, forwarded: bool
) -> None:
    put(world, allow("kms:ListKeys", Condition=condition))
    answer = forward(world, world.service(REDSHIFT), asked(world, alice), SourceAddress="192.0.2.7")
    for credentials, allowed in ((alice, directly), (session_of(answer), forwarded)):
        client = world.client("kms", credentials)
        if allowed:
            client.list_keys()
        else:
            assert refusal(client.list_keys)[0] == "AccessDeniedException"


def test_a_chain_of_services(world: World, alice: dict[str, str]) -> None:
    first = forward(world, world.service(REDSHIFT), asked(world, alice))
    second = forward(world, world.service(BACKUP), asked(world, session_of(first), "backup"))
    assert second["CalledVia"] == [REDSHIFT, BACKUP]
    in_order = {
        "StringEquals": {
            "aws:CalledViaFirst": REDSHIFT,
            "aws:CalledViaLast": BACKUP,
            "kms:ViaService": "backup.us-east-1.example.internal",
        }
    }
    put(world, allow("kms:ListKeys", Condition=in_order))
    world.client("kms", session_of(second)).list_keys()
    assert refusal(world.client("kms", session_of(first)).list_keys)[0] == "AccessDeniedException"


def test_sessions_of_roles_stay_what_they_are(world: World, alice: dict[str, str], clock: Clock) -> None:
    iam = world.client("iam")
    role = iam.create_role(
        RoleName="R", AssumeRolePolicyDocument=trusts({"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"})
    )
    iam.put_role_policy(RoleName="R", PolicyName="p", PolicyDocument=document(allow("kms:*")))
    began = world.client("sts", alice).assume_role(
        RoleArn=role["Role"]["Arn"],
        RoleSessionName="tonight",
        Policy=document(allow("kms:List*")),
        DurationSeconds=900,
    )
    clock.now += 300
    answer = forward(world, world.service(REDSHIFT), asked(world, session_of(began)), DurationSeconds=3600)
    assert answer["Credentials"]["Expiration"] == began["Credentials"]["Expiration"]
    client = world.client("kms", session_of(answer))
    client.list_keys()
    assert refusal(client.generate_random, NumberOfBytes=8)[0] == "AccessDeniedException"
    clock.now += 600
    assert refusal(client.list_keys)[0] == "ExpiredTokenException"


# -- The proof --------------------------------------------------------------------------------------------


def wrong(world: World, alice: dict[str, str], case: str) -> dict[str, Any]:
    """A proof with one thing wrong."""
    good = asked(world, alice)
    match case:
        case "another service":
            return proof(asked(world, alice, "kms"))
        case "too old":
            return proof(asked(world, alice, now=world.now() - 901))
        case "another method":
            return proof(good, Method="GET")
        case "another path":
            return proof(good, Url="/admin")
        case "a query added":
            return proof(good, Url="/query?all=1")
        case "another body":
            return proof(good, PayloadHash=hashlib.sha256(b"drop table").hexdigest())
        case "a header changed":
            headers = [{"Name": n, "Value": "other" if n == "host" else v} for n, v in good.headers]
            return proof(good, Headers=headers)
        case "not signed":
            return proof(good, Headers=[])
        case "another key":
            return proof(asked(world, {**alice, "aws_secret_access_key": "x" * 40}))
        case "no such key":
            return proof(asked(world, {**alice, "aws_access_key_id": "AKIAQAAAAAAAAAAAAAAA"}))
        case "a service's own":
            return proof(asked(world, world.service("other.example.internal")))
        case _:
            headers = [*proof(good)["Headers"], {"Name": "x-amz-content-sha256", "Value": "0" * 64}]
            return proof(good, Headers=headers)


@pytest.mark.parametrize(
    "case",
    [
        *("another service", "too old", "another method", "another path", "a query added", "another body"),
        *("a header changed", "not signed", "another key", "no such key", "a service's own", "two hashes"),
    ],
)
def test_what_proves_nobody(world: World, alice: dict[str, str], case: str) -> None:
    client = world.client("sts", world.service(REDSHIFT))
    code, text = refusal(client.get_forward_access_session, **wrong(world, alice, case))
    assert code == "InvalidIdentityToken", text
    assert text.startswith("The request proves nobody's identity: ")
    assert "X-Amz" not in text


def test_a_proof_is_good_for_one_session(world: World, alice: dict[str, str], clock: Clock) -> None:
    """However it is written, and until it is too old anyway; the same request signed anew is another proof."""
    service, request = world.service(REDSHIFT), asked(world, alice)
    forward(world, service, request)
    client = world.client("sts", service)
    unsigned = {"Name": "x-trace", "Value": "other"}
    again = [proof(request), proof(request, Headers=[unsigned, *proof(request)["Headers"]])]
    for seconds in (0, 600, 290):
        clock.now += seconds
        for given in again:
            code, text = refusal(client.get_forward_access_session, **given)
            assert (code, "used before" in text) == ("InvalidIdentityToken", True)
    assert len(rows_of(world)) == 1
    do_chores(world)
    assert len(rows_of(world)) == 1
    forward(world, service, asked(world, alice))
    clock.now += 2 * 3600
    do_chores(world)
    assert rows_of(world) == []


def rows_of(world: World) -> Any:
    with world.store.transaction() as transaction:
        return transaction.all(select(redeemed))


def do_chores(world: World) -> None:
    with world.store.transaction(write=True) as transaction:
        forget_what_has_expired(transaction, world.environment, world.now())


def test_only_services_may(world: World, alice: dict[str, str]) -> None:
    put(world, allow("*"))
    session = forward(world, world.service(REDSHIFT), asked(world, alice))
    for person in (alice, world.root, session_of(session)):
        client = world.client("sts", person)
        assert refusal(client.get_forward_access_session, **proof(asked(world, alice)))[0] == "AccessDenied"


def test_no_longer_credentials_come_of_it(world: World, alice: dict[str, str]) -> None:
    put(world, allow("*"))
    iam = world.client("iam")
    arn = iam.create_role(RoleName="R", AssumeRolePolicyDocument=trusts({"AWS": ACCOUNT}))["Role"]["Arn"]
    sts = world.client("sts", session_of(forward(world, world.service(REDSHIFT), asked(world, alice))))
    assert refusal(sts.assume_role, RoleArn=arn, RoleSessionName="s1")[0] == "AccessDenied"
    assert refusal(sts.get_session_token)[0] == "AccessDenied"
    assert refusal(sts.get_federation_token, Name="guest")[0] == "AccessDenied"


def test_it_ends_with_what_it_rests_on(world: World, alice: dict[str, str], clock: Clock) -> None:
    put(world, allow("kms:*"))
    service, iam = world.service(REDSHIFT), world.client("iam")
    client = world.client("kms", session_of(forward(world, service, asked(world, alice))))
    key = alice["aws_access_key_id"]
    client.list_keys()
    iam.update_access_key(UserName="alice", AccessKeyId=key, Status="Inactive")
    assert refusal(client.list_keys)[0] == "UnrecognizedClientException"
    iam.update_access_key(UserName="alice", AccessKeyId=key, Status="Active")
    client.list_keys()
    clock.now += 900
    assert refusal(client.list_keys)[0] == "ExpiredTokenException"


def test_a_service_that_was_deleted_keeps_nothing(world: World, alice: dict[str, str]) -> None:
    from bailiwick.directory import service_principals

    put(world, allow("kms:*"))
    client = world.client("kms", session_of(forward(world, world.service(REDSHIFT), asked(world, alice))))
    client.list_keys()
    with world.store.transaction(write=True) as transaction:
        found = service_principals.find(transaction, REDSHIFT)
        assert found is not None
        service_principals.remove(transaction, found)
    assert refusal(client.list_keys)[0] == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("resource", "condition", "allowed"),
    [
        ("role/Loader", {"StringEquals": {"iam:PassedToService": REDSHIFT}}, True),
        ("role/*", {"ArnLike": {"iam:AssociatedResourceArn": "arn:aws:redshift:*:*:cluster:*"}}, True),
        ("role/Loader", {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}, False),
        ("role/Other", {}, False),
    ],
)
def test_a_role_is_passed(
    world: World, alice: dict[str, str], resource: str, condition: Any, allowed: bool
) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}"
    world.client("iam").create_role(RoleName="Loader", AssumeRolePolicyDocument=trusts({"Service": REDSHIFT}))
    put(world, allow("iam:PassRole", f"{arn}:{resource}", Condition=condition))
    iam = world.client("iam", session_of(forward(world, world.service(REDSHIFT), asked(world, alice))))
    what = {
        "RoleArn": f"{arn}:role/Loader",
        "AssociatedResourceArn": f"arn:aws:redshift:us-east-1:{ACCOUNT}:cluster:c",
    }
    if allowed:
        iam.pass_role(**what)
    else:
        code, text = refusal(iam.pass_role, **what)
        assert code == "AccessDenied"
        assert f"iam:PassRole on resource: {arn}:role/Loader" in text


def test_what_cannot_be_passed(world: World, alice: dict[str, str]) -> None:
    put(world, allow("iam:PassRole"))
    iam = world.client("iam", session_of(forward(world, world.service(REDSHIFT), asked(world, alice))))
    for account, name in ((ACCOUNT, "Missing"), ("210987654321", "Loader")):
        code, _ = refusal(iam.pass_role, RoleArn=f"arn:aws:iam::{account}:role/{name}")
        assert code == "NoSuchEntity"
    world.client("iam").create_role(RoleName="Loader", AssumeRolePolicyDocument=trusts({"Service": REDSHIFT}))
    code, text = refusal(world.client("iam", alice).pass_role, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Loader")
    assert (code, "forward access session" in text) == ("InvalidInput", True)


# -- What is written down ---------------------------------------------------------------------------------


def test_the_trail_tells_person_and_service_and_no_secret(world: World, alice: dict[str, str]) -> None:
    put(world, allow("kms:*"))
    request = asked(world, alice)
    answer = forward(world, world.service(REDSHIFT), request)
    given = json.loads(record_of(world.events[-1], os.urandom))
    text = json.dumps(given)
    signature = request.fields["authorization"].rpartition("=")[2]
    assert signature not in text
    assert answer["Credentials"]["SessionToken"] not in text
    assert given["responseElements"]["credentials"]["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert given["recipientAccountId"] == ACCOUNT
    assert given["responseElements"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    world.client("kms", session_of(answer)).list_keys()
    used = json.loads(record_of(world.events[-1], os.urandom))
    assert used["userIdentity"]["userName"] == "alice"
    assert used["userIdentity"]["invokedBy"] == REDSHIFT
    assert used["sourceIPAddress"] == used["userAgent"] == REDSHIFT
    assert used["bailiwick"]["calledVia"] == [REDSHIFT]
    assert used["bailiwick"]["sourceIPAddress"] == "127.0.0.1"


# -- Within the house -------------------------------------------------------------------------------------


def through(world: World, person: dict[str, str], request: Any) -> Any:
    """What a service of the house does for a person: KMS's Encrypt through Secrets Manager."""
    pipeline = world.pipeline
    caller = world.directory.credential(person["aws_access_key_id"], None, world.now()).caller
    form = Header("content-type", "application/x-www-form-urlencoded")
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    received = pipeline.receive(Request("POST", "/", "", (Header("host", "sts.example"), form), body))
    assert received.route is not None
    call = pipeline.call(received, received.route, caller, None)
    with call.transaction:
        assert call.door is not None
        return call.door.through(call, VIA, "kms", "Encrypt", request)


def test_a_service_of_the_house_calls_on(world: World, alice: dict[str, str]) -> None:
    key = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    condition = {"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}}
    put(world, allow("kms:Encrypt", key, Condition=condition))
    request = kms_shapes.EncryptRequest(KeyId=key, Plaintext=b"x")
    for _ in range(2):
        assert through(world, alice, request).KeyId == key
    first, second = world.events[-2:]
    assert first.request_id != second.request_id
    assert first.caller is second.caller  # made once: what is remembered of callers is found again
    record = json.loads(record_of(first, os.urandom))
    assert record["userIdentity"]["invokedBy"] == VIA
    assert record["userIdentity"]["accessKeyId"] == alice["aws_access_key_id"]
    put(world, deny("kms:*"))
    with pytest.raises(Exception, match="is not authorized to perform: kms:Encrypt"):
        through(world, alice, request)

"""AssumeRoleWithLDAPIdentity: people of a company's directory take roles, and nobody else does."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from services_support import allow, document, refusal, session_of, trusts

from bailiwick.app.record import record_of
from bailiwick.core.message import Header, Request, Response
from bailiwick.federation.ldap import Company, read
from ldap_fake import GROUPS, PEOPLE, FakeDirectory, company, mapping
from still_clock import Clock
from world import ACCOUNT, World

PROVIDER = f"arn:aws:iam::{ACCOUNT}:ldap-provider/company"
FEDERATED = {"Federated": PROVIDER}
ACTIONS = ["sts:AssumeRoleWithLDAPIdentity", "sts:TagSession"]
PASSWORD = "alice's password"
NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeDirectory]:
    server = FakeDirectory(company())
    yield server
    server.close()


@pytest.fixture
def directory(fake: FakeDirectory, tmp_path: Path) -> Iterator[Company]:
    made = Company(read(mapping(tmp_path, fake.url()), Path.read_bytes))
    yield made
    made.close()


@pytest.fixture
def world(directory: Company, clock: Clock) -> World:
    world = World(now=clock, people=directory)
    iam = world.client("iam")
    for name in ("admin", "staff", "app-one", "closed", "other"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusts(FEDERATED, ACTIONS))
    return world


@pytest.fixture
def sts(world: World) -> Any:
    return world.client("sts")


def arn(role: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{role}"


def come_in(sts: Any, user: str = "alice", password: str = PASSWORD, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = sts.assume_role_with_ldap_identity(LDAPUsername=user, LDAPPassword=password, **more)
    return found


def test_a_person_comes_in_and_uses_a_key(world: World, sts: Any) -> None:
    kms = world.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    tagged = {"StringEquals": {"aws:PrincipalTag/team": "platform", "aws:FederatedProvider": PROVIDER}}
    world.client("iam").put_role_policy(
        RoleName="admin", PolicyName="p", PolicyDocument=document(allow("kms:Encrypt", key, Condition=tagged))
    )
    answer = come_in(sts, "ALICE")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/alice"
    assert (answer["Subject"], answer["Provider"]) == (f"uid=alice,{PEOPLE}", PROVIDER)
    mine = session_of(answer)
    assert world.client("kms", mine).encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert world.client("sts", mine).get_caller_identity()["Arn"].endswith("assumed-role/admin/alice")
    code, message = refusal(
        world.client("kms", session_of(come_in(sts, "bob", "bob's password"))).encrypt, KeyId=key, Plaintext=b"x"
    )
    assert code == "AccessDeniedException"
    assert "assumed-role/staff/bob" in message


def test_a_session_knows_whose_it_is(world: World, sts: Any) -> None:
    whose = {
        "StringEquals": {"ldap:username": "alice", "ldap:dn": f"uid=alice,{PEOPLE}", "ldap:provider": "company"}
    }
    for role in ("admin", "staff"):
        world.client("iam").put_role_policy(
            RoleName=role, PolicyName="p", PolicyDocument=document(allow("kms:ListKeys", Condition=whose))
        )
    assert world.client("kms", session_of(come_in(sts))).list_keys()["Keys"] == []
    bob = session_of(come_in(sts, "bob", "bob's password"))
    assert refusal(world.client("kms", bob).list_keys)[0] == "AccessDeniedException"


def test_groups_that_are_none_are_no_value(fake: FakeDirectory, tmp_path: Path) -> None:
    rule = f'[[rule]]\nroles = ["{arn("staff")}"]\n'
    people = Company(read(mapping(tmp_path, fake.url(), rest=rule), Path.read_bytes))
    world = World(people=people)
    iam, sts = world.client("iam"), world.client("sts")
    fake.entries[f"uid=dora,{PEOPLE}"] = {"uid": ["dora"], "userPassword": ["dora's"]}
    without, within = (
        trusts(FEDERATED, ACTIONS, Condition={"Null": {"ldap:groups": x}}) for x in ("true", "false")
    )
    iam.create_role(RoleName="staff", AssumeRolePolicyDocument=without)
    assert come_in(sts, "dora", "dora's")["Credentials"]
    iam.update_assume_role_policy(RoleName="staff", PolicyDocument=within)
    assert refusal(come_in, sts=sts, user="dora", password="dora's")[0] == "AccessDenied"
    assert come_in(sts)["Credentials"]
    people.close()


def test_which_role(sts: Any) -> None:
    assert ":assumed-role/staff/" in come_in(sts, RoleArn=arn("staff"))["AssumedRoleUser"]["Arn"]
    assert ":assumed-role/app-one/" in come_in(sts, RoleArn=arn("app-one"))["AssumedRoleUser"]["Arn"]
    for role in ("other", "nowhere", "app-two"):
        assert refusal(come_in, sts=sts, RoleArn=arn(role)) == (
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithLDAPIdentity",
        )
    assert (
        refusal(come_in, sts=sts, user="bob", password="bob's password", RoleArn=arn("admin"))[0] == "AccessDenied"
    )
    assert refusal(come_in, sts=sts, RoleArn="arn:aws:iam::no role at all")[0] == "ValidationError"


@pytest.mark.parametrize(
    ("user", "password"),
    [
        *(("alice", "wrong"), ("nobody", PASSWORD), ("alice", ""), ("*", PASSWORD), ("alice)(uid=*", PASSWORD)),
        *(("alice\0", PASSWORD), ("twin", "twin"), ("*)(|(uid=*", "x"), (f"uid=alice,{PEOPLE}", PASSWORD)),
    ],
)
def test_the_answer_does_not_tell_what_was_wrong(sts: Any, user: str, password: str) -> None:
    assert refusal(come_in, sts=sts, user=user, password=password) == (
        "IDPRejectedClaim",
        "The directory does not know a person of this name with this password.",
    )


@pytest.mark.parametrize(
    ("trust", "let_in"),
    [
        (trusts(FEDERATED, ACTIONS), True),
        (trusts(FEDERATED, "sts:AssumeRoleWithLDAPIdentity"), False),  # the tags are not allowed
        (trusts(FEDERATED, "sts:*"), True),
        (trusts({"AWS": "*"}, "sts:*"), False),
        (trusts({"Federated": f"arn:aws:iam::{ACCOUNT}:ldap-provider/other"}, ACTIONS), False),
        (trusts({"Federated": "arn:aws:iam::210987654321:ldap-provider/company"}, ACTIONS), False),
        (trusts(FEDERATED, "sts:AssumeRole"), False),
        (trusts(FEDERATED, ACTIONS, Condition={"StringEquals": {"ldap:username": "alice"}}), True),
        (trusts(FEDERATED, ACTIONS, Condition={"StringEquals": {"ldap:username": "bob"}}), False),
        (trusts(FEDERATED, ACTIONS, Condition={"StringLike": {"ldap:mail": "*@example.org"}}), True),
        (
            trusts(
                FEDERATED,
                ACTIONS,
                Condition={"ForAnyValue:StringEqualsIgnoreCase": {"ldap:groups": f"CN=admins,{GROUPS}"}},
            ),
            True,
        ),
        (trusts(FEDERATED, ACTIONS, Condition={"ForAnyValue:StringEquals": {"ldap:groupnames": "admins"}}), True),
        (trusts(FEDERATED, ACTIONS, Condition={"ForAnyValue:StringEquals": {"ldap:groupnames": "none"}}), False),
        (trusts(FEDERATED, ACTIONS, Condition={"StringEquals": {"aws:RequestTag/department": "R_D"}}), True),
        (trusts(FEDERATED, ACTIONS, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), False),
    ],
)
def test_the_trust_policy_decides_too(world: World, sts: Any, trust: str, let_in: bool) -> None:
    world.client("iam").update_assume_role_policy(RoleName="admin", PolicyDocument=trust)
    if let_in:
        assert come_in(sts)["Credentials"]
    else:
        code, message = refusal(come_in, sts=sts)
        assert code == "AccessDenied"
        assert message.startswith("Not authorized to perform sts:")


def test_a_session_policy_and_a_duration(world: World, sts: Any, clock: Clock) -> None:
    world.client("iam").put_role_policy(RoleName="admin", PolicyName="p", PolicyDocument=document(allow("kms:*")))
    answer = come_in(sts, Policy=document(allow("kms:ListKeys")), DurationSeconds=900)
    assert answer["Credentials"]["Expiration"].timestamp() == int(clock()) + 900
    mine = world.client("kms", session_of(answer))
    assert mine.list_keys()["Keys"] == []
    assert "session policy" in refusal(mine.list_aliases)[1]
    assert refusal(come_in, sts=sts, DurationSeconds=7200)[0] == "ValidationError"
    assert refusal(come_in, sts=sts, Policy="no policy")[0] == "MalformedPolicyDocument"


def test_guessing_is_slowed_down(world: World, sts: Any, clock: Clock) -> None:
    for user in ("alice", "ALICE", " alice", "al\u00adice", "alice"):
        assert refusal(come_in, sts=sts, user=user, password="wrong")[0] == "IDPRejectedClaim"
    assert refusal(come_in, sts=sts)[0] == "Throttling"
    assert come_in(sts, "bob", "bob's password")["Credentials"]
    clock.now += 31
    assert come_in(sts)["Credentials"]
    assert refusal(come_in, sts=sts, password="wrong")[0] == "IDPRejectedClaim"


def test_one_address_cannot_try_every_name(world: World, sts: Any) -> None:
    for number in range(50):
        assert refusal(come_in, sts=sts, user=f"user{number}", password="x")[0] == "IDPRejectedClaim"
    assert refusal(come_in, sts=sts)[0] == "Throttling"
    assert (
        b"AccessKeyId"
        in form(world, {"LDAPUsername": "bob", "LDAPPassword": "bob's password"}, source="10.1.1.1").body
    )


def test_a_directory_that_is_away(world: World, sts: Any, fake: FakeDirectory) -> None:
    fake.answer_bind = lambda dn: 52
    try:
        code, message = refusal(come_in, sts=sts)
    finally:
        fake.answer_bind = lambda dn: None
        fake.drop()
    assert (code, message) == (
        "IDPCommunicationError",
        "The directory cannot be asked. Please try again shortly.",
    )


def test_people_without_a_role(world: World, sts: Any, fake: FakeDirectory) -> None:
    fake.entries[f"uid=carol,{PEOPLE}"] = {"uid": ["carol"], "userPassword": ["carol's"]}
    assert refusal(come_in, sts=sts, user="carol", password="carol's") == (
        "AccessDenied",
        "No role is given to any group of this person.",
    )


def test_a_name_that_cannot_name_a_session(world: World, sts: Any, fake: FakeDirectory) -> None:
    for name, begins in (("Zoë Ö", "Zo---"), ("z", "z-"), ("x" * 100, "x" * 55 + "-")):
        fake.entries[f"uid={name},{PEOPLE}"] = {
            "uid": [name],
            "userPassword": ["secret"],
            "memberOf": [f"cn=staff,{GROUPS}"],
        }
        session = come_in(sts, name, "secret")["AssumedRoleUser"]["Arn"].rpartition("/")[2]
        assert session.startswith(begins)
        assert 10 <= len(session) <= 64


def test_source_identity(directory: Company, fake: FakeDirectory, tmp_path: Path) -> None:
    file = mapping(tmp_path, fake.url())
    file.write_text("source_identity = true\n" + file.read_text())
    people = Company(read(file, Path.read_bytes))
    world = World(people=people)
    iam, sts = world.client("iam"), world.client("sts")
    iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trusts(FEDERATED, ACTIONS))
    assert refusal(come_in, sts=sts)[0] == "AccessDenied"
    iam.update_assume_role_policy(
        RoleName="admin", PolicyDocument=trusts(FEDERATED, [*ACTIONS, "sts:SetSourceIdentity"])
    )
    assert come_in(sts)["SourceIdentity"] == "alice"
    people.close()


def form(world: World, fields: dict[str, str], source: str = "127.0.0.1", in_url: bool = False) -> Response:
    """What a client of object stores sends, and what it gets."""
    text = urlencode({"Action": "AssumeRoleWithLDAPIdentity", "Version": "2011-06-15", **fields})
    headers = (Header("host", "127.0.0.1:4577"), Header("content-type", "application/x-www-form-urlencoded"))
    query, body = (text, b"") if in_url else ("", text.encode())
    return world.pipeline.handle(Request("POST", "/", query, headers, body, source=source))


@pytest.mark.parametrize("in_url", [False, True])
def test_as_clients_of_object_stores_send_it(world: World, in_url: bool) -> None:
    answer = form(world, {"LDAPUsername": "alice", "LDAPPassword": PASSWORD}, in_url=in_url)
    assert answer.status == 200
    root = ElementTree.fromstring(answer.body)
    assert root.tag == f"{NAMESPACE}AssumeRoleWithLDAPIdentityResponse"
    credentials = root.find(f"{NAMESPACE}AssumeRoleWithLDAPIdentityResult/{NAMESPACE}Credentials")
    assert credentials is not None
    assert {each.tag.removeprefix(NAMESPACE) for each in credentials} == {
        *("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"),
    }
    assert root.find(f"{NAMESPACE}ResponseMetadata/{NAMESPACE}RequestId") is not None


def test_what_the_audit_trail_knows(world: World, sts: Any) -> None:
    come_in(sts)
    refusal(come_in, sts=sts, password="a wrong guess")
    refusal(come_in, sts=sts, password="long " * 1000)
    come, guess, long = (json.loads(record_of(event, bytes)) for event in world.events[-3:])
    assert come["userIdentity"] == {
        "type": "LDAPUser",
        "principalId": f"{PROVIDER}:uid=alice,{PEOPLE}",
        "userName": "alice",
        "identityProvider": PROVIDER,
    }
    assert come["requestParameters"] == {"lDAPUsername": "alice"}
    assert come["responseElements"]["credentials"]["accessKeyId"].startswith("ASIA")
    assert come["recipientAccountId"] == ACCOUNT
    assert (guess["errorCode"], guess["requestParameters"]) == ("IDPRejectedClaim", {"lDAPUsername": "alice"})
    assert long["errorCode"] == "ValidationError"
    told = json.dumps([come, guess, long])
    assert PASSWORD not in told
    assert "guess" not in told
    assert "long long" not in told


def test_a_deleted_role_ends_its_sessions(world: World, sts: Any) -> None:
    mine = session_of(come_in(sts))
    world.client("iam").delete_role(RoleName="admin")
    assert refusal(world.client("sts", mine).get_caller_identity)[0] == "InvalidClientTokenId"
    assert refusal(come_in, sts=sts)[0] == "AccessDenied"

"""Grants as boto3 sees them, and what they let their grantees do. Source: facts/kms.md section 10."""

from __future__ import annotations

from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal, session_of, trusts

from world import World

ALICE, BOB = f"arn:aws:iam::{ACCOUNT}:user/alice", f"arn:aws:iam::{ACCOUNT}:user/bob"
OTHER = "210987654321"
DENIED = "AccessDeniedException"


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def alice(world: World, iam: Any) -> Any:
    iam.create_user(UserName="alice")
    return world.client("kms", world.keys_of("alice"))


@pytest.fixture
def bob(world: World, iam: Any) -> Any:
    iam.create_user(UserName="bob")
    return world.client("kms", world.keys_of("bob"))


def test_a_grant_lets_its_grantee_do_what_it_names(kms: Any, alice: Any, bob: Any, key: str) -> None:
    assert refusal(alice.encrypt, KeyId=key, Plaintext=b"x")[0] == DENIED
    made = kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt", "DescribeKey"])
    assert len(made["GrantId"]) == 64
    blob = alice.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])["CiphertextBlob"]
    assert alice.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    assert refusal(alice.decrypt, CiphertextBlob=blob)[0] == DENIED
    assert refusal(bob.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])[0] == DENIED
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert refusal(alice.encrypt, KeyId=key, Plaintext=b"x")[0] == DENIED


def test_a_session_of_a_role_uses_the_roles_grant(world: World, kms: Any, iam: Any, key: str) -> None:
    iam.create_user(UserName="caller")
    iam.put_user_policy(UserName="caller", PolicyName="p", PolicyDocument=document(allow("sts:*")))
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": ACCOUNT}))["Role"]["Arn"]
    sts = world.client("sts", world.keys_of("caller"))
    session = world.client("kms", session_of(sts.assume_role(RoleArn=role, RoleSessionName="ss")))
    kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Encrypt"])
    assert session.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key


def test_a_user_made_anew_under_the_name_is_not_the_grantee(world: World, kms: Any, iam: Any, key: str) -> None:
    iam.create_user(UserName="alice")
    kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt"])
    iam.delete_user(UserName="alice")
    iam.create_user(UserName="alice")
    anew = world.client("kms", world.keys_of("alice"))
    assert refusal(anew.encrypt, KeyId=key, Plaintext=b"x")[0] == DENIED


@pytest.mark.parametrize(
    ("constraint", "context", "allowed"),
    [
        ("EncryptionContextSubset", {"a": "1"}, True),
        ("EncryptionContextSubset", {"a": "1", "b": "2"}, True),
        ("EncryptionContextSubset", {"A": "1"}, False),
        ("EncryptionContextSubset", {"a": "1x"}, False),
        ("EncryptionContextSubset", {}, False),
        ("EncryptionContextEquals", {"a": "1"}, True),
        ("EncryptionContextEquals", {"a": "1", "b": "2"}, False),
        ("EncryptionContextEquals", {"a": "2", "A": "1"}, False),
    ],
)
def test_constraints(
    kms: Any, alice: Any, key: str, constraint: str, context: dict[str, str], allowed: bool
) -> None:
    kms.create_grant(
        KeyId=key,
        GranteePrincipal=ALICE,
        Operations=["Encrypt", "DescribeKey"],
        Constraints={constraint: {"a": "1"}},
    )
    asked = {"KeyId": key, "Plaintext": b"x", "EncryptionContext": context}
    if allowed:
        alice.encrypt(**asked)
    else:
        assert refusal(alice.encrypt, **asked)[0] == DENIED
    alice.describe_key(KeyId=key)  # what carries no context is not held up


def test_re_encryption_needs_a_grant_on_either_side(kms: Any, alice: Any, key: str) -> None:
    to = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    asked = {"CiphertextBlob": blob, "DestinationKeyId": to}
    kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["ReEncryptFrom"])
    assert refusal(alice.re_encrypt, **asked)[0] == DENIED
    kms.create_grant(KeyId=to, GranteePrincipal=ALICE, Operations=["ReEncryptTo"])
    assert alice.re_encrypt(**asked)["KeyId"] == to


def test_a_deny_is_stronger(kms: Any, iam: Any, alice: Any, key: str) -> None:
    kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt"])
    denies = document({"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"})
    iam.put_user_policy(UserName="alice", PolicyName="d", PolicyDocument=denies)
    assert refusal(alice.encrypt, KeyId=key, Plaintext=b"x")[0] == DENIED


def test_a_grantee_passes_on_no_more_than_she_has(kms: Any, alice: Any, bob: Any, key: str) -> None:
    kms.create_grant(
        KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt", "CreateGrant"],
        Constraints={"EncryptionContextSubset": {"a": "1"}},
    )  # fmt: skip
    child = {"KeyId": key, "GranteePrincipal": BOB, "Operations": ["Encrypt"]}
    for constraints in ({}, {"EncryptionContextSubset": {"b": "1"}}, {"EncryptionContextEquals": {"a": "2"}}):
        assert refusal(alice.create_grant, **child, Constraints=constraints)[0] == DENIED
    tight = {"EncryptionContextEquals": {"a": "1", "b": "2"}}
    wider = {**child, "Operations": ["Encrypt", "Decrypt"]}
    assert refusal(alice.create_grant, **wider, Constraints=tight)[0] == DENIED
    alice.create_grant(**child, Constraints=tight)
    bob.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1", "b": "2"})
    assert refusal(bob.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1"})[0] == DENIED


def test_across_accounts_a_grant_is_one_half(world: World, kms: Any, key: str) -> None:
    root = world.account(OTHER)
    iam, theirs = world.client("iam", root), world.client("kms", root)
    iam.create_user(UserName="carol")
    made = iam.create_access_key(UserName="carol")["AccessKey"]
    carol = world.client(
        "kms", {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    )
    kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{OTHER}:user/carol", Operations=["Encrypt"])
    assert refusal(carol.encrypt, KeyId=key, Plaintext=b"x")[0] == DENIED
    assert refusal(theirs.encrypt, KeyId=key, Plaintext=b"x")[0] == DENIED
    iam.put_user_policy(UserName="carol", PolicyName="p", PolicyDocument=document(allow("kms:Encrypt", key)))
    assert carol.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key


def test_the_same_name_and_parameters_are_the_same_grant(kms: Any, alice: Any, key: str) -> None:
    asked = {"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt"], "Name": "n"}
    first, again = kms.create_grant(**asked), kms.create_grant(**asked)
    assert first["GrantId"] == again["GrantId"]
    assert first["GrantToken"] != again["GrantToken"]
    assert kms.create_grant(**{**asked, "Operations": ["Decrypt"]})["GrantId"] != first["GrantId"]
    unnamed = {k: v for k, v in asked.items() if k != "Name"}
    assert kms.create_grant(**unnamed)["GrantId"] != kms.create_grant(**unnamed)["GrantId"]


def test_lists(kms: Any, alice: Any, bob: Any, key: str) -> None:
    constraints = {"EncryptionContextSubset": {"a": "1"}}
    ids = [
        kms.create_grant(
            KeyId=key, GranteePrincipal=who, Operations=["Decrypt"], RetiringPrincipal=BOB, Constraints=constraints
        )["GrantId"]
        for who in (ALICE, BOB, ALICE)
    ]
    listed = kms.list_grants(KeyId=key)
    assert {grant["GrantId"] for grant in listed["Grants"]} == set(ids)
    assert listed["Truncated"] is False
    one = kms.list_grants(KeyId=key, GrantId=ids[1])["Grants"]
    assert [grant["GrantId"] for grant in one] == [ids[1]]
    assert one[0].pop("CreationDate")
    assert one[0] == {
        "KeyId": key, "GrantId": ids[1], "GranteePrincipal": BOB, "RetiringPrincipal": BOB, "Operations": ["Decrypt"],
        "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root", "Constraints": constraints,
    }  # fmt: skip
    assert len(kms.list_grants(KeyId=key, GranteePrincipal=ALICE)["Grants"]) == 2
    assert kms.list_grants(KeyId=key, GrantId="unknown")["Grants"] == []
    first = kms.list_retirable_grants(RetiringPrincipal=BOB, Limit=2)
    assert first["Truncated"] is True
    rest = kms.list_retirable_grants(RetiringPrincipal=BOB, Limit=2, Marker=first["NextMarker"])
    assert {grant["GrantId"] for grant in first["Grants"] + rest["Grants"]} == set(ids)
    assert refusal(kms.list_grants, KeyId=key, Marker=first["NextMarker"])[0] == "InvalidMarkerException"
    assert kms.list_retirable_grants(RetiringPrincipal=ALICE)["Grants"] == []


def test_who_may_retire(kms: Any, iam: Any, alice: Any, bob: Any, key: str) -> None:
    def grant(**more: Any) -> Any:
        return kms.create_grant(KeyId=key, GranteePrincipal=ALICE, **more)

    made = grant(Operations=["Encrypt"], RetiringPrincipal=BOB)
    assert refusal(alice.retire_grant, KeyId=key, GrantId=made["GrantId"])[0] == DENIED
    bob.retire_grant(GrantToken=made["GrantToken"])
    assert refusal(bob.retire_grant, GrantToken=made["GrantToken"])[0] == DENIED  # what is gone is nobody's
    assert refusal(kms.retire_grant, GrantToken=made["GrantToken"])[0] == "NotFoundException"
    made = grant(Operations=["Encrypt", "RetireGrant"])
    assert refusal(bob.retire_grant, KeyId=key, GrantId=made["GrantId"])[0] == DENIED
    alice.retire_grant(KeyId=key, GrantId=made["GrantId"])
    made = grant(Operations=["Encrypt"])
    iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=document(allow("kms:RetireGrant")))
    assert (
        refusal(bob.retire_grant, KeyId=key, GrantId=made["GrantId"], DryRun=True)[0] == "DryRunOperationException"
    )
    bob.retire_grant(KeyId=key, GrantId=made["GrantId"])
    made = grant(Operations=["Encrypt"])
    kms.retire_grant(KeyId=key, GrantId=made["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_a_key_policy_cannot_allow_retiring_but_can_deny_it(kms: Any, bob: Any, alice: Any, key: str) -> None:
    owner = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    opens = {"Effect": "Allow", "Principal": {"AWS": BOB}, "Action": "kms:RetireGrant", "Resource": "*"}
    kms.put_key_policy(KeyId=key, Policy=document(owner, opens))
    made = kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt"], RetiringPrincipal=ALICE)
    assert refusal(bob.retire_grant, KeyId=key, GrantId=made["GrantId"])[0] == DENIED
    kms.put_key_policy(KeyId=key, Policy=document(owner, {**opens, "Effect": "Deny", "Principal": {"AWS": ALICE}}))
    assert refusal(alice.retire_grant, KeyId=key, GrantId=made["GrantId"])[0] == DENIED


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"Operations": ["CreateGrant"]}, "ValidationException",
         "Grants must not contain only the CreateGrant operation."),
        ({"Operations": ["Sign"]}, "ValidationException", None),
        ({"Operations": ["DECRYPT"]}, "ValidationException", None),
        ({"Constraints": {"EncryptionContextSubset": {"a": "1"}, "EncryptionContextEquals": {"a": "1"}}},
         "ValidationException", "More than one constraint supplied"),
        ({"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/nobody"}, "InvalidArnException", None),
        ({"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:group/g"}, "InvalidArnException", None),
        ({"GranteePrincipal": "alice"}, "InvalidArnException", None),
        ({"RetiringPrincipal": "arn:aws:iam::999999999999:root"}, "InvalidArnException", None),
        ({"GrantTokens": ["made up"]}, "InvalidGrantTokenException", None),
        ({"GranteeServicePrincipal": "x.amazonaws.com"}, "ValidationException", None),
    ],
)  # fmt: skip
def test_grants_that_are_not_made(
    kms: Any, alice: Any, key: str, parameters: dict[str, Any], code: str, message: str | None
) -> None:
    asked = {"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt"], **parameters}
    error = refusal(kms.create_grant, **asked)
    assert error[0] == code
    assert message is None or error[1] == message
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_context_constraints_are_for_symmetric_keys(kms: Any, alice: Any) -> None:
    signer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    asked = {"KeyId": signer, "GranteePrincipal": ALICE, "Operations": ["Sign"]}
    limited = {**asked, "Constraints": {"EncryptionContextSubset": {"a": "1"}}}
    assert refusal(kms.create_grant, **limited)[0] == "ValidationException"
    kms.create_grant(**asked)
    assert alice.sign(KeyId=signer, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["KeyId"] == signer
    assert refusal(kms.revoke_grant, KeyId=signer, GrantId="short")[0] == "InvalidGrantIdException"
    for absent in ("0" * 64, "aabbccdd"):  # an ID that could be one is looked up, whatever its length
        assert refusal(kms.revoke_grant, KeyId=signer, GrantId=absent) == (
            "NotFoundException",
            f"Grant ID {absent} not found",
        )


def test_condition_keys_of_grants(kms: Any, iam: Any, alice: Any, bob: Any, key: str) -> None:
    """What the caller may grant can be limited by what the grant says."""
    limits = {
        "ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]},
        "StringEquals": {"kms:GranteePrincipal": BOB, "kms:EncryptionContext:a": "1"},
        "Bool": {"kms:GrantIsForAWSResource": "false"},
    }
    policy = document(allow("kms:CreateGrant", Condition=limits))
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy)
    asked = {"KeyId": key, "GranteePrincipal": BOB, "Constraints": {"EncryptionContextSubset": {"a": "1"}}}
    assert refusal(alice.create_grant, **asked, Operations=["Decrypt"])[0] == DENIED
    assert refusal(alice.create_grant, **{**asked, "GranteePrincipal": ALICE}, Operations=["Encrypt"])[0] == DENIED
    alice.create_grant(**asked, Operations=["Encrypt"])


def test_a_warm_call_under_a_grant_reads_nothing(
    world: World, kms: Any, alice: Any, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt"])
    alice.encrypt(KeyId=key, Plaintext=b"x")

    def connect(*, write: bool) -> None:
        raise AssertionError("a connection was taken")

    monkeypatch.setattr(world.store, "connect", connect)
    alice.encrypt(KeyId=key, Plaintext=b"x")


def test_who_retires_grants_lists_them_on_keys_of_other_accounts(
    world: World, iam: Any, alice: Any, bob: Any
) -> None:
    """The retiring principal is the resource that is asked for; policies about keys say nothing here."""
    other = world.account(OTHER)
    theirs = world.client("kms", other)
    key = theirs.create_key()["KeyMetadata"]["Arn"]
    made = theirs.create_grant(
        KeyId=key, GranteePrincipal=BOB, RetiringPrincipal=ALICE, Operations=["Encrypt", "DescribeKey"]
    )
    asked = {"RetiringPrincipal": ALICE}
    assert refusal(alice.list_retirable_grants, **asked) == (
        DENIED,
        f"User: {ALICE} is not authorized to perform: kms:ListRetirableGrants on resource: {ALICE} "
        "because no identity-based policy allows the kms:ListRetirableGrants action",
    )
    statement = allow("kms:ListRetirableGrants", ALICE)
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document(statement))
    assert [grant["GrantId"] for grant in alice.list_retirable_grants(**asked)["Grants"]] == [made["GrantId"]]
    assert refusal(alice.list_retirable_grants, RetiringPrincipal=BOB)[0] == DENIED
    assert refusal(theirs.list_retirable_grants, **asked)[0] == DENIED
    assert refusal(theirs.list_retirable_grants, RetiringPrincipal="alice")[0] == "InvalidArnException"
    alice.retire_grant(KeyId=key, GrantId=made["GrantId"])
    assert theirs.list_grants(KeyId=key)["Grants"] == []

"""Many grants on one key: a call finds its own among them, and memory holds no more than it needs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from services_support import allow, document, refusal
from sqlalchemy import insert

from bailiwick.services.kms import grant_index, grants, tables
from bailiwick.services.kms.grants import ANY_CONTEXT, Constraints
from world import ACCOUNT, World

MANY = 3_000
GRANTEE = f"arn:aws:iam::{ACCOUNT}:user/grantee"
TEXTS = st.sampled_from(["", "a", "b", "ab", "é"])
CONTEXTS = st.dictionaries(TEXTS, TEXTS, max_size=3)


def fill(world: World, key: str, constraints: list[Constraints], operations: list[str], name: str = "f") -> None:
    """Give the grantee as many grants on a key as there are constraints, past the operation."""
    unique = world.client("iam").get_user(UserName="grantee")["User"]["UserId"]
    rows = [
        {
            "key_arn": key,
            "id": f"{name}{number:063x}"[-64:],
            "region": "us-east-1",
            "name": None,
            "grantee": GRANTEE,
            "retiring": None,
            "pins": msgspec.json.encode({GRANTEE: unique}).decode(),
            "issuer": ACCOUNT,
            "operations": msgspec.json.encode(operations).decode(),
            "created": 1.0 + number,
            "constraints": msgspec.json.encode(each).decode(),
            "narrow": grants.narrow(each),
        }
        for number, each in enumerate(constraints)
    ]
    with world.store.transaction(write=True) as transaction:
        transaction.run(insert(tables.grant), rows)
        transaction.changed(grants.topic(key), f"kms-key:{key}")


@pytest.fixture
def key(world: World, iam: Any, kms: Any) -> str:
    iam.create_user(UserName="grantee")
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def grantee(world: World, key: str) -> Any:
    return world.client("kms", world.keys_of("grantee"))


def held(world: World) -> int:
    return sum(entry[2] for (kind, _), entry in world.store.cache._entries.items() if kind == "kms.grants")


def test_each_context_finds_its_grant_among_many(world: World, key: str, grantee: Any) -> None:
    fill(
        world,
        key,
        [Constraints(subset={"volume": f"v{n}", "why": "x"}) for n in range(MANY)],
        ["Encrypt", "Decrypt"],
    )
    fill(world, key, [Constraints(equals={"only": f"o{n}"}) for n in range(MANY)], ["Encrypt"], "e")
    for number in (0, 17, MANY - 1):
        context = {"volume": f"v{number}", "why": "x", "more": "y"}
        blob = grantee.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext=context)["CiphertextBlob"]
        assert grantee.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"p"
        grantee.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext={"only": f"o{number}"})
    for context in ({"volume": "v1"}, {"volume": f"v{MANY}", "why": "x"}, {"only": "o1", "more": "y"}, {}):
        asked = {"KeyId": key, "Plaintext": b"p", "EncryptionContext": context}
        assert refusal(grantee.encrypt, **asked)[0] == "AccessDeniedException"
    assert refusal(grantee.describe_key, KeyId=key)[0] == "AccessDeniedException"
    assert held(world) < 100_000


def test_of_many_that_say_the_same_one_is_kept(world: World, kms: Any, key: str, grantee: Any) -> None:
    fill(world, key, [Constraints()] * MANY, ["Encrypt", "DescribeKey"])
    grantee.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext={"a": "b"})
    grantee.describe_key(KeyId=key)
    assert refusal(grantee.generate_data_key, KeyId=key, KeySpec="AES_256")[0] == "AccessDeniedException"
    assert held(world) < 20_000
    made = kms.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=["GenerateDataKey"])
    grantee.generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert refusal(grantee.generate_data_key, KeyId=key, KeySpec="AES_256")[0] == "AccessDeniedException"


def test_who_holds_many_passes_on_no_more_than_one_of_them(world: World, iam: Any, key: str, grantee: Any) -> None:
    iam.create_user(UserName="child")
    iam.put_user_policy(UserName="child", PolicyName="p", PolicyDocument=document(allow("kms:ListKeys")))
    fill(world, key, [Constraints(subset={"v": f"{n}"}) for n in range(MANY)], ["Encrypt", "CreateGrant"])
    asked = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/child", "Operations": ["Encrypt"]}
    grantee.create_grant(**asked, Constraints={"EncryptionContextSubset": {"v": "7", "w": "x"}})
    grantee.create_grant(**asked, Constraints={"EncryptionContextEquals": {"v": "8"}})
    assert refusal(grantee.create_grant, **asked)[0] == "AccessDeniedException"
    wider = {"EncryptionContextSubset": {"w": "x"}}
    assert refusal(grantee.create_grant, **asked, Constraints=wider)[0] == "AccessDeniedException"
    child = world.client("kms", world.keys_of("child"))
    child.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext={"v": "7", "w": "x"})


@given(CONTEXTS, CONTEXTS, st.sampled_from(["subset", "equals", "none"]))
def test_what_admits_a_context_is_looked_for(
    constraint: dict[str, str], context: dict[str, str], kind: str
) -> None:
    constraints = Constraints() if kind == "none" else Constraints(**{kind: constraint})
    if constraints.admit(context):
        assert grants.narrow(constraints) in (ANY_CONTEXT, *grants.sought(context))


def test_few_and_many_are_told_apart(world: World, key: str, grantee: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answers on both sides of the bound."""
    constraints = [Constraints(subset={"n": str(n)}) for n in range(5)]
    fill(world, key, constraints, ["Encrypt", "DescribeKey"])
    for few in (3, 4, 5, 6):
        monkeypatch.setattr(grant_index, "FEW", few)
        world.store.cache.clear()
        grantee.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext={"n": "4"})
        grantee.describe_key(KeyId=key)
        asked = {"KeyId": key, "Plaintext": b"p", "EncryptionContext": {"n": "5"}}
        assert refusal(grantee.encrypt, **asked)[0] == "AccessDeniedException"

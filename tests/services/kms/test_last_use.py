"""GetKeyLastUsage: what is noted, what is not, and what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services_support import refusal

from bailiwick.services.kms import last_use
from bailiwick.store import StoreError, settings
from world import World


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


def test_the_last_use_is_told_before_and_after_it_is_written(world: World, kms: Any, key: str) -> None:
    unused = kms.get_key_last_usage(KeyId=key)
    assert unused["KeyLastUsage"] == {}
    assert unused["TrackingStartDate"] == unused["KeyCreationDate"]
    assert unused["KeyId"] == key.rpartition("/")[2]
    for _ in range(2):  # written as a new row, then over it
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        answer = kms.decrypt(CiphertextBlob=blob)
        told = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
        assert (told["Operation"], told["KmsRequestId"]) == ("Decrypt", answer["ResponseMetadata"]["RequestId"])
        last_use.flush(world.store, world.environment)
        assert world.environment.key_uses.uses == {}
        assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"] == "Decrypt"


def test_what_is_no_use(world: World, kms: Any, key: str) -> None:
    refusal(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)
    refusal(kms.sign, KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    kms.describe_key(KeyId=key)
    assert world.environment.key_uses.uses == {}


def test_an_older_use_never_overwrites_a_newer(world: World, kms: Any, key: str) -> None:
    uses = world.environment.key_uses.uses
    for use in ((2000.0, "Encrypt", "b"), (1000.0, "Decrypt", "a")):
        uses[key] = use
        last_use.flush(world.store, world.environment)
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["KmsRequestId"] == "b"


def test_what_could_not_be_written_is_kept(world: World, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uses = world.environment.key_uses.uses
    uses[key] = (1.0, "Encrypt", "a")

    def fail(*_: object) -> None:
        raise StoreError("no")

    monkeypatch.setattr(last_use, "_write", fail)
    with pytest.raises(StoreError):
        last_use.flush(world.store, world.environment)
    assert uses == {key: (1.0, "Encrypt", "a")}


def test_both_keys_of_a_re_encryption_are_used(world: World, kms: Any, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]
    kms.re_encrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"], DestinationKeyId=other)
    assert {use[1] for use in world.environment.key_uses.uses.values()} == {"ReEncrypt"}
    assert set(world.environment.key_uses.uses) == {key, other}


def test_an_older_deployment_says_since_when_it_knows(world: World, kms: Any, key: str) -> None:
    with world.store.transaction(write=True) as transaction:
        settings.put(transaction, last_use.SINCE, str(world.now() + 1000))
    told = kms.get_key_last_usage(KeyId=key)
    assert told["TrackingStartDate"] > told["KeyCreationDate"]


def test_a_policy_may_ask_for_how_long_a_key_was_not_used(world: World, kms: Any, key: str) -> None:
    iam = world.client("iam")
    iam.create_user(UserName="u")
    statement = {"Effect": "Allow", "Action": "kms:DisableKey", "Resource": "*"} | {
        "Condition": {"NumericGreaterThanEquals": {"kms:TrailingDaysWithoutKeyUsage": "90"}}
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy)
    user = world.client("kms", world.keys_of("u"))
    assert refusal(user.disable_key, KeyId=key)[0] == "AccessDeniedException"
    for days, allowed in ((89.9, False), (90.1, True)):
        world.environment.key_uses.uses[key] = (world.now() - days * 86400, "Encrypt", "r")
        if allowed:
            user.disable_key(KeyId=key)
        else:
            assert refusal(user.disable_key, KeyId=key)[0] == "AccessDeniedException"


def test_a_dry_run_without_a_ciphertext(kms: Any, key: str) -> None:
    dry: dict[str, Any] = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    would = "DryRunOperationException"
    assert refusal(kms.decrypt, KeyId=key, **dry)[0] == would
    assert refusal(kms.decrypt, KeyId=key, CiphertextBlob=b"no ciphertext", **dry)[0] == would
    assert refusal(kms.re_encrypt, SourceKeyId=key, DestinationKeyId=key, **dry)[0] == would
    assert refusal(kms.decrypt, **dry)[0] == "ValidationException"
    assert refusal(kms.re_encrypt, DestinationKeyId=key, **dry)[0] == "ValidationException"
    no_dry_run = {"DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert refusal(kms.decrypt, KeyId=key, **no_dry_run)[0] == "ValidationException"
    kms.disable_key(KeyId=key)
    assert refusal(kms.decrypt, KeyId=key, **dry)[0] == "DisabledException"

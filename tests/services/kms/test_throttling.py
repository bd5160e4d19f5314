"""Calls over a rate, as boto3 sees them. Source: facts/kms.md sections 12 and 17."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from services_support import document, refusal

from bailiwick.app import throttling
from bailiwick.app.observer import outcome_of
from bailiwick.app.settings import SettingsError, load
from bailiwick.core.rates import Rates
from bailiwick.services.kms.quotas import QUOTA
from bailiwick.wire import models
from world import World

TEXT = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
SPECS = models.service("kms").shapes["DataKeyPairSpec"].enum or ()


@pytest.fixture
def limited(world: World) -> Callable[[str], Rates]:
    """Has a world throttle as the setting says; gives its rates. The clock stands still."""

    def limit(setting: str) -> Rates:
        rates = throttling.rates(setting, ephemeral=False, workers=1)
        assert rates is not None
        now = world.now()
        world.pipeline.environment = msgspec.structs.replace(world.environment, rates=rates, now=lambda: now)
        return rates

    return limit


def served(call: Callable[..., Any], most: int, **parameters: Any) -> int:
    """How many calls are answered before one is refused for its rate."""
    for number in range(most):
        try:
            call(**parameters)
        except ClientError as error:
            if not error.response["Error"]["Code"].startswith("Throttling"):
                raise
            return number
    return most


def test_a_call_too_many_is_refused_in_the_words_of_kms(world: World, kms: Any, limited: Any) -> None:
    rates = limited("off,kms:CreateKey=50")
    assert served(kms.create_key, 60) == 50
    assert refusal(kms.create_key) == ("ThrottlingException", TEXT)
    assert kms.list_keys()["Keys"]
    assert rates.refused == {("kms", "CreateKey"): 2}
    last = next(
        event for event in reversed(world.events) if event.route and event.route.operation.name == "CreateKey"
    )
    assert outcome_of(last.error) == "throttled"


def test_operations_of_a_kind_of_key_share_its_rate_and_other_kinds_do_not(kms: Any, limited: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["Arn"]
    code = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    signer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    rates = limited("aws,kms:symmetric=50")
    assert served(kms.encrypt, 30, KeyId=key, Plaintext=b"x") == 30
    assert served(kms.generate_mac, 10, KeyId=code, Message=b"x", MacAlgorithm="HMAC_SHA_256") == 10
    assert served(kms.generate_random, 30, NumberOfBytes=8) == 10
    assert refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_256")[1] == TEXT
    kms.sign(KeyId=signer, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    kms.describe_key(KeyId=key)
    assert rates.refused == {("kms", "symmetric"): 2}


def test_reencrypt_counts_for_both_keys_and_pairs_by_their_spec(kms: Any, limited: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    limited("aws,kms:symmetric=50,kms:GenerateDataKeyPair/ECC_NIST_P256=1")
    assert served(kms.re_encrypt, 60, CiphertextBlob=blob, DestinationKeyId=key) == 25
    without = kms.generate_data_key_pair_without_plaintext
    assert served(without, 30, KeyId=key, KeyPairSpec="ECC_NIST_P256") == 30
    assert served(kms.generate_data_key_pair, 30, KeyId=key, KeyPairSpec="ECC_NIST_P256") == 20
    kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P384")


def test_the_callers_account_is_charged_and_so_is_what_is_denied(world: World, kms: Any, limited: Any) -> None:
    other = world.account("210987654321")
    statement = {"Effect": "Allow", "Principal": {"AWS": "210987654321"}, "Action": "kms:*", "Resource": "*"}
    own = {**statement, "Principal": {"AWS": "123456789012"}}
    key = kms.create_key(Policy=document(own, statement))["KeyMetadata"]["Arn"]
    world.client("iam").create_user(UserName="nobody")
    nobody = world.client("kms", world.keys_of("nobody"))
    limited("aws,kms:symmetric=50")
    assert served(world.client("kms", other).encrypt, 60, KeyId=key, Plaintext=b"x") == 50
    for _ in range(50):
        assert refusal(nobody.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x")[0] == "ThrottlingException"


def test_iam_and_sts_have_a_rate_if_they_are_given_one(world: World, iam: Any, limited: Any) -> None:
    sts = world.client("sts")
    limited("aws,sts:*=60,iam:CreateUser=50")
    assert served(sts.get_caller_identity, 100) == 60
    assert refusal(sts.get_caller_identity) == ("Throttling", "Rate exceeded")
    assert served(lambda: iam.create_user(UserName=f"u{len(world.events)}"), 60) == 50
    assert len(iam.list_users()["Users"]) == 50


def test_every_operation_has_a_rate() -> None:
    shared = {"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "ReEncrypt", "GenerateRandom"}
    shared.add("SynchronizeMultiRegionKey")  # peers are not counted
    by_key = {
        *("Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "VerifyMac"),
        *("Sign", "Verify", "DeriveSharedSecret", "Encapsulate", "Decapsulate"),
    }
    assert set(models.service("kms").operations) - shared - by_key <= set(QUOTA.rates)
    assert {f"GenerateDataKeyPair/{spec}" for spec in SPECS if spec != "SM2"} <= set(QUOTA.rates)


@pytest.mark.parametrize(
    ("setting", "ephemeral", "rate"),
    [
        (None, False, 5.0),
        (None, True, None),
        ("aws", True, 5.0),
        ("off", False, None),
        ("kms:CreateKey=7.5", False, 7.5),
        ("off, kms:CreateKey=9", False, 9.0),
        ("aws,kms:CreateKey=off", False, None),
        ("aws,kms:*=9", False, 5.0),
    ],
)
def test_the_setting(setting: str | None, ephemeral: bool, rate: float | None) -> None:
    made = throttling.rates(setting, ephemeral=ephemeral, workers=2)
    assert (made and made.rate("kms", "CreateKey", QUOTA, "us-east-1")) == rate


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("fast", "`fast` is not SERVICE:CLASS=RATE"),
        ("aws,kms:CreateKey", "`kms:CreateKey` is not SERVICE:CLASS=RATE"),
        ("ec2x:GetObject=5", "is not SERVICE"),
        ("sqs:SendMessage=5", "`sqs` in `sqs:SendMessage=5` is none of"),
        ("kms:Encrypt=5", "`Encrypt` in `kms:Encrypt=5` is no class of calls of kms"),
        ("sts:Encrypt=5", "is no class of calls of sts"),
        ("kms:CreateKey=0", "is not above 0"),
    ],
)
def test_what_is_no_setting(setting: str, told: str) -> None:
    with pytest.raises(SettingsError, match="`throttling`: ") as caught:
        load({"throttling": setting}, {})
    assert told in str(caught.value)

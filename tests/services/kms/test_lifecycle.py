"""Rotation, imported material, multi-Region keys and deletion, as boto3 sees them. Source: facts/kms.md sections 4, 7-9."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from services_support import allow, document, refusal, trusts
from sqlalchemy import select

from bailiwick.core.happened import Happened
from bailiwick.services import ALL
from bailiwick.services.kms import material, tables
from bailiwick.services.kms.service import kms as service
from still_clock import Clock
from world import World

DAY = 86400
INVALID_STATE, UNSUPPORTED = "KMSInvalidStateException", "UnsupportedOperationException"


@pytest.fixture
def world(clock: Clock) -> World:
    return World(now=clock)


def do_chores(world: World) -> list[Happened]:
    assert service in ALL
    happened: list[Happened] = []
    for chore in service.chores:
        with world.store.transaction(write=True) as transaction:
            happened += chore(transaction, world.environment, world.now()) or ()
    return happened


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


def current(kms: Any, key: str) -> str:
    return str(kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"])


def test_rotation_comes_due_and_keeps_what_was_encrypted(world: World, kms: Any, clock: Clock, key: str) -> None:
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    assert status["NextRotationDate"].timestamp() == clock.now + 90 * DAY
    first = current(kms, key)
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    do_chores(world)
    assert current(kms, key) == first
    clock.now += 90 * DAY
    (told,) = do_chores(world)
    assert do_chores(world) == []
    second = current(kms, key)
    assert second != first
    assert (told.name, told.arn) == ("RotateKey", key)
    assert told.details == {
        "rotationType": "AUTOMATIC",
        "keyOrigin": "AWS_KMS",
        "previousKeyMaterialId": first,
        "currentKeyMaterialId": second,
        "keyId": key.rpartition("/")[2],
    }
    assert kms.decrypt(CiphertextBlob=old)["Plaintext"] == b"old"
    assert kms.decrypt(CiphertextBlob=old)["KeyMaterialId"] == first
    new = kms.re_encrypt(CiphertextBlob=old, DestinationKeyId=key)
    assert (new["SourceKeyMaterialId"], new["DestinationKeyMaterialId"]) == (first, second)
    rotations = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [(each["RotationType"], each["KeyMaterialState"]) for each in rotations] == [("AUTOMATIC", "CURRENT")]
    every = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [each["KeyMaterialId"] for each in every] == [first, second]
    assert "RotationDate" not in every[0]
    kms.disable_key_rotation(KeyId=key)
    clock.now += 900 * DAY
    do_chores(world)
    assert current(kms, key) == second


def test_a_disabled_key_rotates_once_it_is_enabled(world: World, kms: Any, clock: Clock, key: str) -> None:
    kms.enable_key_rotation(KeyId=key)
    kms.disable_key(KeyId=key)
    clock.now += 400 * DAY
    do_chores(world)
    assert kms.list_key_rotations(KeyId=key)["Rotations"] == []
    kms.enable_key(KeyId=key)
    do_chores(world)
    assert len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 1


def test_rotation_on_demand_and_its_limit(kms: Any, key: str) -> None:
    for _ in range(10):
        assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == key
    assert kms.get_key_rotation_status(KeyId=key.rpartition("/")[2])["KeyId"] == key
    assert refusal(kms.rotate_key_on_demand, KeyId=key) == (
        "LimitExceededException",
        "The on-demand rotations limit has been reached for the given keyId. "
        f"No more on-demand rotations can be performed for this key: {key}",
    )
    pages = list(kms.get_paginator("list_key_rotations").paginate(KeyId=key, PaginationConfig={"PageSize": 4}))
    assert [len(page["Rotations"]) for page in pages] == [4, 4, 2]


@pytest.mark.parametrize("call", ["enable_key_rotation", "rotate_key_on_demand"])
def test_only_symmetric_keys_rotate(kms: Any, call: str) -> None:
    signer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    assert refusal(getattr(kms, call), KeyId=signer) == (UNSUPPORTED, "")


@pytest.mark.parametrize(("spec", "usage"), [("RSA_2048", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")])
def test_the_status_of_a_key_that_never_rotates_is_false(kms: Any, spec: str, usage: str) -> None:
    """API reference of 2022: "The key rotation status of these KMS keys is always false"."""
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
    status = kms.get_key_rotation_status(KeyId=key)
    del status["ResponseMetadata"]
    assert status == {"KeyRotationEnabled": False, "KeyId": key}


def test_a_disabled_key_that_cannot_rotate_is_told_that_it_is_disabled(kms: Any) -> None:
    """So AWS answers, as LocalStack's tests have recorded it."""
    signer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=signer)
    assert refusal(kms.rotate_key_on_demand, KeyId=signer) == ("DisabledException", f"{signer} is disabled.")


# --- imported material


def external(kms: Any, spec: str = "SYMMETRIC_DEFAULT", usage: str = "ENCRYPT_DECRYPT", **more: Any) -> str:
    made = kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL", **more)["KeyMetadata"]
    assert (made["KeyState"], made["Enabled"]) == ("PendingImport", False)
    return str(made["Arn"])


def bring(kms: Any, key: str, material: bytes, algorithm: str = "RSAES_OAEP_SHA_256", **more: Any) -> Any:
    asked = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
    wrapping: Any = serialization.load_der_public_key(asked["PublicKey"])
    sha = hashes.SHA1() if algorithm.endswith("_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(sha), sha, None)
    if algorithm.startswith("RSA_AES"):
        ephemeral = os.urandom(32)
        blob = wrapping.encrypt(ephemeral, oaep) + aes_key_wrap_with_padding(ephemeral, material)
    else:
        blob = wrapping.encrypt(material, oaep)
    given = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"} | more
    return kms.import_key_material(KeyId=key, ImportToken=asked["ImportToken"], EncryptedKeyMaterial=blob, **given)


@pytest.mark.parametrize(
    "algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
)
def test_material_is_imported_deleted_and_imported_again(kms: Any, algorithm: str) -> None:
    key, material = external(kms), os.urandom(32)
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x") == (INVALID_STATE, f"{key} is pending import.")
    assert refusal(kms.rotate_key_on_demand, KeyId=key) == (INVALID_STATE, f"{key} is pending import.")
    made = bring(kms, key, material, algorithm)
    assert made["KeyId"] == key
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (shown["KeyState"], shown["ExpirationModel"]) == ("Enabled", "KEY_MATERIAL_DOES_NOT_EXPIRE")
    assert shown["CurrentKeyMaterialId"] == made["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=key)
    assert refusal(kms.decrypt, CiphertextBlob=blob) == (INVALID_STATE, f"{key} is pending import.")
    with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
        bring(kms, key, os.urandom(32), algorithm)
    assert bring(kms, key, material, algorithm)["KeyMaterialId"] == made["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_imported_material_expires(world: World, kms: Any, clock: Clock) -> None:
    key, material = external(kms), os.urandom(32)
    bring(kms, key, material, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=clock.now + DAY)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (shown["ExpirationModel"], shown["ValidTo"].timestamp()) == ("KEY_MATERIAL_EXPIRES", clock.now + DAY)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    clock.now += DAY
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x") == (INVALID_STATE, f"{key} is pending import.")
    (told,) = do_chores(world)
    assert (told.name, told.arn, told.details["keyId"]) == ("DeleteExpiredKeyMaterial", key, shown["KeyId"])
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    with world.store.transaction() as transaction:
        rows = transaction.all(select(tables.material.c.sealed).where(tables.material.c.key_arn == key))
    assert [row.sealed for row in rows] == [None], "what has expired is not kept"


def test_imported_material_rotates_on_demand(kms: Any) -> None:
    key = external(kms)
    first = bring(kms, key, os.urandom(32))["KeyMaterialId"]
    assert refusal(kms.rotate_key_on_demand, KeyId=key) == (
        INVALID_STATE,
        f"No available key material pending rotation for the key: {key}.",
    )
    old = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    second = bring(kms, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    assert current(kms, key) == first
    with pytest.raises(kms.exceptions.KMSInvalidStateException, match="is pending rotation"):
        bring(kms, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")
    states = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [each["KeyMaterialState"] for each in states] == ["CURRENT", "PENDING_ROTATION"]
    kms.rotate_key_on_demand(KeyId=key)
    assert current(kms, key) == second
    assert kms.decrypt(CiphertextBlob=old)["Plaintext"] == b"x"
    assert refusal(kms.enable_key_rotation, KeyId=key) == (
        UNSUPPORTED,
        f"{key} origin is EXTERNAL which is not valid for this operation.",
    )


def test_material_that_waits_for_its_turn_expires_and_the_key_works_on(
    world: World, kms: Any, clock: Clock
) -> None:
    key = external(kms)
    bring(kms, key, os.urandom(32))
    lasts = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": clock.now + DAY}
    bring(kms, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL", **lasts)
    assert "ValidTo" not in kms.describe_key(KeyId=key)["KeyMetadata"]
    clock.now += DAY
    nothing = f"No available key material pending rotation for the key: {key}."
    for _ in range(2):  # before and after the chore forgets it
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
        assert refusal(kms.rotate_key_on_demand, KeyId=key) == (INVALID_STATE, nothing)
        do_chores(world)


def test_a_cancelled_deletion_leaves_a_key_that_lacks_old_material_pending_import(kms: Any) -> None:
    key, old = external(kms), os.urandom(32)
    first = bring(kms, key, old)["KeyMaterialId"]
    bring(kms, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")
    kms.rotate_key_on_demand(KeyId=key)
    kms.schedule_key_deletion(KeyId=key)
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=first)
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert refusal(kms.enable_key, KeyId=key)[0] == INVALID_STATE
    assert bring(kms, key, old)["KeyMaterialId"] == first
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_nobody_waits_to_write_while_imported_material_is_checked(
    world: World, kms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, gone, other = external(kms), external(kms), external(kms)
    fits, meanwhile = material.fits, [lambda: kms.create_alias(AliasName="alias/a", TargetKeyId=other)]

    def slow(spec: str, given: bytes) -> bool:
        meanwhile.pop()()
        return fits(spec, given)

    monkeypatch.setattr(material, "fits", slow)
    bring(kms, key, os.urandom(32))
    assert kms.describe_key(KeyId="alias/a")["KeyMetadata"]["Arn"] == other
    meanwhile.append(lambda: kms.schedule_key_deletion(KeyId=gone))
    with pytest.raises(kms.exceptions.KMSInvalidStateException, match="is pending deletion"):
        bring(kms, gone, os.urandom(32))
    kms.cancel_key_deletion(KeyId=gone)
    assert kms.describe_key(KeyId=gone)["KeyMetadata"]["KeyState"] == "PendingImport"


def pkcs8(private: Any) -> bytes:
    return bytes(
        private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def test_an_rsa_key_and_a_curve_are_imported(kms: Any) -> None:
    key, private = external(kms, "RSA_2048", "SIGN_VERIFY"), rsa.generate_private_key(65537, 2048)
    bring(kms, key, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256")
    signed = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")["Signature"]
    private.public_key().verify(signed, b"m", padding.PKCS1v15(), hashes.SHA256())
    curve = external(kms, "ECC_NIST_P256", "KEY_AGREEMENT")
    with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
        bring(kms, curve, pkcs8(ec.generate_private_key(ec.SECP384R1())), "RSA_AES_KEY_WRAP_SHA_256")
    bring(kms, curve, pkcs8(ec.generate_private_key(ec.SECP256R1())), "RSA_AES_KEY_WRAP_SHA_256")
    coder = external(kms, "HMAC_256", "GENERATE_VERIFY_MAC")
    bring(kms, coder, b"k" * 40)
    assert len(kms.generate_mac(KeyId=coder, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]) == 32


def test_imports_that_are_refused(kms: Any, clock: Clock, key: str) -> None:
    assert refusal(
        kms.get_parameters_for_import,
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048",
    ) == (UNSUPPORTED, f"{key} origin is AWS_KMS which is not valid for this operation.")  # fmt: skip
    mine, other = external(kms), external(kms)
    with pytest.raises(kms.exceptions.ClientError, match="A validTo date must be set"):
        bring(kms, mine, os.urandom(32), ExpirationModel="KEY_MATERIAL_EXPIRES")
    with pytest.raises(kms.exceptions.IncorrectKeyMaterialException):
        bring(kms, mine, os.urandom(16))
    asked = kms.get_parameters_for_import(
        KeyId=other, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    token = asked["ImportToken"]
    call = {"EncryptedKeyMaterial": b"x", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    assert (
        refusal(kms.import_key_material, KeyId=mine, ImportToken=token, **call)[0] == "InvalidImportTokenException"
    )
    assert (
        refusal(kms.import_key_material, KeyId=mine, ImportToken=b"x", **call)[0] == "InvalidImportTokenException"
    )
    assert (
        refusal(kms.import_key_material, KeyId=other, ImportToken=token, **call)[0] == "InvalidCiphertextException"
    )
    clock.now += DAY + 1
    assert (
        refusal(kms.import_key_material, KeyId=other, ImportToken=token, **call)[0] == "ExpiredImportTokenException"
    )


# --- multi-Region keys


def test_a_multi_region_key(world: World, kms: Any) -> None:
    west = world.client("kms", region="us-west-2")
    made = kms.create_key(MultiRegion=True)["KeyMetadata"]
    key, key_id = made["Arn"], made["KeyId"]
    assert key_id.startswith("mrk-")
    assert made["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "PRIMARY", "PrimaryKey": {"Arn": key, "Region": "us-east-1"}, "ReplicaKeys": [],
    }  # fmt: skip
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    answer = kms.replicate_key(KeyId=key, ReplicaRegion="us-west-2", Tags=[{"TagKey": "k", "TagValue": "v"}])
    replica = answer["ReplicaKeyMetadata"]["Arn"]
    assert replica == key.replace("us-east-1", "us-west-2")
    assert answer["ReplicaTags"] == [{"TagKey": "k", "TagValue": "v"}]
    shown = answer["ReplicaKeyMetadata"]
    assert (shown["KeyState"], shown["Enabled"], "CurrentKeyMaterialId" in shown) == ("Creating", False, False)
    assert west.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"
    assert "ReplicaTags" not in kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    assert west.decrypt(CiphertextBlob=old)["KeyId"] == replica
    kms.rotate_key_on_demand(KeyId=key)
    new = west.encrypt(KeyId=key_id, Plaintext=b"new")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=new)["Plaintext"] == b"new"
    assert current(kms, key) == current(west, key_id)
    assert refusal(west.rotate_key_on_demand, KeyId=replica) == (
        UNSUPPORTED,
        f"{replica} is not a multi-region primary key.",
    )
    assert refusal(west.replicate_key, KeyId=replica, ReplicaRegion="eu-west-2")[0] == UNSUPPORTED
    assert refusal(kms.replicate_key, KeyId=key, ReplicaRegion="us-west-2")[0] == "AlreadyExistsException"
    assert refusal(kms.replicate_key, KeyId=key, ReplicaRegion="cn-north-1")[0] == "ValidationException"
    west.disable_key(KeyId=replica)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_the_primary_moves_and_goes_last(world: World, kms: Any, clock: Clock) -> None:
    west = world.client("kms", region="us-west-2")
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    kms.enable_key_rotation(KeyId=key)
    replica = kms.replicate_key(KeyId=key, ReplicaRegion="us-west-2")["ReplicaKeyMetadata"]["Arn"]
    assert refusal(kms.update_primary_region, KeyId=key, PrimaryRegion="eu-west-1")[0] == "NotFoundException"
    kms.update_primary_region(KeyId=key, PrimaryRegion="us-west-2")
    shown = west.describe_key(KeyId=replica)["KeyMetadata"]["MultiRegionConfiguration"]
    assert (shown["MultiRegionKeyType"], shown["PrimaryKey"]["Arn"]) == ("PRIMARY", replica)
    assert shown["ReplicaKeys"] == [{"Arn": key, "Region": "us-east-1"}]
    assert west.get_key_rotation_status(KeyId=replica)["KeyRotationEnabled"] is True
    deleted = west.schedule_key_deletion(KeyId=replica, PendingWindowInDays=7)
    assert deleted["KeyState"] == "PendingReplicaDeletion"
    assert "DeletionDate" not in deleted
    shown = west.describe_key(KeyId=replica)["KeyMetadata"]
    assert (shown["KeyState"], shown["PendingDeletionWindowInDays"]) == ("PendingReplicaDeletion", 7)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    clock.now += 7 * DAY
    do_chores(world)
    assert refusal(kms.describe_key, KeyId=key)[0] == "NotFoundException"
    shown = west.describe_key(KeyId=replica)["KeyMetadata"]
    assert (shown["KeyState"], shown["DeletionDate"].timestamp()) == ("PendingDeletion", clock.now + 7 * DAY)
    west.cancel_key_deletion(KeyId=replica)
    assert west.describe_key(KeyId=replica)["KeyMetadata"]["KeyState"] == "Disabled"


def test_imported_material_of_a_multi_region_key_is_imported_in_each(world: World, kms: Any) -> None:
    west = world.client("kms", region="us-west-2")
    key, material = external(kms, MultiRegion=True), os.urandom(32)
    made = bring(kms, key, material)
    replica = kms.replicate_key(KeyId=key, ReplicaRegion="us-west-2")["ReplicaKeyMetadata"]
    assert west.describe_key(KeyId=replica["Arn"])["KeyMetadata"]["KeyState"] == "PendingImport"
    assert bring(west, replica["Arn"], material)["KeyMaterialId"] == made["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert west.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


# --- deletion


def test_a_key_whose_time_is_up_is_gone_with_everything_that_is_its(
    world: World, iam: Any, kms: Any, clock: Clock, key: str
) -> None:
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "k", "TagValue": "v"}])
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"Service": "x.amazonaws.com"}))["Role"]
    kms.create_grant(KeyId=key, GranteePrincipal=role["Arn"], Operations=["Encrypt"])
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("kms:*")))
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    do_chores(world)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    clock.now += 7 * DAY
    assert refusal(kms.describe_key, KeyId=key)[0] == "NotFoundException"
    (told,) = do_chores(world)
    assert (told.name, told.arn, told.details) == ("DeleteKey", key, {"keyId": key.rpartition("/")[2]})
    with world.store.transaction() as transaction:
        for table in (tables.key, tables.material, tables.alias, tables.tag, tables.grant):
            assert transaction.all(select(table)) == []
    kms.create_alias(AliasName="alias/a", TargetKeyId=kms.create_key()["KeyMetadata"]["Arn"])


def test_deletion_is_cancelled(kms: Any, key: str) -> None:
    kms.schedule_key_deletion(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    assert refusal(kms.cancel_key_deletion, KeyId=key) == (INVALID_STATE, f"{key} is not pending deletion.")


def test_a_wrapping_key_is_large_enough_for_the_material(kms: Any) -> None:
    key = external(kms, "ECC_NIST_P521", "SIGN_VERIFY")
    asked = {"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    assert refusal(kms.get_parameters_for_import, **asked)[0] == "ValidationException"
    kms.get_parameters_for_import(**{**asked, "WrappingKeySpec": "RSA_3072"})
    kms.get_parameters_for_import(**{**asked, "WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256"})

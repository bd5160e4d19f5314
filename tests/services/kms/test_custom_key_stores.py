"""Custom key stores of the type AWS_CLOUDHSM: tokens of the operator, and keys that never leave them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from kms_chores import do_chores
from sqlalchemy import select
from structlog.testing import capture_logs

import softhsm
from bailiwick.app.hsm import Pkcs11Token
from bailiwick.app.record import record_of
from bailiwick.services.kms import key_stores, stores, tables
from softhsm import MemoryToken
from world import World

CLUSTER, OTHER = "cluster-frankfurthsm", "cluster-amsterdamhsm"
STORE = {
    "CustomKeyStoreName": "hsm",
    "CloudHsmClusterId": CLUSTER,
    "TrustAnchorCertificate": "anchor",
    "KeyStorePassword": softhsm.PIN,
}


def refusal(operation: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    return str(caught.value.response["Error"]["Code"])


class House:
    """A world with two tokens, and a connected store on the first."""

    def __init__(self, token: Any, other: Any) -> None:
        self.token, self.other = token, other
        self.world = World(hsms={CLUSTER: token, OTHER: other})
        self.kms = self.world.client("kms")
        self.store = self.kms.create_custom_key_store(**STORE)["CustomKeyStoreId"]
        self.kms.connect_custom_key_store(CustomKeyStoreId=self.store)

    def key(self, **parameters: Any) -> str:
        call = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": self.store} | parameters
        return str(self.kms.create_key(**call)["KeyMetadata"]["Arn"])

    def state(self) -> tuple[str, str | None]:
        (entry,) = self.kms.describe_custom_key_stores()["CustomKeyStores"]
        return entry["ConnectionState"], entry.get("ConnectionErrorCode")


@pytest.fixture
def house() -> House:
    return House(MemoryToken(), MemoryToken())


@pytest.fixture(params=["memory", pytest.param("softhsm", marks=softhsm.needed)])
def either(request: pytest.FixtureRequest) -> House:
    """With tokens in memory, and with real ones."""
    if request.param == "memory":
        return House(MemoryToken(), MemoryToken())
    softhsm.folder()
    return House(*(Pkcs11Token(CLUSTER, str(softhsm.MODULE), label, softhsm.PIN) for label in softhsm.LABELS[:2]))


def test_a_key_in_a_token_does_what_a_symmetric_key_does(either: House) -> None:
    kms, key = either.kms, either.key()
    described = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert described["CustomKeyStoreId"] == either.store
    assert described["CloudHsmClusterId"] == CLUSTER
    assert (described["Origin"], described["KeyState"]) == ("AWS_CLOUDHSM", "Enabled")
    assert "CurrentKeyMaterialId" not in described
    context = {"purpose": "test"}
    made = kms.encrypt(KeyId=key, Plaintext=b"x" * 4096, EncryptionContext=context)
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x" * 4096, key)
    assert "KeyMaterialId" not in opened
    assert refusal(kms.decrypt, CiphertextBlob=made["CiphertextBlob"]) == "InvalidCiphertextException"
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    here = kms.create_key()["KeyMetadata"]["Arn"]
    moved = kms.re_encrypt(CiphertextBlob=data_key["CiphertextBlob"], DestinationKeyId=here)
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    back = kms.re_encrypt(CiphertextBlob=moved["CiphertextBlob"], DestinationKeyId=key)
    assert kms.decrypt(CiphertextBlob=back["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    assert len(kms.generate_random(NumberOfBytes=100, CustomKeyStoreId=either.store)["Plaintext"]) == 100


def test_every_bit_of_such_a_ciphertext_counts(house: House) -> None:
    key = house.key()
    blob = house.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for place in (*range(0, len(blob), 7), 5, 6, len(blob) - 1):
        altered = bytearray(blob)
        altered[place] ^= 1
        code = refusal(house.kms.decrypt, CiphertextBlob=bytes(altered), KeyId=key)
        assert code in ("InvalidCiphertextException", "IncorrectKeyException"), place


def test_what_such_a_key_cannot_do(house: House) -> None:
    kms, key = house.kms, house.key()
    unsupported = "UnsupportedOperationException"
    assert refusal(kms.generate_data_key_pair, KeyId=key, KeyPairSpec="ECC_NIST_P256") == unsupported
    assert refusal(kms.enable_key_rotation, KeyId=key) == unsupported
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    assert refusal(kms.rotate_key_on_demand, KeyId=key) == unsupported
    wrapped = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    assert refusal(kms.get_parameters_for_import, KeyId=key, **wrapped) == unsupported
    for request in (
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"MultiRegion": True},
    ):
        with pytest.raises(ClientError, match=unsupported):
            house.key(**request)


def test_requests_that_fit_no_store(house: House) -> None:
    create = house.kms.create_key
    assert refusal(create, Origin="AWS_CLOUDHSM") == "ValidationException"
    assert refusal(create, CustomKeyStoreId=house.store) == "ValidationException"
    assert (
        refusal(create, Origin="AWS_CLOUDHSM", CustomKeyStoreId=house.store, XksKeyId="x") == "ValidationException"
    )
    missing = "CustomKeyStoreNotFoundException"
    assert refusal(create, Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-0") == missing
    stranger = house.world.client("kms", house.world.account("222222222222"))
    assert refusal(stranger.create_key, Origin="AWS_CLOUDHSM", CustomKeyStoreId=house.store) == missing
    assert refusal(stranger.describe_custom_key_stores, CustomKeyStoreId=house.store) == missing
    assert refusal(stranger.delete_custom_key_store, CustomKeyStoreId=house.store) == missing
    assert refusal(house.kms.generate_random, NumberOfBytes=1, CustomKeyStoreId="cks-0") == missing


def test_a_store_that_is_disconnected_has_keys_that_are_unavailable(house: House) -> None:
    kms, key = house.kms, house.key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disconnect_custom_key_store(CustomKeyStoreId=house.store)
    assert house.state() == ("DISCONNECTED", None)
    described = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (described["KeyState"], described["Enabled"]) == ("Unavailable", False)
    with pytest.raises(ClientError, match=f"KMSInvalidStateException.*{key} is unavailable."):
        kms.decrypt(CiphertextBlob=blob)
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x") == "KMSInvalidStateException"
    assert refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_128") == "KMSInvalidStateException"
    assert refusal(house.key) == "CustomKeyStoreInvalidStateException"
    assert refusal(kms.disconnect_custom_key_store, CustomKeyStoreId=house.store) == (
        "CustomKeyStoreInvalidStateException"
    )
    random = {"NumberOfBytes": 1, "CustomKeyStoreId": house.store}
    assert refusal(kms.generate_random, **random) == "CustomKeyStoreInvalidStateException"
    kms.create_grant(KeyId=key, GranteePrincipal="arn:aws:iam::123456789012:root", Operations=["Decrypt"])
    kms.disable_key(KeyId=key)  # it applies when the store is connected again
    kms.connect_custom_key_store(CustomKeyStoreId=house.store)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.connect_custom_key_store(CustomKeyStoreId=house.store)


def test_the_password_is_tried_when_the_store_is_connected(house: House) -> None:
    kms = house.kms
    kms.disconnect_custom_key_store(CustomKeyStoreId=house.store)
    kms.update_custom_key_store(CustomKeyStoreId=house.store, KeyStorePassword="not-the-one")
    kms.connect_custom_key_store(CustomKeyStoreId=house.store)
    assert house.state() == ("FAILED", "INVALID_CREDENTIALS")
    invalid = "CustomKeyStoreInvalidStateException"
    assert refusal(kms.connect_custom_key_store, CustomKeyStoreId=house.store) == invalid
    assert refusal(kms.update_custom_key_store, CustomKeyStoreId=house.store, KeyStorePassword="abcdefg") == invalid
    kms.disconnect_custom_key_store(CustomKeyStoreId=house.store)
    kms.update_custom_key_store(CustomKeyStoreId=house.store, KeyStorePassword=softhsm.PIN)
    kms.connect_custom_key_store(CustomKeyStoreId=house.store)
    assert house.state() == ("CONNECTED", None)
    assert refusal(kms.update_custom_key_store, CustomKeyStoreId=house.store, KeyStorePassword="abcdefg") == invalid


def test_names_tokens_and_room(house: House) -> None:
    kms = house.kms
    create = kms.create_custom_key_store
    assert refusal(create, **STORE) == "CustomKeyStoreNameInUseException"
    again = STORE | {"CustomKeyStoreName": "other"}
    assert refusal(create, **again) == "CloudHsmClusterInUseException"
    stranger = house.world.client("kms", house.world.account("222222222222"))
    assert refusal(stranger.create_custom_key_store, **again) == "CloudHsmClusterInUseException"
    away = again | {"CloudHsmClusterId": "cluster-nowherenowhe"}
    assert refusal(create, **away) == "CloudHsmClusterNotFoundException"
    house.other.anchor = "what the operator has"
    second = again | {"CloudHsmClusterId": OTHER}
    assert refusal(create, **second) == "IncorrectTrustAnchorException"
    house.other.anchor, house.other.away = None, True
    with capture_logs() as logs:
        assert refusal(create, **second) == "CloudHsmClusterNotActiveException"
    assert [(each["event"], each["hsm"]) for each in logs if "hsm" in each] == [("an HSM cannot be asked", OTHER)]
    house.other.away = False
    for left_out in ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword"):
        call = {name: value for name, value in second.items() if name != left_out}
        assert refusal(create, **call) == "ValidationException", left_out
    assert refusal(create, **second, XksProxyUriPath="/kms/xks/v1") == "ValidationException"
    made = create(**second)["CustomKeyStoreId"]
    listed = kms.describe_custom_key_stores(CustomKeyStoreName="other")["CustomKeyStores"]
    assert [entry["CustomKeyStoreId"] for entry in listed] == [made]
    update = kms.update_custom_key_store
    assert refusal(update, CustomKeyStoreId=made, NewCustomKeyStoreName="hsm") == "CustomKeyStoreNameInUseException"
    update(CustomKeyStoreId=made, NewCustomKeyStoreName="third")
    first = kms.describe_custom_key_stores(Limit=1)
    assert first["Truncated"]
    rest = kms.describe_custom_key_stores(Limit=1, Marker=first["NextMarker"])
    names = [page["CustomKeyStores"][0]["CustomKeyStoreName"] for page in (first, rest)]
    assert sorted(names) == ["hsm", "third"]


def test_another_token_must_have_the_same_keys(house: House) -> None:
    kms, key = house.kms, house.key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    change = {"CustomKeyStoreId": house.store, "CloudHsmClusterId": OTHER}
    assert refusal(kms.update_custom_key_store, **change) == "CustomKeyStoreInvalidStateException"
    kms.disconnect_custom_key_store(CustomKeyStoreId=house.store)
    assert refusal(kms.update_custom_key_store, **change) == "CloudHsmClusterNotRelatedException"
    house.other.keys.update(house.token.keys)
    kms.update_custom_key_store(**change)
    house.token.away = True
    kms.connect_custom_key_store(CustomKeyStoreId=house.store)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_token_that_does_not_answer(house: House) -> None:
    kms, key = house.kms, house.key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    house.token.away = True
    assert refusal(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x") == "KMSInvalidStateException"
    assert refusal(house.key) == "CloudHsmClusterInvalidConfigurationException"
    assert (
        refusal(kms.connect_custom_key_store, CustomKeyStoreId=house.store) == "CloudHsmClusterNotActiveException"
    )
    house.token.away = False
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_creation_that_will_fail_does_not_bother_the_token(house: House) -> None:
    with pytest.raises(ClientError, match="MalformedPolicyDocumentException"):
        house.key(Policy="{}")
    with pytest.raises(ClientError, match="TagException"):
        house.key(Tags=[{"TagKey": f"t{number}", "TagValue": ""} for number in range(60)])
    assert not house.token.keys


def test_a_store_is_deleted_after_its_keys_which_the_token_forgets(either: House) -> None:
    kms, key = either.kms, either.key()
    with either.world.store.transaction() as transaction:
        (material,) = key_stores.materials(transaction, either.store)
    assert either.token.holds(bytes.fromhex(material))
    assert (
        refusal(kms.delete_custom_key_store, CustomKeyStoreId=either.store) == "CustomKeyStoreInvalidStateException"
    )
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.disconnect_custom_key_store(CustomKeyStoreId=either.store)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert refusal(kms.delete_custom_key_store, CustomKeyStoreId=either.store) == "CustomKeyStoreHasCMKsException"
    (told,) = do_chores(either.world, time.time() + 8 * 86400)
    status = f'[{{"backingKeyId":"{material}","deletionStatus":"SUCCESS"}}]'
    where = {"customKeyStoreId": either.store, "clusterId": CLUSTER}
    assert told.additional == {**where, "backingKeysDeletionStatus": status}
    assert not either.token.holds(bytes.fromhex(material))
    kms.delete_custom_key_store(CustomKeyStoreId=either.store)
    assert kms.describe_custom_key_stores()["CustomKeyStores"] == []
    assert refusal(kms.connect_custom_key_store, CustomKeyStoreId=either.store) == "CustomKeyStoreNotFoundException"


def test_no_password_is_written_down(house: House) -> None:
    with house.world.store.transaction() as transaction:
        row = transaction.one(select(tables.store))
        assert row is not None
        assert softhsm.PIN.encode() not in row.secret
        assert softhsm.PIN not in repr(stores.load(transaction, house.world.environment, house.store))
    told = b"".join(record_of(event, lambda size: bytes(size)) for event in house.world.events)
    assert softhsm.PIN.encode() not in told
    assert json.loads(b"[%s]" % told.replace(b"}{", b"},{"))[0]["requestParameters"]["customKeyStoreName"] == "hsm"

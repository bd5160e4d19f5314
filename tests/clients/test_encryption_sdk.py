"""AWS's Encryption SDK for Python, unchanged: envelopes whose data keys KMS makes and opens, in every way it has.

Nothing is told to it but the address of the server, in AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import aws_encryption_sdk as sdk
import botocore.session
import pytest
from aws_encryption_sdk import CommitmentPolicy
from aws_encryption_sdk.exceptions import ActionNotAllowedError, DecryptKeyError, GenerateKeyError
from aws_encryption_sdk.identifiers import Algorithm
from aws_encryption_sdk.key_providers.kms import (
    DiscoveryAwsKmsMasterKeyProvider,
    DiscoveryFilter,
    MRKAwareDiscoveryAwsKmsMasterKeyProvider,
    MRKAwareStrictAwsKmsMasterKeyProvider,
    StrictAwsKmsMasterKeyProvider,
)
from clients_support import ServerProcess, keys_of

pytestmark = pytest.mark.clients

CONTEXT = {"purpose": "payroll", "größe": "100 €"}
SECRET = b"a secret of some length " * 400
HERE, THERE = "us-east-1", "eu-west-1"
CLIENT = sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("encryption-sdk") / "data").start()
    yield running
    running.stop()


class Person:
    """Who uses the SDK, and how often it asked KMS for what."""

    def __init__(self, credentials: dict[str, str]) -> None:
        self.session = botocore.session.Session()
        self.session.set_credentials(credentials["aws_access_key_id"], credentials["aws_secret_access_key"])
        self.session.set_config_variable("region", HERE)
        self.asked: list[str] = []
        self.session.register("before-call.kms", lambda model, **_: self.asked.append(model.name))


@pytest.fixture
def root(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    return Person(server.root())


@pytest.fixture
def kms(server: ServerProcess) -> Any:
    return server.client("kms", region=HERE)


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


def strict(person: Person, *keys: str) -> Any:
    return StrictAwsKmsMasterKeyProvider(key_ids=list(keys), botocore_session=person.session)


def filtered(key: str) -> DiscoveryFilter:
    return DiscoveryFilter(account_ids=[key.split(":")[4]], partition="aws")


def test_a_message_and_its_context_go_out_and_come_back(root: Person, key: str) -> None:
    sealed, header = CLIENT.encrypt(source=SECRET, key_provider=strict(root, key), encryption_context=CONTEXT)
    assert header.algorithm is Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
    assert [each.key_provider.key_info.decode() for each in header.encrypted_data_keys] == [key]
    opened, header = CLIENT.decrypt(source=sealed, key_provider=strict(root, key))
    assert opened == SECRET
    assert CONTEXT.items() <= header.encryption_context.items()
    assert "aws-crypto-public-key" in header.encryption_context  # the SDK's own: in the context that KMS sees
    assert root.asked == ["GenerateDataKey", "Decrypt"]


def test_any_of_several_keys_opens_it_and_another_does_not(root: Person, kms: Any, key: str) -> None:
    second, other = (str(kms.create_key()["KeyMetadata"]["Arn"]) for _ in range(2))
    sealed, header = CLIENT.encrypt(source=SECRET, key_provider=strict(root, key, second))
    assert len(header.encrypted_data_keys) == 2
    assert root.asked == ["GenerateDataKey", "Encrypt"]
    for one in (key, second):
        assert CLIENT.decrypt(source=sealed, key_provider=strict(root, one))[0] == SECRET
    with pytest.raises(DecryptKeyError):
        CLIENT.decrypt(source=sealed, key_provider=strict(root, other))
    kms.disable_key(KeyId=key)
    assert CLIENT.decrypt(source=sealed, key_provider=strict(root, key, second))[0] == SECRET


def test_another_context_does_not_open_it(root: Person, key: str) -> None:
    sealed, _ = CLIENT.encrypt(source=SECRET, key_provider=strict(root, key), encryption_context=CONTEXT)
    changed = sealed.replace(b"payroll", b"holiday")
    assert changed != sealed
    with pytest.raises(DecryptKeyError):
        CLIENT.decrypt(source=changed, key_provider=strict(root, key))


def test_a_policy_can_ask_for_a_context(server: ServerProcess, root: Person, key: str) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="clerk")
    statement = {
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": key,
        "Condition": {"StringEquals": {"kms:EncryptionContext:purpose": "payroll"}},
    }
    document = {"Version": "2012-10-17", "Statement": statement}
    iam.put_user_policy(UserName="clerk", PolicyName="p", PolicyDocument=json.dumps(document))
    clerk = Person(keys_of(iam, "clerk"))
    sealed, _ = CLIENT.encrypt(source=SECRET, key_provider=strict(clerk, key), encryption_context=CONTEXT)
    assert CLIENT.decrypt(source=sealed, key_provider=strict(clerk, key))[0] == SECRET
    with pytest.raises(GenerateKeyError):
        CLIENT.encrypt(source=SECRET, key_provider=strict(clerk, key), encryption_context={"purpose": "other"})


def test_who_does_not_name_the_key_discovers_it(root: Person, key: str) -> None:
    sealed, _ = CLIENT.encrypt(source=SECRET, key_provider=strict(root, key), encryption_context=CONTEXT)
    found = DiscoveryAwsKmsMasterKeyProvider(discovery_filter=filtered(key), botocore_session=root.session)
    assert CLIENT.decrypt(source=sealed, key_provider=found)[0] == SECRET


def test_a_replica_opens_what_the_primary_sealed(server: ServerProcess, root: Person, kms: Any) -> None:
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion=THERE)["ReplicaKeyMetadata"]["Arn"]
    assert replica == primary.replace(HERE, THERE)

    def aware(key: str) -> Any:
        return MRKAwareStrictAwsKmsMasterKeyProvider(key_ids=[key], botocore_session=root.session)

    sealed, _ = CLIENT.encrypt(source=SECRET, key_provider=aware(primary), encryption_context=CONTEXT)
    assert CLIENT.decrypt(source=sealed, key_provider=aware(replica))[0] == SECRET
    anywhere = MRKAwareDiscoveryAwsKmsMasterKeyProvider(
        discovery_region=THERE, discovery_filter=filtered(primary), botocore_session=root.session
    )
    assert CLIENT.decrypt(source=sealed, key_provider=anywhere)[0] == SECRET
    with pytest.raises(DecryptKeyError):
        CLIENT.decrypt(source=sealed, key_provider=strict(root, replica))  # which is not aware of replicas


def test_a_message_that_commits_to_no_key_is_opened_only_if_that_is_wanted(root: Person, key: str) -> None:
    lenient = sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    sealed, header = lenient.encrypt(source=SECRET, key_provider=strict(root, key))
    assert not header.algorithm.is_committing()
    assert lenient.decrypt(source=sealed, key_provider=strict(root, key))[0] == SECRET
    with pytest.raises(ActionNotAllowedError):
        CLIENT.decrypt(source=sealed, key_provider=strict(root, key))


def test_with_a_cache_a_data_key_serves_several_messages(root: Person, key: str) -> None:
    manager = sdk.CachingCryptoMaterialsManager(
        cache=sdk.LocalCryptoMaterialsCache(10),
        master_key_provider=strict(root, key),
        max_age=600.0,
        max_messages_encrypted=3,
    )
    sealed = [
        CLIENT.encrypt(source=f"{n}".encode(), materials_manager=manager, encryption_context=CONTEXT)[0]
        for n in range(6)
    ]
    assert root.asked == ["GenerateDataKey", "GenerateDataKey"]
    opened = [CLIENT.decrypt(source=each, materials_manager=manager)[0] for each in sealed]
    assert opened == [f"{n}".encode() for n in range(6)]
    assert root.asked[2:] == ["Decrypt", "Decrypt"]


def test_rotation_leaves_what_was_sealed_readable(root: Person, kms: Any, key: str) -> None:
    sealed, _ = CLIENT.encrypt(source=SECRET, key_provider=strict(root, key), encryption_context=CONTEXT)
    kms.rotate_key_on_demand(KeyId=key)
    assert CLIENT.decrypt(source=sealed, key_provider=strict(root, key))[0] == SECRET
    with CLIENT.stream(mode="e", source=SECRET * 50, key_provider=strict(root, key), frame_length=1024) as stream:
        streamed = stream.read()
    assert CLIENT.decrypt(source=streamed, key_provider=strict(root, key))[0] == SECRET * 50

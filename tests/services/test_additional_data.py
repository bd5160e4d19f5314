"""additionalEventData: what the audit trail tells beside input and output. Source: KMS Developer Guide (log entries of
the operations); IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail"; docs/audit.md.
"""

from __future__ import annotations

import json
import os
from typing import Any

import msgspec
import pytest
from services_support import ACCOUNT, refusal

from bailiwick.app import record
from bailiwick.core.message import Tls
from world import World

REGIONAL = {"RequestDetails": {"awsServingRegion": "us-east-1", "endpointType": "regional"}}


def told(world: World) -> Any:
    """The additionalEventData of the last event; None if its record has none."""
    return json.loads(record.record_of(world.events[-1], os.urandom)).get("additionalEventData")


def current(kms: Any, key: str) -> str:
    return str(kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"])


def test_kms_tells_the_key_material(world: World, kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert told(world) is None
    first = current(kms, key)
    assert told(world) is None
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert told(world) == {"keyMaterialId": first}
    kms.rotate_key_on_demand(KeyId=key)
    second = current(kms, key)
    assert first != second
    kms.decrypt(CiphertextBlob=blob)
    assert told(world) == {"keyMaterialId": first}
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    assert told(world) == {"sourceKeyMaterialId": first, "destinationKeyMaterialId": second}
    for call, more in (
        (kms.generate_data_key, {"KeySpec": "AES_256"}),
        (kms.generate_data_key_without_plaintext, {"KeySpec": "AES_256"}),
        (kms.generate_data_key_pair, {"KeyPairSpec": "ECC_NIST_P256"}),
        (kms.generate_data_key_pair_without_plaintext, {"KeyPairSpec": "ECC_NIST_P256"}),
    ):
        call(KeyId=key, **more)
        assert told(world) == {"keyMaterialId": second}


def test_kms_tells_none_where_there_is_none_or_nothing_was_done(world: World, kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)[0] == "DryRunOperationException"
    assert told(world) is None
    assert refusal(kms.decrypt, CiphertextBlob=b"x" * 100)[0] == "InvalidCiphertextException"
    assert told(world) is None
    pair = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=pair, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert told(world) is None


def test_a_grant_that_is_retired_by_its_token_is_named(world: World, kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    grant = kms.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:root", Operations=["Encrypt", "RetireGrant"]
    )
    kms.retire_grant(GrantToken=grant["GrantToken"])
    assert told(world) == {"grantId": grant["GrantId"]}


def test_both_accounts_are_told_of_the_material(world: World, kms: Any) -> None:
    other = "210987654321"
    root = world.account(other)
    trusting = {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, other]}, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": trusting})
    key = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    world.client("kms", root).encrypt(KeyId=key, Plaintext=b"x")
    event = world.events[-1]
    for owner in (None, *record.owners_of(event)):
        made = json.loads(record.record_of(event, os.urandom, "shared", owner))
        assert made["additionalEventData"] == {"keyMaterialId": current(kms, key)}


def test_sts_tells_where_it_was_served(world: World) -> None:
    sts = world.client("sts")
    sts.get_caller_identity()
    assert told(world) == REGIONAL
    world.client("sts", region="eu-west-1").get_session_token()
    assert told(world)["RequestDetails"]["awsServingRegion"] == "eu-west-1"
    assert refusal(sts.assume_role, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none", RoleSessionName="s1")
    assert told(world) == REGIONAL


@pytest.mark.parametrize(
    ("host", "kind"),
    [("sts.amazonaws.com", "global"), ("sts.amazonaws.com:443", "global"), ("sts.example.com", "regional")],
)
def test_the_global_endpoint_of_sts(world: World, host: str, kind: str) -> None:
    world.client("sts").get_caller_identity()
    tls = (Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384"), host)
    world.events.append(msgspec.structs.replace(world.events[-1], tls=tls))
    assert told(world)["RequestDetails"]["endpointType"] == kind


def test_other_services_tell_nothing(world: World, iam: Any) -> None:
    iam.list_users()
    assert told(world) is None

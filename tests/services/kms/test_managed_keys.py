"""AWS managed keys: made when they are asked for, used through their service, changed by nobody (facts/kms.md 14)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services_support import ACCOUNT, refusal
from sqlalchemy import select

from bailiwick.api import AccessDenied, Call
from bailiwick.services.kms import shapes, tables
from world import REGION, World

ALIAS = "alias/aws/secretsmanager"
SECRETS, STORAGE = "secretsmanager.amazonaws.com", "s3.amazonaws.com"


def through_service(world: World, operation: str, request: Any, by: str = SECRETS) -> Any:
    """What a service does for the root user, who asked the service and not KMS."""
    route = world.pipeline.routes["kms", operation]
    call = Call(
        operation=route.operation,
        caller=world.directory.credential(world.root["aws_access_key_id"], None, world.now()).caller,
        region=REGION,
        now=world.now(),
        request_id="r",
        transaction=world.store.transaction(write=True),
        environment=world.environment,
    )
    with call.transaction:
        return world.pipeline.through(call, by, "kms", operation, request)


def test_asked_for_it_is_made_once(world: World, kms: Any) -> None:
    made = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]
    assert (made["KeyManager"], made["KeyState"], made["KeySpec"]) == ("AWS", "Enabled", "SYMMETRIC_DEFAULT")
    assert made["MultiRegion"] is False
    assert kms.describe_key(KeyId=ALIAS)["KeyMetadata"] == made
    assert kms.describe_key(KeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:{ALIAS}")["KeyMetadata"] == made
    assert [key["KeyArn"] for key in kms.list_keys()["Keys"]] == [made["Arn"]]
    rotation = kms.get_key_rotation_status(KeyId=made["Arn"])
    assert (rotation["KeyRotationEnabled"], rotation["RotationPeriodInDays"]) == (True, 365)
    policy = json.loads(kms.get_key_policy(KeyId=made["KeyId"])["Policy"])
    assert policy["Id"] == "auto-secretsmanager-1"
    assert policy["Statement"][0]["Condition"]["StringEquals"] == {
        "kms:CallerAccount": ACCOUNT,
        "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com",
    }
    elsewhere = world.client("kms", region="eu-west-1").describe_key(KeyId=ALIAS)["KeyMetadata"]
    assert elsewhere["KeyId"] != made["KeyId"]


def test_no_other_name_makes_a_key(world: World, kms: Any) -> None:
    stranger = world.client("kms", world.account("210987654321"))
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:{ALIAS}"
    for ask, name in ((kms, "alias/aws/nonsense"), (kms, "alias/s3"), (stranger, arn)):
        assert refusal(ask.describe_key, KeyId=name)[0] in ("NotFoundException", "AccessDeniedException")
    assert kms.list_keys()["Keys"] == []


def test_who_is_refused_makes_none(world: World, kms: Any) -> None:
    world.client("iam").create_user(UserName="nobody")
    nobody = world.client("kms", world.keys_of("nobody"))
    assert refusal(nobody.describe_key, KeyId=ALIAS)[0] == "AccessDeniedException"
    assert refusal(kms.encrypt, KeyId=ALIAS, Plaintext=b"x")[0] == "AccessDeniedException"
    with world.store.transaction() as transaction:
        assert transaction.all(select(tables.key)) == []


def test_it_is_used_through_its_service_only(world: World, kms: Any) -> None:
    sealed = through_service(world, "Encrypt", shapes.EncryptRequest(KeyId=ALIAS, Plaintext=b"x"))
    blob = sealed.CiphertextBlob
    assert through_service(world, "Decrypt", shapes.DecryptRequest(CiphertextBlob=blob)).Plaintext == b"x"
    assert refusal(kms.decrypt, CiphertextBlob=blob)[0] == "AccessDeniedException"
    with pytest.raises(AccessDenied):
        through_service(world, "Decrypt", shapes.DecryptRequest(CiphertextBlob=blob), STORAGE)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("put_key_policy", {"Policy": "{}"}),
        ("disable_key", {}),
        ("schedule_key_deletion", {}),
        ("update_key_description", {"Description": "mine"}),
        ("tag_resource", {"Tags": [{"TagKey": "k", "TagValue": "v"}]}),
        ("disable_key_rotation", {}),
        ("rotate_key_on_demand", {}),
        ("create_grant", {"GranteePrincipal": ACCOUNT, "Operations": ["Decrypt"]}),
    ],
)
def test_nobody_changes_it(kms: Any, operation: str, parameters: Any) -> None:
    key = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"]
    assert refusal(getattr(kms, operation), KeyId=key, **parameters)[0] == "AccessDeniedException"


def test_its_alias_and_those_of_others(kms: Any) -> None:
    listed = {alias["AliasName"]: alias for alias in kms.list_aliases()["Aliases"]}
    assert set(listed[ALIAS]) == {"AliasName", "AliasArn"}
    key = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"]
    mine = kms.create_key()["KeyMetadata"]["KeyId"]
    pages, marker = [], {}
    while True:
        page = kms.list_aliases(Limit=4, **marker)
        pages += page["Aliases"]
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
    assert [alias["AliasName"] for alias in pages] == sorted(listed)
    assert {alias["AliasName"]: alias.get("TargetKeyId") for alias in pages}[ALIAS] == key
    assert [alias["AliasName"] for alias in kms.list_aliases(KeyId=key)["Aliases"]] == [ALIAS]
    assert refusal(kms.update_alias, AliasName=ALIAS, TargetKeyId=mine)[0] == "AccessDeniedException"
    assert refusal(kms.create_alias, AliasName="alias/x", TargetKeyId=key)[0] == "AccessDeniedException"
    assert refusal(kms.delete_alias, AliasName=ALIAS)[0] == "NotAuthorizedException"

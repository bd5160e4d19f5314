"""Multi-Region keys between deployments: replicated, rotated, promoted, deleted. Source: facts/kms.md section 9."""

from __future__ import annotations

import json
from typing import Any

import pytest
from peers_support import Net
from services_support import allow, document, refusal

from bailiwick.app.record import record_of
from world import ACCOUNT


@pytest.fixture
def net() -> Net:
    return Net()


def replicated(net: Net, **options: Any) -> str:
    """A key at the first side with a replica at the second; returns its id."""
    key_id: str = net[0].kms.create_key(MultiRegion=True, **options)["KeyMetadata"]["KeyId"]
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion=net[1].home)
    net.settle()
    return key_id


def test_a_key_is_replicated_to_a_peer(net: Net) -> None:
    made = net[0].kms.create_key(MultiRegion=True, Description="mine", Tags=[{"TagKey": "a", "TagValue": "1"}])
    key_id = made["KeyMetadata"]["KeyId"]
    answer = net[0].kms.replicate_key(
        KeyId=key_id, ReplicaRegion="eu-west-1", Description="yours", Tags=[{"TagKey": "b", "TagValue": "2"}]
    )
    shown = answer["ReplicaKeyMetadata"]
    assert (shown["KeyState"], shown["Enabled"], shown["Description"]) == ("Creating", False, "yours")
    assert shown["Arn"] == made["KeyMetadata"]["Arn"].replace("us-east-1", "eu-west-1")
    assert shown["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    net.settle()

    replica = net[1].kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (replica["KeyState"], replica["Description"], replica["Arn"]) == ("Enabled", "yours", shown["Arn"])
    assert net[1].kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "b", "TagValue": "2"}]
    assert net[1].kms.get_key_policy(KeyId=key_id)["Policy"] == answer["ReplicaPolicy"]
    for side in (net[0], net[1]):
        assert side.regions(key_id) == ("us-east-1", ["eu-west-1"])
    assert net[1].decrypt(net[0].encrypt(key_id)) == b"text"
    assert net[0].decrypt(net[1].encrypt(key_id)) == b"text"
    original = net[0].kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert replica["CurrentKeyMaterialId"] == original["CurrentKeyMaterialId"]


def test_rotation_is_complete_when_the_replica_has_the_material(net: Net) -> None:
    key_id = replicated(net)
    old = net[0].kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    net.down.add("eu-west-1")
    net[0].kms.rotate_key_on_demand(KeyId=key_id)
    net.settle()
    assert "OnDemandRotationStartDate" in net[0].kms.get_key_rotation_status(KeyId=key_id)
    assert net[0].kms.list_key_rotations(KeyId=key_id)["Rotations"] == []
    assert net[0].kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] == old
    with pytest.raises(net[0].kms.exceptions.ConflictException):
        net[0].kms.rotate_key_on_demand(KeyId=key_id)
    net.down.clear()
    net.again()
    new = net[0].kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert new != old
    assert "OnDemandRotationStartDate" not in net[0].kms.get_key_rotation_status(KeyId=key_id)
    assert net[1].kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] == new
    for side in (net[0], net[1]):
        (rotation,) = side.kms.list_key_rotations(KeyId=key_id)["Rotations"]
        assert (rotation["KeyMaterialId"], rotation["RotationType"]) == (new, "ON_DEMAND")
    assert net[1].decrypt(net[0].encrypt(key_id)) == b"text"


def test_a_replica_is_promoted(net: Net) -> None:
    key_id = replicated(net)
    net[0].kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=200)
    net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion="eu-west-1")
    assert net[0].state(key_id) == "Updating"
    assert net[0].decrypt(net[0].encrypt(key_id)) == b"text"
    net.settle()
    assert (net[0].type(key_id), net[1].type(key_id)) == ("REPLICA", "PRIMARY")
    assert (net[0].state(key_id), net[1].state(key_id)) == ("Enabled", "Enabled")
    status = net[1].kms.get_key_rotation_status(KeyId=key_id)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 200)
    assert "NextRotationDate" in status
    with pytest.raises(net[0].kms.exceptions.UnsupportedOperationException):
        net[0].kms.rotate_key_on_demand(KeyId=key_id)
    net[1].kms.rotate_key_on_demand(KeyId=key_id)
    net.settle()
    assert net[0].decrypt(net[1].encrypt(key_id)) == b"text"
    assert len(net[0].kms.list_key_rotations(KeyId=key_id)["Rotations"]) == 1


def test_the_answer_to_a_promotion_may_be_lost(net: Net) -> None:
    key_id = replicated(net)
    net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion="eu-west-1")
    net.lose_answers = True
    net.settle()
    assert (net[0].state(key_id), net[1].type(key_id)) == ("Updating", "PRIMARY")
    for call in ("disable_key", "schedule_key_deletion"):
        with pytest.raises(net[0].kms.exceptions.KMSInvalidStateException, match="is updating"):
            getattr(net[0].kms, call)(KeyId=key_id)
    net.lose_answers = False
    net.again()
    assert (net[0].state(key_id), net[0].type(key_id)) == ("Enabled", "REPLICA")


def test_a_primary_that_cannot_be_one_gives_it_back(net: Net) -> None:
    key_id = replicated(net)
    net[1].kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion="eu-west-1")
    net.settle()
    assert (net[0].type(key_id), net[1].type(key_id)) == ("PRIMARY", "REPLICA")
    assert (net[0].state(key_id), net[1].state(key_id)) == ("Enabled", "PendingDeletion")


def test_a_peer_that_is_away_is_told_later(net: Net) -> None:
    net.down.add("eu-west-1")
    key_id = replicated(net)
    assert net[0].regions(key_id) == ("us-east-1", ["eu-west-1"])
    with pytest.raises(net[0].kms.exceptions.AlreadyExistsException):
        net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1")
    with pytest.raises(net[0].kms.exceptions.NotFoundException):
        net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion="eu-west-1")
    net.down.clear()
    net.again()
    assert net[1].state(key_id) == "Enabled"


def test_keys_are_made_where_they_belong(net: Net) -> None:
    kms = net[0].world.client("kms", region="eu-west-1")
    with pytest.raises(kms.exceptions.UnsupportedOperationException, match=r"made at https://eu-west-1\."):
        kms.create_key()
    unknown = "mrk-" + "0" * 32
    with pytest.raises(kms.exceptions.NotFoundException, match=r"does not exist here: keys in eu-west-1 are at"):
        kms.describe_key(KeyId=unknown)
    key_id = net[0].kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion="us-west-2")  # a region of its own, as ever
    assert net[0].regions(key_id) == ("us-east-1", ["us-west-2"])
    assert net.sent == []


def test_a_key_may_have_replicas_here_and_there(net: Net) -> None:
    key_id = replicated(net)
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion="us-west-2")
    net.settle()
    for side in (net[0], net[1]):
        assert side.regions(key_id) == ("us-east-1", ["eu-west-1", "us-west-2"])
    net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion="us-west-2")
    net.settle()
    assert net[1].regions(key_id) == ("us-west-2", ["eu-west-1", "us-east-1"])


def test_keys_of_an_account_that_is_not_shared_stay_here() -> None:
    net = Net(accounts=frozenset({"210987654321"}))
    key_id = net[0].kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    with pytest.raises(net[0].kms.exceptions.UnsupportedOperationException, match="are not shared"):
        net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1")


@pytest.mark.parametrize("spec", ["HMAC_256", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519", "ML_DSA_44", "RSA_2048"])
def test_keys_of_other_kinds_are_replicated(net: Net, spec: str) -> None:
    usage = "GENERATE_VERIFY_MAC" if spec.startswith("HMAC") else "SIGN_VERIFY"
    key_id = replicated(net, KeySpec=spec, KeyUsage=usage)
    if usage == "SIGN_VERIFY":
        public = [side.kms.get_public_key(KeyId=key_id)["PublicKey"] for side in (net[0], net[1])]
        assert public[0] == public[1]
    else:
        made = net[0].kms.generate_mac(KeyId=key_id, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]
        assert net[1].kms.verify_mac(KeyId=key_id, Message=b"m", MacAlgorithm="HMAC_SHA_256", Mac=made)["MacValid"]


def test_whom_a_policy_names_is_somebody_only_where_he_is(net: Net) -> None:
    for side, name in ((net[0], "alice"), (net[0], "bob"), (net[1], "alice")):
        side.world.client("iam").create_user(UserName=name)
    users = {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("alice", "bob")]}
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    policy = document(allow("kms:*", Principal=root), allow("kms:Encrypt", Principal=users))
    key_id = net[0].kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1", Policy=policy)
    net.settle()
    net[1].world.client("iam").create_user(UserName="bob")  # another bob, who came later
    kms = {name: net[1].world.client("kms", net[1].world.keys_of(name)) for name in ("alice", "bob")}
    kms["alice"].encrypt(KeyId=key_id, Plaintext=b"x")
    assert refusal(lambda: kms["bob"].encrypt(KeyId=key_id, Plaintext=b"x"))[0] == "AccessDeniedException"


def test_the_trail_tells_of_each_message_and_of_no_secret(net: Net) -> None:
    key_id = replicated(net)
    for side, other in ((net[0], net[1]), (net[1], net[0])):
        event = next(
            event for event in side.world.events if event.route and event.route.operation.name.startswith("Synchro")
        )
        record = json.loads(record_of(event, side.world.environment.noise))
        assert record["eventName"] == "SynchronizeMultiRegionKey"
        assert record["userIdentity"]["type"] == "Peer"
        assert record["userIdentity"]["principalId"] == other.home
        assert record["requestParameters"]["keyId"] == key_id
        assert record["requestParameters"]["primaryRegion"] == "us-east-1"
        assert record["resources"][0]["ARN"].endswith(f"us-east-1:{ACCOUNT}:key/{key_id}")
        assert record["recipientAccountId"] == ACCOUNT
        assert "message" not in record["requestParameters"]


def test_a_promotion_must_be_allowed_on_both_keys(net: Net) -> None:
    key_id = replicated(net)
    iam = net[0].world.client("iam")
    iam.create_user(UserName="alice")
    primary = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key_id}"
    replica = primary.replace("us-east-1", "eu-west-1")
    kms = net[0].world.client("kms", net[0].world.keys_of("alice"))

    def may(*keys: str) -> None:
        allowed = document(allow("kms:UpdatePrimaryRegion", list(keys)))
        iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=allowed)

    may(primary)
    code, text = refusal(kms.update_primary_region, KeyId=key_id, PrimaryRegion="eu-west-1")
    assert code == "AccessDeniedException"
    assert replica in text
    assert refusal(kms.update_primary_region, KeyId=key_id, PrimaryRegion="us-west-2")[0] == "NotFoundException"
    may(primary, replica)
    kms.update_primary_region(KeyId=key_id, PrimaryRegion="eu-west-1")


def test_an_old_primary_is_behind_and_its_wish_is_fulfilled_all_the_same() -> None:
    net = Net(3)
    key_id = replicated(net)
    net.down.update(("us-east-1", "ap-south-1"))
    net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion="eu-west-1")
    net.settle()
    net[1].kms.rotate_key_on_demand(KeyId=key_id)
    net[1].kms.replicate_key(KeyId=key_id, ReplicaRegion="ap-south-1")
    net.down.clear()
    net.again()
    for number in range(3):
        assert net[number].regions(key_id) == ("eu-west-1", ["ap-south-1", "us-east-1"])
    blob = net[1].encrypt(key_id)
    assert [net[number].decrypt(blob) for number in range(3)] == [b"text"] * 3

"""Who may have the primary moved: the policies of both keys are asked, each where it is. facts/kms.md section 9."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from peers_support import HOMES, Net, refused
from services_support import allow, deny, document, refusal

from bailiwick.app.record import record_of
from bailiwick.core import peers
from bailiwick.services.kms import peer_messages, peer_snapshots
from bailiwick.services.kms.peer_messages import Mover
from still_clock import Clock
from world import ACCOUNT, World

US, EU, _ = HOMES
MOVE = "kms:UpdatePrimaryRegion"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
ALL_BUT_MOVE = allow(["kms:Describe*", "kms:PutKeyPolicy", "kms:Encrypt", "kms:Decrypt"], Principal=ROOT)
LEFT_TO_IAM = allow("kms:*", Principal=ROOT)
NO_MOVE = document(LEFT_TO_IAM, deny(MOVE, Principal="*"))


@pytest.fixture
def net() -> Net:
    return Net()


def replicated(net: Net, policy: str = document(LEFT_TO_IAM)) -> str:
    key_id: str = net[0].kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion=EU)
    net.settle()
    net[1].kms.put_key_policy(KeyId=key_id, Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    return key_id


def primary(net: Net, key_id: str) -> str:
    """Where both sides say that the primary is, and it is ready."""
    said = {side.regions(key_id)[0] for side in net.sides.values()}
    assert {side.state(key_id) for side in net.sides.values()} == {"Enabled"}
    assert len(said) == 1
    return said.pop()


def moved(net: Net, key_id: str, kms: Any = None, to: str = EU) -> str:
    (kms or net[0].kms).update_primary_region(KeyId=key_id, PrimaryRegion=to)
    net.settle()
    return primary(net, key_id)


def told_of(world: World) -> dict[str, Any]:
    """The last record of a message that a side took in, and had something to say of."""
    events = [event for event in world.events if event.additional and "primary" in str(event.additional)]
    record: dict[str, Any] = json.loads(record_of(events[-1], world.environment.noise))
    assert record["eventName"] == "SynchronizeMultiRegionKey"
    return record


def user(world: World, name: str, *statements: dict[str, Any], tags: dict[str, str] | None = None) -> Any:
    """A client of KMS with a user's key."""
    iam = world.client("iam")
    iam.create_user(UserName=name, Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()])
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    return world.client("kms", world.keys_of(name))


# --- within a deployment


def test_the_policies_of_both_keys_are_asked_where_both_are_here(world: World) -> None:
    kms, west = world.client("kms"), world.client("kms", region="us-west-2")
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    replica = kms.replicate_key(KeyId=key, ReplicaRegion="us-west-2")["ReplicaKeyMetadata"]["Arn"]
    moving = {"KeyId": key, "PrimaryRegion": "us-west-2"}
    for client, which in ((kms, key), (west, replica)):
        client.put_key_policy(KeyId=which, Policy=NO_MOVE)
        code, text = refusal(kms.update_primary_region, **moving)
        assert (code, which in text, "explicit deny" in text) == ("AccessDeniedException", True, True)
        client.put_key_policy(KeyId=which, Policy=document(LEFT_TO_IAM))
    alice = user(world, "alice", allow(MOVE, key))
    assert replica in refusal(alice.update_primary_region, **moving)[1]
    directly = allow(MOVE, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"})
    west.put_key_policy(KeyId=replica, Policy=document(LEFT_TO_IAM, directly))
    alice.update_primary_region(**moving)
    shown = west.describe_key(KeyId=replica)["KeyMetadata"]["MultiRegionConfiguration"]
    assert shown["MultiRegionKeyType"] == "PRIMARY"


# --- between deployments


def test_a_key_that_leaves_it_to_the_account_follows_the_policies_of_who_asks(net: Net) -> None:
    key_id = replicated(net)
    alice = user(net[0].world, "alice")
    named = allow(MOVE, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"})
    net[0].kms.put_key_policy(KeyId=key_id, Policy=document(LEFT_TO_IAM, named))
    code, text = refusal(alice.update_primary_region, KeyId=key_id, PrimaryRegion=EU)
    assert (code, f"kms:{EU}" in text) == (
        "AccessDeniedException",
        True,
    )  # what the primary says is not for the replica
    net[0].world.client("iam").put_user_policy(
        UserName="alice", PolicyName="p", PolicyDocument=document(allow(MOVE, f"arn:aws:kms:{EU}:*:key/{key_id}"))
    )
    assert moved(net, key_id, alice) == EU


@pytest.mark.parametrize(
    "policy",
    [
        NO_MOVE,
        document(LEFT_TO_IAM, deny(MOVE, Principal=ROOT)),
        document(ALL_BUT_MOVE),
        document(deny(MOVE, Principal="*", Condition={"StringEquals": {"kms:PrimaryRegion": EU}}), LEFT_TO_IAM),
        document(LEFT_TO_IAM, deny(MOVE, Principal="*", Condition={"Bool": {"kms:MultiRegion": "true"}})),
        document(
            LEFT_TO_IAM,
            deny(MOVE, Principal="*", Condition={"StringEquals": {"kms:MultiRegionKeyType": "REPLICA"}}),
        ),
    ],
)
def test_a_key_that_does_not_allow_it_gives_the_primary_back(net: Net, policy: str) -> None:
    key_id = replicated(net, policy)
    assert moved(net, key_id) == US
    theirs, ours = (told_of(side.world) for side in (net[1], net[0]))
    assert theirs["requestParameters"]["movedBy"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert theirs["additionalEventData"] == {"primaryRefusedBy": "resource-based policy"}
    assert ours["requestParameters"]["primaryRegion"] == US
    assert ours["additionalEventData"] == {"primaryGivenBack": True}
    assert net[1].decrypt(net[0].encrypt(key_id)) == b"text"
    net[1].world.client("kms").put_key_policy(KeyId=key_id, Policy=document(LEFT_TO_IAM))
    assert moved(net, key_id) == EU


def test_users_of_the_same_name_are_two(net: Net) -> None:
    alice, _ = user(net[0].world, "alice", allow("kms:*")), user(net[1].world, "alice")
    hers = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}
    key_id = replicated(net, document(ALL_BUT_MOVE, allow(MOVE, Principal=hers)))
    assert moved(net, key_id, alice) == US  # EU's alice may, US's is somebody else
    net[1].kms.put_key_policy(KeyId=key_id, Policy=document(LEFT_TO_IAM, deny(MOVE, Principal=hers)))
    assert moved(net, key_id, alice) == EU


@pytest.mark.parametrize(
    ("key", "value", "end"),
    [
        ("aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:user/alice", EU),
        ("aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:user/bob", US),
        ("aws:PrincipalTag/team", "keys", EU),
        ("aws:PrincipalTag/team", "other", US),
        ("aws:SourceIp", "127.0.0.1", EU),
        ("aws:RequestedRegion", US, EU),
        ("kms:CallerAccount", ACCOUNT, EU),
        ("kms:PrimaryRegion", EU, EU),
    ],
)
def test_conditions_see_who_asked_there(net: Net, key: str, value: str, end: str) -> None:
    alice = user(net[0].world, "alice", allow("kms:*"), tags={"team": "keys"})
    operator = "IpAddress" if key == "aws:SourceIp" else "StringEquals"
    may = allow(MOVE, Principal=ROOT, Condition={operator: {key: value}})
    key_id = replicated(net, document(ALL_BUT_MOVE, may))
    assert moved(net, key_id, alice) == end


def test_the_peers_control_policies_have_a_say(net: Net) -> None:
    key_id = replicated(net)
    world = net[1].world
    manager = world.client("organizations", world.account("999999999999"))
    manager.create_organization()
    root = manager.list_roots()["Roots"][0]["Id"]
    manager.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    invited = manager.invite_account_to_organization(Target={"Id": ACCOUNT, "Type": "ACCOUNT"})
    world.client("organizations").accept_handshake(HandshakeId=invited["Handshake"]["Id"])
    made = manager.create_policy(
        Content=document(deny(MOVE)), Description="", Name="p", Type="SERVICE_CONTROL_POLICY"
    )["Policy"]["PolicySummary"]["Id"]
    manager.attach_policy(PolicyId=made, TargetId=ACCOUNT)
    assert moved(net, key_id) == US
    manager.detach_policy(PolicyId=made, TargetId=ACCOUNT)
    assert moved(net, key_id) == EU


def test_who_comes_back_is_asked_again_but_not_if_it_was_only_given_back(net: Net) -> None:
    key_id = replicated(net, NO_MOVE)
    net.down.add(EU)
    assert net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion=EU)
    net[0].kms.put_key_policy(KeyId=key_id, Policy=NO_MOVE)
    net.down.clear()
    net.again()
    assert primary(net, key_id) == US  # EU refused, and US takes back what it had laid down
    net[0].kms.put_key_policy(KeyId=key_id, Policy=document(LEFT_TO_IAM))
    net[1].kms.put_key_policy(KeyId=key_id, Policy=document(LEFT_TO_IAM))
    assert moved(net, key_id) == EU
    net[0].kms.put_key_policy(KeyId=key_id, Policy=NO_MOVE)
    assert moved(net, key_id, net[1].kms, to=US) == EU  # it was EU's: now US is asked


def test_a_peer_cannot_pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it tells of the key here is not believed, nor that nobody moved it, nor that it only gives it back."""
    net = Net(clock=(clock := Clock(monkeypatch)))
    team = {"StringEquals": {"aws:ResourceTag/team": "keys"}}
    key_id = replicated(net, document(ALL_BUT_MOVE, allow(MOVE, Principal=ROOT, Condition=team)))
    environment = net[0].world.environment
    to_eu = environment.peers.of_region(EU)
    assert to_eu is not None

    def tells(by: Mover | None) -> tuple[int, str]:
        with net[0].world.store.transaction() as transaction:
            known = peer_snapshots.compose(transaction, environment, ACCOUNT, key_id, to_eu)
        assert known is not None
        epoch = known.epoch + 1
        told = msgspec.structs.replace(known, epoch=epoch, primary=EU, moved_by=by)
        plain = peer_messages.encoded(told)
        message = peers.seal(to_eu, "ask", US, plain, environment.now(), environment.entropy)
        body = msgspec.json.encode({"Message": message})
        headers = {"content-type": "application/x-amz-json-1.1"}
        headers["x-amz-target"] = "TrentService.SynchronizeMultiRegionKey"
        status, answer = net.deliver(EU, body, headers)
        clock.now += 10
        net[0].courier.greet()
        net.again()
        if status != 200:
            assert "nobody is named who asked for it" in refused(answer)
        return status, primary(net, key_id)

    lie = {"aws:resourcetag/team": "keys", "kms:primaryregion": "x"}
    assert tells(Mover(arn="arn:aws:iam::1:root", context=lie)) == (200, US)
    assert tells(None) == (400, US)
    net[1].kms.put_key_policy(KeyId=key_id, Policy=document(LEFT_TO_IAM))
    assert tells(None) == (400, US)
    assert tells(Mover(arn=f"arn:aws:iam::{ACCOUNT}:root", context={})) == (200, EU)

"""Deployments that share keys and lose each other: for a while, for ever, in the middle of something."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers_support import HOMES, Net, Side
from services_support import allow, deny, document, refusal
from sqlalchemy import update

from bailiwick.core.peers import Peers
from bailiwick.services.kms import delivery, families, regions
from bailiwick.services.kms.family_tables import family
from bailiwick.services.kms.service import kms as service
from still_clock import Clock
from world import ACCOUNT

US, EU, AP = HOMES
DAY = 86400


def replicated(net: Net, *to: str, **options: Any) -> str:
    key_id: str = net[0].kms.create_key(MultiRegion=True, **options)["KeyMetadata"]["KeyId"]
    for region in to or (EU,):
        net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion=region)
    net.settle()
    return key_id


def arn(key_id: str, region: str) -> str:
    return f"arn:aws:kms:{region}:{ACCOUNT}:key/{key_id}"


def do_chores(side: Side) -> None:
    for chore in service.chores:
        with side.world.store.transaction(write=True) as transaction:
            chore(transaction, side.world.environment, side.world.now())


def promote(side: Side, key_id: str) -> None:
    with side.world.store.transaction(write=True) as transaction:
        regions.take_over(transaction, side.world.environment, arn(key_id, side.home))


# --- loss


def test_a_replica_takes_over_when_the_primary_is_lost(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    net[0].kms.enable_key_rotation(KeyId=key_id)
    net.settle()
    net.down.update((US, EU))
    net[0].kms.rotate_key_on_demand(KeyId=key_id)  # which EU never hears of
    net.settle()
    clock.now += DAY
    do_chores(net[0])
    blob = net[0].encrypt(key_id)  # under the material that nobody else has
    promote(net[1], key_id)
    assert net[1].type(key_id) == "PRIMARY"
    assert "NextRotationDate" in net[1].kms.get_key_rotation_status(KeyId=key_id)
    net[1].kms.disable_key_rotation(KeyId=key_id)

    net.down.clear()  # it was not lost after all
    net[0].courier.greet()
    net.settle()
    net.again()
    assert (net[0].type(key_id), net[1].type(key_id)) == ("REPLICA", "PRIMARY")
    assert net[0].kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
    assert net[1].decrypt(blob) == b"text"  # nothing that it had made is lost
    current = [
        side.kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] for side in (net[0], net[1])
    ]
    assert current[0] == current[1]


def test_what_an_operator_cannot_decide(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    single = net[1].kms.create_key()["KeyMetadata"]["Arn"]
    with net[1].world.store.transaction(write=True) as transaction:
        environment = net[1].world.environment
        for call, key_arn, reason in (
            (regions.take_over, "x", "is no ARN"),
            (regions.take_over, single, "is not shared with a peer"),
            (regions.take_over, arn(key_id, US), "is not in this deployment"),
            (regions.forget, arn(key_id, EU), "is no replica at a peer"),
            (regions.forget, arn(key_id, US), "is the primary"),
        ):
            with pytest.raises(regions.Impossible, match=reason):
                call(transaction, environment, key_arn)
    with pytest.raises(regions.Impossible, match="is the primary already"):
        promote(net[0], key_id)
    net[1].kms.schedule_key_deletion(KeyId=key_id)
    with pytest.raises(regions.Impossible, match="pending deletion"):
        promote(net[1], key_id)


def test_a_replica_that_is_forgotten_holds_nobody_up(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    net.down.add(EU)
    net[0].kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert net[0].state(key_id) == "PendingReplicaDeletion"
    with net[0].world.store.transaction(write=True) as transaction:
        regions.forget(transaction, net[0].world.environment, arn(key_id, EU))
    assert (net[0].state(key_id), net[0].regions(key_id)) == ("PendingDeletion", (US, []))


def test_a_deployment_that_was_restored_catches_up(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    old = net[1].world.store
    with old.transaction() as transaction:  # as if from a backup: EU forgets how often it has spoken
        known = families.members(transaction, ACCOUNT, key_id)[EU]
    net[0].kms.rotate_key_on_demand(KeyId=key_id)
    net.settle()
    with old.transaction(write=True) as transaction:
        families.put(transaction, ACCOUNT, key_id, known)
    net[0].kms.rotate_key_on_demand(KeyId=key_id)
    net.settle()
    assert len(net[0].kms.list_key_rotations(KeyId=key_id)["Rotations"]) == 2
    assert net[1].decrypt(net[0].encrypt(key_id)) == b"text"


def test_of_two_states_of_one_rank_the_primary_has_the_right_one(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    with net[0].world.store.transaction() as transaction:
        before = families.find(transaction, ACCOUNT, key_id)
    assert before is not None
    net[0].kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=100)
    net.settle()
    with net[0].world.store.transaction(write=True) as transaction:  # as if from a backup, and then used at once
        transaction.run(update(family).values(revision=before.revision))
    net[0].kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=200)
    net.settle()
    periods = [net[n].kms.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"] for n in range(2)]
    assert periods == [200, 200]


def test_nothing_is_moved_to_a_peer_that_is_none_any_more(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    msgspec.structs.force_setattr(net[0].world.environment, "peers", Peers())
    assert refusal(net[0].kms.update_primary_region, KeyId=key_id, PrimaryRegion=EU)[0] == "NotFoundException"
    assert (net[0].type(key_id), net[0].state(key_id)) == ("PRIMARY", "Enabled")


# --- time


def test_a_peer_that_is_away_holds_a_rotation_up_for_a_day(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    net[0].kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    net.settle()
    net.down.add(EU)
    clock.now += 90 * DAY
    do_chores(net[0])
    assert net[0].kms.list_key_rotations(KeyId=key_id)["Rotations"] == []
    due = net[0].kms.get_key_rotation_status(KeyId=key_id)["NextRotationDate"].timestamp()
    assert due == clock.now + 90 * DAY
    clock.now += DAY
    do_chores(net[0])
    (rotation,) = net[0].kms.list_key_rotations(KeyId=key_id)["Rotations"]
    assert rotation["RotationType"] == "AUTOMATIC"
    net.down.clear()
    net.again()
    assert net[1].decrypt(net[0].encrypt(key_id)) == b"text"


def test_what_fails_is_tried_ever_more_seldom(clock: Clock) -> None:
    net = Net(clock=clock)
    net.down.add(EU)
    replicated(net)
    waits = []
    for _ in range(12):
        begun = clock.now
        while not net[0].courier.round():
            clock.now += 0.5
        waits.append(clock.now - begun)
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == 300.0


def test_what_a_dead_process_had_begun_is_taken_up_by_another(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = net[0].kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion=EU)
    with net[0].world.store.transaction(write=True) as transaction:
        assert len(delivery.take(transaction, clock.now)) == 1
    net.settle()
    assert refusal(net[1].kms.describe_key, KeyId=key_id)[0] == "NotFoundException"
    clock.now += delivery.LEASE
    net.settle()
    assert net[1].state(key_id) == "Enabled"


def test_the_last_replica_that_goes_lets_the_primary_go(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    net[0].kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    net[1].kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    clock.now += 7 * DAY
    do_chores(net[1])
    assert net[0].state(key_id) == "PendingReplicaDeletion"
    net.settle()
    assert net[0].state(key_id) == "PendingDeletion"
    assert net[0].regions(key_id) == (US, [])
    net[0].kms.cancel_key_deletion(KeyId=key_id)
    net[0].kms.enable_key(KeyId=key_id)
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion=EU)  # once more
    net.settle()
    assert net[1].decrypt(net[0].encrypt(key_id)) == b"text"


def test_a_wish_follows_what_is_gone_since(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    with net[0].world.store.transaction() as transaction:
        before = families.members(transaction, ACCOUNT, key_id)[EU]
    net[1].kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    clock.now += 7 * DAY
    do_chores(net[1])
    with net[0].world.store.transaction(write=True) as transaction:  # as forget-replica does, but too low
        gone = msgspec.structs.replace(before, state=families.GONE)
        families.put(transaction, ACCOUNT, key_id, gone)
        transaction.changed(*families.topics(transaction, ACCOUNT, key_id))
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion=EU)
    net.settle()
    assert (net[1].state(key_id), net[0].regions(key_id)) == ("Enabled", (US, [EU]))


def test_a_replica_that_was_forgotten_and_is_there_is_remembered(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    with net[0].world.store.transaction(write=True) as transaction:
        regions.forget(transaction, net[0].world.environment, arn(key_id, EU))
    assert net[0].regions(key_id) == (US, [])
    net.settle()
    assert net[0].regions(key_id) == (US, [EU])


def test_what_is_shared_no_longer_is_not_told(clock: Clock) -> None:
    net = Net(clock=clock)
    key_id = replicated(net)
    net[0].kms.enable_key_rotation(KeyId=key_id)
    sent = len(net.sent)
    for side in (net[0], net[1]):
        peers = side.world.environment.peers
        msgspec.structs.force_setattr(peers.all[0], "accounts", frozenset())
    net.settle()
    assert len(net.sent) == sent
    assert net[1].kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False


def test_the_silence_of_a_peer_is_measured(clock: Clock) -> None:
    net = Net(clock=clock)
    net.down.add(EU)
    replicated(net)
    told = {sample[:2]: sample.value for sample in net[0].courier.samples()}
    assert told["bailiwick_peer_messages", (EU, "failed")] == 1
    assert told["bailiwick_peer_silent_seconds", (EU,)] >= 0
    net.down.clear()
    net.again()
    told = {sample[:2]: sample.value for sample in net[0].courier.samples()}
    assert told == {("bailiwick_peer_messages", (EU, "failed")): 1, ("bailiwick_peer_messages", (EU, "taken")): 1}


# --- imported material


def bring(side: Side, key_id: str, material: bytes, **options: Any) -> str:
    asked = side.kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public = serialization.load_der_public_key(asked["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    answer = side.kms.import_key_material(
        KeyId=key_id,
        ImportToken=asked["ImportToken"],
        EncryptedKeyMaterial=public.encrypt(material, oaep),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        **options,
    )
    found: str = answer["KeyMaterialId"]
    return found


def pending(side: Side, key_id: str) -> str:
    rows = side.kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    found: str = rows[-1]["KeyMaterialState"]
    return found


def test_imported_material_is_imported_at_each_deployment(clock: Clock) -> None:
    net = Net(clock=clock)
    first, second = os.urandom(32), os.urandom(32)
    key_id = net[0].kms.create_key(MultiRegion=True, Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    first_id = bring(net[0], key_id, first)
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion=EU)
    net.settle()
    assert net[1].state(key_id) == "PendingImport"
    assert refusal(lambda: bring(net[1], key_id, second))[0] == "IncorrectKeyMaterialException"
    assert bring(net[1], key_id, first) == first_id
    assert net[1].decrypt(net[0].encrypt(key_id)) == b"text"

    new = bring(net[0], key_id, second, ImportType="NEW_KEY_MATERIAL")
    net.settle()
    assert pending(net[0], key_id) == "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    assert refusal(net[0].kms.rotate_key_on_demand, KeyId=key_id)[0] == "KMSInvalidStateException"
    assert bring(net[1], key_id, second) == new
    net.settle()
    assert pending(net[0], key_id) == "PENDING_ROTATION"
    net[0].kms.rotate_key_on_demand(KeyId=key_id)
    net.settle()
    assert (pending(net[0], key_id), pending(net[1], key_id)) == ("CURRENT", "CURRENT")
    assert net[1].decrypt(net[0].encrypt(key_id)) == b"text"
    assert refusal(lambda: bring(net[1], key_id, os.urandom(32), ImportType="NEW_KEY_MATERIAL"))[0] == (
        "UnsupportedOperationException"
    )
    assert not any(secret in body for _, body in net.sent for secret in (first, second))


# --- three of them


def test_three_deployments_know_of_each_other(clock: Clock) -> None:
    net = Net(3, clock=clock)
    key_id = replicated(net, EU, AP)
    for number in range(3):
        assert net[number].regions(key_id) == (US, [AP, EU])
    net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion=AP)
    net.settle()
    assert [net[number].type(key_id) for number in range(3)] == ["REPLICA", "REPLICA", "PRIMARY"]
    net.down.add(EU)
    net[2].kms.rotate_key_on_demand(KeyId=key_id)
    net.settle()
    assert net[2].kms.list_key_rotations(KeyId=key_id)["Rotations"] == []  # EU does not have it yet
    net.down.clear()
    net.again()
    assert [len(net[n].kms.list_key_rotations(KeyId=key_id)["Rotations"]) for n in range(3)] == [1, 1, 1]
    blob = net[2].encrypt(key_id)
    assert [net[number].decrypt(blob) for number in range(3)] == [b"text"] * 3


OPEN = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
POLICIES = (document(OPEN), document(OPEN, deny("kms:UpdatePrimaryRegion", Principal="*")))
"""What every key here is: open to the account, with or without having the primary moved to it, or from it."""

STEPS = st.lists(
    st.sampled_from(("rotate", "schedule", "stop", "move", "policy", "force", "carry", "lose", "again", "replay")),
    max_size=14,
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.randoms(use_true_random=False))
def test_whatever_is_lost_or_comes_twice_all_agree_in_the_end(clock: Clock, steps: list[str], chance: Any) -> None:
    net = Net(3, clock=clock)
    key_id = replicated(net, EU, AP)
    blobs = []
    for step in steps:
        side = net[chance.randrange(3)]
        blobs.append(side.encrypt(key_id))
        do(step, net, side, key_id, chance)
        assert step == "force" or "force" in steps or primaries(net, key_id) <= 1
    net.down.clear()
    net.lose_answers = False
    net.again()
    net.again()
    assert primaries(net, key_id) == 1
    assert len({net[number].regions(key_id)[0] for number in range(3)}) == 1
    assert {net[number].state(key_id) for number in range(3)} == {"Enabled"}
    current = {net[n].kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] for n in range(3)}
    assert len(current) == 1
    periods = {net[n].kms.get_key_rotation_status(KeyId=key_id).get("RotationPeriodInDays") for n in range(3)}
    assert len(periods) == 1
    for blob in blobs:
        assert {net[number].decrypt(blob) for number in range(3)} == {b"text"}


LIVES = st.lists(
    st.sampled_from(("drop", "wish", "rotate", "move", "policy", "carry", "lose", "again", "replay")), max_size=14
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LIVES, st.randoms(use_true_random=False))
def test_replicas_that_come_and_go_are_where_all_say_they_are(clock: Clock, steps: list[str], chance: Any) -> None:
    net = Net(3, clock=clock)
    key_id = replicated(net)
    for step in steps:
        side = net[chance.randrange(3)]
        if step == "drop":
            drop(net, side, key_id, clock)
        elif step == "wish":
            with suppress(ClientError):
                side.kms.replicate_key(KeyId=key_id, ReplicaRegion=chance.choice([*HOMES, "us-west-2"]))
        elif exists(side, key_id):
            do(step, net, side, key_id, chance)
    net.down.clear()
    net.lose_answers = False
    for _ in range(3):
        net.again()
    there = [side for side in net.sides.values() if exists(side, key_id)]
    assert there
    (primary,) = [side for side in there if side.type(key_id) == "PRIMARY"]
    where = primary.regions(key_id)
    assert {side.home for side in there} == {region for region in (where[0], *where[1]) if region in HOMES}
    for side in there:
        assert side.regions(key_id) == where
        assert side.decrypt(primary.encrypt(key_id)) == b"text"


def exists(side: Side, key_id: str) -> bool:
    try:
        side.kms.describe_key(KeyId=key_id)
    except side.kms.exceptions.NotFoundException:
        return False
    return True


def drop(net: Net, side: Side, key_id: str, clock: Clock) -> None:
    """Delete a replica, with the time that it takes."""
    if exists(side, key_id) and side.type(key_id) == "REPLICA" and side.state(key_id) == "Enabled":
        side.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        clock.now += 7 * DAY
        for each in net.sides.values():
            do_chores(each)


def do(step: str, net: Net, side: Side, key_id: str, chance: Any) -> None:
    """One step; what the state of the key does not allow is refused, and that is well."""
    away = [home for home in HOMES if home != side.home]
    refusable = {
        "rotate": lambda: side.kms.rotate_key_on_demand(KeyId=key_id),
        "schedule": lambda: side.kms.enable_key_rotation(
            KeyId=key_id, RotationPeriodInDays=chance.randint(90, 2560)
        ),
        "stop": lambda: side.kms.disable_key_rotation(KeyId=key_id),
        "policy": lambda: side.kms.put_key_policy(KeyId=key_id, Policy=chance.choice(POLICIES)),
        "move": lambda: side.kms.update_primary_region(KeyId=key_id, PrimaryRegion=chance.choice(away)),
    }
    if step in refusable:
        errors = side.kms.exceptions
        with suppress(
            *(errors.UnsupportedOperationException, errors.ConflictException, errors.KMSInvalidStateException),
            *(errors.NotFoundException, errors.LimitExceededException, ClientError),
        ):
            refusable[step]()
    elif step == "force":
        with suppress(regions.Impossible):
            promote(side, key_id)
    elif step == "carry":
        side.courier.round()
    elif step == "lose":
        net.down = {chance.choice(HOMES)}
        net.lose_answers = chance.random() < 0.5
        side.courier.round()
    elif step == "again":
        net.down.clear()
        net.lose_answers = False
        net.again()
    elif net.sent:
        home, body = chance.choice(net.sent)
        net.deliver(home, body, {"content-type": "application/x-amz-json-1.1", "x-amz-target": TARGET})


TARGET = "TrentService.SynchronizeMultiRegionKey"


def primaries(net: Net, key_id: str) -> int:
    return sum(net[number].type(key_id) == "PRIMARY" for number in range(3))

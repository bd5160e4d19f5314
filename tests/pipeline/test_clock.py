"""A clock that steps back and forth: what is held against it recovers with it, the rest does not look at it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bailiwick.app.audit import Trail
from bailiwick.core.errors import ExpiredToken
from bailiwick.store import Store
from bailiwick.trail.digest import Signer
from bailiwick.trail.files import Files
from bailiwick.trail.keeping import Keeper
from bailiwick.trail.verify import verify
from moving_clock import Clock
from world import ACCOUNT, World

HOUR, DAY = 3600.0, 86400.0
PRINCIPAL = {"AWS": ACCOUNT}
STATEMENT = {"Effect": "Allow", "Principal": PRINCIPAL, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(now=clock)


def code(call: Any, **parameters: Any) -> str | None:
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


@pytest.mark.parametrize("step", [-DAY, -HOUR, HOUR, DAY])
def test_a_signature_is_refused_while_the_clock_is_wrong_and_good_again_after(
    world: World, clock: Clock, step: float
) -> None:
    sts = world.client("sts")
    assert code(sts.get_caller_identity) is None
    clock.ahead = step
    assert code(sts.get_caller_identity) == "SignatureDoesNotMatch"
    clock.ahead = 0.0
    assert code(sts.get_caller_identity) is None


def test_a_session_ends_by_the_clock_and_a_step_back_does_not_hurt_it(world: World, clock: Clock) -> None:
    iam = world.client("iam")
    iam.create_user(UserName="u")
    iam.put_user_policy(
        UserName="u",
        PolicyName="p",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    )
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    clock.ahead = 600.0  # within what a signature may be off
    made = world.client("sts", world.keys_of("u")).assume_role(
        RoleArn=role, RoleSessionName="session", DurationSeconds=900
    )["Credentials"]
    session = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }
    sts = world.client("sts", session)
    for step in (600.0, -600.0, 0.0, 800.0):  # begun in the future: nobody minds
        clock.ahead = step
        assert code(sts.get_caller_identity) is None
    now = clock() - clock.ahead
    for later, ended in ((1400.0, False), (1600.0, True), (1400.0, False)):
        with pytest.raises(ExpiredToken) if ended else nullcontext():
            world.directory.credential(made["AccessKeyId"], made["SessionToken"], now + later)


def test_changes_are_obeyed_whatever_the_clock_says(clock: Clock, tmp_path: Path) -> None:
    """Changes are numbered, not dated."""
    world = World(now=clock, store=Store(tmp_path))
    other = Store(tmp_path)
    iam = world.client("iam")
    iam.create_user(UserName="u")
    key = world.keys_of("u")
    for step in (0.0, -800.0, 800.0, -400.0):
        clock.ahead = step
        for status, told in (("Inactive", "InvalidClientTokenId"), ("Active", None)):
            iam.update_access_key(UserName="u", AccessKeyId=key["aws_access_key_id"], Status=status)
            assert code(world.client("sts", key).get_caller_identity) == told
    other.close()
    world.store.close()


def test_a_key_pending_deletion_comes_back_with_the_clock(world: World, clock: Clock) -> None:
    """A step forward destroys nothing: a key is gone by what the clock says now, and its material stays."""
    kms = world.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    from bailiwick.services.kms import records

    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    with world.store.transaction() as transaction:
        assert records.key(transaction, world.environment, arn, clock() + 8 * DAY) is None
        assert records.key(transaction, world.environment, arn, clock()) is not None
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_the_trail_holds_over_every_step(clock: Clock, tmp_path: Path) -> None:
    """Over midnight and back, with a digest at each hour's end: nothing lost, nothing doubled, all vouched for."""
    signer = Signer(b"s" * 32)
    keeper = Keeper(Files(tmp_path), signer, now=clock)
    trail = Trail(Files(tmp_path), now=clock, keeper=keeper)
    world = World(now=clock)
    world.pipeline.audit = trail.write
    sts = world.client("sts")
    for step in (0.0, DAY, -DAY, 2 * HOUR, -2 * HOUR, 0.0, -3 * DAY, 3 * DAY, 0.0):
        clock.ahead = step
        code(sts.get_caller_identity)  # accepted or refused, it is written down
        trail.flush()
    trail.close()
    report = verify(Files(tmp_path), signer.public)
    assert report.problems == []
    assert (report.records, report.vouched) == (9, 9)

"""MFA devices, and STS calls that show their codes. Texts: facts/iam.md 5 and facts/sts.md 5."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal, session_of, trusts
from sqlalchemy import insert

from bailiwick.core import totp
from bailiwick.core.message import Header, Request
from bailiwick.directory import mfa
from bailiwick.directory.credential_tables import mfa_device
from still_clock import NOW, Clock
from world import World

SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/d"
INVALID = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


def create(iam: Any, name: str = "d", **more: Any) -> bytes:
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name, **more)["VirtualMFADevice"]
    return base64.b32decode(made["Base32StringSeed"])


def code(seed: bytes, now: float, off: int = 0) -> str:
    return totp.code(seed, totp.step_at(now) + off)


def codes(seed: bytes, now: float, off: int = -1) -> dict[str, str]:
    return {"AuthenticationCode1": code(seed, now, off), "AuthenticationCode2": code(seed, now, off + 1)}


@pytest.fixture
def seed(iam: Any) -> bytes:
    """The seed of alice's device, which was enabled with the codes of the steps before."""
    iam.create_user(UserName="alice")
    made = create(iam)
    iam.enable_mfa_device(UserName="alice", SerialNumber=SERIAL, **codes(made, NOW, -2))
    return made


# -- Devices ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "/", "/test-path/", "/test//double/"])
def test_a_virtual_device_as_made_and_listed(iam: Any, path: str | None) -> None:
    given = {} if path is None else {"Path": path}
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="d", **given)["VirtualMFADevice"]
    serial = f"arn:aws:iam::{ACCOUNT}:mfa{path or '/'}d"
    assert set(made) == {"SerialNumber", "Base32StringSeed", "QRCodePNG"}
    assert (made["SerialNumber"], len(made["Base32StringSeed"])) == (serial, 64)
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == [{"SerialNumber": serial}]
    told = refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="d", **given)
    assert told == ("EntityAlreadyExists", "MFA device already exists.")
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    missing = ("NoSuchEntity", f"MFA Device with serial number {serial} does not exist.")
    assert refusal(iam.delete_virtual_mfa_device, SerialNumber=serial) == missing
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_the_qr_code_is_a_whole_png(iam: Any) -> None:
    picture = iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"]["QRCodePNG"]
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    place, kinds = 8, []
    while place < len(picture):
        (length,) = struct.unpack(">I", picture[place : place + 4])
        body = picture[place + 4 : place + 8 + length]
        assert zlib.crc32(body) == struct.unpack(">I", picture[place + 8 + length : place + 12 + length])[0]
        kinds.append(body[:4])
        place += 12 + length
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")


def test_what_the_qr_code_says() -> None:
    uri = totp.uri("ABC", "Bailiwick", "d@123456789012")
    assert uri == "otpauth://totp/Bailiwick:d@123456789012?secret=ABC&issuer=Bailiwick"


def test_the_seed_is_sealed_at_rest(world: World, iam: Any) -> None:
    made = create(iam)
    with world.store.transaction(write=False) as transaction:
        device = mfa.find(transaction, ACCOUNT, SERIAL)
    assert device is not None
    assert device.seed is not None
    assert made not in device.seed
    assert "seed" not in repr(device)


@pytest.mark.parametrize("path", ["invalid-path/", "/invalid-path"])
def test_paths_are_checked(iam: Any, path: str) -> None:
    assert refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="d", Path=path) == (
        "ValidationError",
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "
        "characters and/or / characters.",
    )


def test_what_is_too_long(iam: Any) -> None:
    assert refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="d", Path=f"/{'a' * 512}/")[1] == (
        "1 validation error detected: Value at 'path' failed to satisfy constraint: Member must have length less "
        "than or equal to 512"
    )
    assert refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="d" * 227)[0] == "ValidationError"
    assert refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="d", Path=f"/{'a' * 300}/")[0] == (
        "ValidationError"
    )


def test_a_device_given_and_taken_away(iam: Any, seed: bytes) -> None:
    [listed] = iam.list_mfa_devices(UserName="alice")["MFADevices"]
    assert listed == {"UserName": "alice", "SerialNumber": SERIAL, "EnableDate": listed["EnableDate"]}
    [assigned] = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert set(assigned) == {"SerialNumber", "User", "EnableDate"}
    assert set(assigned["User"]) == {"Path", "UserName", "UserId", "Arn", "CreateDate"}
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"] == []
    iam.update_user(UserName="alice", NewUserName="alicia")
    assert iam.list_mfa_devices(UserName="alicia")["MFADevices"][0]["UserName"] == "alicia"
    found = iam.get_mfa_device(UserName="alicia", SerialNumber=SERIAL)
    assert (found["UserName"], found["SerialNumber"]) == ("alicia", SERIAL)
    assert refusal(iam.delete_virtual_mfa_device, SerialNumber=SERIAL)[0] == "DeleteConflict"
    iam.deactivate_mfa_device(UserName="alicia", SerialNumber=SERIAL)
    assert iam.list_mfa_devices(UserName="alicia")["MFADevices"] == []
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"] == []
    iam.delete_virtual_mfa_device(SerialNumber=SERIAL)


@pytest.mark.parametrize(
    ("operation", "user", "serial", "message"),
    [
        ("enable_mfa_device", "nobody", SERIAL, "The user with name nobody cannot be found."),
        ("deactivate_mfa_device", "nobody", SERIAL, "The user with name nobody cannot be found."),
        ("enable_mfa_device", "bob", SERIAL + "x", f"MFA Device with serial number {SERIAL}x does not exist."),
        ("deactivate_mfa_device", "bob", SERIAL, f"MFA Device with serial number {SERIAL} does not exist."),
        ("resync_mfa_device", "bob", SERIAL, f"MFA Device with serial number {SERIAL} does not exist."),
        ("get_mfa_device", "bob", SERIAL, f"MFA Device with serial number {SERIAL} does not exist."),
    ],
)
def test_what_is_missing_of_devices(
    iam: Any, seed: bytes, operation: str, user: str, serial: str, message: str
) -> None:
    iam.create_user(UserName="bob")
    given = {"UserName": user, "SerialNumber": serial}
    if operation.startswith(("enable", "resync")):
        given |= codes(seed, NOW)
    assert refusal(getattr(iam, operation), **given) == ("NoSuchEntity", message)


def test_a_device_has_one_owner(iam: Any, seed: bytes) -> None:
    iam.create_user(UserName="bob")
    told = refusal(iam.enable_mfa_device, UserName="bob", SerialNumber=SERIAL, **codes(seed, NOW))
    assert told == ("EntityAlreadyExists", "MFA Device is already in use.")


def test_only_two_consecutive_codes_enable(iam: Any) -> None:
    iam.create_user(UserName="alice")
    seed = create(iam)
    first, second, third = (code(seed, NOW, off) for off in (-2, -1, 0))
    for pair in ((first, third), (second, first), (third, third), ("000000", second)):
        given = dict(zip(("AuthenticationCode1", "AuthenticationCode2"), pair, strict=True))
        told = refusal(iam.enable_mfa_device, UserName="alice", SerialNumber=SERIAL, **given)
        assert told == ("InvalidAuthenticationCode", "Authentication code for device is not valid.")
    iam.enable_mfa_device(UserName="alice", SerialNumber=SERIAL, **codes(seed, NOW))


def test_eight_devices_at_most(iam: Any) -> None:
    iam.create_user(UserName="alice")
    for number in range(8):
        made = create(iam, f"d{number}")
        iam.enable_mfa_device(UserName="alice", SerialNumber=f"{SERIAL}{number}", **codes(made, NOW))
    made = create(iam, "d8")
    assert refusal(iam.enable_mfa_device, UserName="alice", SerialNumber=f"{SERIAL}8", **codes(made, NOW)) == (
        "LimitExceeded",
        "Cannot exceed quota for MFADevicesPerUser: 8",
    )


def test_root_has_devices(iam: Any) -> None:
    seed = create(iam, "root-account-mfa-device")
    serial = f"arn:aws:iam::{ACCOUNT}:mfa/root-account-mfa-device"
    iam.enable_mfa_device(UserName="root", SerialNumber=serial, **codes(seed, NOW))
    assert iam.list_mfa_devices()["MFADevices"][0]["UserName"] == "root"
    [shown] = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert (shown["User"]["UserId"], shown["User"]["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    assert iam.get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 1
    iam.deactivate_mfa_device(SerialNumber=serial)
    assert iam.list_mfa_devices()["MFADevices"] == []


def test_a_fido_device_is_shown_and_forgotten_when_taken_away(world: World, iam: Any) -> None:
    user = iam.create_user(UserName="alice")["User"]
    serial = f"arn:aws:iam::{ACCOUNT}:u2f/user/alice/key-ABC"
    with world.store.transaction(write=True) as transaction:
        transaction.run(
            insert(mfa_device).values(
                serial=serial,
                account=ACCOUNT,
                kind=mfa.FIDO,
                owner_id=user["UserId"],
                created=NOW,
                enabled=NOW,
                drift=0,
                credential_id=b"id",
                public_key=b"key",
                sign_count=0,
                certifications='{"FIDO": "L1"}',
            )
        )
    assert iam.get_mfa_device(UserName="alice", SerialNumber=serial)["Certifications"] == {"FIDO": "L1"}
    assert iam.list_mfa_devices(UserName="alice")["MFADevices"][0]["SerialNumber"] == serial
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    assert refusal(iam.delete_virtual_mfa_device, SerialNumber=serial)[0] == "NoSuchEntity"
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
    assert refusal(iam.get_mfa_device, UserName="alice", SerialNumber=serial)[0] == "NoSuchEntity"


def test_tags_of_a_device(world: World, iam: Any) -> None:
    create(iam, Tags=[{"Key": "a", "Value": "1"}])
    iam.tag_mfa_device(SerialNumber=SERIAL, Tags=[{"Key": "A", "Value": "2"}])
    assert iam.list_mfa_device_tags(SerialNumber=SERIAL)["Tags"] == [
        {"Key": "A", "Value": "2"},
        {"Key": "a", "Value": "1"},
    ]
    iam.create_user(UserName="bob")
    statement = allow("iam:DeleteVirtualMFADevice", Condition={"StringEquals": {"aws:ResourceTag/a": "1"}})
    iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=document(statement))
    bob = world.client("iam", world.keys_of("bob"))
    iam.untag_mfa_device(SerialNumber=SERIAL, TagKeys=["a"])
    assert refusal(bob.delete_virtual_mfa_device, SerialNumber=SERIAL)[0] == "AccessDenied"
    iam.tag_mfa_device(SerialNumber=SERIAL, Tags=[{"Key": "a", "Value": "1"}])
    bob.delete_virtual_mfa_device(SerialNumber=SERIAL)
    create(iam)
    assert iam.list_mfa_device_tags(SerialNumber=SERIAL)["Tags"] == []


def test_pages_of_devices(iam: Any) -> None:
    for number in range(5):
        create(iam, f"d{number}")
    seen, marker = [], {}
    while True:
        page = iam.list_virtual_mfa_devices(MaxItems=2, **marker)
        seen += [device["SerialNumber"][-1] for device in page["VirtualMFADevices"]]
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert seen == list("01234")
    assert refusal(iam.list_virtual_mfa_devices, Marker="100") == ("ValidationError", "Invalid Marker.")


# -- Codes ------------------------------------------------------------------------------------------------


def test_a_session_begun_with_a_code(world: World, clock: Clock, iam: Any, seed: bytes) -> None:
    statement = allow("iam:ListUsers", Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": "60"}})
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document(statement))
    sts = world.client("sts", world.keys_of("alice"))
    given = {"SerialNumber": SERIAL, "TokenCode": code(seed, NOW)}
    session = world.client("iam", session_of(sts.get_session_token(**given)))
    assert len(session.list_users()["Users"]) == 1
    assert refusal(sts.get_session_token, **given) == ("AccessDenied", INVALID)  # used up
    clock.now += 61
    assert refusal(session.list_users)[0] == "AccessDenied"


def test_codes_of_others_and_of_nobody(world: World, iam: Any, seed: bytes) -> None:
    iam.create_user(UserName="bob")
    sts = world.client("sts", world.keys_of("bob"))
    told = refusal(sts.get_session_token, SerialNumber=SERIAL, TokenCode=code(seed, NOW))
    assert told == (
        "AccessDenied",
        "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is "
        "valid and associated with this user.",
    )


@pytest.mark.parametrize(("off", "accepted"), [(-3, False), (-2, False), (-1, False), (0, True), (1, False)])
def test_a_clock_may_be_half_a_minute_off(world: World, iam: Any, seed: bytes, off: int, accepted: bool) -> None:
    """The device was enabled a step late. The code of that step is used up, and it is expected to stay late."""
    sts = world.client("sts", world.keys_of("alice"))
    shown = {"SerialNumber": SERIAL, "TokenCode": code(seed, NOW, off)}
    if accepted:
        assert "Credentials" in sts.get_session_token(**shown)
    else:
        assert refusal(sts.get_session_token, **shown)[1] == INVALID


def test_a_device_out_of_step_is_brought_back(world: World, iam: Any, seed: bytes) -> None:
    sts = world.client("sts", world.keys_of("alice"))
    ahead = 40
    assert refusal(sts.get_session_token, SerialNumber=SERIAL, TokenCode=code(seed, NOW, ahead))[1] == INVALID
    told = refusal(iam.resync_mfa_device, UserName="alice", SerialNumber=SERIAL, **codes(seed, NOW, 1000))
    assert told[0] == "InvalidAuthenticationCode"
    iam.resync_mfa_device(UserName="alice", SerialNumber=SERIAL, **codes(seed, NOW, ahead - 1))
    assert refusal(sts.get_session_token, SerialNumber=SERIAL, TokenCode=code(seed, NOW, ahead))[1] == INVALID
    sts.get_session_token(SerialNumber=SERIAL, TokenCode=code(seed, NOW, ahead + 1))


def test_guessing_is_slowed_down(world: World, clock: Clock, iam: Any, seed: bytes) -> None:
    sts = world.client("sts", world.keys_of("alice"))
    for _ in range(5):
        refusal(sts.get_session_token, SerialNumber=SERIAL, TokenCode="000000")
    assert refusal(sts.get_session_token, SerialNumber=SERIAL, TokenCode=code(seed, NOW)) == (
        "AccessDenied",
        INVALID,
    )
    clock.now += 31
    sts.get_session_token(SerialNumber=SERIAL, TokenCode=code(seed, clock.now))


def test_a_role_that_asks_for_mfa(world: World, clock: Clock, iam: Any, seed: bytes) -> None:
    trust = trusts(
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"},
        Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    )
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    sts = world.client("sts", world.keys_of("alice"))
    wanted = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "RoleSessionName": "s1"}
    assert refusal(sts.assume_role, **wanted)[0] == "AccessDenied"
    assert refusal(sts.assume_role, **wanted, SerialNumber=SERIAL, TokenCode="000000")[1] == INVALID
    shown = {"SerialNumber": SERIAL, "TokenCode": code(seed, NOW)}
    session = session_of(sts.assume_role(**wanted, **shown))
    assert refusal(sts.assume_role, **wanted, **shown)[1] == INVALID
    arn = world.client("sts", session).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s1"
    clock.now += 60
    with_mfa = session_of(sts.get_session_token(SerialNumber=SERIAL, TokenCode=code(seed, clock.now)))
    world.client("sts", with_mfa).assume_role(**wanted)
    without = session_of(sts.get_session_token())
    assert refusal(world.client("sts", without).assume_role, **wanted)[0] == "AccessDenied"


def test_root_shows_a_code_too(world: World, iam: Any) -> None:
    seed = create(iam)
    iam.enable_mfa_device(UserName="root", SerialNumber=SERIAL, **codes(seed, NOW, -2))
    session = session_of(world.client("sts").get_session_token(SerialNumber=SERIAL, TokenCode=code(seed, NOW)))
    assert world.client("iam", session).list_mfa_devices()["MFADevices"][0]["UserName"] == "root"


def test_a_request_with_a_code_leaves_the_event_loop(world: World) -> None:
    """It waits for the database, and what is without one need not."""
    for body, quick in (("", True), ("&TokenCode=123456&SerialNumber=" + SERIAL, False)):
        form = f"Action=GetSessionToken&Version=2011-06-15{body}".encode()
        headers = (Header("host", "h"), Header("content-type", "application/x-www-form-urlencoded"))
        assert world.pipeline.receive(Request("POST", "/", "", headers, form)).quick is quick


def test_codes_and_seeds_are_not_written_down(world: World, iam: Any, seed: bytes) -> None:
    from bailiwick.app.record import record_of

    sts = world.client("sts", world.keys_of("alice"))
    shown = code(seed, NOW)
    sts.get_session_token(SerialNumber=SERIAL, TokenCode=shown)
    written = b"".join(record_of(event, world.environment.noise) for event in world.events)
    assert b"CreateVirtualMFADevice" in written
    assert base64.b32encode(seed) not in written
    assert base64.b64encode(base64.b32encode(seed)) not in written
    assert b'"' + shown.encode() + b'"' not in written

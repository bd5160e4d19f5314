"""MFA devices of users and of root users: virtual ones (RFC 6238), and FIDO ones, which a browser enrols.

A code is accepted once. INVARIANT: `last_step` only grows, by a statement that changes nothing if another process
was faster, so that no step counts twice.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import msgspec
from sqlalchemy import delete, insert, or_, select, update

from bailiwick.api import Environment, Transaction
from bailiwick.core import totp
from bailiwick.directory.credential_tables import mfa_device
from bailiwick.directory.entities import record

VIRTUAL, FIDO = "virtual", "fido"
DEVICES_PER_OWNER = 8

_PURPOSE = "mfa-seed"
_SEED_BYTES = 40  # 64 letters of base32, as AWS has them; RFC 4226 asks for 20
# How far, in steps, the clock of a device may be off: when a code is asked for, when the device is enabled with two
# codes, and when it is brought into step again with two codes.
_WINDOW, _TO_ENABLE, _TO_RESYNC = 1, 20, 120


class Device(msgspec.Struct, frozen=True):
    """One device. `owner_id` is None while it is nobody's; its repr shows no seed."""

    serial: str
    account: str
    kind: str
    created: float
    owner_id: str | None = None
    enabled: float | None = None
    seed: bytes | None = None
    drift: int = 0
    last_step: int | None = None
    certifications: str | None = None
    credential_id: bytes | None = None
    public_key: bytes | None = None
    sign_count: int | None = None

    def __repr__(self) -> str:
        return f"Device({self.serial}, {self.kind})"


def find(transaction: Transaction, account: str, serial: str) -> Device | None:
    """The device of an account with this serial number, or None."""
    column = mfa_device.c
    row = transaction.one(select(mfa_device).where(column.serial == serial, column.account == account))
    return None if row is None else record(Device, row)


def devices_of(transaction: Transaction, owner_id: str) -> list[Device]:
    """The devices that an owner has enabled, by serial number."""
    column = mfa_device.c
    rows = transaction.all(select(mfa_device).where(column.owner_id == owner_id).order_by(column.serial))
    return [record(Device, row) for row in rows]


def create_virtual(
    transaction: Transaction, environment: Environment, account: str, serial: str, now: float
) -> str:
    """Make a virtual device that is nobody's yet; returns its seed in base32, which is shown once.

    Raises store.Duplicate if the serial number is taken.
    """
    seed = environment.entropy(_SEED_BYTES)
    sealed = environment.ring.seal(_PURPOSE, seed, environment.entropy, serial.encode())
    transaction.run(
        insert(mfa_device).values(serial=serial, account=account, kind=VIRTUAL, created=now, seed=sealed, drift=0)
    )
    return base64.b32encode(seed).decode("ascii")


def enable(
    transaction: Transaction,
    environment: Environment,
    device: Device,
    owner_id: str,
    codes: tuple[str, str],
    now: float,
) -> bool:
    """Give a virtual device to an owner who shows two consecutive codes of it; False if they are not."""
    step = _consecutive(environment, device, codes, now, _TO_ENABLE)
    if step is None or not _use(transaction, device, step, step - totp.step_at(now)):
        return False
    transaction.run(
        update(mfa_device).where(mfa_device.c.serial == device.serial).values(owner_id=owner_id, enabled=now)
    )
    return True


def enrol_fido(transaction: Transaction, device: Device) -> None:
    """Keep a passkey or security key, whose owner has shown it. Raises store.Duplicate if it is somebody's."""
    values = msgspec.structs.asdict(device)
    transaction.run(insert(mfa_device).values(**values))


def fido_used(transaction: Transaction, device: Device, count: int, now: float) -> bool:
    """Note that a passkey or security key has signed; False if its count says that there are two of it.

    Authenticators without a counter say 0 for ever (WebAuthn level 2, 7.2 step 21).
    """
    column = mfa_device.c
    unused = or_(column.sign_count < count, column.sign_count.is_(None))
    if count == 0:
        unused = or_(column.sign_count == 0, column.sign_count.is_(None))
    changed = update(mfa_device).where(column.serial == device.serial, unused).values(sign_count=count)
    return transaction.run(changed) == 1


def resync(
    transaction: Transaction, environment: Environment, device: Device, codes: tuple[str, str], now: float
) -> bool:
    """Learn from two consecutive codes how far the clock of a device is off; False if they are not."""
    step = _consecutive(environment, device, codes, now, _TO_RESYNC)
    return step is not None and _use(transaction, device, step, step - totp.step_at(now))


def check(
    transaction: Transaction, environment: Environment, owner_id: str, serial: str, code: str, now: float
) -> int | None:
    """The time of the check, in epoch seconds, if `code` is the present one of this owner's device; None if not.

    `transaction` must be a write transaction: the code is used up. Only virtual devices have codes. Whoever guesses
    wrong again and again is refused for a while, whatever she shows.
    """
    if environment.attempts.waits(serial, now):
        return None
    device = next((each for each in devices_of(transaction, owner_id) if each.serial == serial), None)
    if device is None or device.seed is None:
        return None
    expected = totp.step_at(now) + device.drift
    step = _find(environment, device, (code,), range(expected - _WINDOW, expected + _WINDOW + 1))
    if step is None or not _use(transaction, device, step, step - totp.step_at(now)):
        environment.attempts.failed(serial, now)
        return None
    environment.attempts.succeeded(serial)
    return int(now)


def deactivate(transaction: Transaction, device: Device) -> None:
    """Take a device from its owner. A virtual one stays and can be given away again; any other is forgotten."""
    if device.kind != VIRTUAL:
        remove(transaction, device)
        return
    values = {"owner_id": None, "enabled": None, "drift": 0}
    transaction.run(update(mfa_device).where(mfa_device.c.serial == device.serial).values(**values))


def remove(transaction: Transaction, device: Device) -> None:
    """Forget a device."""
    transaction.run(delete(mfa_device).where(mfa_device.c.serial == device.serial))


def _consecutive(
    environment: Environment, device: Device, codes: tuple[str, str], now: float, window: int
) -> int | None:
    """The step of the second of two consecutive codes, or None."""
    here = totp.step_at(now)
    step = _find(environment, device, codes, range(max(here - window, 0), here + window + 1))
    return None if step is None else step + 1


def _find(environment: Environment, device: Device, codes: tuple[str, ...], steps: Iterable[int]) -> int | None:
    if device.seed is None:
        return None
    seed = environment.ring.open(_PURPOSE, device.seed, device.serial.encode())
    unused = [step for step in steps if device.last_step is None or step > device.last_step]
    return totp.find(seed, codes, unused)


def _use(transaction: Transaction, device: Device, step: int, drift: int) -> bool:
    """Use a step up; False if it, or a later one, has been."""
    column = mfa_device.c
    unused = or_(column.last_step.is_(None), column.last_step < step)
    changed = update(mfa_device).where(column.serial == device.serial, unused).values(last_step=step, drift=drift)
    return transaction.run(changed) == 1

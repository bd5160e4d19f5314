"""Passwords of users and of root users, kept with Argon2id (RFC 9106), and how they are checked.

One salt belongs to one owner: so a new password is compared with every former one at the price of one hash. Hashes
are never shown to anybody, and two equal ones of one owner would only say that a password came back.
"""

from __future__ import annotations

import base64
import hmac
from enum import StrEnum
from functools import cache

import msgspec
from sqlalchemy import ColumnElement, delete, insert, or_, select, update

from bailiwick.api import Environment, Transaction
from bailiwick.directory import password_policy, tables
from bailiwick.directory.credential_tables import former_password, login_profile
from bailiwick.directory.entities import record
from bailiwick.directory.password_policy import PasswordPolicy

# The first choice of OWASP's cheat sheet on password storage: 19 MiB, two passes. Each hash names its own, so
# these can be raised: passwords set before keep theirs until they are set again.
_PASSES, _KIBIBYTES, _LANES, _BYTES, _SALT_BYTES = 2, 19_456, 1, 32, 16

_LONGEST_HISTORY = 24  # what PasswordReusePrevention can ask for
_NOTED_EVERY = 300.0  # seconds: PasswordLastUsed is kept this exactly (facts/signin.md section 1)


class LoginProfile(msgspec.Struct, frozen=True):
    """That an owner has a password, and its times in epoch seconds. Its repr shows no hash."""

    owner_id: str
    account: str
    hash: str
    created: float
    changed: float
    reset_required: bool
    last_used: float | None = None

    def __repr__(self) -> str:
        return f"LoginProfile({self.owner_id})"


class Outcome(StrEnum):
    """What checking a password found. Only `OK` may sign in; `WRONG` is the same for whoever has no password."""

    OK = "ok"
    WRONG = "wrong"
    RESET_REQUIRED = "reset required"  # right, and must be changed now
    EXPIRED = "expired"  # right and too old: must be changed now
    LOCKED = "locked"  # right, too old, and only an administrator may change it (HardExpiry)


def find(transaction: Transaction, owner_id: str) -> LoginProfile | None:
    """The login profile of a user (by unique id) or root user (by account id), or None."""
    row = transaction.one(select(login_profile).where(login_profile.c.owner_id == owner_id))
    return None if row is None else record(LoginProfile, row)


def verify(transaction: Transaction, owner_id: str | None, password: str, now: float) -> Outcome:
    """Check the password of an owner; None for someone who does not exist.

    It takes the same work whether or not there is such an owner. The caller limits the rate of attempts, and
    calls `note_used` once the sign-in is done.
    """
    profile = find(transaction, owner_id or "")  # asked for nobody as well, so that it takes as long
    if not _matches(profile.hash if profile else _nobodys(), password) or profile is None:
        return Outcome.WRONG
    policy = None if _is_root(profile) else password_policy.find(transaction, profile.account)
    return state(profile, policy, now)


def state(profile: LoginProfile, policy: PasswordPolicy | None, now: float) -> Outcome:
    """What becomes of whoever knows the password of this profile now."""
    expiry = policy.expiry(profile.changed) if policy else None
    if expiry is not None and expiry <= now:
        return Outcome.LOCKED if policy and policy.hard_expiry else Outcome.EXPIRED
    return Outcome.RESET_REQUIRED if profile.reset_required else Outcome.OK


def note_used(transaction: Transaction, owner_id: str, now: float) -> None:
    """The owner has just signed in with her password: kept to five minutes, in a write transaction."""
    stale = now - _NOTED_EVERY
    user, profile = tables.user.c, login_profile.c
    old: ColumnElement[bool] = or_(user.password_last_used.is_(None), user.password_last_used <= stale)
    transaction.run(update(tables.user).where(user.id == owner_id, old).values(password_last_used=now))
    old = or_(profile.last_used.is_(None), profile.last_used <= stale)
    transaction.run(update(login_profile).where(profile.owner_id == owner_id, old).values(last_used=now))


def create(
    transaction: Transaction,
    environment: Environment,
    account: str,
    owner_id: str,
    password: str,
    now: float,
    *,
    reset_required: bool = False,
) -> LoginProfile:
    """Give an owner a password. Raises store.Duplicate if she has one."""
    made = _hashed(password, environment.noise(_SALT_BYTES))
    profile = LoginProfile(owner_id, account, made, now, now, reset_required)
    transaction.run(insert(login_profile).values(**msgspec.structs.asdict(profile)))
    _remember(transaction, owner_id, made)
    return profile


def change(
    transaction: Transaction,
    profile: LoginProfile,
    password: str,
    now: float,
    *,
    unlike_last: int = 0,
    reset_required: bool = False,
) -> bool:
    """Set another password; False, and nothing changed, if it is one of the last `unlike_last`."""
    made = _hashed(password, _salt_of(profile.hash))
    if unlike_last and _is_former(transaction, profile.owner_id, made, password, unlike_last):
        return False
    transaction.run(
        update(login_profile)
        .where(login_profile.c.owner_id == profile.owner_id)
        .values(hash=made, changed=now, reset_required=reset_required)
    )
    _remember(transaction, profile.owner_id, made)
    return True


def matches(profile: LoginProfile, password: str) -> bool:
    """Whether this is the password of the profile."""
    return _matches(profile.hash, password)


def require_reset(transaction: Transaction, owner_id: str, *, required: bool) -> None:
    """Have the password changed at the next sign-in, or not."""
    transaction.run(
        update(login_profile).where(login_profile.c.owner_id == owner_id).values(reset_required=required)
    )


def remove(transaction: Transaction, owner_id: str) -> None:
    """Take an owner's password away, and forget those she had before."""
    transaction.run(delete(login_profile).where(login_profile.c.owner_id == owner_id))
    transaction.run(delete(former_password).where(former_password.c.owner_id == owner_id))


# -- Hashes -----------------------------------------------------------------------------------------------

# Argon2 is imported where it is used: a server that nobody signs in to needs half a megabyte less, and 6 ms.


def _hashed(password: str, salt: bytes) -> str:
    from argon2.low_level import Type, hash_secret

    secret = password.encode("utf-8", "surrogatepass")
    return hash_secret(secret, salt, _PASSES, _KIBIBYTES, _LANES, _BYTES, Type.ID).decode("ascii")


def _matches(made: str, password: str) -> bool:
    from argon2.exceptions import VerifyMismatchError
    from argon2.low_level import Type, verify_secret

    try:
        return verify_secret(made.encode("ascii"), password.encode("utf-8", "surrogatepass"), Type.ID)
    except VerifyMismatchError:
        return False


@cache
def _nobodys() -> str:
    """What the password of someone who does not exist is compared with."""
    return _hashed("", bytes(_SALT_BYTES))


def _salt_of(made: str) -> bytes:
    text = made.split("$")[4]  # $argon2id$v=19$m=..,t=..,p=..$SALT$HASH, base64 without padding
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _is_former(transaction: Transaction, owner_id: str, made: str, password: str, count: int) -> bool:
    rows = transaction.all(
        select(former_password.c.hash)
        .where(former_password.c.owner_id == owner_id)
        .order_by(former_password.c.number.desc())
        .limit(count)
    )
    parameters = made.rpartition("$")[0]
    same = [row.hash for row in rows if row.hash.rpartition("$")[0] == parameters]
    other = [row.hash for row in rows if row.hash.rpartition("$")[0] != parameters]
    return any(hmac.compare_digest(made, each) for each in same) or any(_matches(each, password) for each in other)


def _remember(transaction: Transaction, owner_id: str, made: str) -> None:
    column = former_password.c
    row = transaction.one(
        select(column.number).where(column.owner_id == owner_id).order_by(column.number.desc()).limit(1)
    )
    number = row.number + 1 if row else 1
    transaction.run(insert(former_password).values(owner_id=owner_id, number=number, hash=made))
    transaction.run(
        delete(former_password).where(column.owner_id == owner_id, column.number <= number - _LONGEST_HISTORY)
    )


def _is_root(profile: LoginProfile) -> bool:
    return profile.owner_id == profile.account

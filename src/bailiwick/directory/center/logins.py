"""How people of an identity store come in: clients, device codes, authorization codes, sign-ins and their tokens.

What a stranger can ask for leaves nothing behind but a device code, of which there are only so many: the id of a
client, and a code, are sealed values that hold all there is to know of them. A sign-in is a row: it can be ended.
Source: facts/signin.md section 6; RFC 8628 for devices, RFC 7636 for code challenges.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TypeVar

import msgspec
from sqlalchemy import delete, func, insert, select, update

from bailiwick.api import Environment, Transaction
from bailiwick.core import loopback
from bailiwick.core.errors import SealError
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import ENABLED, Instance, StoreUser
from bailiwick.directory.entities import record
from bailiwick.store import Duplicate

T = TypeVar("T", bound=msgspec.Struct)

CLIENT_SECONDS = 90 * 86_400
DEVICE_SECONDS = 600
CODE_SECONDS = 60
SIGN_IN_SECONDS = 8 * 3600
TOKEN_SECONDS = 3600
MOST_DEVICES = 10_000
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 section 6.1: no vowels, nothing to mistake
_STORE = re.compile(r"(?<![0-9a-z])d-[0-9a-f]{10}(?![0-9a-z])")


class Client(msgspec.Struct, frozen=True):
    """A client that registered: `aws` on somebody's machine. `start` is the start URL, if it was told.

    `id` is short, for what is kept of the client; what it shows as its id is this, sealed.
    """

    id: str
    name: str
    expires: float
    redirects: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    start: str = ""


class Device(msgspec.Struct, frozen=True):
    """A device that waits to be let in by whoever types its code."""

    code: str
    client: str
    name: str
    expires: float
    user_id: str | None
    denied: int


class DeviceCode(msgspec.Struct, frozen=True):
    """What the device itself holds."""

    code: str
    client: str


class Code(msgspec.Struct, frozen=True):
    """An authorization code: who let which client in, and what it must show to be believed."""

    id: str
    client: str
    user_id: str
    store: str
    redirect: str
    challenge: str
    expires: float


class SignIn(msgspec.Struct, frozen=True):
    """That a person is signed in with a client. `turn` counts the refreshes."""

    id: str
    user_id: str
    store: str
    client: str
    created: float
    expires: float
    turn: int


class Token(msgspec.Struct, frozen=True):
    """An access token of a sign-in (`turn` is -1), or a refresh token."""

    sign_in: str
    expires: float
    turn: int = -1


class Refused(Exception):
    """Something that is not what it says, or no longer."""


CLIENT, DEVICE, CODE, TOKEN = "sso-client", "sso-device", "sso-code", "sso-token"


def sealed(environment: Environment, purpose: str, value: msgspec.Struct) -> str:
    """A value that nobody can read or change, as text."""
    plain = msgspec.msgpack.encode(value)
    return base64.urlsafe_b64encode(environment.ring.seal(purpose, plain, environment.entropy)).decode().rstrip("=")


def opened(environment: Environment, purpose: str, text: str, kind: type[T]) -> T:
    """The value in such a text. Raises Refused for anything else."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.msgpack.decode(
            environment.ring.open(purpose, base64.b64decode(padded, altchars=b"-_", validate=True)), type=kind
        )
    except (SealError, binascii.Error, ValueError, msgspec.DecodeError):
        raise Refused(purpose) from None


def secret_of(environment: Environment, client_id: str) -> str:
    """The secret that goes with what a client shows as its id."""
    return environment.ring.mac("sso-client-secret", client_id.encode()).hex()


def instance_of(transaction: Transaction, start: str) -> Instance | None:
    """The instance that a start URL means: by the id of its store, or the only one that there is."""
    named = _STORE.search(start)
    if named is not None:
        return people.instance(transaction, store=named[0])
    rows = transaction.all(select(tables.instance).limit(2))
    return record(Instance, rows[0]) if len(rows) == 1 else None


# -- Devices ----------------------------------------------------------------------------------------------


def wait(transaction: Transaction, environment: Environment, client: Client, now: float) -> tuple[str, Device]:
    """A new device code, and what it stands for. Raises Refused where too many wait already."""
    if transaction.all(select(func.count()).select_from(tables.device))[0][0] >= MOST_DEVICES:
        raise Refused("too many devices")
    letters = [_LETTERS[byte % len(_LETTERS)] for byte in environment.entropy(8)]
    code = f"{''.join(letters[:4])}-{''.join(letters[4:])}"
    made = Device(code, client.id, client.name, now + DEVICE_SECONDS, None, 0)
    try:
        transaction.run(insert(tables.device).values(**msgspec.structs.asdict(made)))
    except Duplicate:
        raise Refused("taken") from None
    return sealed(environment, DEVICE, DeviceCode(code, client.id)), made


def device(transaction: Transaction, code: str, now: float) -> Device | None:
    """The device that waits with a code, as a person typed it."""
    letters = re.sub(r"[^A-Z]", "", code.upper())
    row = transaction.one(select(tables.device).where(tables.device.c.code == f"{letters[:4]}-{letters[4:]}"))
    found = record(Device, row) if row is not None else None
    return found if found is not None and found.expires > now else None


def decide(transaction: Transaction, found: Device, user: StoreUser | None) -> None:
    """Let a device in for a person, or turn it away."""
    values = {"user_id": user.id} if user is not None else {"denied": 1}
    columns = tables.device.c
    transaction.run(
        update(tables.device).where(columns.code == found.code, columns.user_id.is_(None)).values(**values)
    )


def take(transaction: Transaction, found: Device) -> bool:
    """Use up a device's code; False if somebody else just did."""
    return transaction.run(delete(tables.device).where(tables.device.c.code == found.code)) == 1


# -- Codes ------------------------------------------------------------------------------------------------


def new_code(
    environment: Environment, client: Client, user: StoreUser, redirect: str, challenge: str, now: float
) -> str:
    """An authorization code for a client that a person let in."""
    code_id = environment.noise(16).hex()
    made = Code(code_id, client.id, user.id, user.store, redirect, challenge, now + CODE_SECONDS)
    return sealed(environment, CODE, made)


def spend(transaction: Transaction, code: Code) -> bool:
    """Use up a code; False if it was used before."""
    try:
        transaction.run(insert(tables.spent).values(id=code.id, expires=code.expires))
    except Duplicate:
        return False
    return True


def fits(challenge: str, verifier: str) -> bool:
    """Whether a code verifier is the one that was hashed into a challenge (RFC 7636, S256)."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return hmac.compare_digest(digest.encode(), challenge.rstrip("=").encode())


def is_loopback(redirect: str) -> bool:
    """Whether an address is one on the person's own machine."""
    return loopback.read(redirect) is not None


def allows(client: Client, redirect: str) -> bool:
    """Whether a client registered this address; the port of a loopback address does not matter (RFC 8252)."""
    wanted = loopback.read(redirect)
    known = (loopback.read(each) for each in client.redirects)
    return wanted is not None and any(each is not None and each[1:] == wanted[1:] for each in known)


# -- Sign-ins ---------------------------------------------------------------------------------------------


def begin(
    transaction: Transaction, environment: Environment, user_id: str, store: str, client: str, now: float
) -> SignIn:
    """A person is signed in."""
    made = SignIn(environment.noise(16).hex(), user_id, store, client, now, now + SIGN_IN_SECONDS, 0)
    transaction.run(insert(tables.sign_in).values(**msgspec.structs.asdict(made)))
    return made


def sign_in(transaction: Transaction, sign_in_id: str, now: float) -> tuple[SignIn, StoreUser] | None:
    """A sign-in that lasts, and whose it is; None if it has ended, or its person is gone or disabled."""
    row = transaction.one(select(tables.sign_in).where(tables.sign_in.c.id == sign_in_id))
    found = record(SignIn, row) if row is not None else None
    if found is None or found.expires <= now:
        return None
    user = people.user(transaction, found.store, found.user_id)
    return (found, user) if user is not None and user.status == ENABLED else None


def end(transaction: Transaction, found: SignIn) -> None:
    """The person signed out."""
    transaction.run(delete(tables.sign_in).where(tables.sign_in.c.id == found.id))


def turned(transaction: Transaction, found: SignIn) -> SignIn | None:
    """The sign-in after a refresh; None if somebody else was faster."""
    columns = tables.sign_in.c
    where = columns.id == found.id, columns.turn == found.turn
    if not transaction.run(update(tables.sign_in).where(*where).values(turn=found.turn + 1)):
        return None
    return msgspec.structs.replace(found, turn=found.turn + 1)


def forget(transaction: Transaction, now: float) -> None:
    """Delete what has expired."""
    for table in (tables.device, tables.spent, tables.sign_in):
        transaction.run(delete(table).where(table.c.expires <= now))

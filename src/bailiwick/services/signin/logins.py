"""Programs that people let in by `aws login`: kept from when a code is given until the person's twelve hours end.

A code and a refresh token are sealed; each is good once. Whoever shows a refresh token a second time ends the
login, for one of the two who had it is a thief (RFC 9700 section 4.14).
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Environment, Transaction
from bailiwick.core.errors import SealError
from bailiwick.core.policy.question import Principal
from bailiwick.directory.entities import record
from bailiwick.services.signin import tables

CODE_SECONDS = 300
_PURPOSE = "signin-login"


class Login(msgspec.Struct, frozen=True):
    """One program that was let in. Its repr shows no token."""

    id: str
    kind: str
    owner_id: str
    password_changed: float | None
    token: str
    principal: str
    client: str
    redirect: str
    challenge: str
    thumbprint: str | None
    created: float
    expires: float
    turn: int

    @property
    def who(self) -> Principal:
        """Who let it in."""
        return msgspec.json.decode(self.principal, type=Principal)

    def __repr__(self) -> str:
        return f"Login({self.id}, {self.client})"


class Shown(msgspec.Struct, frozen=True):
    """What a code (`turn` is 0) or a refresh token holds."""

    id: str
    turn: int


def keep(transaction: Transaction, made: Login) -> None:
    """Keep a new login."""
    transaction.run(insert(tables.login).values(**msgspec.structs.asdict(made)))


def find(transaction: Transaction, login_id: str) -> Login | None:
    """The login with this id."""
    row = transaction.one(select(tables.login).where(tables.login.c.id == login_id))
    return None if row is None else record(Login, row)


def turn(transaction: Transaction, found: Login, thumbprint: str) -> Login | None:
    """The login after its code or refresh token was used; None if somebody else was faster."""
    columns = tables.login.c
    where = columns.id == found.id, columns.turn == found.turn
    values = {"turn": found.turn + 1, "thumbprint": thumbprint}
    if not transaction.run(update(tables.login).where(*where).values(**values)):
        return None
    return msgspec.structs.replace(found, **values)


def end(transaction: Transaction, found: Login) -> None:
    """End a login: what it was given last runs out within 15 minutes."""
    transaction.run(delete(tables.login).where(tables.login.c.id == found.id))


def forget(transaction: Transaction, now: float) -> None:
    """Delete what has ended."""
    transaction.run(delete(tables.login).where(tables.login.c.expires <= now))


def sealed(environment: Environment, shown: Shown) -> str:
    """A code or a refresh token, as text."""
    plain = msgspec.msgpack.encode(shown)
    return (
        base64.urlsafe_b64encode(environment.ring.seal(_PURPOSE, plain, environment.entropy)).decode().rstrip("=")
    )


def opened(environment: Environment, text: str) -> Shown | None:
    """What such a text holds; None for anything else."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(environment.ring.open(_PURPOSE, raw), type=Shown)
    except (SealError, binascii.Error, ValueError, msgspec.DecodeError):
        return None

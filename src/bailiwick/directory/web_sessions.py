"""People who are signed in to the pages: their sessions, kept in the database, and found by a secret in a cookie.

A web session holds the token of an ordinary session, so the Caller of a page is made by the same code as that of a
signed request, and dies with its user or role at once. It dies as well with the password it was begun with.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

import msgspec
from sqlalchemy import delete, insert, or_, select, update

from bailiwick.api import Caller, Environment, Transaction
from bailiwick.core.errors import ExpiredToken, UnknownToken
from bailiwick.core.formats import Session, seal_session
from bailiwick.directory import passwords
from bailiwick.directory.credential_tables import web_session, web_step
from bailiwick.directory.entities import record
from bailiwick.directory.snapshot import Directory

LONGEST = 12 * 3600  # seconds, of which AWS gives a console session as many
IDLE = 3600.0  # seconds without a page, after which a session is over
_SEEN_EVERY = 60.0  # seconds: the last page is noted this exactly
_SECRET_BYTES = 32
_LONGEST_LINE = 10  # sessions of which each was switched to from the one before
_PURPOSE = "web-step"
T = TypeVar("T", bound=msgspec.Struct)
_LONGEST_AGENT, _LONGEST_SOURCE = 256, 64


class Kind(StrEnum):
    """How a session was begun."""

    ROOT = "root"
    USER = "user"
    SWITCHED = "switched"  # to a role, from another session
    SAML = "saml"
    OIDC = "oidc"
    LDAP = "ldap"
    FEDERATION = "federation"  # with credentials that a broker had made


class WebSession(msgspec.Struct, frozen=True):
    """One session of one browser. Times are epoch seconds. Its repr shows no token."""

    id: str
    kind: Kind
    account: str
    owner_id: str
    access_key_id: str
    token: str
    password_changed: float | None
    parent: str | None
    created: float
    seen: float
    expires: float
    source: str = ""
    user_agent: str = ""
    name: str = ""
    color: str = ""
    issuer: str = ""

    def __repr__(self) -> str:
        return f"WebSession({self.kind}, {self.owner_id}, {self.id[:8]})"


class SignedIn(msgspec.Struct, frozen=True):
    """A session that lives, the secret that the browser has of it, and who it is."""

    secret: str
    session: WebSession
    caller: Caller

    def __repr__(self) -> str:
        return f"SignedIn({self.caller.arn})"


def id_of(secret: str) -> str:
    """The id of the session, or step, with this secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret(environment: Environment) -> str:
    """A secret of 256 bits, of letters fit for a cookie."""
    return base64.urlsafe_b64encode(environment.entropy(_SECRET_BYTES)).decode("ascii").rstrip("=")


def begin(
    transaction: Transaction,
    environment: Environment,
    session: Session,
    kind: Kind,
    now: float,
    *,
    source: str = "",
    user_agent: str = "",
    parent: str | None = None,
    name: str = "",
    color: str = "",
    issuer: str = "",
) -> tuple[str, WebSession]:
    """Begin the web session of whoever has proven to be the principal of `session`; returns its secret as well."""
    secret = new_secret(environment)
    profile = passwords.find(transaction, session.principal) if kind in (Kind.ROOT, Kind.USER) else None
    made = WebSession(
        id=id_of(secret),
        kind=kind,
        account=session.account,
        owner_id=session.principal,
        access_key_id=session.access_key_id,
        token=seal_session(environment.ring, session, environment.entropy),
        password_changed=profile.changed if profile else None,
        parent=parent,
        created=now,
        seen=now,
        expires=min(float(session.expires), now + LONGEST),
        source=source[:_LONGEST_SOURCE],
        user_agent=user_agent.encode("ascii", "replace").decode()[:_LONGEST_AGENT],
        name=name,
        color=color,
        issuer=issuer,
    )
    transaction.run(insert(web_session).values(**msgspec.structs.asdict(made)))
    return secret, made


def living(transaction: Transaction, secret: str, now: float) -> WebSession | None:
    """The session with this secret, if it is within its times, and its password is still there."""
    session = _row(transaction, id_of(secret))
    return session if session is not None and _lives(transaction, session, now) else None


def proven(directory: Directory, secret: str, session: WebSession, now: float) -> SignedIn | None:
    """A living session and its Caller; None if its user or role is gone. Not to be asked within a transaction."""
    try:
        return SignedIn(secret, session, directory.credential(session.access_key_id, session.token, now).caller)
    except (UnknownToken, ExpiredToken):
        return None


def with_key(transaction: Transaction, owner_id: str, access_key_id: str) -> WebSession | None:
    """The session of an owner whose requests of pages are made with this key; it may be over."""
    columns = web_session.c
    where = columns.owner_id == owner_id, columns.access_key_id == access_key_id
    row = transaction.one(select(web_session).where(*where))
    return None if row is None else _of_row(row)


def _row(transaction: Transaction, session_id: str) -> WebSession | None:
    row = transaction.one(select(web_session).where(web_session.c.id == session_id))
    return None if row is None else _of_row(row)


def _of_row(row: object) -> WebSession:
    made = record(WebSession, row)  # type: ignore[arg-type]
    return msgspec.structs.replace(made, kind=Kind(made.kind))


def _lives(transaction: Transaction, session: WebSession, now: float) -> bool:
    if session.seen + IDLE <= now:
        return False
    line = _line(transaction, session)
    whole = line[-1].parent is None
    return whole and all(each.expires > now and _has_password(transaction, each) for each in line)


def _line(transaction: Transaction, session: WebSession) -> list[WebSession]:
    """A session, the one that it was switched from, and so on; it ends where one is gone."""
    line = [session]
    while line[-1].parent is not None and len(line) < _LONGEST_LINE:
        parent = _row(transaction, line[-1].parent)
        if parent is None:
            break
        line.append(parent)
    return line


def _has_password(transaction: Transaction, session: WebSession) -> bool:
    return has_password(transaction, session.kind, session.owner_id, session.password_changed)


def has_password(transaction: Transaction, kind: Kind, owner_id: str, changed: float | None) -> bool:
    """Whether a password is still the one that a session was begun with, if it was begun with one."""
    if kind not in (Kind.ROOT, Kind.USER):
        return True
    profile = passwords.find(transaction, owner_id)
    return profile is not None and profile.changed == changed


def needs_note(session: WebSession, now: float) -> bool:
    """Whether it is time to write down that the session was used."""
    return session.seen + _SEEN_EVERY <= now


def note(transaction: Transaction, session: WebSession, now: float) -> None:
    """A page was asked for in this session, and through it in those that it came from."""
    ids = [each.id for each in _line(transaction, session)]
    transaction.run(update(web_session).where(web_session.c.id.in_(ids)).values(seen=now))


def keep_with_new_password(transaction: Transaction, session: WebSession) -> None:
    """She has changed her own password in this session, which alone goes on."""
    profile = passwords.find(transaction, session.owner_id)
    changed = profile.changed if profile else None
    transaction.run(update(web_session).where(web_session.c.id == session.id).values(password_changed=changed))


def of_owner(transaction: Transaction, owner_id: str, now: float) -> list[WebSession]:
    """The sessions of a user, root user or role that are not over, the newest first."""
    column = web_session.c
    rows = transaction.all(
        select(web_session)
        .where(column.owner_id == owner_id, column.expires > now, column.seen > now - IDLE)
        .order_by(column.created.desc())
    )
    found = map(_of_row, rows)
    return [session for session in found if _has_password(transaction, session)]


def end(transaction: Transaction, ids: Iterable[str]) -> None:
    """End sessions, and those of roles that were switched to from them."""
    wanted = list(ids)
    column = web_session.c
    transaction.run(delete(web_session).where(or_(column.id.in_(wanted), column.parent.in_(wanted))))


def end_all(transaction: Transaction, owner_id: str) -> None:
    """End every session of an owner."""
    column = web_session.c
    rows = transaction.all(select(column.id).where(column.owner_id == owner_id))
    end(transaction, [row.id for row in rows])


def sweep(transaction: Transaction, environment: Environment, now: float) -> None:
    """Forget what is over: a chore."""
    column = web_session.c
    transaction.run(delete(web_session).where(or_(column.expires <= now, column.seen <= now - IDLE)))
    transaction.run(delete(web_step).where(web_step.c.expires <= now))


# -- Steps --------------------------------------------------------------------------------------------------


def put_step(
    transaction: Transaction, environment: Environment, content: msgspec.Struct, now: float, seconds: float
) -> str:
    """Keep what a sign-in has come to, for so long; returns the secret under which it is found again."""
    secret = new_secret(environment)
    key = id_of(secret)
    sealed = environment.ring.seal(_PURPOSE, msgspec.json.encode(content), environment.entropy, key.encode())
    transaction.run(insert(web_step).values(id=key, expires=now + seconds, content=sealed))
    return secret


def step(transaction: Transaction, environment: Environment, secret: str, kind: type[T], now: float) -> T | None:
    """What was kept under this secret; None if it is over, or taken, or a step of something else."""
    key = id_of(secret)
    column = web_step.c
    row = transaction.one(select(column.content).where(column.id == key, column.expires > now))
    if row is None:
        return None
    opened = environment.ring.open(_PURPOSE, row.content, key.encode())
    try:
        return msgspec.json.decode(opened, type=kind)
    except msgspec.ValidationError:
        return None


def take_step(transaction: Transaction, secret: str) -> bool:
    """Use a step up; False if somebody else was faster."""
    return transaction.run(delete(web_step).where(web_step.c.id == id_of(secret))) == 1

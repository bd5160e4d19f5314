"""Proving who a person is: passwords, without telling a stranger which names there are; then her session.

Who guesses is slowed down, in the memory of each process: for one name, and from one address. A browser in which
somebody has signed in before has a cookie that says so, and is counted for itself: others who guess at her name
cannot keep her out (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
"""

from __future__ import annotations

import base64
import ipaddress
from typing import Any

import msgspec
from sqlalchemy import func, select

from bailiwick.api import Caller, Transaction
from bailiwick.core import ids
from bailiwick.core.errors import SealError
from bailiwick.core.formats import Session, SessionKind, seal_session
from bailiwick.directory import aliases, entities, passwords, tables, web_sessions
from bailiwick.directory.passwords import Outcome
from bailiwick.directory.web_sessions import Kind, SignedIn
from bailiwick.web import cookies
from bailiwick.web.visit import Visit

DEVICE = "device"
_PURPOSE = "known-browser"
_A_YEAR = 365 * 24 * 3600
_FREE_BY_NAME, _FREE_BY_ADDRESS = 10, 50
_MOST_KNOWN = 5  # people whom one browser is known by
_LONGEST = 4096


class Person(msgspec.Struct, frozen=True):
    """Whom a name means: `owner_id` is None for nobody."""

    account: str | None
    owner_id: str | None
    name: str
    is_root: bool


class Device(msgspec.Struct, frozen=True, array_like=True):
    """That somebody has signed in from a browser before; `id` counts its failures."""

    owner_id: str
    id: str


def user_called(transaction: Transaction, account: str, name: str) -> Person:
    """The IAM user of an account (its id, or alias) with this name."""
    given = account.replace("-", "") if account.replace("-", "").isdigit() else account.lower()
    number = given if given.isdigit() else aliases.account_of(transaction, given)
    found = entities.user(transaction, number, name) if number is not None and len(name) <= 64 else None
    return Person(number, found.id if found else None, found.name if found else name, is_root=False)


def root_with(transaction: Transaction, email: str) -> Person:
    """The root user with this e-mail address."""
    columns = tables.account.c
    wanted = select(columns.id).where(func.lower(columns.email) == email.lower(), columns.email != "")
    rows = transaction.all(wanted.limit(2)) if len(email) <= 128 else []
    owner = rows[0].id if len(rows) == 1 else None
    return Person(owner, owner, email, is_root=True)


class Guesses:
    """How often a name may still be tried from where this visit comes from."""

    def __init__(self, visit: Visit, kind: str, name: str, owner_id: str | None) -> None:
        self._attempts, self._now = visit.environment.attempts, visit.now
        known = [each for each in devices(visit) if owner_id is not None and each.owner_id == owner_id]
        if known:
            self._keys = [(f"signin:device:{known[0].id}", _FREE_BY_NAME)]
        else:
            self._keys = [
                (f"signin:{kind}:{name.casefold()[:256]}", _FREE_BY_NAME),
                (f"signin:address:{network(visit.request.source)}", _FREE_BY_ADDRESS),
            ]

    @property
    def are_over(self) -> bool:
        """Whether nothing is tried for now, whatever she says."""
        return any(self._attempts.waits(key, self._now, free) for key, free in self._keys)

    def failed(self) -> None:
        """One was wrong."""
        for key, free in self._keys:
            self._attempts.failed(key, self._now, free)

    def succeeded(self) -> None:
        """It was right; what others did from this address is not forgotten for it."""
        self._attempts.succeeded(self._keys[0][0])


def check(visit: Visit, person: Person, password: str) -> Outcome:
    """Whether this is her password. It takes the same work for somebody who does not exist."""
    with visit.site.pipeline.store.transaction() as transaction:
        return passwords.verify(transaction, person.owner_id, password[:_LONGEST], visit.now)


def devices(visit: Visit) -> list[Device]:
    """Who has signed in from this browser before."""
    told = cookies.read(visit.request, DEVICE)
    if told is None:
        return []
    try:
        opened = visit.environment.ring.open(_PURPOSE, base64.urlsafe_b64decode(told))
        return msgspec.msgpack.decode(opened, type=list[Device])
    except (SealError, ValueError):
        return []


def know_browser(visit: Visit, owner_id: str) -> None:
    """Have the browser remember that she has signed in from it."""
    environment = visit.environment
    others = [each for each in devices(visit) if each.owner_id != owner_id]
    made = [Device(owner_id, environment.entropy(12).hex()), *others][:_MOST_KNOWN]
    sealed = environment.ring.seal(_PURPOSE, msgspec.msgpack.encode(made), environment.entropy)
    value = base64.urlsafe_b64encode(sealed).decode("ascii")
    visit.extra.append(cookies.write(visit.request, DEVICE, value, seconds=_A_YEAR))


# -- Sessions -------------------------------------------------------------------------------------------------


def session_of(visit: Visit, person: Person, mfa: int | None) -> Session:
    """The session of somebody who has proven to be this person: as GetSessionToken gives one, for twelve hours."""
    assert person.account is not None, "only somebody has a session"
    assert person.owner_id is not None, "only somebody has a session"
    entropy, now = visit.environment.entropy, int(visit.now)
    return Session(
        SessionKind.SESSION,
        person.account,
        person.owner_id,
        ids.access_key_id("ASIA", person.account, entropy),
        ids.secret_access_key(entropy),
        issued=now,
        expires=now + web_sessions.LONGEST,
        mfa=mfa,
    )


def caller_of(visit: Visit, session: Session) -> Caller:
    """The Caller of a session. Raises core.errors.UnknownToken if whoever it is of is gone."""
    token = seal_session(visit.environment.ring, session, visit.environment.entropy)
    return visit.pipeline.directory.credential(session.access_key_id, token, visit.now).caller


def let_in(visit: Visit, session: Session, kind: Kind, **more: Any) -> SignedIn:
    """Begin a web session in this browser, and act for it from now on. Raises core.errors.UnknownToken."""
    caller = caller_of(visit, session)
    store = visit.site.pipeline.store
    with store.transaction(write=True) as transaction:
        secret, made = web_sessions.begin(
            transaction,
            visit.environment,
            session,
            kind,
            visit.now,
            source=visit.request.source,
            user_agent=visit.request.header("user-agent") or "",
            **more,
        )
        signed_in = SignedIn(secret, made, caller)
        leaving = visit.browser.add(signed_in)
        if leaving is not None and leaving.session.id != more.get("parent"):
            web_sessions.end(transaction, [leaving.session.id])
        if kind in (Kind.ROOT, Kind.USER):
            passwords.note_used(transaction, session.principal, visit.now)
    return signed_in


def network(address: str) -> str:
    """What counts as one address: of IPv6 the network, of which one customer has all."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))

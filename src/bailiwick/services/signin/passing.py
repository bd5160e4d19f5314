"""The steps of signing in with a password: the password, the second factor, a new password, the session.

Between them the sign-in is kept in the database; the browser has a secret for it, for ten minutes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import Caller
from bailiwick.core.errors import UnknownToken
from bailiwick.core.message import Response
from bailiwick.directory import mfa, web_sessions
from bailiwick.directory.mfa import Device
from bailiwick.directory.passwords import Outcome
from bailiwick.directory.web_sessions import Kind
from bailiwick.services.signin import people
from bailiwick.services.signin.people import Person
from bailiwick.web import cookies
from bailiwick.web.browser import STEP
from bailiwick.web.events import FAILED, HIDDEN, happened
from bailiwick.web.visit import Visit

SECONDS = 600
_TOO_LATE = "That took too long. Please sign in again."


class Passing(msgspec.Struct, frozen=True):
    """How far a sign-in has come: the password was right. `mfa` is when the second factor was shown."""

    person: Person
    must_change: bool = False
    mfa: int | None = None
    device: str = ""  # the serial number of what was shown
    challenge: dict[str, Any] | None = None
    next: str = "/console"


def begin(visit: Visit, person: Person, outcome: Outcome, next_page: str) -> Response:
    """Her password was right: go on with what comes next."""
    passing = Passing(person, outcome in (Outcome.RESET_REQUIRED, Outcome.EXPIRED), next=next_page)
    return go_on(visit, passing)


def go_on(visit: Visit, passing: Passing) -> Response:
    """The next step, or the session."""
    if passing.mfa is None and devices(visit, passing.person):
        keep(visit, passing)
        return visit.redirect("/signin/mfa")
    if passing.must_change:
        keep(visit, passing)
        return visit.redirect("/signin/password")
    return finish(visit, passing)


def keep(visit: Visit, passing: Passing) -> None:
    """Keep the sign-in for its next step, in place of what was kept of it before."""
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        before = cookies.read(visit.request, STEP)
        if before is not None:
            web_sessions.take_step(transaction, before)
        secret = web_sessions.put_step(transaction, visit.environment, passing, visit.now, SECONDS)
    visit.extra.append(cookies.write(visit.request, STEP, secret, seconds=SECONDS))


def kept(visit: Visit) -> Passing | None:
    """The sign-in that this browser is in the middle of."""
    secret = cookies.read(visit.request, STEP)
    if secret is None:
        return None
    with visit.site.pipeline.store.transaction() as transaction:
        return web_sessions.step(transaction, visit.environment, secret, Passing, visit.now)


def used_up(visit: Visit) -> bool:
    """Take the kept sign-in out, so that it is gone on with once; False if somebody else was faster."""
    secret = cookies.read(visit.request, STEP)
    if secret is None:
        return False
    visit.extra.append(cookies.write(visit.request, STEP, "", seconds=0))
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        return web_sessions.take_step(transaction, secret)


def again(visit: Visit) -> Response:
    """Begin anew: there is no sign-in that goes on."""
    return visit.redirect("/signin", bad=_TOO_LATE)


def devices(visit: Visit, person: Person) -> list[Device]:
    """The second factors of a person."""
    assert person.owner_id is not None, "only somebody has devices"
    with visit.site.pipeline.store.transaction() as transaction:
        return mfa.devices_of(transaction, person.owner_id)


def finish(visit: Visit, passing: Passing) -> Response:
    """Everything was shown: she is in."""
    person = passing.person
    session = people.session_of(visit, person, passing.mfa)
    try:
        signed_in = people.let_in(visit, session, Kind.ROOT if person.is_root else Kind.USER)
    except UnknownToken:
        return again(visit)
    people.know_browser(visit, session.principal)
    if not person.is_root and person.account is not None:
        visit.extra.append(cookies.write(visit.request, "account", person.account, seconds=30 * 24 * 3600))
    tell_login(visit, signed_in.caller, passing)
    return visit.redirect(passing.next)


def tell_login(visit: Visit, caller: Caller, passing: Passing) -> None:
    """Have it written down that she signed in."""
    shown = {"MFAIdentifier": passing.device} if passing.device else {}
    happened(
        visit,
        "ConsoleLogin",
        account=caller.account,
        caller=caller,
        additional={
            "LoginTo": f"{visit.environment.public_url}{passing.next}",
            "MobileVersion": "No",
            **shown,
            "MFAUsed": "Yes" if passing.mfa is not None else "No",
        },
    )


def tell_failure(visit: Visit, person: Person, reason: str = FAILED, *, name: str = "ConsoleLogin") -> None:
    """Have it written down that somebody did not get in. A name of nobody may be a password: it is hidden."""
    account = person.account
    identity: dict[str, Any] = {"type": "Root" if person.is_root else "IAMUser"}
    if account is not None:
        identity["accountId"] = account
    if person.owner_id is not None:
        identity["principalId"] = person.owner_id
    identity["accessKeyId"] = ""
    if not person.is_root:
        identity["userName"] = person.name if person.owner_id is not None else HIDDEN
    elif account is not None:
        identity["arn"] = f"arn:{visit.environment.partition}:iam::{account}:root"
    happened(
        visit,
        name,
        account=account,
        identity=identity,
        additional={"MobileVersion": "No", "MFAUsed": "No"},
        failure=reason,
    )

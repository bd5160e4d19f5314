"""Which of several roles: for whoever comes from an identity provider, and the session that she gets."""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import ApiError
from bailiwick.core.errors import UnknownToken
from bailiwick.core.formats import open_session
from bailiwick.core.identity import Grants, Identity
from bailiwick.core.message import Response
from bailiwick.directory import web_sessions
from bailiwick.directory.web_sessions import Kind
from bailiwick.outside import People
from bailiwick.services.signin import people
from bailiwick.web import cookies
from bailiwick.web.browser import STEP
from bailiwick.web.events import FAILED, happened
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Proven, Visit

pages = Pages()

_SECONDS = 300
NOT_LET_IN = "You could not be signed in with this. If you should be, ask your administrator."


class Choice(msgspec.Struct, frozen=True):
    """A role to choose, and what goes with it to STS."""

    role: str
    members: dict[str, Any]


class Remembered(msgspec.Struct, frozen=True):
    """Somebody whom the company's directory has just vouched for; it stands in for it while she chooses."""

    identity: Identity
    grants: Grants

    def identify(self, user: str, password: str) -> Identity | None:
        """That person."""
        return self.identity

    def granted(self, identity: Identity) -> Grants:
        """What she is given."""
        return self.grants


class Offer(msgspec.Struct, frozen=True):
    """What somebody may choose from: sealed, and good for a few minutes."""

    operation: str
    kind: Kind
    common: dict[str, Any]
    choices: list[Choice]
    next: str
    remembered: Remembered | None = None


def offer(visit: Visit, offered: Offer, proven: Proven | None = None) -> Response:
    """Let her in with the only role, or ask which one. `proven` is the first one's call, if that is done."""
    if not offered.choices:
        return refused(visit, "No role is given to you here.")
    if len(offered.choices) == 1:
        return take(visit, offered, offered.choices[0], proven)
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        secret = web_sessions.put_step(transaction, visit.environment, offered, visit.now, _SECONDS)
    visit.extra.append(cookies.write(visit.request, STEP, secret, seconds=_SECONDS))
    return visit.redirect("/signin/roles")


@pages.get("/signin/roles", open=True)
def ask(visit: Visit) -> Response:
    """The roles, by account."""
    found = _offered(visit)
    if found is None:
        return visit.redirect("/signin", bad="That took too long. Please sign in again.")
    by_account: dict[str, list[tuple[str, str]]] = {}
    for each in found.choices:
        account, _, name = each.role.split(":", 4)[4].partition(":role/")
        by_account.setdefault(account, []).append((each.role, name))
    return visit.page("signin/roles.html", accounts=by_account)


@pages.post("/signin/roles", open=True)
def choose(visit: Visit) -> Response:
    """The role that she chose."""
    found, secret = _offered(visit), cookies.read(visit.request, STEP) or ""
    chosen = [each for each in found.choices if each.role == visit.form.get("roleIndex")] if found else []
    if found is None or not chosen:
        return visit.redirect("/signin", bad="That took too long. Please sign in again.")
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        taken = web_sessions.take_step(transaction, secret)
    visit.extra.append(cookies.write(visit.request, STEP, "", seconds=0))
    return take(visit, found, chosen[0]) if taken else visit.redirect("/signin")


def _offered(visit: Visit) -> Offer | None:
    secret = cookies.read(visit.request, STEP)
    if secret is None:
        return None
    with visit.site.pipeline.store.transaction() as transaction:
        return web_sessions.step(transaction, visit.environment, secret, Offer, visit.now)


def take(visit: Visit, offered: Offer, choice: Choice, proven: Proven | None = None) -> Response:
    """Take a role, which its trust policy must give, and begin a session with it."""
    people_known: People | None = offered.remembered
    try:
        if proven is None:
            members = {**offered.common, **choice.members}
            proven = visit.proven("sts", offered.operation, people_known, **members)
        answer = visit.done(proven)
        session = open_session(visit.environment.ring, answer.Credentials.SessionToken)
        made = people.let_in(visit, session, offered.kind)
    except (ApiError, UnknownToken) as error:
        return refused(visit, str(error), account=choice.role.split(":")[4])
    happened(
        visit,
        "ConsoleLogin",
        account=made.caller.account,
        caller=made.caller,
        additional={
            "LoginTo": f"{visit.environment.public_url}{offered.next}",
            "MobileVersion": "No",
            "MFAUsed": "No",
        },
    )
    return visit.redirect(offered.next)


def refused(visit: Visit, why: str, *, account: str | None = None) -> Response:
    """The page for somebody whom her provider, or a role's trust policy, does not let in."""
    identity = {"type": "Unknown", "principalId": "", "accountId": account or ""}
    happened(visit, "ConsoleLogin", account=account, identity=identity, failure=FAILED)
    return visit.page("signin/not_let_in.html", status=403, text=NOT_LET_IN, why=why)

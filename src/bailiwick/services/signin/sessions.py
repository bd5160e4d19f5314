"""Sessions: which there are, which one to act for, ending them; switching to a role, and signing out."""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec

from bailiwick.api import ApiError
from bailiwick.core import arn
from bailiwick.core.errors import ArnError
from bailiwick.core.formats import open_session
from bailiwick.core.message import Response
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import aliases, web_sessions
from bailiwick.directory.web_sessions import Kind, WebSession
from bailiwick.services.signin import people
from bailiwick.web import cookies
from bailiwick.web.events import happened
from bailiwick.web.guard import own_path
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()

REFUSED = "Invalid information in one or more fields. Check your information or contact your administrator."
_HISTORY, _ROLES = "roles", 5
_COLOR = re.compile("[0-9A-Fa-f]{6}", re.ASCII)
_LONGEST_NAME = 64
_A_YEAR = 365 * 24 * 3600
COLORS = (("B3152F", "Red"), ("D9730D", "Orange"), ("8A6D00", "Yellow"), ("116B3C", "Green"), ("2F4FD0", "Blue"))


class Role(msgspec.Struct, frozen=True, array_like=True):
    """A role that was switched to from this browser."""

    account: str
    role: str
    name: str = ""
    color: str = ""


@pages.get("/signin/sessions")
def show(visit: Visit) -> Response:
    """The sessions of this browser, and those of the signed-in person elsewhere."""
    here = {each.session.id for each in visit.browser.sessions}
    owner = visit.caller.principal.unique_id
    with visit.site.pipeline.store.transaction() as transaction:
        all_of_hers = web_sessions.of_owner(transaction, owner, visit.now)
    elsewhere = [each for each in all_of_hers if each.id not in here and _may_end(visit, each)]
    return visit.page("signin/sessions.html", elsewhere=elsewhere, most=5)


def _may_end(visit: Visit, session: WebSession) -> bool:
    """Whether a session is her own: of the same user; of a role only under the same session name."""
    if session.kind in (Kind.ROOT, Kind.USER):
        return True
    present = visit.browser.present
    if present is None or present.caller.session is None:
        return False
    theirs = open_session(visit.environment.ring, session.token)
    return theirs.principal == present.caller.session.principal and theirs.name == present.caller.session.name


@pages.post("/signin/sessions/use")
def use(visit: Visit) -> Response:
    """Act for another session of this browser."""
    visit.browser.choose(visit.form.get("session", ""))
    return visit.redirect(own_path(visit.form.get("next")))


@pages.post("/signin/sessions/end")
def end(visit: Visit) -> Response:
    """End one of her sessions, here or elsewhere."""
    wanted = visit.form.get("session", "")
    owner = visit.caller.principal.unique_id
    here = any(each.session.id == wanted for each in visit.browser.sessions)
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        hers = [each for each in web_sessions.of_owner(transaction, owner, visit.now) if _may_end(visit, each)]
        if here or any(each.id == wanted for each in hers):
            web_sessions.end(transaction, [wanted])
    visit.browser.drop(wanted)
    if visit.browser.present is None:
        return visit.redirect("/signin", info="You are signed out.")
    return visit.redirect("/signin/sessions", good="The session has ended.")


@pages.post("/signin/out")
def out(visit: Visit) -> Response:
    """Sign out of the present session, or, when asked, of all in this browser."""
    leaving = visit.browser.sessions if visit.form.get("all") else visit.browser.sessions[:1]
    issuer = leaving[0].session.issuer
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        web_sessions.end(transaction, [each.session.id for each in leaving])
    for each in leaving:
        visit.browser.drop(each.session.id)
    if visit.browser.present is not None:
        return visit.redirect("/console", info="You are signed out of that session.")
    return visit.page("signin/out.html", issuer=issuer)


# -- Roles ----------------------------------------------------------------------------------------------------


@pages.get("/switchrole")
def ask(visit: Visit) -> Response:
    """The page that asks for a role; a link may have it filled in."""
    given = {name: visit.query.get(name, "")[:256] for name in ("account", "roleName", "displayName", "color")}
    return _ask(visit, given)


def _ask(visit: Visit, given: dict[str, str], wrong: str = "") -> Response:
    can = visit.caller.kind in (PrincipalKind.USER, PrincipalKind.ROLE)
    return visit.page(
        "signin/switch.html",
        status=400 if wrong else 200,
        given=given,
        wrong=wrong,
        can=can,
        history=history(visit),
        colors=COLORS,
    )


@pages.post("/switchrole")
def switch(visit: Visit) -> Response:
    """Take a role, in a session beside the present one."""
    form = visit.form
    given = {name: form.get(name, "").strip()[:256] for name in ("account", "roleName", "displayName", "color")}
    parent = visit.browser.present
    assert parent is not None, "the page is not open"
    try:
        role_arn = _arn_of(visit, given["account"], given["roleName"])
        left = int(parent.session.expires - visit.now)
        answer = visit.call(
            "sts",
            "AssumeRole",
            RoleArn=role_arn,
            RoleSessionName=_session_name(visit),
            DurationSeconds=max(900, min(3600, left)),
        )
    except (ApiError, ArnError):
        return _ask(visit, given, REFUSED)
    session = open_session(visit.environment.ring, answer.Credentials.SessionToken)
    session = msgspec.structs.replace(session, expires=min(session.expires, int(parent.session.expires)))
    color = given["color"].upper() if _COLOR.fullmatch(given["color"]) else ""
    made = people.let_in(
        visit,
        session,
        Kind.SWITCHED,
        parent=parent.session.id,
        name=given["displayName"][:_LONGEST_NAME],
        color=color,
    )
    _remember(visit, Role(given["account"], given["roleName"], given["displayName"][:_LONGEST_NAME], color))
    happened(
        visit,
        "SwitchRole",
        account=made.caller.account,
        caller=made.caller,
        additional={"SwitchFrom": parent.caller.arn, "RedirectTo": f"{visit.environment.public_url}/console"},
    )
    return visit.redirect("/console")


def _arn_of(visit: Visit, account: str, role: str) -> str:
    with visit.site.pipeline.store.transaction() as transaction:
        number = account if account.isdigit() else aliases.account_of(transaction, account.lower())
    found = f"arn:{visit.environment.partition}:iam::{number}:role/{role.lstrip(chr(47))}"
    arn.parse(found)
    return found


def _session_name(visit: Visit) -> str:
    caller = visit.caller
    name = caller.name or (caller.session.name if caller.session else "") or "console"
    return name[:64]


def history(visit: Visit) -> list[Role]:
    """The last roles that were switched to from this browser."""
    told = cookies.read(visit.request, _HISTORY)
    found = []
    for each in (told or "").split("~")[:_ROLES]:
        parts = each.split(".")
        if len(parts) == 4:
            account, role, name, color = (_plain(part) for part in parts)
            if account and role:
                found.append(Role(account, role, name, color if _COLOR.fullmatch(color) else ""))
    return found


def _remember(visit: Visit, role: Role) -> None:
    others = [each for each in history(visit) if (each.account, each.role) != (role.account, role.role)]
    kept = [role, *others][:_ROLES]
    value = "~".join(".".join(map(_encoded, msgspec.structs.astuple(each))) for each in kept)
    visit.extra.append(cookies.write(visit.request, _HISTORY, value, seconds=_A_YEAR))


def _encoded(text: str) -> str:
    """Text as hexadecimal digits, which any cookie may hold."""
    return text.encode().hex()


def _plain(digits: str) -> str:
    try:
        return bytes.fromhex(digits).decode()[:256]
    except ValueError:
        return ""


def link_of(role: Role) -> str:
    """The address of the page that asks for this role."""
    fields = {"account": role.account, "roleName": role.role, "displayName": role.name, "color": role.color}
    return "/switchrole?" + "&".join(f"{name}={quote(value)}" for name, value in fields.items() if value)

"""The pages of IAM Identity Center: people of an identity store sign in, and let devices and programs in.

Who is signed in here is nobody in an account yet: it is a sign-in of the store, as a device gets one, and the
browser holds its token. Source: facts/signin.md sections 6 and 8; RFC 8628 section 3.3.
"""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from bailiwick.core import loopback
from bailiwick.core.message import Response
from bailiwick.directory import accounts, passwords
from bailiwick.directory.center import access, callers, logins, people
from bailiwick.directory.center.logins import Client, Device, Refused, SignIn, Token
from bailiwick.directory.center.people import ENABLED, Instance, StoreUser
from bailiwick.directory.password_policy import broken_by_default
from bailiwick.directory.passwords import Outcome
from bailiwick.services.signin.people import network
from bailiwick.web import cookies
from bailiwick.web.events import FAILED, SERVICE_EVENT, happened
from bailiwick.web.form import Fields
from bailiwick.web.guard import own_path
from bailiwick.web.pages import Pages
from bailiwick.web.templating import with_query
from bailiwick.web.visit import Visit

pages = Pages()

COOKIE = "center"
_BROWSER = "pages"  # the client of whoever signs in on a page
_LONGEST = 1024
_FREE_BY_NAME, _FREE_BY_ADDRESS = 10, 50
_WRONG = "The user name or the password is wrong."


class Person(msgspec.Struct, frozen=True):
    """Who is signed in."""

    sign_in: SignIn
    user: StoreUser


def present(visit: Visit) -> Person | None:
    """Who is signed in to an identity store in this browser."""
    told = cookies.read(visit.request, COOKIE)
    if told is None:
        return None
    try:
        token = logins.opened(visit.environment, logins.TOKEN, told, Token)
    except Refused:
        return None
    with visit.pipeline.store.transaction() as transaction:
        found = logins.sign_in(transaction, token.sign_in, visit.now)
    return Person(*found) if found is not None and found[0].client == _BROWSER else None


def _first(visit: Visit, store: str | None) -> Response:
    """Have the person sign in, and come back here."""
    return visit.redirect(with_query("/signin/center", store=store or None, next=visit.here))


# -- Signing in -------------------------------------------------------------------------------------------


@pages.get("/signin/center", open=True)
def form(visit: Visit) -> Response:
    """Ask who it is."""
    return _form(visit, visit.query, "")


def _form(visit: Visit, fields: Fields, wrong: str, *, status: int = 200) -> Response:
    return visit.page(
        "signin/center.html",
        status=status,
        store=fields.get("store", ""),
        next=own_path(fields.get("next"), "/start"),
        user=fields.get("user", "")[:128],
        wrong=wrong,
    )


@pages.post("/signin/center", open=True)
def sign_in(visit: Visit) -> Response:
    """Check the password; the same answer, after the same work, for who does not exist."""
    fields, attempts = visit.form, visit.environment.attempts
    name, password = fields.get("user", "")[:128], fields.get("password", "")[:_LONGEST]
    with visit.pipeline.store.transaction() as transaction:
        instance = logins.instance_of(transaction, fields.get("store", ""))
        user = people.user_named(transaction, instance.store, name) if instance is not None else None
    keys = (
        (f"signin:center:{instance.store if instance else ''}:{name.casefold()}", _FREE_BY_NAME),
        (f"signin:address:{network(visit.request.source)}", _FREE_BY_ADDRESS),
    )
    if any(attempts.waits(key, visit.now, free) for key, free in keys):
        return _form(visit, fields, "Too many tries. Wait a minute, and try again.", status=429)
    with visit.pipeline.store.transaction() as transaction:
        owner = user.owner if user is not None and user.status == ENABLED else None
        outcome = passwords.verify(transaction, owner, password, visit.now)
    known = user if user is not None and outcome in (Outcome.OK, Outcome.RESET_REQUIRED) else None
    if instance is not None:
        _tell(visit, "CredentialVerification", instance, known)
    if instance is None or user is None or known is None:
        for key, free in keys:
            attempts.failed(key, visit.now, free)
        return _form(visit, fields, _WRONG, status=400)
    attempts.succeeded(keys[0][0])
    if outcome is Outcome.RESET_REQUIRED:
        wrong = _change(visit, instance, user, fields)
        if wrong is not None:
            return visit.page(
                "signin/center_password.html",
                store=user.store,
                user=user.name,
                password=password,
                next=own_path(fields.get("next"), "/start"),
                wrong=wrong,
            )
    return _let_in(visit, instance, user, own_path(fields.get("next"), "/start"))


def _change(visit: Visit, instance: Instance, user: StoreUser, fields: Fields) -> str | None:
    """Set the new password that must be chosen now; what is wrong with it, empty if none was given yet."""
    new = fields.get("new_password")
    if new is None:
        return ""
    broken = list(broken_by_default(new, {user.name.lower()}))
    if broken or len(new) > 128:
        return ". ".join(broken) or "The password is too long."
    if new == fields.get("password"):
        return "The new password must be another one."
    with visit.pipeline.store.transaction(write=True) as transaction:
        profile = passwords.find(transaction, user.owner)
        if profile is not None:
            passwords.change(transaction, profile, new, visit.now)
    caller = callers.of_person(visit.environment.partition, instance, user)
    happened(visit, "PasswordUpdated", account=instance.account, caller=caller)
    return None


def _let_in(visit: Visit, instance: Instance, user: StoreUser, path: str) -> Response:
    with visit.pipeline.store.transaction(write=True) as transaction:
        made = logins.begin(transaction, visit.environment, user.id, user.store, _BROWSER, visit.now)
    token = logins.sealed(visit.environment, logins.TOKEN, Token(made.id, made.expires))
    visit.extra.append(cookies.write(visit.request, COOKIE, token))
    _tell(visit, "UserAuthentication", instance, user, LoginTo=f"{visit.environment.public_url}{path}")
    return visit.redirect(path)


def _tell(visit: Visit, name: str, instance: Instance, user: StoreUser | None, **more: str) -> None:
    """Have it written down that a password was right, or wrong (of no `user`); that somebody is signed in.

    Source of the form: Amazon WorkSpaces Administration Guide, "Understanding AWS sign-in events".
    """
    account = instance.account
    if user is not None:
        caller, identity = callers.of_person(visit.environment.partition, instance, user), None
    else:
        caller, identity = None, {"type": "Unknown", "principalId": account, "arn": "", "accountId": account}
    happened(
        visit,
        name,
        account=account,
        caller=caller,
        identity=identity,
        additional={"AuthWorkflowID": visit.request_id, "CredentialType": "PASSWORD", **more},
        failure="" if user is not None else FAILED,
        kind=SERVICE_EVENT,
    )


@pages.post("/signin/center/out", open=True)
def sign_out(visit: Visit) -> Response:
    """End the sign-in of this browser; programs that were let in have their own."""
    person = present(visit)
    if person is not None:
        with visit.pipeline.store.transaction(write=True) as transaction:
            logins.end(transaction, person.sign_in)
    visit.extra.append(cookies.write(visit.request, COOKIE, "", seconds=0))
    return visit.redirect("/signin/center")


@pages.get("/start", open=True)
def start(visit: Visit) -> Response:
    """The access portal: which accounts and roles the person may choose from."""
    person = present(visit)
    if person is None:
        return _first(visit, visit.query.get("store"))
    with visit.pipeline.store.transaction() as transaction:
        found = access.assigned(transaction, person.user)
        names = {number: accounts.find(transaction, number) for number, _ in found}
    listed = [
        (number, account.name if account else "", [each.name for at, each in found if at == number])
        for number, account in names.items()
    ]
    address = f"https://{person.user.store}.awsapps.com/start"
    return visit.page("signin/center_start.html", person=person, accounts=listed, start=address)


# -- Devices ----------------------------------------------------------------------------------------------


@pages.get("/device", open=True)
def device(visit: Visit) -> Response:
    """Ask for the code that a device shows, or show whose it is."""
    person = present(visit)
    if person is None:
        return _first(visit, visit.query.get("store"))
    code = visit.query.get("user_code", "")
    return _of_waiting(visit, person, code, None) if code else _device(visit, person, "", None)


@pages.post("/device", open=True)
def decide(visit: Visit) -> Response:
    """Let the device in, or turn it away."""
    person = present(visit)
    if person is None:
        return visit.redirect("/device")
    return _of_waiting(visit, person, visit.form.get("user_code", ""), visit.form.get("answer"))


def _of_waiting(visit: Visit, person: Person, code: str, answer: str | None) -> Response:
    """Show the device that waits with a code, or do what the person answers. Who guesses codes is slowed down."""
    attempts, key = visit.environment.attempts, f"signin:device:{person.user.id}"
    if attempts.waits(key, visit.now, _FREE_BY_NAME):
        return _device(visit, person, "", None, "Too many tries. Wait a minute, and try again.", status=429)
    with visit.pipeline.store.transaction() as transaction:
        waiting = logins.device(transaction, code, visit.now)
    if waiting is None or waiting.denied or waiting.user_id is not None:
        attempts.failed(key, visit.now, _FREE_BY_NAME)
        return _device(visit, person, code, None, "No device waits with this code, or not any more.", status=400)
    if answer not in ("allow", "deny"):
        return _device(visit, person, code, waiting)
    with visit.pipeline.store.transaction(write=True) as transaction:
        logins.decide(transaction, waiting, person.user if answer == "allow" else None)
    return visit.page("signin/center_done.html", person=person, allowed=answer == "allow")


def _device(
    visit: Visit, person: Person, code: str, waiting: Device | None, wrong: str = "", *, status: int = 200
) -> Response:
    return visit.page(
        "signin/center_device.html", status=status, person=person, code=code[:32], waiting=waiting, wrong=wrong
    )


# -- Programs ---------------------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True):
    """What a program asks for, checked."""

    client: Client
    redirect: str
    state: str
    challenge: str


def _asked(visit: Visit, fields: Fields) -> Asked | None:
    try:
        client = logins.opened(visit.environment, logins.CLIENT, fields.get("client_id", "")[:4096], Client)
    except Refused:
        return None
    found = Asked(client, fields.get("redirect_uri", ""), fields.get("state", ""), fields.get("code_challenge", ""))
    sound = (
        client.expires > visit.now
        and fields.get("response_type") == "code"
        and fields.get("code_challenge_method") == "S256"
        and 43 <= len(found.challenge) <= 44
        and len(found.state) <= _LONGEST
        and logins.allows(client, found.redirect)
    )
    return found if sound else None


@pages.get("/authorize", open=True)
def authorize(visit: Visit) -> Response:
    """Ask the person whether a program may be let in."""
    asked = _asked(visit, visit.query)
    if asked is None:
        return _no(visit)
    person = present(visit)
    if person is None:
        with visit.pipeline.store.transaction() as transaction:
            instance: Instance | None = logins.instance_of(transaction, asked.client.start)
        return _first(visit, instance.store if instance else None)
    here = loopback.read(asked.redirect)
    assert here is not None, "it is one that the client registered"
    visit.form_action = (here.origin,)
    return visit.page("signin/center_program.html", person=person, asked=asked, fields=visit.query)


@pages.post("/authorize", open=True)
def authorized(visit: Visit) -> Response:
    """Let the program in, or turn it away."""
    asked, person = _asked(visit, visit.form), present(visit)
    if asked is None or person is None:
        return _no(visit)
    if visit.form.get("answer") != "allow":
        return visit.leave(f"{asked.redirect}?{urlencode({'error': 'access_denied', 'state': asked.state})}")
    code = logins.new_code(visit.environment, asked.client, person.user, asked.redirect, asked.challenge, visit.now)
    return visit.leave(f"{asked.redirect}?{urlencode({'code': code, 'state': asked.state})}")


def _no(visit: Visit) -> Response:
    return visit.page(
        "refused.html",
        status=400,
        title="This is not how a program asks",
        text="The address is incomplete, or it would lead somewhere else. Start `aws sso login` anew.",
    )

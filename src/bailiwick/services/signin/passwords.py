"""Signing in with a password: a user of an account, or its root user; and a new password, where one is needed."""

from __future__ import annotations

from bailiwick.api import AccessDenied, ApiError
from bailiwick.core.errors import UnknownToken
from bailiwick.core.message import Response
from bailiwick.directory import password_policy
from bailiwick.directory import passwords as kept_passwords
from bailiwick.directory.passwords import Outcome
from bailiwick.services.signin import passing, people
from bailiwick.services.signin.passing import Passing, again, kept
from bailiwick.services.signin.people import Guesses, Person
from bailiwick.web import cookies
from bailiwick.web.events import happened
from bailiwick.web.guard import own_path
from bailiwick.web.pages import Pages
from bailiwick.web.templating import with_query
from bailiwick.web.visit import Visit

pages = Pages()

WRONG = "Your authentication information is incorrect. Please try again."
TOO_OFTEN = "Too many failed attempts. Wait a few minutes, then try again."
LOCKED = "Your password has expired, and only an administrator can set another one. Ask yours."
KINDS = ("user", "root", "directory")


def ways(visit: Visit) -> tuple[str, ...]:
    """The kinds of person who can sign in with a password here."""
    return KINDS if visit.environment.people is not None else KINDS[:2]


def sheet(visit: Visit, kind: str, *, status: int = 200, wrong: str = "", **values: str) -> Response:
    """The page that asks for name and password."""
    providers = getattr(visit.site.options.get("signin"), "providers", ())
    return visit.page(
        "signin/signin.html",
        status=status,
        kind=kind,
        kinds=ways(visit),
        wrong=wrong,
        values=values,
        next=own_path(visit.form.get("next") or visit.query.get("next")),
        providers=providers,
        adding=visit.browser.present is not None,
    )


@pages.get("/signin", open=True)
def signin(visit: Visit) -> Response:
    """The way in."""
    kind = visit.query.get("kind", "user")
    if kind not in ways(visit):
        kind = "user"
    account = visit.query.get("account") or cookies.read(visit.request, "account") or ""
    return sheet(visit, kind, account=account[:63])


@pages.post("/signin", open=True)
def password(visit: Visit) -> Response:
    """A name and a password."""
    kind = "root" if visit.form.get("kind") == "root" else "user"
    secret = visit.form.get("password", "")
    account, name = visit.form.get("account", "").strip(), visit.form.get("name", "").strip()
    email = visit.form.get("email", "").strip()
    with visit.site.pipeline.store.transaction() as transaction:
        if kind == "root":
            person = people.root_with(transaction, email)
        else:
            person = people.user_called(transaction, account, name)
    guesses = Guesses(
        visit, kind, email if kind == "root" else f"{person.account or account}/{name}", person.owner_id
    )
    values = {"account": account, "name": name, "email": email}
    if guesses.are_over:
        return sheet(visit, kind, status=429, wrong=TOO_OFTEN, **values)
    outcome = people.check(visit, person, secret)
    if outcome is Outcome.WRONG:
        guesses.failed()
        passing.tell_failure(visit, person)
        return sheet(visit, kind, status=401, wrong=WRONG, **values)
    guesses.succeeded()
    if outcome is Outcome.LOCKED:
        passing.tell_failure(visit, person, "Password expired")
        return sheet(visit, kind, status=403, wrong=LOCKED, **values)
    return passing.begin(visit, person, outcome, own_path(visit.form.get("next")))


# -- A new password -------------------------------------------------------------------------------------------


@pages.get("/signin/password", open=True)
def must_change(visit: Visit) -> Response:
    """The page that asks for another password before anything else."""
    found = _at_this_step(visit)
    return again(visit) if found is None else _ask(visit, found)


@pages.post("/signin/password", open=True)
def change(visit: Visit) -> Response:
    """Another password, the old one being shown once more."""
    found = _at_this_step(visit)
    if found is None:
        return again(visit)
    old, new = visit.form.get("old_password", ""), visit.form.get("new_password", "")
    if new != visit.form.get("new_password_again", ""):
        return _ask(visit, found, "The two new passwords are not the same.")
    try:
        session = people.session_of(visit, found.person, found.mfa)
        visit.call_as(people.caller_of(visit, session), "iam", "ChangePassword", OldPassword=old, NewPassword=new)
    except UnknownToken:
        return again(visit)
    except AccessDenied as refused:
        if refused.ruling is None:
            return _ask(visit, found, str(refused))
        return _ask(visit, found, "You may not change your own password. Ask your administrator for another one.")
    except ApiError as refused:
        return _ask(visit, found, str(refused))
    if not passing.used_up(visit):
        return again(visit)
    return passing.finish(visit, found)


def _at_this_step(visit: Visit) -> Passing | None:
    found = kept(visit)
    if found is None or not found.must_change or found.person.is_root:
        return None
    return None if found.mfa is None and passing.devices(visit, found.person) else found


def _ask(visit: Visit, found: Passing, wrong: str = "") -> Response:
    rules = rules_of(visit, found.person)
    return visit.page(
        "signin/password.html", status=400 if wrong else 200, person=found.person, wrong=wrong, rules=rules
    )


def rules_of(visit: Visit, person: Person) -> list[str]:
    """What a new password must be, in words."""
    assert person.account is not None, "only somebody has a password"
    with visit.site.pipeline.store.transaction() as transaction:
        policy = None if person.is_root else password_policy.find(transaction, person.account)
    return password_policy.in_words(policy)


def change_of_root(visit: Visit, person: Person, old: str, new: str) -> str:
    """Change the root user's password; returns what is wrong with it, or nothing.

    AWS has no operation for it, so it is done here, and written down as AWS does.
    """
    assert person.owner_id is not None, "only somebody has a password"
    key, attempts = f"change-password:{person.owner_id}", visit.environment.attempts
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        profile = kept_passwords.find(transaction, person.owner_id)
        if attempts.waits(key, visit.now) or profile is None or not kept_passwords.matches(profile, old):
            attempts.failed(key, visit.now)
            return "The old password was incorrect."
        broken = password_policy.broken(transaction, person.owner_id, None, new)
        if broken:
            return ", ".join(broken)
        kept_passwords.change(transaction, profile, new, float(int(visit.now)))
    happened(visit, "PasswordUpdated", account=person.account, caller=visit.caller)
    return ""


def address_of(account: str) -> str:
    """Where the users of an account sign in."""
    return with_query("/signin", account=account)

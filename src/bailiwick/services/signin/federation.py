"""The federation endpoint: a broker's temporary credentials become a session in the console.

Source: AWS IAM User Guide, "Enable custom identity broker access to the AWS console"; facts/signin.md section 2.
"""

from __future__ import annotations

import base64
import hmac
import re

import msgspec

from bailiwick.core.errors import CoreError, ExpiredToken, SealError, UnknownToken
from bailiwick.core.formats import Session, SessionKind, open_session
from bailiwick.core.message import Response
from bailiwick.directory.web_sessions import Kind
from bailiwick.services.signin import people
from bailiwick.web.events import happened
from bailiwick.web.form import Fields
from bailiwick.web.guard import own_path
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()

_PURPOSE = "signin-token"
_TOKEN_SECONDS = 900  # for which the token is good
_SHORTEST, _LONGEST = 900, 43_200
_MOST = 16_384


class SigninToken(msgspec.Struct, frozen=True, array_like=True):
    """What a sign-in token holds, sealed: the session token of the credentials, and until when it is good.

    What it gives lasts for `seconds`, or if they are 0, as long as the credentials.
    """

    token: str
    access_key_id: str
    good_until: int
    seconds: int

    def __repr__(self) -> str:
        return f"SigninToken({self.access_key_id})"


class Given(msgspec.Struct, frozen=True):
    """The credentials in the parameter `Session`."""

    session_id: str = msgspec.field(name="sessionId")
    session_key: str = msgspec.field(name="sessionKey")
    session_token: str = msgspec.field(name="sessionToken")


class Refused(CoreError):
    """The credentials, or what goes with them, are not good for a session."""


@pages.get("/federation", open=True)
def asked(visit: Visit) -> Response:
    """`Action=getSigninToken`, `login` or `logout`."""
    return _do(visit, visit.query)


@pages.post("/federation", open=True, foreign=True)
def posted(visit: Visit) -> Response:
    """The same in a form, whose length is not limited by what addresses may have."""
    return _do(visit, visit.form if "Action" in visit.form else visit.query)


def _do(visit: Visit, fields: Fields) -> Response:
    action = fields.get("Action", "")
    if action == "getSigninToken":
        return _token(visit, fields)
    if action == "login":
        return _login(visit, fields)
    if action == "logout":
        return visit.redirect("/signin/leave")
    return _no(visit, "The parameter Action must be getSigninToken, login or logout.")


def _token(visit: Visit, fields: Fields) -> Response:
    try:
        session = _proven(visit, fields.get("Session", ""))
        seconds = _seconds(session, fields.get("SessionDuration"))
    except (Refused, UnknownToken, ExpiredToken) as refused:
        return _no(visit, str(refused))
    now, ring = int(visit.now), visit.environment.ring
    given = msgspec.json.decode(fields["Session"], type=Given)
    made = SigninToken(given.session_token, given.session_id, now + _TOKEN_SECONDS, seconds)
    sealed = ring.seal(_PURPOSE, msgspec.msgpack.encode(made), visit.environment.entropy)
    happened(
        visit,
        "GetSigninToken",
        account=session.account,
        caller=people.caller_of(visit, session),
        answer={"credentials": {"accessKeyId": session.access_key_id}},
        additional={"MobileVersion": "No", "MFAUsed": "No"},
    )
    token = base64.urlsafe_b64encode(sealed).decode("ascii")
    return visit.answer(200, "application/json", msgspec.json.encode({"SigninToken": token}))


def _proven(visit: Visit, text: str) -> Session:
    """The session whose credentials these are. Raises Refused, UnknownToken, ExpiredToken."""
    if len(text) > _MOST:
        raise Refused("The parameter Session is too long.")
    try:
        given = msgspec.json.decode(text, type=Given)
    except msgspec.DecodeError:
        raise Refused("The parameter Session is not JSON with sessionId, sessionKey and sessionToken.") from None
    found = visit.pipeline.directory.credential(given.session_id, given.session_token, visit.now)
    if not hmac.compare_digest(found.secret.encode(), given.session_key.encode("utf-8", "replace")):
        raise UnknownToken("The security token included in the request is invalid.")
    session = open_session(visit.environment.ring, given.session_token)
    if session.kind not in (SessionKind.ROLE, SessionKind.FEDERATED) or session.via:
        raise Refused("Only credentials of a role, or of GetFederationToken, can sign in to the console.")
    return session


def _seconds(session: Session, text: str | None) -> int:
    """How long the session is asked to last; 0 for as long as the credentials. Raises Refused."""
    if text is None:
        return 0
    if re.fullmatch("[0-9]{1,5}", text) is None or not _SHORTEST <= int(text) <= _LONGEST:
        raise Refused(f"SessionDuration must be a number of seconds from {_SHORTEST} to {_LONGEST}.")
    if session.kind is SessionKind.FEDERATED:
        raise Refused("SessionDuration cannot be given with credentials of GetFederationToken.")
    if session.chained:
        raise Refused("SessionDuration cannot be given with credentials of a chained role.")
    return int(text)


def _login(visit: Visit, fields: Fields) -> Response:
    try:
        opened = visit.environment.ring.open(
            _PURPOSE, base64.urlsafe_b64decode(fields.get("SigninToken", "")[:_MOST])
        )
        found = msgspec.msgpack.decode(opened, type=SigninToken)
        if found.good_until <= visit.now:
            raise ExpiredToken("The sign-in token has expired.")
        visit.pipeline.directory.credential(found.access_key_id, found.token, visit.now)
        session = open_session(visit.environment.ring, found.token)
    except (SealError, ValueError, UnknownToken, ExpiredToken):
        return _no(visit, "The sign-in token is not valid, or it has expired: it is good for 15 minutes.")
    if found.seconds:
        session = msgspec.structs.replace(session, expires=session.issued + found.seconds)
    issuer = fields.get("Issuer", "")[:2048]
    made = people.let_in(
        visit, session, Kind.FEDERATION, issuer=issuer if issuer.startswith(("https://", "http://")) else ""
    )
    destination = _destination(visit, fields.get("Destination", ""))
    happened(
        visit,
        "ConsoleLogin",
        account=made.caller.account,
        caller=made.caller,
        additional={"LoginTo": destination, "MobileVersion": "No", "MFAUsed": "No"},
    )
    return visit.redirect(destination)


def _destination(visit: Visit, text: str) -> str:
    """The page of ours that Destination means; the address of any other site, AWS's console among them, is home."""
    for base in (visit.environment.public_url, f"https://{visit.request.header('host')}"):
        if text.startswith(f"{base}/"):
            return own_path(text[len(base) :])
    return own_path(text)


def _no(visit: Visit, why: str) -> Response:
    return visit.answer(400, "text/plain; charset=utf-8", f"{why}\n".encode())


@pages.get("/signin/leave")
def leave(visit: Visit) -> Response:
    """Asks whether to sign out: a link of another site must not do it by itself."""
    return visit.page("signin/leave.html")


@pages.get("/oauth", open=True)
def oauth(visit: Visit) -> Response:
    """`Action=logout`, as AWS's sign-in has it."""
    if visit.query.get("Action") == "logout":
        return visit.redirect("/signin/leave")
    return _no(visit, "The parameter Action must be logout.")

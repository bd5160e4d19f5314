"""The pages of `aws login`: may this program act for me?

Source: facts/signin.md section 5, the flow as the `aws` CLI has it.
"""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import msgspec

from bailiwick.core import loopback
from bailiwick.core.message import Response
from bailiwick.services.signin.oauth import CONFIRMATION, CROSS_DEVICE, SAME_DEVICE, redirect_fits
from bailiwick.web.form import Fields
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()

_LONGEST_STATE = 512


class Asked(msgspec.Struct, frozen=True):
    """What a program asks for, checked."""

    client: str
    redirect: str
    state: str
    challenge: str

    @property
    def is_remote(self) -> bool:
        """Whether the program is on another machine than the browser."""
        return self.client == CROSS_DEVICE


def _asked(visit: Visit, fields: Fields) -> Asked | None:
    """What a program asks for; None if it makes no sense, or would lead to a place that is not its own."""
    found = Asked(
        fields.get("client_id", ""),
        fields.get("redirect_uri", ""),
        fields.get("state", ""),
        fields.get("code_challenge", ""),
    )
    sound = (
        found.client in (SAME_DEVICE, CROSS_DEVICE)
        and fields.get("response_type") == "code"
        and fields.get("code_challenge_method") == "SHA-256"
        and 0 < len(found.state) <= _LONGEST_STATE
        and len(found.challenge) == 43
        and redirect_fits(found.client, found.redirect)
    )
    return found if sound else None


@pages.get("/v1/authorize")
def authorize(visit: Visit) -> Response:
    """Ask the person."""
    asked = _asked(visit, visit.query)
    if asked is None:
        return _no(visit)
    here = loopback.read(asked.redirect)
    if here is not None:
        visit.form_action = (here.origin,)
    return visit.page("signin/program.html", asked=asked, fields=visit.query)


@pages.post("/v1/authorize")
def decided(visit: Visit) -> Response:
    """Let the program in, or turn it away."""
    asked = _asked(visit, visit.form)
    if asked is None:
        return _no(visit)
    if visit.form.get("answer") != "allow":
        return _back(visit, asked, error="access_denied")
    output = visit.call(
        "signin",
        "AuthorizeOAuth2Access",
        clientId=asked.client,
        redirectUri=asked.redirect,
        codeChallenge=asked.challenge,
    )
    return _back(visit, asked, code=output.code)


def _back(visit: Visit, asked: Asked, **fields: str) -> Response:
    query = urlencode({**fields, "state": asked.state})
    if asked.is_remote:
        return visit.redirect(f"{CONFIRMATION}?{query}")
    return visit.leave(f"{asked.redirect}?{query}")


@pages.get(CONFIRMATION)
def confirmation(visit: Visit) -> Response:
    """Show the code to a person whose program is on another machine."""
    code, state = visit.query.get("code", ""), visit.query.get("state", "")
    if not code or not state or len(code) + len(state) > 2 * _LONGEST_STATE:
        return visit.page("signin/program_code.html", code="", denied="error" in visit.query)
    shown = base64.b64encode(f"state={state}&code={code}".encode()).decode("ascii")
    return visit.page("signin/program_code.html", code=shown, denied=False)


def _no(visit: Visit) -> Response:
    return visit.page(
        "refused.html",
        status=400,
        title="This is not how a program asks",
        text="The address is incomplete, or it would lead somewhere else. Start `aws login` anew.",
    )

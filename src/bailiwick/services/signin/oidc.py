"""OpenID Connect: the authorization code flow with PKCE against a provider that the operator has configured.

What comes back is an ID token, with which STS is asked as anybody could: AssumeRoleWithWebIdentity verifies it, and
the role's trust policy decides. Sources: OpenID Connect Core 1.0 section 3.1; RFC 7636; RFC 9700 section 2.1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

import msgspec
import structlog

from bailiwick.api import ApiError
from bailiwick.core.assertion import jwt
from bailiwick.core.errors import SealError, TokenRefused
from bailiwick.core.message import Response
from bailiwick.directory import providers
from bailiwick.directory.web_sessions import Kind, new_secret
from bailiwick.federation.fetch import Fetcher, FetchError
from bailiwick.services.signin import choosing
from bailiwick.services.signin.choosing import Choice, Offer
from bailiwick.services.signin.configured import Configured, Oidc
from bailiwick.web import cookies
from bailiwick.web.guard import own_path
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

log = structlog.get_logger()
pages = Pages()

_COOKIE, _PURPOSE, _SECONDS = "oidc", "signin-oidc", 600
_NOT_IN_NAMES = re.compile(r"[^\w+=,.@-]", re.ASCII)
_LONGEST_TOKEN = 20_000
_CALLBACK = "/signin/oidc/callback"
_KEPT_SECONDS, _TROUBLE_SECONDS = 300.0, 10.0


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """A sign-in that is at the provider: what its answer must fit."""

    provider: str
    state: str
    nonce: str
    verifier: str
    next: str
    expires: int


class Trouble(Exception):
    """The provider could not be asked, or its answer is of no use."""


_Known = dict[str, tuple[float, dict[str, Any] | Trouble | None]]
_documents: WeakKeyDictionary[Fetcher, _Known] = WeakKeyDictionary()


@pages.get("/signin/oidc", open=True)
def begin(visit: Visit) -> Response:
    """Send the browser to a provider of the sign-in page."""
    provider = _named(visit, visit.query.get("provider", ""))
    if provider is None:
        return visit.redirect("/signin", bad="There is no such provider.")
    try:
        where = _endpoint(visit, provider, "authorization_endpoint")
    except Trouble as trouble:
        return _unreachable(visit, provider, trouble)
    make = visit.environment
    begun = Begun(
        provider.name,
        new_secret(make),
        new_secret(make),
        new_secret(make),
        own_path(visit.query.get("next")),
        int(visit.now) + _SECONDS,
    )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).decode().rstrip("=")
    fields = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": visit.environment.public_url + _CALLBACK,
        "scope": provider.scopes,
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    sealed = make.ring.seal(_PURPOSE, msgspec.msgpack.encode(begun), make.entropy)
    kept = base64.urlsafe_b64encode(sealed).decode("ascii")
    visit.extra.append(cookies.write(visit.request, _COOKIE, kept, seconds=_SECONDS))
    return visit.leave(f"{where}{'&' if '?' in where else '?'}{urlencode(fields)}")


@pages.get(_CALLBACK, open=True)
def back(visit: Visit) -> Response:
    """The browser comes back from the provider, with a code or a refusal."""
    begun = _begun(visit)
    visit.extra.append(cookies.write(visit.request, _COOKIE, "", seconds=0))
    provider = _named(visit, begun.provider) if begun else None
    if (
        begun is None
        or provider is None
        or not hmac.compare_digest(begun.state.encode(), visit.query.get("state", "").encode())
    ):
        return visit.redirect("/signin", bad="That sign-in was not begun here, or it took too long.")
    if visit.query.get("iss", provider.issuer) != provider.issuer:  # RFC 9207
        return visit.redirect("/signin", bad="That sign-in was not begun here, or it took too long.")
    if "error" in visit.query or not visit.query.get("code"):
        log.info("a provider refused a sign-in", provider=provider.name, error=visit.query.get("error", "")[:100])
        return choosing.refused(visit, f"{provider.title} did not sign you in.", account=provider.account)
    try:
        token = _redeemed(visit, provider, begun, visit.query["code"])
    except Trouble as trouble:
        return _unreachable(visit, provider, trouble)
    return _signed_in(visit, provider, begun, token)


def _signed_in(visit: Visit, provider: Oidc, begun: Begun, text: str) -> Response:
    try:
        claims = jwt.read(text).claims
        roles = _roles(provider, claims)
        name = _NOT_IN_NAMES.sub("-", str(claims.get(provider.session_name) or claims["sub"]))[:64]
        members = {"WebIdentityToken": text, "RoleSessionName": name if len(name) > 1 else f"{name}-"}
        if not hmac.compare_digest(begun.nonce.encode(), str(claims.get("nonce", "")).encode()):
            raise TokenRefused("nonce", "the token is not for this sign-in")
        if claims["iss"] != provider.issuer or not roles:
            raise TokenRefused("provider", "No role is given to you here.")
        # The signature: verified before she is asked anything.
        proven = visit.proven("sts", "AssumeRoleWithWebIdentity", None, RoleArn=roles[0], **members)
    except (TokenRefused, ApiError) as refused:
        log.warning("an ID token was refused", provider=provider.name, reason=str(refused))
        return choosing.refused(visit, str(refused), account=provider.account)
    choices = [Choice(role, {"RoleArn": role}) for role in roles]
    offered = Offer("AssumeRoleWithWebIdentity", Kind.OIDC, members, choices, begun.next)
    return choosing.offer(visit, offered, proven)


def _roles(provider: Oidc, claims: dict[str, Any]) -> list[str]:
    """The roles to choose from: those that her token names, and those that everyone is offered."""
    named = claims.get("roles")
    own = f"::{provider.account}:role/"
    hers = [each for each in named if isinstance(each, str) and own in each] if isinstance(named, list) else []
    return list(dict.fromkeys([*hers[:50], *provider.roles]))


def _named(visit: Visit, name: str) -> Oidc | None:
    configured: Configured = visit.site.options.get("signin", Configured())
    found = configured.named(name)
    return found if isinstance(found, Oidc) else None


def _begun(visit: Visit) -> Begun | None:
    told = cookies.read(visit.request, _COOKIE)
    try:
        opened = visit.environment.ring.open(_PURPOSE, base64.urlsafe_b64decode(told or ""))
        found = msgspec.msgpack.decode(opened, type=Begun)
    except (SealError, ValueError):
        return None
    return found if found.expires > visit.now else None


# -- Asking the provider --------------------------------------------------------------------------------------


def _endpoint(visit: Visit, provider: Oidc, name: str) -> str:
    """One of the provider's addresses, from its discovery document. Raises Trouble."""
    found = _discovered(visit, provider)
    where = found.get(name)
    if found.get("issuer") != provider.issuer or not isinstance(where, str) or not where.isascii():
        raise Trouble(f"its discovery document is of another issuer, or has no {name}")
    if urlsplit(where).scheme != urlsplit(provider.issuer).scheme and urlsplit(where).scheme != "https":
        raise Trouble(f"its {name} is not https")
    return where


def _discovered(visit: Visit, provider: Oidc) -> dict[str, Any]:
    """The provider's discovery document, asked for now and then, not whenever a stranger wants. Raises Trouble."""
    fetcher: Fetcher = visit.site.options["fetcher"]
    known = _documents.setdefault(fetcher, {})
    until, found = known.get(provider.issuer, (0.0, None))
    if until <= visit.now:
        try:
            found = _asked(visit, provider, f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        except Trouble as trouble:
            found = trouble
        pause = _TROUBLE_SECONDS if isinstance(found, Trouble) else _KEPT_SECONDS
        known[provider.issuer] = (visit.now + pause, found)
    if isinstance(found, Trouble):
        raise found.with_traceback(None)
    assert found is not None, "it was asked"
    return found


def _redeemed(visit: Visit, provider: Oidc, begun: Begun, code: str) -> str:
    """The ID token that the provider gives for a code. Raises Trouble."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": visit.environment.public_url + _CALLBACK,
        "client_id": provider.client_id,
        "code_verifier": begun.verifier,
        **({"client_secret": provider.secret} if provider.secret else {}),
    }
    found = _asked(visit, provider, _endpoint(visit, provider, "token_endpoint"), fields)
    token = found.get("id_token")
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN:
        raise Trouble("its answer has no id_token")
    return token


def _asked(visit: Visit, provider: Oidc, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
    with visit.site.pipeline.store.transaction() as transaction:
        trusted = providers.oidc_of_issuer(
            transaction, visit.environment.partition, provider.account, provider.issuer
        )
    if trusted is None:
        raise Trouble("the account does not have it as an OpenID Connect provider")
    fetcher: Fetcher = visit.site.options["fetcher"]
    try:
        found = json.loads(fetcher.get(url, trusted.thumbprints, form))
    except (FetchError, ValueError, RecursionError) as error:
        raise Trouble(str(error)) from None
    if not isinstance(found, dict):
        raise Trouble("its answer is no object")
    return found


def _unreachable(visit: Visit, provider: Oidc, trouble: Trouble) -> Response:
    log.error("an identity provider cannot be used", provider=provider.name, reason=str(trouble))
    return visit.redirect("/signin", bad=f"{provider.title} cannot be asked at present. Try again in a moment.")

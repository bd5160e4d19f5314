"""CreateToken: an access token for a client that a person let in, and a new one before it ends."""

from __future__ import annotations

import msgspec

from bailiwick.api import Call, Caller, Target
from bailiwick.core.policy.question import Rule
from bailiwick.directory.center import callers, logins, people
from bailiwick.directory.center.logins import Client, Code, DeviceCode, Refused, SignIn, Token
from bailiwick.directory.center.people import ENABLED, StoreUser
from bailiwick.services.sso_oidc import shapes
from bailiwick.services.sso_oidc.clients import DEVICE_GRANT, client_of, refused
from bailiwick.services.sso_oidc.service import sso_oidc
from bailiwick.services.sso_oidc.shapes import (
    AccessDeniedException,
    AuthorizationPendingException,
    CreateTokenRequest,
    ExpiredTokenException,
    InvalidGrantException,
    InvalidRequestException,
    UnsupportedGrantTypeException,
)

_REFRESHED = "sso:account:access"  # the scope with which a client may stay signed in


class Grant(Caller, frozen=True, kw_only=True):
    """The person who let a client in, and by what: a device code, an authorization code, or a sign-in."""

    client: Client
    user: StoreUser
    by_device: DeviceCode | None = None
    by_code: Code | None = None
    by_sign_in: SignIn | None = None


def granted(call: Call, request: CreateTokenRequest) -> Grant:
    """Who let the client in that asks. Raises the errors of RFC 6749 section 5.2 and RFC 8628 section 3.5."""
    client = client_of(call, request.clientId, request.clientSecret)
    if request.grantType == "refresh_token":
        return _by_sign_in(call, client, request)
    with call.transaction:
        if request.grantType == DEVICE_GRANT:
            return _by_device(call, client, request)
        if request.grantType == "authorization_code":
            return _by_code(call, client, request)
    raise refused(UnsupportedGrantTypeException, "unsupported_grant_type", "Unsupported grant type.")


def _by_device(call: Call, client: Client, request: CreateTokenRequest) -> Grant:
    try:
        code = logins.opened(call.environment, logins.DEVICE, request.deviceCode or "", DeviceCode)
    except Refused:
        raise refused(InvalidRequestException, "invalid_request", "Invalid device code.") from None
    if code.client != client.id:
        raise refused(InvalidGrantException, "invalid_grant", "Invalid device code.")
    waiting = logins.device(call.transaction, code.code, call.now)
    if waiting is None:
        raise refused(ExpiredTokenException, "expired_token", "The device code has expired.")
    if waiting.denied:
        raise refused(AccessDeniedException, "access_denied", "The request was denied.")
    if waiting.user_id is None:
        raise refused(AuthorizationPendingException, "authorization_pending", "Authorization is pending.")
    return _grant(call, client, waiting.user_id, by_device=code)


def _by_code(call: Call, client: Client, request: CreateTokenRequest) -> Grant:
    try:
        code = logins.opened(call.environment, logins.CODE, request.code or "", Code)
    except Refused:
        code = None
    if (
        code is None
        or code.client != client.id
        or code.expires <= call.now
        or code.redirect != request.redirectUri
        or not logins.fits(code.challenge, request.codeVerifier or "")
    ):
        raise refused(InvalidGrantException, "invalid_grant", "Invalid authorization code.")
    return _grant(call, client, code.user_id, by_code=code)


def _by_sign_in(call: Call, client: Client, request: CreateTokenRequest) -> Grant:
    try:
        token = logins.opened(call.environment, logins.TOKEN, request.refreshToken or "", Token)
    except Refused:
        token = None
    with call.transaction as transaction:
        found = logins.sign_in(transaction, token.sign_in, call.now) if token and token.turn >= 0 else None
        if token is None or found is None or found[0].client != client.id:
            raise refused(InvalidGrantException, "invalid_grant", "Invalid refresh token.")
        if token.turn == found[0].turn:
            return _grant(call, client, found[0].user_id, by_sign_in=found[0])
        transaction.begin_writing()  # it was used before: two have it, and one of them is a thief
        logins.end(transaction, found[0])
    raise refused(InvalidGrantException, "invalid_grant", "Invalid refresh token.")


def _grant(
    call: Call,
    client: Client,
    user_id: str,
    by_device: DeviceCode | None = None,
    by_code: Code | None = None,
    by_sign_in: SignIn | None = None,
) -> Grant:
    user = people.user_anywhere(call.transaction, user_id)
    instance = people.instance(call.transaction, store=user.store) if user is not None else None
    if user is None or instance is None or user.status != ENABLED:
        raise refused(InvalidGrantException, "invalid_grant", "The person is not there any more.")
    person = msgspec.structs.asdict(callers.of_person(call.partition, instance, user))
    return Grant(**person, client=client, user=user, by_device=by_device, by_code=by_code, by_sign_in=by_sign_in)


def own(call: Call, request: CreateTokenRequest) -> Target:
    """Whoever was let in may have a token: no policy is asked."""
    return Target(account=call.account, rule=Rule.NONE)


@sso_oidc.operation("CreateToken", on=own, by=granted, writes=True)
def create_token(call: Call, request: CreateTokenRequest, record: None) -> shapes.CreateTokenResponse:
    grant = call.caller
    assert isinstance(grant, Grant), "the grant was read"
    found = _redeemed(call, grant)
    stays = _REFRESHED in grant.client.scopes or "refresh_token" in grant.client.grants
    ends = min(found.expires, call.now + logins.TOKEN_SECONDS) if stays else found.expires
    refresh = Token(found.id, found.expires, found.turn)
    return shapes.CreateTokenResponse(
        accessToken=logins.sealed(call.environment, logins.TOKEN, Token(found.id, ends)),
        tokenType="Bearer",
        expiresIn=int(ends - call.now),
        refreshToken=logins.sealed(call.environment, logins.TOKEN, refresh) if stays else None,
    )


def _redeemed(call: Call, grant: Grant) -> SignIn:
    """Use the grant up; it can be used once, whoever asks at the same time."""
    transaction = call.transaction
    if grant.by_sign_in is not None:
        found = logins.turned(transaction, grant.by_sign_in)
        if found is None:
            raise refused(InvalidGrantException, "invalid_grant", "Invalid refresh token.")
        return found
    if grant.by_device is not None:
        waiting = logins.device(transaction, grant.by_device.code, call.now)
        fresh = waiting is not None and logins.take(transaction, waiting)
    else:
        fresh = grant.by_code is not None and logins.spend(transaction, grant.by_code)
    if not fresh:
        raise refused(InvalidGrantException, "invalid_grant", "The code was used before.")
    return logins.begin(transaction, call.environment, grant.user.id, grant.user.store, grant.client.id, call.now)


sso_oidc.refuse("people come in here to accounts, not to applications", "CreateTokenWithIAM")

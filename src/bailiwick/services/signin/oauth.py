"""`aws login`: a person lets a program in on a page, and the program gets her credentials, 15 minutes at a time.

The program shows that it is the one that began (PKCE), and with each request that it holds its key (DPoP). What it
gets is what the person's session of the pages may do, for as long as that would have lasted. Source:
facts/signin.md sections 4 and 5.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlsplit

import msgspec
import structlog

from bailiwick.api import Call, Caller, Environment, Target, Transaction
from bailiwick.core import ids, loopback
from bailiwick.core.assertion import dpop, jwt
from bailiwick.core.errors import TokenRefused
from bailiwick.core.formats import open_session, seal_session
from bailiwick.core.policy.question import Context, Rule
from bailiwick.directory import outbound_keys, web_sessions
from bailiwick.services.signin import logins, shapes
from bailiwick.services.signin.logins import Login, Shown
from bailiwick.services.signin.service import signin
from bailiwick.services.signin.shapes import (
    AccessDeniedException,
    AuthorizeOAuth2AccessRequest,
    CreateOAuth2TokenRequest,
    ValidationException,
)

log = structlog.get_logger()

SAME_DEVICE, CROSS_DEVICE = "arn:aws:signin:::devtools/same-device", "arn:aws:signin:::devtools/cross-device"
CONFIRMATION = "/v1/sessions/confirmation"
_SECONDS = 900
_ALGORITHM = "ES384"
_CODE, _REFRESH = "authorization_code", "refresh_token"
_SUCCESS: dict[str, str | bool] = {"success": "true"}  # as CloudTrail has it of both operations


class Program(Caller, frozen=True, kw_only=True):
    """A program that was let in, as the person that it is for, and what it has shown of its key."""

    login: Login
    thumbprint: str


def redirect_fits(client: str, redirect: str) -> bool:
    """Whether a program may be answered at this address: its own machine's, or our page that shows the code."""
    if client == CROSS_DEVICE:
        scheme, _, rest = redirect.partition("://")  # whatever its host: it is a page of ours that is shown
        host, _, path = rest.partition("/")
        return scheme in ("https", "http") and "@" not in host and f"/{path}" == CONFIRMATION
    here = loopback.read(redirect)
    return here is not None and here.path == "/oauth/callback"


def client_target(call: Call, action: str, client: str, **context: str) -> Target:
    """A kind of program as what policies name: `localhost` or `remote`."""
    place = "remote" if client == CROSS_DEVICE else "localhost"
    keys: Context = {"signin:oauthclientid": client, **{f"signin:{key}": value for key, value in context.items()}}
    return Target(
        account=call.account,
        arn=f"arn:{call.partition}:signin:{call.region}:{call.account}:oauth2/public-client/{place}",
        action=f"signin:{action}",
        context=keys,
    )


def program_to_let_in(call: Call, request: AuthorizeOAuth2AccessRequest) -> Target:
    """The program; whoever lets it in must be allowed to, and to give it tokens."""
    client, redirect = request.clientId, request.redirectUri
    target = client_target(call, "AuthorizeOAuth2Access", client, oauthredirecturi=redirect)
    tokens = client_target(call, "CreateOAuth2Token", client, oauthredirecturi=redirect, oauthgranttype=_CODE)
    return msgspec.structs.replace(target, also=(tokens,))


@signin.operation("AuthorizeOAuth2Access", on=program_to_let_in, writes=True)
def authorize(
    call: Call, request: AuthorizeOAuth2AccessRequest, record: None
) -> shapes.AuthorizeOAuth2AccessResponse:
    if not redirect_fits(request.clientId, request.redirectUri):
        raise _invalid("The redirect URI is not one of the client.")
    session = call.caller.session
    owner = call.caller.principal.unique_id
    found = web_sessions.with_key(call.transaction, owner, session.access_key_id) if session else None
    if found is None:
        raise _refused("INSUFFICIENT_PERMISSIONS", "Only who is signed in to the pages can let a program in.")
    made = Login(
        id=call.environment.noise(16).hex(),
        kind=found.kind,
        owner_id=found.owner_id,
        password_changed=found.password_changed,
        token=found.token,
        principal=msgspec.json.encode(call.caller.principal).decode(),
        client=request.clientId,
        redirect=request.redirectUri,
        challenge=request.codeChallenge,
        thumbprint=None,
        created=call.now,
        expires=found.expires,
        turn=0,
    )
    logins.keep(call.transaction, made)
    call.additional = _SUCCESS
    return shapes.AuthorizeOAuth2AccessResponse(code=logins.sealed(call.environment, Shown(made.id, 0)))


# -- Tokens -----------------------------------------------------------------------------------------------


def program(call: Call, request: CreateOAuth2TokenRequest) -> Program:
    """Which program asks, by its code or refresh token and the proof of its key. Raises AccessDeniedException."""
    asked = request.tokenInput
    thumbprint = _thumbprint(call)
    found = _by_code(call, asked) if asked.grantType == _CODE else _by_refresh_token(call, asked, thumbprint)
    with call.transaction:
        if found.client != asked.clientId:
            raise _invalid("The client is another one.")
        kind, changed = web_sessions.Kind(found.kind), found.password_changed
        if not web_sessions.has_password(call.transaction, kind, found.owner_id, changed):
            raise _refused("USER_CREDENTIALS_CHANGED", "The password was changed.")
    who = found.who
    context: Context = {"aws:principalarn": who.issuer_arn, "aws:userid": who.unique_id}
    return Program(who, user_id=who.unique_id, context=context, login=found, thumbprint=thumbprint)


def _thumbprint(call: Call) -> str:
    assert call.sent is not None, "the pipeline sets it"
    proofs = call.sent.all("dpop")
    hosts = {(call.sent.header("host") or "").lower(), urlsplit(call.environment.public_url).netloc.lower()}
    try:
        if len(proofs) != 1:
            raise TokenRefused("form", "The request must have one DPoP proof.")
        path = call.sent.path
        return dpop.proven(proofs[0], method="POST", path=path, hosts=frozenset(hosts), now=call.now)
    except TokenRefused as refused:
        log.warning("a proof of possession was refused", check=refused.check, request_id=call.request_id)
        raise _invalid(str(refused)) from None


def _by_code(call: Call, asked: shapes.CreateOAuth2TokenRequestBody) -> Login:
    shown = logins.opened(call.environment, asked.code or "")
    with call.transaction:
        found = logins.find(call.transaction, shown.id) if shown and shown.turn == 0 else None
    if found is None or found.turn != 0 or call.now - found.created > logins.CODE_SECONDS:
        raise _refused("AUTHCODE_EXPIRED", "The authorization code has expired, or was used.")
    digest = hashlib.sha256((asked.codeVerifier or "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    if found.redirect != asked.redirectUri or not hmac.compare_digest(challenge, found.challenge):
        raise _invalid("The code verifier or the redirect URI is another one.")
    return found


def _by_refresh_token(call: Call, asked: shapes.CreateOAuth2TokenRequestBody, thumbprint: str) -> Login:
    shown = logins.opened(call.environment, asked.refreshToken or "")
    with call.transaction as transaction:
        found = logins.find(transaction, shown.id) if shown and shown.turn > 0 else None
        used = shown is not None and found is not None and shown.turn != found.turn
        if used and found is not None:
            transaction.begin_writing()  # two have this token, and one of them is a thief
            logins.end(transaction, found)
    if found is None or used or found.expires <= call.now:
        raise _refused("TOKEN_EXPIRED", "The refresh token has expired, or was used.")
    if found.thumbprint is None or not hmac.compare_digest(found.thumbprint, thumbprint):
        raise _invalid("The key is not the one that the refresh token was given to.")
    return found


def _own(call: Call, request: CreateOAuth2TokenRequest) -> Target:
    """Nothing more: what the person allowed was asked when she let the program in."""
    return Target(account=call.account, rule=Rule.NONE)


@signin.operation("CreateOAuth2Token", on=_own, by=program, writes=True)
def create_token(call: Call, request: CreateOAuth2TokenRequest, record: None) -> shapes.CreateOAuth2TokenResponse:
    asking = call.caller
    assert isinstance(asking, Program), "the proof was read"
    found = logins.turn(call.transaction, asking.login, asking.thumbprint)
    if found is None:
        raise _refused("AUTHCODE_EXPIRED", "The code or token was used.")
    now, environment = int(call.now), call.environment
    base = open_session(environment.ring, found.token)
    session = msgspec.structs.replace(
        base,
        access_key_id=ids.access_key_id("ASIA", base.account, environment.entropy),
        secret=ids.secret_access_key(environment.entropy),
        issued=now,
        expires=min(now + _SECONDS, base.expires),
    )
    first = request.tokenInput.grantType == _CODE
    call.additional = _SUCCESS
    return shapes.CreateOAuth2TokenResponse(
        tokenOutput=shapes.CreateOAuth2TokenResponseBody(
            accessToken=shapes.AccessToken(
                accessKeyId=session.access_key_id,
                secretAccessKey=session.secret,
                sessionToken=seal_session(environment.ring, session, environment.entropy),
            ),
            tokenType="aws_sigv4",
            expiresIn=session.expires - now,
            refreshToken=logins.sealed(environment, Shown(found.id, found.turn)),
            idToken=_id_token(call, found) if first else None,
        )
    )


def _id_token(call: Call, found: Login) -> str:
    """Who signed in: the client reads the subject."""
    now = int(call.now)
    payload = {
        "iss": call.environment.public_url,
        "aud": found.client,
        "sub": found.who.arn,
        "iat": now,
        "exp": now + _SECONDS,
        "jti": ids.request_id(call.environment.noise),
    }
    key = outbound_keys.signing(call.transaction, call.environment, _ALGORITHM, call.now)
    return jwt.sign(msgspec.json.encode(payload), key)


signin.refuse(
    "tokens for other programs are given by STS (GetWebIdentityToken) and by Identity Center",
    *("CreateBearerToken", "CreateOAuth2TokenWithIAM", "CreateOAuth2TokenWithTokenExchange"),
    *("IntrospectOAuth2TokenWithIAM", "RevokeOAuth2TokenWithIAM"),
)
signin.refuse(
    "from where people may sign in is for policies: conditions see the address",
    *("DeleteConsoleAuthorizationConfiguration", "GetConsoleAuthorizationConfiguration"),
    *("PutConsoleAuthorizationConfiguration", "DeleteResourcePermissionStatement", "GetResourcePolicy"),
    *("ListResourcePermissionStatements", "PutResourcePermissionStatement"),
)


@signin.chore
def forget(transaction: Transaction, environment: Environment, now: float) -> None:
    """Delete logins that have ended."""
    logins.forget(transaction, now)


def _refused(error: str, text: str) -> AccessDeniedException:
    return AccessDeniedException(text, error=error)


def _invalid(text: str) -> ValidationException:
    return ValidationException(text, error="INVALID_REQUEST")

"""RegisterClient and StartDeviceAuthorization: what any client may ask for, without being known.

Source: facts/signin.md section 6.
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import quote

from bailiwick.api import Call, Caller, Environment, Transaction, anyone
from bailiwick.directory.center import logins
from bailiwick.directory.center.logins import Client, Refused
from bailiwick.pipeline import ANONYMOUS
from bailiwick.services.sso_oidc import shapes
from bailiwick.services.sso_oidc.service import sso_oidc
from bailiwick.services.sso_oidc.shapes import (
    InvalidClientException,
    InvalidClientMetadataException,
    InvalidRedirectUriException,
    InvalidRequestException,
    SlowDownException,
)

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
GRANTS = ("authorization_code", DEVICE_GRANT, "refresh_token")
_LONGEST, _MOST = 255, 20


def nobody(call: Call, request: Any) -> Caller:
    """Whoever asks: it is not known."""
    return ANONYMOUS


def refused(kind: type[Any], error: str, text: str) -> Any:
    """A refusal as OAuth 2.0 has it (RFC 6749 section 5.2)."""
    return kind(text, error=error, error_description=text)


@sso_oidc.operation("RegisterClient", on=anyone, by=nobody)
def register_client(
    call: Call, request: shapes.RegisterClientRequest, record: None
) -> shapes.RegisterClientResponse:
    if request.clientType != "public" or not 0 < len(request.clientName) <= _LONGEST:
        raise refused(InvalidClientMetadataException, "invalid_client_metadata", "Invalid client metadata.")
    redirects, grants = tuple(request.redirectUris or ()), tuple(request.grantTypes or ())
    if len(redirects) > _MOST or not all(len(each) <= _LONGEST and logins.is_loopback(each) for each in redirects):
        raise refused(InvalidRedirectUriException, "invalid_redirect_uri", "Invalid redirect URI.")
    scopes, start = tuple(request.scopes or ()), request.issuerUrl or ""
    if not set(grants) <= set(GRANTS) or len(scopes) > _MOST or len(start) + len("".join(scopes)) > 2048:
        raise refused(InvalidRequestException, "invalid_request", "Invalid request.")
    issued, noise = int(call.now), call.environment.noise(16).hex()
    expires = issued + logins.CLIENT_SECONDS
    client = Client(noise, request.clientName, expires, redirects, grants, scopes, start)
    address = call.environment.public_url
    client_id = logins.sealed(call.environment, logins.CLIENT, client)
    return shapes.RegisterClientResponse(
        clientId=client_id,
        clientSecret=logins.secret_of(call.environment, client_id),
        clientIdIssuedAt=issued,
        clientSecretExpiresAt=expires,
        authorizationEndpoint=f"{address}/authorize",
        tokenEndpoint=f"{address}/token",
    )


def client_of(call: Call, client_id: str, secret: str) -> Client:
    """The client with this id and secret. Raises InvalidClientException."""
    try:
        found = logins.opened(call.environment, logins.CLIENT, client_id, Client)
    except Refused:
        found = None
    right = hmac.compare_digest(logins.secret_of(call.environment, client_id).encode(), secret.encode())
    if found is None or not right or found.expires <= call.now:
        raise refused(InvalidClientException, "invalid_client", "Invalid client.")
    return found


@sso_oidc.operation("StartDeviceAuthorization", on=anyone, by=nobody, writes=True)
def start_device_authorization(
    call: Call, request: shapes.StartDeviceAuthorizationRequest, record: None
) -> shapes.StartDeviceAuthorizationResponse:
    client = client_of(call, request.clientId, request.clientSecret)
    found = logins.instance_of(call.transaction, request.startUrl)
    if found is None:
        raise refused(InvalidRequestException, "invalid_request", "Invalid start url provided")
    try:
        code, device = logins.wait(call.transaction, call.environment, client, call.now)
    except Refused:
        raise refused(SlowDownException, "slow_down", "Too many devices wait to be let in.") from None
    page = f"{call.environment.public_url}/device"
    store = f"store={found.store}"
    return shapes.StartDeviceAuthorizationResponse(
        deviceCode=code,
        userCode=device.code,
        verificationUri=f"{page}?{store}",
        verificationUriComplete=f"{page}?{store}&user_code={quote(device.code)}",
        expiresIn=logins.DEVICE_SECONDS,
        interval=1,
    )


@sso_oidc.chore
def forget(transaction: Transaction, environment: Environment, now: float) -> None:
    """Delete codes and sign-ins that have expired."""
    logins.forget(transaction, now)

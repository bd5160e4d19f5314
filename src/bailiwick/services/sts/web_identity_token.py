"""GetWebIdentityToken: who the caller is, for others than AWS: a token that this deployment signs.

The account must have switched it on (IAM's EnableOutboundWebIdentityFederation); app/issuer.py publishes the keys.
Source: facts/sts.md section 11.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import Call, Target, ValidationError
from bailiwick.core import ids
from bailiwick.core.assertion import jwt
from bailiwick.core.policy.question import Context
from bailiwick.directory import outbound_keys, providers
from bailiwick.services.sts import session_tags, shapes
from bailiwick.services.sts.credentials import refuse_users_sessions
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import (
    GetWebIdentityTokenRequest,
    JWTPayloadSizeExceededException,
    OutboundWebIdentityFederationDisabledException,
    SessionDurationEscalationException,
)
from bailiwick.wire.constraints import enumeration

_DEFAULT = 300
_ALGORITHMS = ("RS256", "ES384")
_MAX_PAYLOAD = 8192
_NAMESPACE = "https://sts.amazonaws.com/"


def outgoing(call: Call, request: GetWebIdentityTokenRequest) -> Target:
    """No resource, but whom the token is for; and the same for the tags that go into it."""
    refuse_users_sessions(call)
    tags = session_tags.once(request.Tags)
    context: Context = {
        "sts:identitytokenaudience": tuple(request.Audience),
        "sts:durationseconds": str(request.DurationSeconds or _DEFAULT),
        "sts:signingalgorithm": request.SigningAlgorithm,
        **session_tags.context(tags),
    }
    target = Target(account=call.account, context=context)
    tagging = msgspec.structs.replace(target, action="sts:TagGetWebIdentityToken")
    return msgspec.structs.replace(target, also=(tagging,)) if tags else target


@sts.operation("GetWebIdentityToken", on=outgoing, writes=True)
def get_web_identity_token(
    call: Call, request: GetWebIdentityTokenRequest, record: None
) -> shapes.GetWebIdentityTokenResponse:
    algorithm, session = request.SigningAlgorithm, call.caller.session
    if algorithm not in _ALGORITHMS:
        raise ValidationError(
            f"1 validation error detected: Value '{algorithm}' at 'signingAlgorithm' failed to satisfy constraint: "
            f"{enumeration(_ALGORITHMS)}"
        )
    outbound = providers.outbound(call.transaction, call.account)
    if outbound is None or not outbound.enabled:
        raise OutboundWebIdentityFederationDisabledException(
            "Outbound web identity federation is not enabled for this account."
        )
    now = int(call.now)
    expires = now + (request.DurationSeconds or _DEFAULT)
    if session is not None and expires > session.expires:
        raise SessionDurationEscalationException("The token would be valid for longer than the session that asks.")
    audience = request.Audience
    payload = msgspec.json.encode(
        {
            "iss": providers.outbound_issuer(call.environment.public_url, outbound.issuer_id),
            "aud": audience[0] if len(audience) == 1 else audience,
            "sub": call.caller.principal.issuer_arn,
            "iat": now,
            "exp": expires,
            "jti": ids.request_id(call.environment.noise),
            _NAMESPACE: _about(call, session_tags.once(request.Tags)),
        }
    )
    if len(payload) > _MAX_PAYLOAD:
        raise JWTPayloadSizeExceededException(f"The payload of the token exceeds {_MAX_PAYLOAD} bytes.")
    key = outbound_keys.signing(call.transaction, call.environment, algorithm, call.now)
    return shapes.GetWebIdentityTokenResponse(WebIdentityToken=jwt.sign(payload, key), Expiration=float(expires))


def _about(call: Call, tags: dict[str, str]) -> dict[str, Any]:
    """What the token tells of the caller beside its name; what there is nothing of is left out."""
    caller = call.caller
    session, place = caller.session, caller.membership
    told = {
        "aws_account": caller.account,
        "source_region": call.region,
        "principal_id": caller.user_id,
        "org_id": place.organization if place else None,
        "ou_path": place.path if place else None,
        "principal_tags": caller.tags,
        "request_tags": tags,
        "source_identity": session.source_identity if session else None,
        "federated_provider": session.federated_provider if session else None,
        "original_session_exp": session.expires if session else None,
    }
    return {name: value for name, value in told.items() if value}

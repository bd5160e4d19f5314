"""AssumeRoleWithWebIdentity: a role for whoever shows a token of an OpenID Connect issuer that the account trusts.

The request is not signed: the token proves who asks. It is checked in this order: form, issuer, audience, times,
signature; then the role's trust policy decides. Source: facts/sts.md section 6.
"""

from __future__ import annotations

import hashlib

import msgspec
import structlog

from bailiwick.api import ApiError, Call, Caller, Target, ValidationError
from bailiwick.core.assertion import jwt
from bailiwick.core.assertion.jwt import Token
from bailiwick.core.errors import IssuerUnreachable, TokenRefused
from bailiwick.core.policy.question import Context, Principal, PrincipalKind, Value
from bailiwick.directory import providers
from bailiwick.directory.providers import OidcProvider
from bailiwick.services.sts import claims, session_policies, session_tags, shapes
from bailiwick.services.sts.credentials import issue
from bailiwick.services.sts.role_sessions import Trusted, begun, duration, parsed, shown, trusted, vouched_target
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import (
    AssumeRoleWithWebIdentityRequest,
    ExpiredTokenException,
    IDPCommunicationErrorException,
    InvalidIdentityTokenException,
)

log = structlog.get_logger()

_EXPIRED = ("expired", "too old")
_UNKNOWN = "No OpenIDConnect provider found in your account for {issuer}"


_LONGEST_ID = 256


class Vouched(Caller, frozen=True):
    """A caller for whom a token speaks: of what issuer, for whom, and what it gives to the session.

    `roles` are those that the token itself names, None if it names none. The token is not kept. `pinned` tells
    whether a thumbprint spoke for the issuer's server (jwt.Issuers).
    """

    issuer: str = ""
    audience: str = ""
    roles: tuple[str, ...] | None = None
    passed: claims.Passed = claims.NOTHING
    evidence: dict[str, str] = msgspec.field(default_factory=dict)
    pinned: bool | None = None


def _evidence(token: Token) -> dict[str, str]:
    """What the audit trail tells of the token: its id, or where it has none, its SHA-256."""
    named = token.claims.get("jti")
    if isinstance(named, str) and 0 < len(named) <= _LONGEST_ID:
        return {"webIdentityTokenID": named}
    return {"webIdentityTokenSHA256": hashlib.sha256(token.text.encode()).hexdigest()}


def bearer(call: Call, request: AssumeRoleWithWebIdentityRequest) -> Vouched:
    """Whom the token in the request proves to ask.

    Raises InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError. What failed is in the log.
    """
    role = parsed(request.RoleArn)
    if request.ProviderId is not None:
        raise ValidationError("ProviderId is for OAuth 2.0 access tokens, which are not accepted: leave it out.")
    issuer = None
    try:
        token = jwt.read(request.WebIdentityToken)
        issuer = token.issuer
        provider = _provider(call, role.account, issuer)
        jwt.check_audience(token, provider.client_ids)
        jwt.check_times(token, call.now)
        if call.environment.issuers is None:
            raise IssuerUnreachable("No identity provider is asked by this server.")
        jwt.verify(token, call.environment.issuers.keys(token, provider.url, provider.thumbprints))
        passed = claims.passed(token)
    except (TokenRefused, IssuerUnreachable) as refused:
        check = refused.check if isinstance(refused, TokenRefused) else "unreachable"
        log.warning(
            "a web identity token was refused",
            check=check,
            reason=str(refused),
            issuer=issuer,
            role=request.RoleArn,
            request_id=call.request_id,
        )
        raise _told(refused, check) from None
    pinned = call.environment.issuers.pinned(provider.url, provider.thumbprints)
    return _vouched(call, provider, token, passed, pinned)


def role_for_bearer(call: Call, request: AssumeRoleWithWebIdentityRequest) -> Target:
    """The role, by its trust policy; and the same for the tags and the source identity that the token gives."""
    caller = call.caller
    assert isinstance(caller, Vouched), "the token was read"
    found, passed = trusted(call, request.RoleArn), caller.passed
    more: dict[str, Value] = {}
    if caller.roles is not None:
        more["sts:roleauthorizedbyidp"] = "true" if request.RoleArn in caller.roles else "false"
    return vouched_target(
        call,
        request.RoleArn,
        found,
        name=request.RoleSessionName,
        tags={tag.Key: tag.Value for tag in passed.tags},
        transitive=passed.transitive,
        source_identity=passed.source_identity,
        more=more,
    )


@sts.operation("AssumeRoleWithWebIdentity", on=role_for_bearer, by=bearer)
def assume_role_with_web_identity(
    call: Call, request: AssumeRoleWithWebIdentityRequest, found: Trusted
) -> shapes.AssumeRoleWithWebIdentityResponse:
    role, caller = found.role, call.caller
    assert isinstance(caller, Vouched), "the token was read"
    passed = caller.passed
    seconds = duration(call, request.DurationSeconds, role)
    tags = session_tags.combined(caller, passed.tags, passed.transitive)
    call.additional = _additional(caller, request.RoleArn)
    policies = session_policies.checked(call, role.account, request.Policy, request.PolicyArns)
    packed = session_policies.packed_size(policies, tags)
    session = begun(
        call,
        role,
        request.RoleSessionName,
        seconds,
        policies,
        tags,
        source_identity=passed.source_identity,
        federated_provider=caller.arn,
        said=_kept(caller),
    )
    return shapes.AssumeRoleWithWebIdentityResponse(
        Credentials=issue(call, session),
        SubjectFromWebIdentityToken=caller.user_id,
        AssumedRoleUser=shown(call, role, session),
        PackedPolicySize=packed,
        Provider=caller.issuer,
        Audience=caller.audience,
        SourceIdentity=session.source_identity or None,
    )


def _provider(call: Call, account: str, issuer: str) -> OidcProvider:
    with call.transaction as transaction:  # ended here: the issuer may take seconds to answer
        found = providers.oidc_of_issuer(transaction, call.partition, account, issuer)
    if found is None:
        raise TokenRefused("provider", _UNKNOWN.format(issuer=issuer))
    return found


def _vouched(
    call: Call, provider: OidcProvider, token: Token, passed: claims.Passed, pinned: bool | None
) -> Vouched:
    principal = Principal(
        PrincipalKind.PROVIDER, call.partition, provider.account, provider.arn, provider.arn, token.subject
    )
    context: Context = {
        **claims.context(token, provider.name),
        "aws:federatedprovider": provider.arn,
        "aws:principaltype": "WebIdentityUser",
        "aws:userid": token.subject,
    }
    roles = token.claims.get("roles")
    return Vouched(
        principal,
        user_id=token.subject,
        name=token.subject,
        context=context,
        issuer=token.issuer,
        audience=token.audience,
        roles=tuple(str(role) for role in roles) if isinstance(roles, list) else None,
        passed=passed,
        evidence=_evidence(token),
        pinned=pinned,
    )


def _additional(caller: Vouched, role: str) -> dict[str, str | bool]:
    """How the issuer's server was known for what it is; and that the issuer named this role, if it did.

    Source: IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail"; RoleAuthorizedByIdp as seen.
    """
    told: dict[str, str | bool] = {}
    if caller.pinned is not None:
        method = "Thumbprint" if caller.pinned else "IAMTrustStore"
        told["identityProviderConnectionVerificationMethod"] = method
    if caller.roles is not None and role in caller.roles:
        told["RoleAuthorizedByIdp"] = True
    return told


def _kept(caller: Caller) -> dict[str, Value]:
    """What later requests of the session still know of the token."""
    issuer = caller.arn.partition(":oidc-provider/")[2].lower()
    return {
        key: value for key, value in caller.context.items() if key in [f"{issuer}:{claim}" for claim in claims.KEPT]
    }


def _told(refused: TokenRefused | IssuerUnreachable, check: str) -> ApiError:
    if isinstance(refused, IssuerUnreachable):
        return IDPCommunicationErrorException(str(refused))
    return (ExpiredTokenException if check in _EXPIRED else InvalidIdentityTokenException)(str(refused))

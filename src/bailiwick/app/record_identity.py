"""Who did it: the userIdentity element of a record.

Source: AWS CloudTrail User Guide, "CloudTrail userIdentity element".
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from bailiwick.api import Caller
from bailiwick.core import arn, ids
from bailiwick.core.formats import Session
from bailiwick.core.happened import Happened
from bailiwick.core.policy.question import PrincipalKind

INTERNAL = "AWS Internal"


def identity_of(caller: Caller | None, access_key_id: str | None) -> dict[str, Any]:
    """The userIdentity element. Of a caller who proved nothing it says no more than the key that was named."""
    if caller is None or caller.kind is PrincipalKind.ANONYMOUS:
        unknown = {"type": "Unknown", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}
        if access_key_id is not None and ids.account_of(access_key_id) is not None:
            unknown["accessKeyId"] = access_key_id
        return unknown
    if caller.kind is PrincipalKind.SERVICE:
        return of_service(caller)
    if caller.kind is PrincipalKind.PROVIDER:
        return _of_center(caller) if ":sso:::instance/" in caller.arn else _vouched_for(caller)
    identity: dict[str, Any] = {
        "type": _TYPES[caller.kind],
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account,
    }
    if caller.access_key_id:
        identity["accessKeyId"] = caller.access_key_id
    if caller.name and caller.kind is PrincipalKind.USER:
        identity["userName"] = caller.name
    if caller.session is not None:
        identity["sessionContext"] = _session_context(caller, caller.session)
        if caller.session.via:
            identity["invokedBy"] = caller.session.via[-1]
    return identity


_TYPES = {
    PrincipalKind.ROOT: "Root",
    PrincipalKind.USER: "IAMUser",
    PrincipalKind.ROLE: "AssumedRole",
    PrincipalKind.FEDERATED: "FederatedUser",
}


def of_service(caller: Caller) -> dict[str, Any]:
    """A service in its own name, with the key that it signed with, which AWS does not tell."""
    key = {"accessKeyId": caller.access_key_id} if caller.access_key_id else {}
    return {"type": "AWSService", **key, "invokedBy": caller.arn}


def of_nobody(happened: Happened) -> dict[str, Any]:
    """Who did what nobody called for: a service itself, or an operator, by her user on the machine."""
    if happened.by is None:
        return {"accountId": happened.account, "invokedBy": INTERNAL}
    by = happened.by
    return {"type": "Operator", "principalId": str(by.uid), "accountId": happened.account, "userName": by.user}


def _vouched_for(caller: Caller) -> dict[str, Any]:
    """Someone of an identity provider who is about to take a role; or a host, which its key vouches for."""
    provider = caller.principal.arn
    if provider.startswith("arn:") and ":instance/" in provider:
        return {"type": "Instance", "principalId": caller.user_id, "arn": provider, "accountId": caller.account}
    if ":peer/" in provider:
        return {"type": "Peer", "principalId": caller.user_id, "arn": provider}
    if ":saml-provider/" in provider:
        subject, issuer, kind = _said(caller, "saml:sub"), _said(caller, "saml:namequalifier"), "SAMLUser"
        principal_id = f"{issuer or provider}:{subject}"
    elif ":ldap-provider/" in provider:
        subject, issuer, kind = _said(caller, "ldap:dn"), provider, "LDAPUser"
        principal_id = f"{provider}:{subject}"
    elif ":trust-anchor/" in provider:
        subject, issuer, kind = caller.user_id, provider, "X509Certificate"
        principal_id = f"{provider}:{subject}"
    else:
        issuer, kind = provider.partition(":oidc-provider/")[2] or provider, "WebIdentityUser"
        subject, audience = _said(caller, f"{issuer}:sub"), _said(caller, f"{issuer}:aud")
        principal_id = ":".join(part for part in (issuer, audience, subject) if part)
    return {
        "type": kind,
        "principalId": principal_id,
        "userName": caller.name or subject or caller.user_id,
        "identityProvider": issuer or provider,
    }


def _of_center(caller: Caller) -> dict[str, Any]:
    """A person of an identity store, as CloudTrail shows her."""
    store = _said(caller, "identitystore:identitystorearn")
    on_behalf = {"userId": caller.user_id, "identityStoreArn": store}
    return {"type": "IdentityCenterUser", "accountId": caller.account, "onBehalfOf": on_behalf}


def _said(caller: Caller, key: str) -> str:
    """What the provider said of her, by the condition key that has it."""
    value = caller.context.get(key.lower(), "")
    return value if isinstance(value, str) else ",".join(value)


def _session_context(caller: Caller, session: Session) -> dict[str, Any]:
    context: dict[str, Any] = {
        "attributes": {
            "creationDate": time_of(session.issued),
            "mfaAuthenticated": "true" if session.mfa is not None else "false",
        }
    }
    if caller.kind in (PrincipalKind.ROLE, PrincipalKind.FEDERATED):
        issuer = arn.parse(caller.principal.issuer_arn)
        kind, _, name = issuer.resource.partition("/")
        context["sessionIssuer"] = {
            "type": {"role": "Role", "user": "IAMUser"}.get(kind, "Root"),
            "principalId": caller.principal.unique_id,
            "arn": caller.principal.issuer_arn,
            "accountId": issuer.account,
            "userName": name.rpartition("/")[2],
        }
    provider = session.federated_provider
    if provider and not any(kind in provider for kind in (":saml-provider/", ":ldap-provider/")):
        context["webIdFederationData"] = {"federatedProvider": provider, "attributes": {}}
    if session.source_identity:
        context["sourceIdentity"] = session.source_identity
    return context


def time_of(seconds: float) -> str:
    """A time as records have it."""
    return _second(int(seconds))


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

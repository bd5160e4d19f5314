"""AssumeRoleWithSAML: a role for whoever shows an assertion of a SAML provider that the account trusts.

The request is not signed: the assertion proves who asks. What it must be is in core/assertion/saml.py; here its
provider is looked up, the role's trust policy decides, and the assertion is used up. Source: facts/sts.md section
7.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import msgspec
import structlog

from bailiwick.api import AccessDenied, ApiError, Call, Caller, Target, Transaction
from bailiwick.core import errors
from bailiwick.core.assertion import saml
from bailiwick.core.assertion.saml import Assertion
from bailiwick.core.policy.question import Principal, PrincipalKind, Value
from bailiwick.directory import providers
from bailiwick.directory.providers import SamlKey, SamlProvider
from bailiwick.directory.saml_trust import trust_in
from bailiwick.services.sts import redeeming, session_policies, session_tags, shapes
from bailiwick.services.sts.credentials import issue
from bailiwick.services.sts.role_sessions import Trusted, begun, duration, parsed, shown, trusted, vouched_target
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import AssumeRoleWithSAMLRequest

log = structlog.get_logger()

_NOT_FOR_THIS = "/aws-reserved/sso.amazonaws.com/"  # the path of roles that Identity Center alone hands out
_KEPT = ("saml:namequalifier", "saml:sub", "saml:sub_type")  # what later requests of the session still know
_CODES: dict[type[errors.SamlRefused], type[ApiError]] = {
    errors.SamlExpired: shapes.ExpiredTokenException,
    errors.SamlRejected: shapes.IDPRejectedClaimException,
    errors.SamlForbids: AccessDenied,
}


class Asserted(Caller, frozen=True):
    """A caller for whom an assertion speaks, with that assertion, and what the audit trail tells of it."""

    assertion: Assertion | None = None
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)


def subject(call: Call, request: AssumeRoleWithSAMLRequest) -> Asserted:
    """Whom the assertion in the request proves to ask.

    Raises InvalidIdentityToken, ExpiredTokenException, IDPRejectedClaim, AccessDenied. What failed is in the log.
    """
    parsed(request.RoleArn), parsed(request.PrincipalArn)
    try:
        response = _decoded(request.SAMLAssertion)
        provider, keys = _provider(call, request)
        assertion = saml.verified(response, trust_in(call.environment, provider, keys, response), call.now)
        if frozenset((request.RoleArn, provider.arn)) not in assertion.said.roles:
            raise errors.SamlForbids("it does not name the role together with the provider", check="role")
    except errors.SamlRefused as refused:
        raise _told(call, request, refused) from None
    return _asserted(call, provider, assertion)


def role_for_subject(call: Call, request: AssumeRoleWithSAMLRequest) -> Target:
    """The role, by its trust policy; and the same for the tags and the source identity that the assertion gives."""
    said, found = _assertion(call).said, trusted(call, request.RoleArn)
    if found is not None and found.role.path.startswith(_NOT_FOR_THIS):
        found = None
    return vouched_target(
        call,
        request.RoleArn,
        found,
        name=said.session_name,
        tags=said.tags,
        transitive=said.transitive,
        source_identity=said.source_identity or "",
    )


@sts.operation("AssumeRoleWithSAML", on=role_for_subject, by=subject, writes=True)
def assume_role_with_saml(
    call: Call, request: AssumeRoleWithSAMLRequest, found: Trusted
) -> shapes.AssumeRoleWithSAMLResponse:
    role, caller, assertion = found.role, call.caller, _assertion(call)
    said = assertion.said
    tags = session_tags.combined(
        caller, [shapes.Tag(Key=key, Value=value) for key, value in said.tags.items()], said.transitive
    )
    policies = session_policies.checked(call, role.account, request.Policy, request.PolicyArns)
    packed = session_policies.packed_size(policies, tags)
    seconds = duration(call, request.DurationSeconds, role)
    if said.duration is not None:
        seconds = min(seconds, said.duration)
    session = begun(
        call,
        role,
        said.session_name,
        seconds,
        policies,
        tags,
        source_identity=said.source_identity or "",
        federated_provider=caller.arn,
        said={key: caller.context[key] for key in _KEPT},
    )
    if assertion.session_ends is not None:
        ends = min(session.expires, int(assertion.session_ends))
        session = msgspec.structs.replace(session, expires=ends)
    _use_up(call, request, assertion)
    return shapes.AssumeRoleWithSAMLResponse(
        Credentials=issue(call, session),
        AssumedRoleUser=shown(call, role, session),
        PackedPolicySize=packed,
        Subject=assertion.subject,
        SubjectType=assertion.subject_type,
        Issuer=assertion.issuer,
        Audience=assertion.recipient,
        NameQualifier=str(caller.context["saml:namequalifier"]),
        SourceIdentity=said.source_identity,
    )


def _assertion(call: Call) -> Assertion:
    assert isinstance(call.caller, Asserted), "the assertion was read"
    assert call.caller.assertion is not None, "the assertion was read"
    return call.caller.assertion


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise errors.SamlMalformed("it is not base64", "Invalid base64 SAMLResponse") from None


def _provider(call: Call, request: AssumeRoleWithSAMLRequest) -> tuple[SamlProvider, list[SamlKey]]:
    """The provider that the request names, with its sealed private keys: of the account of the role."""
    named = request.PrincipalArn

    def load(transaction: Transaction) -> tuple[tuple[SamlProvider | None, list[SamlKey]], list[str]]:
        return (providers.saml(transaction, named), providers.saml_keys(transaction, named)), [f"provider:{named}"]

    with call.transaction as transaction:
        found, keys = transaction.remember("sts.saml-provider", named, load)
    if found is None:
        raise errors.SamlMismatch("there is no such provider", "Specified provider doesn't exist.", "provider")
    if found.account != parsed(request.RoleArn).account:
        raise errors.SamlForbids("the provider is of another account than the role", check="provider")
    if found.valid_until <= call.now:
        raise errors.SamlUnproven("the provider's metadata is not valid any more", check="metadata")
    return found, keys


def _asserted(call: Call, provider: SamlProvider, assertion: Assertion) -> Asserted:
    said = assertion.said
    qualified = f"{assertion.issuer}{provider.account}/{provider.name}".encode()
    qualifier = base64.b64encode(hashlib.sha1(qualified, usedforsecurity=False).digest()).decode()
    context: dict[str, Value] = {
        **said.keys,
        "saml:aud": assertion.recipient,
        "saml:iss": assertion.issuer,
        "saml:sub": assertion.subject,
        "saml:sub_type": assertion.subject_type,
        "saml:namequalifier": qualifier,
        "saml:doc": f"{provider.account}/{provider.name}",
        "aws:federatedprovider": provider.arn,
        "aws:principaltype": "SAMLUser",
        "aws:userid": assertion.subject,
    }
    evidence = {"sAMLAssertionID": assertion.id, "roleSessionName": said.session_name}
    kind, account, name = PrincipalKind.PROVIDER, provider.account, provider.arn
    return Asserted(
        Principal(kind, call.partition, account, name, name, assertion.subject),
        user_id=assertion.subject,
        name=assertion.subject,
        context=context,
        evidence={**evidence, **({"principalTags": said.tags} if said.tags else {})},
        assertion=assertion,
    )


def _use_up(call: Call, request: AssumeRoleWithSAMLRequest, assertion: Assertion) -> None:
    """See to it that the assertion is good for this one session. Raises InvalidIdentityToken for the second."""
    if redeeming.use_up(call, request.PrincipalArn, assertion.id, assertion.expires):
        return
    refused = errors.SamlMismatch(
        "it was used before", "The SAML assertion was used before: it is good for one session.", "replay"
    )
    raise _told(call, request, refused)


def _told(call: Call, request: AssumeRoleWithSAMLRequest, refused: errors.SamlRefused) -> ApiError:
    """What the client reads, once the operator can read which check failed."""
    log.warning(
        "a SAML assertion was refused",
        check=refused.check,
        reason=refused.reason,
        provider=request.PrincipalArn,
        role=request.RoleArn,
        request_id=call.request_id,
    )
    return _CODES.get(type(refused), shapes.InvalidIdentityTokenException)(str(refused))

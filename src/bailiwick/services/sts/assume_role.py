"""AssumeRole: a role's permissions for whoever its trust policy lets in (facts/sts.md section 5).

A missing role, a wrong external id, a caller who may not: all are refused with the same words, so that nobody
learns which roles exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from bailiwick.api import AccessDenied, Call, Caller, Target, Transaction, ValidationError
from bailiwick.core import arn
from bailiwick.core.arn import Arn
from bailiwick.core.errors import ArnError
from bailiwick.core.formats import SessionKind
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Context, PrincipalKind, Rule, Value
from bailiwick.directory import entities, organizations
from bailiwick.directory.entities import Role
from bailiwick.services.sts import session_policies, session_tags, shapes
from bailiwick.services.sts.credentials import check_mfa, issue, new_session, shows_no_code
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import AssumeRoleRequest

_DEFAULT = 3600
_MAX_CHAINED = 3600


class Trusted(msgspec.Struct, frozen=True):
    """A role as whoever assumes it meets it: with its trust policy compiled."""

    role: Role
    policy: Layer
    tags: dict[str, str]


def role_to_assume(call: Call, request: AssumeRoleRequest) -> Target:
    """The role, by its trust policy; and the same for the tags and the source identity that go with the session."""
    if call.caller.kind is PrincipalKind.ROOT:
        raise AccessDenied("Roles may not be assumed by root accounts.")
    if call.caller.kind is PrincipalKind.FEDERATED:
        raise _denied(call, request.RoleArn)
    if check_mfa(call, request.SerialNumber, request.TokenCode) is not None:
        call.caller = _with_mfa(call.caller)
    caller = call.caller
    named = parsed(request.RoleArn)
    found = trusted(call, request.RoleArn)
    identity = request.SourceIdentity or (caller.session.source_identity if caller.session else "")
    target = Target(
        account=named.account,
        arn=request.RoleArn,
        rule=Rule.TRUST,
        policy=found.policy if found else Layer.EMPTY,
        context=_context(call, request, found),
        record=found,
        absent=None if found else _denied(call, request.RoleArn),
    )
    also = []
    if request.Tags or session_tags.inherited(caller):
        also.append(msgspec.structs.replace(target, action="sts:TagSession"))
    if identity:
        also.append(msgspec.structs.replace(target, action="sts:SetSourceIdentity"))
    return msgspec.structs.replace(target, also=tuple(also))


@sts.operation("AssumeRole", on=role_to_assume, quick=shows_no_code, writes_with="TokenCode")
def assume_role(call: Call, request: AssumeRoleRequest, found: Trusted) -> shapes.AssumeRoleResponse:
    if request.ProvidedContexts:
        raise ValidationError("ProvidedContexts are not supported: no context provider is known here.")
    role, caller = found.role, call.caller
    seconds = duration(call, request.DurationSeconds, role)
    tags = session_tags.combined(caller, request.Tags, request.TransitiveTagKeys)
    policies = session_policies.checked(call, role.account, request.Policy, request.PolicyArns)
    packed = session_policies.packed_size(policies, tags)
    session = msgspec.structs.replace(
        new_session(call, SessionKind.ROLE, role.account, role.id, seconds),
        name=request.RoleSessionName,
        policies=policies.texts,
        policy_arns=policies.arns,
        tags=tags.tags,
        transitive=tags.transitive,
        source_identity=_source_identity(call, request),
        chained=caller.session is not None,
    )
    return shapes.AssumeRoleResponse(
        Credentials=issue(call, session),
        AssumedRoleUser=shapes.AssumedRoleUser(
            AssumedRoleId=f"{role.id}:{session.name}",
            Arn=arn.assumed_role(call.partition, role.account, role.name, session.name),
        ),
        PackedPolicySize=packed,
        SourceIdentity=session.source_identity or None,
    )


def _with_mfa(caller: Caller) -> Caller:
    """The caller as the trust policy meets her once she has shown a code. What she gets carries nothing of it."""
    shown: Context = {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": "0"}
    return msgspec.structs.replace(caller, context={**caller.context, **shown})


def parsed(role_arn: str) -> Arn:
    """A role's ARN. Raises ValidationError, with AWS's text, for what is no ARN."""
    try:
        return arn.parse(role_arn)
    except ArnError:
        raise ValidationError(f"{role_arn} is invalid") from None


def trusted(call: Call, role_arn: str) -> Trusted | None:
    """The role with this ARN; None if there is none, or its account was closed."""
    found = call.transaction.remember("sts.role", role_arn, lambda transaction: _load(transaction, role_arn))
    if found is None:
        return None
    place = organizations.membership(call.transaction, call.partition, found.role.account)
    return found if place is None or place.active else None


def _load(transaction: Transaction, role_arn: str) -> tuple[Trusted | None, Iterable[str]]:
    topic = f"role-arn:{role_arn}"
    role = entities.role_by_arn(transaction, role_arn)
    if role is None:
        return None, (topic,)
    trust = Layer([Attached(compile_policy(role.trust, role.pins), "trust policy", None)])
    return Trusted(role, trust, entities.tags(transaction, role.id)), (topic, f"principal:{role.id}")


def _context(call: Call, request: AssumeRoleRequest, found: Trusted | None) -> dict[str, Value]:
    """The condition keys of the call (facts/policy.md section 3.3)."""
    context: dict[str, Value] = {"sts:rolesessionname": request.RoleSessionName}
    if request.ExternalId is not None:
        context["sts:externalid"] = request.ExternalId
    if request.SourceIdentity is not None:
        context["sts:sourceidentity"] = request.SourceIdentity
    passed = {tag.Key: tag.Value for tag in request.Tags or ()} | session_tags.inherited(call.caller)
    transitive = (*(request.TransitiveTagKeys or ()), *session_tags.inherited(call.caller))
    context |= session_tags.context(passed, transitive)
    return context | of_role(found)


def of_role(found: Trusted | None) -> dict[str, Value]:
    """The condition keys that a role's tags give to whoever wants to take it."""
    tags = {} if found is None else found.tags
    prefixes = ("aws:resourcetag", "iam:resourcetag")
    return {f"{prefix}/{key.lower()}": value for key, value in tags.items() for prefix in prefixes}


def duration(call: Call, wanted: int | None, role: Role) -> int:
    """For how many seconds a session of a role lasts. Raises ValidationError for more than it may."""
    seconds = wanted or _DEFAULT
    if call.caller.session is not None and seconds > _MAX_CHAINED:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if seconds > role.max_session:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds


def _source_identity(call: Call, request: AssumeRoleRequest) -> str:
    """The source identity of the session: fixed for the whole chain once it is set."""
    present = call.caller.session.source_identity if call.caller.session else ""
    wanted: Any = request.SourceIdentity
    if wanted is not None and wanted.lower().startswith("aws:"):
        raise ValidationError("The source identity must not begin with 'aws:'.")
    if present and wanted not in (None, present):
        raise AccessDenied(
            "The source identity of the calling session cannot be changed by a session that it begins."
        )
    return present or wanted or ""


def _denied(call: Call, role_arn: str) -> AccessDenied:
    return AccessDenied(
        f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
    )

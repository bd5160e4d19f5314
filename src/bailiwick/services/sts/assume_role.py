"""AssumeRole: a role's permissions for whoever its trust policy lets in (facts/sts.md section 5).

A missing role, a wrong external id, a caller who may not: all are refused with the same words, so that nobody
learns which roles exist.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import AccessDenied, Call, Caller, Target, ValidationError
from bailiwick.core.policy.layer import Layer
from bailiwick.core.policy.question import Context, PrincipalKind, Rule, Value
from bailiwick.directory.service_principals import HouseService
from bailiwick.services.sts import session_policies, session_tags, shapes
from bailiwick.services.sts.credentials import check_mfa, issue, shows_no_code
from bailiwick.services.sts.role_sessions import Trusted, begun, duration, of_role, parsed, shown, trusted
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import AssumeRoleRequest


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
    session = begun(
        call,
        role,
        request.RoleSessionName,
        seconds,
        policies,
        tags,
        source_identity=_source_identity(call, request),
        chained=caller.session is not None,
        said=caller.said if isinstance(caller, HouseService) else {},
    )
    return shapes.AssumeRoleResponse(
        Credentials=issue(call, session),
        AssumedRoleUser=shown(call, role, session),
        PackedPolicySize=packed,
        SourceIdentity=session.source_identity or None,
    )


def _with_mfa(caller: Caller) -> Caller:
    """The caller as the trust policy meets her once she has shown a code. What she gets carries nothing of it."""
    shown: Context = {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": "0"}
    return msgspec.structs.replace(caller, context={**caller.context, **shown})


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

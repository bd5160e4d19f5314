"""The policy simulator, and the condition keys that policies ask for. Source: facts/policy.md section 5.5.

Questions are answered by the engine itself. What is supplied in the request is all that is known: real resource
policies are not fetched, and a condition key that was not given is absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from bailiwick.analysis import asking, simulation
from bailiwick.analysis.answers import ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY
from bailiwick.analysis.asking import AskedWrongly, Asking
from bailiwick.analysis.simulation import Simulated
from bailiwick.api import Call, Target, nothing
from bailiwick.core import arn
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import syntax
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.decide import Layers
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import LayerKind, Principal, PrincipalKind, Question, Rule, Value
from bailiwick.directory import entities, organizations
from bailiwick.services.iam import exclusions, paging, principals, shapes
from bailiwick.services.iam.applying import Applying, applying
from bailiwick.services.iam.owners import Owner
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import InvalidInputException

_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
_KEY = re.compile(r"arn:[^:]*:kms:[^:]*:[^:]*:key/")
_SEVERITY = (ALLOWED, IMPLICIT_DENY, EXPLICIT_DENY)
_SOURCE_TYPES = {LayerKind.RESOURCE: "Resource Policy", LayerKind.BOUNDARY: "PermissionsBoundary Policy"}

Simulation = shapes.SimulateCustomPolicyRequest | shapes.SimulatePrincipalPolicyRequest


def source_named(call: Call, request: Any) -> Target:
    """The user, group or role that PolicySourceArn names. The record is that entity."""
    return principals.entity_at(call, request.PolicySourceArn)


@iam.operation("SimulateCustomPolicy", on=nothing)
def simulate_custom(
    call: Call, request: shapes.SimulateCustomPolicyRequest, record: None
) -> shapes.SimulatePolicyResponse:
    levels = [
        level.ServiceControlPolicyInputList or [] for level in request.OrderedOrganizationPolicyInputList or []
    ]
    layers = Layers(
        identity=_layer("PolicyInputList", request.PolicyInputList),
        boundary=_boundary(request),
        resource=_resource_policy(request),
        scps=tuple(
            _layer(f"OrderedOrganizationPolicyInputList.{number}", texts) for number, texts in enumerate(levels, 1)
        ),
    )
    return _simulated(call, request, layers, request.CallerArn)


@iam.operation("SimulatePrincipalPolicy", on=source_named)
def simulate_principal(
    call: Call, request: shapes.SimulatePrincipalPolicyRequest, owner: Owner
) -> shapes.SimulatePolicyResponse:
    excluded = exclusions.read(request.PolicyExclusionList or [])
    found = [each for each in applying(call, owner) if not excluded.covers(call.account, each)]
    identity = Layer((*map(_attached, found), *_layer("PolicyInputList", request.PolicyInputList or []).policies))
    boundary = _boundary(request)
    own = getattr(owner, "boundary", None)
    if boundary is None and own is not None and not excluded.covers_boundary(own):
        boundary = Layer(_managed(call, own))
    layers = Layers(
        identity=identity,
        boundary=boundary,
        resource=_resource_policy(request),
        scps=() if excluded.covers_scps else _scps(call, request.PolicySourceArn),
    )
    caller = request.CallerArn or (request.PolicySourceArn if _kind(request.PolicySourceArn) == "user" else None)
    if caller is None and layers.resource is None:
        caller = request.PolicySourceArn
    return _simulated(call, request, layers, caller)


@iam.operation("GetContextKeysForCustomPolicy", on=nothing)
def context_keys_custom(
    call: Call, request: shapes.GetContextKeysForCustomPolicyRequest, record: None
) -> shapes.GetContextKeysForPolicyResponse:
    return _context_keys(_checked("PolicyInputList", request.PolicyInputList))


@iam.operation("GetContextKeysForPrincipalPolicy", on=source_named)
def context_keys_principal(
    call: Call, request: shapes.GetContextKeysForPrincipalPolicyRequest, owner: Owner
) -> shapes.GetContextKeysForPolicyResponse:
    texts = [each.text for each in applying(call, owner)]
    return _context_keys([*texts, *_checked("PolicyInputList", request.PolicyInputList or [])])


def _context_keys(texts: Iterable[str]) -> shapes.GetContextKeysForPolicyResponse:
    found: dict[str, str] = {}
    for text in texts:
        for key in syntax.parse(text).condition_keys():
            found.setdefault(key.lower(), key)
    return shapes.GetContextKeysForPolicyResponse(ContextKeyNames=sorted(found.values()))


# --- what is simulated


def _simulated(
    call: Call, request: Simulation, layers: Layers, caller: str | None
) -> shapes.SimulatePolicyResponse:
    if request.ResourceHandlingOption is not None:
        raise InvalidInputException("ResourceHandlingOption belongs to EC2, which Bailiwick does not simulate.")
    if layers.resource is not None and caller is None:
        raise InvalidInputException("CallerArn is required with ResourcePolicy, unless the policies are a user's.")
    for action in request.ActionNames:
        if not _ACTION.fullmatch(action):
            raise InvalidInputException(f"Invalid action name: {action}")
    first = int(paging.after(call, request.Marker) or 0)
    most = paging.wanted(request.MaxItems)
    context = _context(request.ContextEntries or [])
    wanted = list(enumerate(request.ActionNames, 1))[first : first + most]
    results = [(number, _result(call, request, layers, caller, context, action)) for number, action in wanted]
    page, truncated, marker = paging.page(call, results, request.MaxItems, lambda result: str(result[0]))
    return shapes.SimulatePolicyResponse(
        EvaluationResults=[result for _, result in page], IsTruncated=truncated, Marker=marker
    )


def _result(
    call: Call,
    request: Simulation,
    layers: Layers,
    caller: str | None,
    context: dict[str, Value],
    action: str,
) -> shapes.EvaluationResult:
    """One action on every resource; the most restrictive answer is that of the whole."""
    resources = request.ResourceArns or ["*"]
    each = [
        (resource, simulation.simulate(_asking(call, request, layers, caller, context, action, resource)))
        for resource in resources
    ]
    worst = max((found for _, found in each), key=lambda found: _SEVERITY.index(found.decision))
    everywhere = resources == ["*"]
    return shapes.EvaluationResult(
        EvalActionName=action,
        EvalResourceName=resources[0] if len(resources) == 1 else "*",
        EvalDecision=worst.decision,
        MatchedStatements=_statements(worst),
        MissingContextValues=list(worst.missing) if everywhere else [],
        OrganizationsDecisionDetail=_organizations(worst),
        PermissionsBoundaryDecisionDetail=_bounded(worst),
        EvalDecisionDetails=None if everywhere else worst.details,
        ResourceSpecificResults=None if everywhere else [_specific(*one) for one in each],
    )


def _specific(resource: str, found: Simulated) -> shapes.ResourceSpecificResult:
    return shapes.ResourceSpecificResult(
        EvalResourceName=resource,
        EvalResourceDecision=found.decision,
        MatchedStatements=_statements(found),
        MissingContextValues=list(found.missing),
        EvalDecisionDetails=found.details,
        PermissionsBoundaryDecisionDetail=_bounded(found),
    )


def _statements(found: Simulated) -> list[shapes.Statement]:
    return [
        shapes.Statement(
            SourcePolicyId=each.policy,
            SourcePolicyType=_SOURCE_TYPES.get(each.kind, "IAM Policy"),
            StartPosition=shapes.Position(Line=each.start.line, Column=each.start.column),
            EndPosition=shapes.Position(Line=each.end.line, Column=each.end.column),
        )
        for each in found.matched
    ]


def _bounded(found: Simulated) -> shapes.PermissionsBoundaryDecisionDetail | None:
    if found.boundary is None:
        return None
    return shapes.PermissionsBoundaryDecisionDetail(AllowedByPermissionsBoundary=found.boundary)


def _organizations(found: Simulated) -> shapes.OrganizationsDecisionDetail | None:
    if found.organizations is None:
        return None
    return shapes.OrganizationsDecisionDetail(AllowedByOrganizations=found.organizations)


# --- the question


def _asking(
    call: Call,
    request: Simulation,
    layers: Layers,
    caller: str | None,
    context: dict[str, Value],
    action: str,
    resource: str,
) -> Asking:
    """The question about one resource. Only with a resource policy does it matter whose the resource is."""
    principal, keys = _caller(call, caller)
    account = principal.account
    if layers.resource is not None:
        account = _account(resource) or _account(request.ResourceOwner or "") or principal.account
    rule = Rule.KEY if layers.resource is not None and _KEY.match(resource) else Rule.ORDINARY
    known = {**keys, "aws:resourceaccount": account, **context}
    return Asking(Question(principal, action, resource, account, known, rule), layers)


def _caller(call: Call, caller: str | None) -> tuple[Principal, dict[str, Value]]:
    if caller is None or _kind(caller) == "group":
        someone = caller or f"arn:{call.partition}:iam::{call.account}:user/simulated"
        return Principal(PrincipalKind.USER, call.partition, call.account, someone, someone, someone), {}
    try:
        principal, keys = asking.principal_of(caller)
    except AskedWrongly:
        raise InvalidInputException(f"Invalid CallerArn: {caller}") from None
    if _kind(caller) not in ("user", "role"):
        raise InvalidInputException(f"Invalid CallerArn: {caller} is not the ARN of a user, group or role.")
    return principal, keys


def _kind(named: str) -> str:
    return named.rpartition(":")[2].partition("/")[0] if ":iam:" in named else ""


def _account(text: str) -> str | None:
    """The account in an ARN, or an account id as it is."""
    account = text.split(":")[4] if text.count(":") >= 5 else text
    return account if re.fullmatch(r"[0-9]{12}", account) else None


def _context(entries: list[shapes.ContextEntry]) -> dict[str, Value]:
    context: dict[str, Value] = {}
    for entry in entries:
        if entry.ContextKeyName is None or entry.ContextKeyType is None:
            raise InvalidInputException("A context entry has ContextKeyName, ContextKeyValues and ContextKeyType.")
        values = tuple(entry.ContextKeyValues or ())
        several = entry.ContextKeyType.endswith("List") or len(values) != 1
        context[entry.ContextKeyName.lower()] = values if several else values[0]
    return context


# --- policies


def _layer(name: str, texts: list[str]) -> Layer:
    checked = _checked(name, texts)
    return Layer(Attached(compile_policy(text), f"{name}.{number}") for number, text in enumerate(checked, 1))


def _checked(name: str, texts: list[str]) -> Iterator[str]:
    for number, text in enumerate(texts, 1):
        try:
            syntax.parse(text)
        except PolicyError as error:
            raise InvalidInputException(f"Invalid policy {name}.{number}: {error}") from None
        if not compile_policy(text).readable:
            raise InvalidInputException(f"Invalid policy {name}.{number}: {syntax.SYNTAX_ERROR}")
        yield text


def _boundary(request: Simulation) -> Layer | None:
    given = request.PermissionsBoundaryPolicyInputList
    if not given:
        return None
    if len(given) > 1:
        raise InvalidInputException("Only one permissions boundary can be simulated.")
    return _layer("PermissionsBoundaryPolicyInputList", given)


def _resource_policy(request: Simulation) -> Layer | None:
    if request.ResourcePolicy is None:
        return None
    text = next(_checked("ResourcePolicy", [request.ResourcePolicy]))
    return Layer([Attached(compile_policy(text), "ResourcePolicy")])


def _scps(call: Call, source: str) -> tuple[Layer, ...]:
    """The service control policies that bind the principals of the account."""
    place = organizations.membership(call.transaction, call.partition, call.account)
    return () if place is None or arn.is_service_linked(source) else place.scps


def _attached(policy: Applying) -> Attached:
    return Attached(compile_policy(policy.text), policy.id, policy.arn)


def _managed(call: Call, policy_arn: str) -> list[Attached]:
    policy = entities.policy(call.transaction, policy_arn)
    if policy is None:
        return []
    text = entities.default_document(call.transaction, policy)
    return [Attached(compile_policy(text), policy.name, policy_arn)]

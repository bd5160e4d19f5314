"""ValidatePolicy: the findings of `bailiwick policy check` on the wire. Source: facts/policy.md section 7.1."""

from __future__ import annotations

from bailiwick import lists
from bailiwick.analysis.findings import FindingType, Located, PolicyKind, check
from bailiwick.api import Call
from bailiwick.core.formats import make_marker
from bailiwick.core.policy.places import Position
from bailiwick.services.accessanalyzer import shapes
from bailiwick.services.accessanalyzer.service import accessanalyzer, nothing

_KINDS = {
    "IDENTITY_POLICY": PolicyKind.IDENTITY,
    "RESOURCE_POLICY": PolicyKind.RESOURCE,
    "SERVICE_CONTROL_POLICY": PolicyKind.SCP,
    "RESOURCE_CONTROL_POLICY": PolicyKind.RCP,
}
_TRUST = "AWS::IAM::AssumeRolePolicyDocument"
_PAGE = 100
_REFERENCE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html"
_ANCHORS = {
    FindingType.ERROR: "error",
    FindingType.SECURITY_WARNING: "security-warning",
    FindingType.WARNING: "general-warning",
    FindingType.SUGGESTION: "suggestion",
}


@accessanalyzer.operation("ValidatePolicy", on=nothing)
def validate_policy(
    call: Call, request: shapes.ValidatePolicyRequest, record: None
) -> shapes.ValidatePolicyResponse:
    kind = _KINDS[request.policyType]
    if kind is PolicyKind.RESOURCE and request.validatePolicyResourceType == _TRUST:
        kind = PolicyKind.TRUST
    found = check(request.policyDocument, kind)
    first, most = _after(call, request.nextToken), min(request.maxResults or _PAGE, _PAGE)
    more = len(found) > first + most
    return shapes.ValidatePolicyResponse(
        findings=[_finding(each) for each in found[first : first + most]],
        nextToken=make_marker(call.environment.ring, _scope(call), str(first + most)) if more else None,
    )


def _after(call: Call, token: str | None) -> int:
    refused = shapes.ValidationException("The token is not valid.", reason="fieldValidationFailed")
    return int(lists.after(call, _scope(call), token, refused) or 0)


def _scope(call: Call) -> str:
    return f"{call.account}/{call.operation.action}"


def _finding(located: Located) -> shapes.ValidatePolicyFinding:
    finding = located.finding
    anchor = f"{_ANCHORS[finding.type]}-{finding.code.lower().replace('_', '-')}"
    return shapes.ValidatePolicyFinding(
        findingDetails=finding.details,
        findingType=finding.type.value,
        issueCode=finding.code,
        learnMoreLink=f"{_REFERENCE}#access-analyzer-reference-policy-checks-{anchor}",
        locations=[
            shapes.Location(
                path=[
                    shapes.PathElement(index=step) if isinstance(step, int) else shapes.PathElement(value=step)
                    for step in finding.path
                ],
                span=shapes.Span(
                    start=_position(located.begins, located.start), end=_position(located.ends, located.end)
                ),
            )
        ],
    )


def _position(position: Position, offset: int) -> shapes.Position:
    """Lines count from 1 here, columns and characters from 0."""
    return shapes.Position(line=position.line, column=position.column - 1, offset=offset)

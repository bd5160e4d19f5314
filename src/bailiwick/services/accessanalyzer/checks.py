"""The custom policy checks: is access granted, is it new, is it public. Source: facts/policy.md section 7.2."""

from __future__ import annotations

from bailiwick.analysis import comparison
from bailiwick.analysis.comparison import Reason
from bailiwick.api import Call
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import syntax
from bailiwick.core.policy.syntax import Document
from bailiwick.services.accessanalyzer import shapes
from bailiwick.services.accessanalyzer.service import accessanalyzer, nothing
from bailiwick.services.accessanalyzer.shapes import InvalidParameterException

_PASS, _FAIL = "PASS", "FAIL"


@accessanalyzer.operation("CheckAccessNotGranted", on=nothing)
def check_access_not_granted(
    call: Call, request: shapes.CheckAccessNotGrantedRequest, record: None
) -> shapes.CheckAccessNotGrantedResponse:
    if not request.access or not (request.access[0].actions or request.access[0].resources):
        raise InvalidParameterException("The access to check names neither actions nor resources.")
    access = request.access[0]
    found = comparison.not_granted(_read(request.policyDocument), access.actions or [], access.resources or [])
    return shapes.CheckAccessNotGrantedResponse(
        result=_FAIL if found else _PASS,
        message="The policy document grants access to perform one or more of the listed actions or resources."
        if found
        else "The policy document does not grant access to perform the listed actions or resources.",
        reasons=_reasons(found, "One or more of the listed actions or resources"),
    )


@accessanalyzer.operation("CheckNoNewAccess", on=nothing)
def check_no_new_access(
    call: Call, request: shapes.CheckNoNewAccessRequest, record: None
) -> shapes.CheckNoNewAccessResponse:
    found = comparison.new_access(_read(request.newPolicyDocument), _read(request.existingPolicyDocument))
    return shapes.CheckNoNewAccessResponse(
        result=_FAIL if found else _PASS,
        message="The modified permissions grant new access compared to your existing policy."
        if found
        else "The modified permissions do not grant new access compared to your existing policy.",
        reasons=_reasons(found, "New access"),
    )


@accessanalyzer.operation("CheckNoPublicAccess", on=nothing)
def check_no_public_access(
    call: Call, request: shapes.CheckNoPublicAccessRequest, record: None
) -> shapes.CheckNoPublicAccessResponse:
    found = comparison.public_access(_read(request.policyDocument))
    return shapes.CheckNoPublicAccessResponse(
        result=_FAIL if found else _PASS,
        message="The resource policy grants public access for the given resource type."
        if found
        else "The resource policy does not grant public access for the given resource type.",
        reasons=_reasons(found, "Public access"),
    )


def _read(text: str) -> Document:
    try:
        return syntax.parse(text)
    except PolicyError as error:
        raise InvalidParameterException(f"The policy document is not valid: {error}") from None


def _reasons(found: list[Reason], what: str) -> list[shapes.ReasonSummary]:
    return [
        shapes.ReasonSummary(
            description=f"{what} in the statement with {_name(each)}.",
            statementIndex=each.statement,
            statementId=each.sid,
        )
        for each in found
    ]


def _name(reason: Reason) -> str:
    return f"sid: {reason.sid}" if reason.sid else f"index: {reason.statement}"

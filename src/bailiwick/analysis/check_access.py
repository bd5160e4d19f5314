"""Findings about what a statement gives away. facts/policy.md sections 7.1 and 7.3."""

from __future__ import annotations

from collections.abc import Iterator

from bailiwick.analysis.findings import Finding, PolicyKind, Statement, security_warning, warning
from bailiwick.core.policy import patterns

_PASSING = "iam:passrole"
_LINKED = "iam:createservicelinkedrole"


def statement(found: Statement, kind: PolicyKind) -> Iterator[Finding]:
    """Security warnings about one statement of an identity policy."""
    if kind is not PolicyKind.IDENTITY or not found.allows:
        return
    keys = found.condition_keys()
    if "iam:passedtoservice" not in keys:
        yield from _pass_role(found)
    if _names(found, _LINKED) and _everywhere(found) and "iam:awsservicename" not in keys:
        details = "This makes service-linked roles for every service: add a condition on iam:AWSServiceName."
        yield warning("CREATE_SLR_WITH_STAR_IN_RESOURCE", details, (*found.path, "Resource"))


def _pass_role(found: Statement) -> Iterator[Finding]:
    """Passing any role to any service is taking any role."""
    listed = [text.lower() for text, _ in found.texts("Action")]
    by_star = any(text in ("*", "iam:*") for text in listed)
    by_exception = "NotAction" in found.value and not _excepted(found)
    if not (_names(found, _PASSING) or by_exception):
        return
    shape = "NOTACTION" if by_exception else "STAR_IN_ACTION" if by_star else ""
    if "NotResource" in found.value:
        code = {
            "NOTACTION": "PASS_ROLE_WITH_NOTACTION_AND_NOTRESOURCE",
            "STAR_IN_ACTION": "PASS_ROLE_WITH_STAR_IN_ACTION_AND_NOTRESOURCE",
        }.get(shape, "PASS_ROLE_WITH_NOTRESOURCE")
        path = (*found.path, "NotResource")
    elif _everywhere(found):
        code = {
            "NOTACTION": "PASS_ROLE_WITH_STAR_IN_RESOURCE_AND_NOTACTION",
            "STAR_IN_ACTION": "PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE",
        }.get(shape, "PASS_ROLE_WITH_STAR_IN_RESOURCE")
        path = (*found.path, "Resource")
    else:
        return
    details = "Whoever passes any role can use what any role may do: name the roles, or add iam:PassedToService."
    yield security_warning(code, details, path)


def _names(found: Statement, action: str) -> bool:
    return patterns.actions(found.actions())(action)


def _excepted(found: Statement) -> bool:
    return patterns.actions([text for text, _ in found.texts("NotAction")])(_PASSING)


def _everywhere(found: Statement) -> bool:
    return any(text in ("*", "arn:aws:iam::*:role/*") for text, _ in found.texts("Resource"))

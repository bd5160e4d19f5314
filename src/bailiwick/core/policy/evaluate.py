"""One layer of policies against one question: is something denied, is something allowed, and how.

How the layers combine is in decide.py.
"""

from __future__ import annotations

from typing import NamedTuple

from bailiwick.core.policy.compile import CompiledStatement, everywhere
from bailiwick.core.policy.layer import Entry, Layer
from bailiwick.core.policy.patterns import ResourceName, resource_name
from bailiwick.core.policy.principals import Grant
from bailiwick.core.policy.question import Context, Lack, Match, Principal, Question, Rule


class Asked(NamedTuple):
    """A question in the form that statements are asked in.

    `bounded` tells whether the caller has a permissions boundary. `implied` tells whether a statement
    without Resource is about the resource that its policy belongs to, as in a trust policy.
    """

    action: str
    resource: ResourceName
    context: Context
    principal: Principal
    bounded: bool
    implied: bool


class Verdict(NamedTuple):
    """What a layer says: the Deny that matched, or else the Allow, and how that one names the caller."""

    deny: Match | None = None
    allow: Match | None = None
    grant: Grant = Grant.NONE


SILENT = Verdict()


def ask(question: Question, *, bounded: bool) -> Asked:
    """Prepare a question for all layers."""
    return Asked(
        question.action.lower(),
        resource_name(question.resource),
        question.context,
        question.principal,
        bounded,
        question.rule is Rule.TRUST,
    )


def of_principal(layer: Layer, asked: Asked) -> Verdict:
    """The verdict of policies attached to the caller: identity, boundary, session, service control.

    They name no principal. An Allow that does is not meant for such a layer and grants nothing; a Deny
    denies.
    """
    denies, allows = layer.candidates(asked.action, asked.resource)
    for statement, match in denies:
        if _applies(statement, asked):
            return Verdict(deny=match)
    for statement, match in allows:
        if _applies(statement, asked) and not statement.names_principals:
            return Verdict(allow=match)
    return SILENT


def of_control(layer: Layer, asked: Asked) -> Verdict:
    """The verdict of resource control policies: they name principals, but grant nothing, and so to nobody."""
    denies, allows = layer.candidates(asked.action, asked.resource)
    denied = _denied(denies, asked)
    if denied is not None:
        return Verdict(deny=denied)
    for statement, match in allows:
        if statement.names(asked.principal) and _applies(statement, asked):
            return Verdict(allow=match)
    return SILENT


def of_resource(layer: Layer, asked: Asked) -> Verdict:
    """The verdict of policies attached to the resource; of several Allows, that of the strongest grant."""
    denies, allows = layer.candidates(asked.action, asked.resource)
    denied = _denied(denies, asked)
    if denied is not None:
        return Verdict(deny=denied)
    best = SILENT
    for statement, match in allows:
        grant = statement.grant(asked.principal)
        if grant > best.grant and _applies(statement, asked):
            best = Verdict(allow=match, grant=grant)
    return best


def _denied(denies: tuple[Entry, ...], asked: Asked) -> Match | None:
    """The first Deny that is meant for the caller and applies."""
    for statement, match in denies:
        if statement.denies(asked.principal, asked.bounded) and _applies(statement, asked):
            return match
    return None


def _applies(statement: CompiledStatement, asked: Asked) -> bool:
    """Whether a statement about this action is also about this resource, in this context."""
    covers, holds = statement.covers, statement.holds
    if covers is not everywhere and not _covered(statement, asked):
        return False
    return holds is None or holds(asked.context)


def _covered(statement: CompiledStatement, asked: Asked) -> bool:
    """Whether a statement is about this resource. Without an element that says so, only where it is implied."""
    covers = statement.covers
    return asked.implied if covers is None else bool(covers(asked.resource, asked.context))


def lacking(statement: CompiledStatement, asked: Asked, of_resource: bool) -> tuple[Lack, ...]:
    """What kept a statement from applying; () if it did. `of_resource` if it belongs to a policy of that."""
    written, lacks = statement.written, []
    if not statement.acts(asked.action):
        lacks.append(Lack("Action" if written.action is not None else "NotAction", written.actions))
    if not _covered(statement, asked):
        lacks.append(Lack("NotResource" if written.not_resource is not None else "Resource", written.resources))
    if not _meant(statement, asked, of_resource):
        named = written.principal if written.principal is not None else written.not_principal
        element = "NotPrincipal" if written.not_principal is not None else "Principal"
        lacks.append(Lack(element, tuple(value for values in (named or {}).values() for value in values)))
    for condition, test in zip(written.conditions, statement.tests, strict=True):
        if not test(asked.context):
            found = asked.context.get(condition.key.lower())
            lacks.append(Lack("Condition", condition.values, condition.operator, condition.key, found))
    return tuple(lacks)


def _meant(statement: CompiledStatement, asked: Asked, of_resource: bool) -> bool:
    """Whether a statement is meant for the caller."""
    if not of_resource:
        return not (statement.allows and statement.names_principals)
    if statement.allows:
        return statement.grant(asked.principal) is not Grant.NONE
    return statement.denies(asked.principal, asked.bounded)

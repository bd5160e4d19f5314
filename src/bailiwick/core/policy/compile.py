"""Policies compiled once, when first seen, into statements that a decision only has to ask.

`compile_policy` is memoised by content. A `Layer` pools the policies of one kind that apply together and
remembers which of their statements speak of an action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, NamedTuple

import msgspec

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import conditions, patterns, syntax, variables
from bailiwick.core.policy.patterns import Matcher, ResourceName
from bailiwick.core.policy.principals import Grant, Named, named
from bailiwick.core.policy.question import Context, Match, Principal
from bailiwick.core.policy.syntax import Document, Statement

_POLICIES_REMEMBERED = 2048
_ACTIONS_REMEMBERED = 512

_Pattern = Callable[[ResourceName, Context], bool | None]  # None: a variable in it has no value

Covers = _Pattern
"""Whether a statement is about a resource; the context gives variables their values. None means no."""


class CompiledStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, ready to be asked. `covers` is None if it has neither Resource nor NotResource."""

    index: int
    sid: str | None
    allows: bool
    acts: Matcher
    covers: Covers | None
    holds: conditions.Test | None  # None: without conditions
    principal: Named | None = None
    not_principal: Named | None = None

    @property
    def names_principals(self) -> bool:
        """Whether it has a Principal or NotPrincipal element, as the policies of resources do."""
        return self.principal is not None or self.not_principal is not None

    def grant(self, who: Principal) -> Grant:
        """How an Allow names the caller. NotPrincipal names everyone but those listed in any form."""
        if self.principal is not None:
            return self.principal.grant(who)
        if self.not_principal is not None:
            return Grant.NONE if self.not_principal.names(who) else Grant.DIRECT
        return Grant.NONE

    def denies(self, who: Principal, bounded: bool) -> bool:
        """Whether a Deny is meant for the caller; `bounded` if the caller has a permissions boundary."""
        if self.principal is not None:
            return self.principal.names(who)
        if self.not_principal is not None:
            return bounded or not self.not_principal.exempts(who)
        return False


class CompiledPolicy(msgspec.Struct, frozen=True):
    """The statements of one policy. `readable` is false for text that is no policy: it denies everything."""

    statements: tuple[CompiledStatement, ...]
    readable: bool = True


_DENY_EVERYTHING = CompiledPolicy(
    (
        CompiledStatement(
            index=0,
            sid=None,
            allows=False,
            acts=lambda action: True,
            covers=lambda resource, context: True,
            holds=None,
            not_principal=named({}, {}),  # nobody is exempt
        ),
    ),
    readable=False,
)


def compile_policy(text: str, pins: Mapping[str, str] = {}) -> CompiledPolicy:
    """Compile a stored policy. `pins` maps principal ARNs in it to the unique ids they meant when saved.

    The text was checked before it was stored. Should it no longer read as a policy, nobody knows what it
    forbade, so what comes back grants nothing and denies everything to everyone.
    """
    return _compiled(text, tuple(sorted(pins.items())))


@lru_cache(maxsize=_POLICIES_REMEMBERED)
def _compiled(text: str, pins: tuple[tuple[str, str], ...]) -> CompiledPolicy:
    try:
        found = syntax.parse(text)
        return CompiledPolicy(tuple(_statement(found, each, dict(pins)) for each in found.statements))
    except PolicyError:
        return _DENY_EVERYTHING


class Attached(NamedTuple):
    """A policy as part of a layer: under its name, and its ARN if it is a managed one."""

    policy: CompiledPolicy
    name: str
    arn: str | None = None


class Entry(NamedTuple):
    """A statement in a layer, and what a decision that rests on it says of it."""

    statement: CompiledStatement
    match: Match


class Candidates(NamedTuple):
    """The statements of a layer that speak of one action."""

    denies: tuple[Entry, ...]
    allows: tuple[Entry, ...]


class Layer:
    """The policies of one kind that apply together, pooled. Immutable but for its memory of actions."""

    EMPTY: ClassVar[Layer]
    """A layer without policies: it denies nothing and grants nothing."""

    __slots__ = ("_entries", "_remembered")

    def __init__(self, policies: Iterable[Attached]) -> None:
        self._entries = [
            Entry(statement, Match(name, arn, statement.index, statement.sid))
            for policy, name, arn in policies
            for statement in policy.statements
        ]
        self._remembered: dict[str, Candidates] = {}

    def candidates(self, action: str) -> Candidates:
        """The statements that speak of `action`, given in lower case."""
        found = self._remembered.get(action)
        return found if found is not None else self._find(action)

    def _find(self, action: str) -> Candidates:
        entries = [entry for entry in self._entries if entry.statement.acts(action)]
        found = Candidates(
            tuple(entry for entry in entries if not entry.statement.allows),
            tuple(entry for entry in entries if entry.statement.allows),
        )
        if len(self._remembered) >= _ACTIONS_REMEMBERED:
            self._remembered.clear()
        self._remembered[action] = found
        return found


Layer.EMPTY = Layer(())


# --- one statement


def _statement(document: Document, statement: Statement, pins: Mapping[str, str]) -> CompiledStatement:
    if statement.effect not in ("Allow", "Deny"):
        raise PolicyError(syntax.SYNTAX_ERROR)
    closed = statement.effect == "Deny"
    return CompiledStatement(
        index=statement.index,
        sid=statement.sid,
        allows=not closed,
        acts=_acts(statement),
        covers=_covers(document, statement, closed),
        holds=_holds(document, statement, closed),
        principal=named(statement.principal, pins) if statement.principal is not None else None,
        not_principal=named(statement.not_principal, pins) if statement.not_principal is not None else None,
    )


def _acts(statement: Statement) -> Matcher:
    if statement.not_action is not None:
        excepted = patterns.actions(statement.not_action)
        return lambda action: not excepted(action)
    return patterns.actions(statement.action or ())


def _holds(document: Document, statement: Statement, closed: bool) -> conditions.Test | None:
    tests = []
    for condition in statement.conditions:
        name = conditions.written(condition.operator)
        assert name is not None, "the grammar lets no unknown operator through"
        tests.append(
            conditions.compile_test(
                name, condition.key, condition.values, variables=document.has_variables, closed=closed
            )
        )
    return conditions.all_of(tests) if tests else None


def _covers(document: Document, statement: Statement, closed: bool) -> Covers | None:
    whole = statement.principal is not None or statement.not_principal is not None
    texts = statement.resources
    found = [_resource(text, variables=document.has_variables, whole=whole) for text in texts]
    if statement.resource is not None:
        return _any_covers("*" in texts, found)
    if statement.not_resource is not None:
        return _none_covers(found, closed)
    return None


def _any_covers(everything: bool, found: Sequence[_Pattern]) -> Covers:
    if everything:
        return lambda resource, context: True
    if len(found) == 1:
        return found[0]
    return lambda resource, context: any(pattern(resource, context) for pattern in found)


def _none_covers(found: Sequence[_Pattern], closed: bool) -> Covers:
    """NotResource: no pattern matches. `closed` where an unresolved variable leaves that unknown."""

    def covers(resource: ResourceName, context: Context) -> bool:
        results = [pattern(resource, context) for pattern in found]
        if True in results:
            return False
        return closed if None in results else True

    return covers


def _resource(text: str, *, variables: bool, whole: bool) -> _Pattern:
    """One entry of Resource or NotResource (facts/policy.md section 1.4).

    An ARN cut short has `*` for the fields it lacks; in the policy of a resource (`whole`) only if it
    holds a `*` somewhere, and otherwise it matches nothing.
    """
    if text == "*":
        return lambda resource, context: True
    fields = text.split(":", patterns.HEAD_FIELDS)
    short = len(fields) <= patterns.HEAD_FIELDS
    if len(fields) == 1 or (short and whole and "*" not in text):
        return lambda resource, context: False
    fields += ["*"] * (patterns.HEAD_FIELDS + 1 - len(fields))
    return _arn(fields[: patterns.HEAD_FIELDS], fields[patterns.HEAD_FIELDS], has_variables=variables)


def _arn(fields: list[str], tail: str, *, has_variables: bool) -> _Pattern:
    template = variables.template(tail, variables=has_variables, wildcards=True)
    head, in_head = patterns.plain_head(fields), patterns.arn_head(fields)
    if template.fixed is not None:
        in_tail = patterns.glob(template.fixed)
        if head is not None:  # most policies: a call saved for each of their statements
            return lambda resource, context: resource.head == head and in_tail(resource.tail)
        return lambda resource, context: in_head(resource) and in_tail(resource.tail)

    def matches(resource: ResourceName, context: Context) -> bool | None:
        if not in_head(resource):
            return False
        parts = template.resolve(context)
        return None if parts is None else patterns.glob(parts)(resource.tail)

    return matches

"""Policies compiled once, when first seen, into statements that a decision only has to ask.

`compile_policy` gives the same for the same content while anybody holds it. How policies are pooled in layers, and
how the statements that speak of an action are found there, is in layer.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from weakref import WeakValueDictionary

import msgspec

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import conditions, patterns, syntax, variables
from bailiwick.core.policy.patterns import Matcher, ResourceName
from bailiwick.core.policy.principals import Grant, Named, named
from bailiwick.core.policy.question import Context, Principal
from bailiwick.core.policy.syntax import Document, Statement

BYTES_PER_LETTER = 20
"""Measured, a policy takes some twenty times its text."""

_Pattern = Callable[[ResourceName, Context], bool | None]  # None: a variable in it has no value

Covers = _Pattern
"""Whether a statement is about a resource; the context gives variables their values. None means no."""


def everywhere(resource: ResourceName, context: Context) -> bool:
    """What Resource `*` covers: everything."""
    return True


class CompiledStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, ready to be asked.

    `covers` is None if it has neither Resource nor NotResource. `tests` are those of `written.conditions`,
    one for one; `holds` is all of them together, None if there are none. `services` are the only ones whose
    actions it can speak of, None for any; `prefixes` what the text of a resource that it covers begins with.
    `keys` are the condition keys, in lower case, that have a say in whether it applies.
    """

    written: Statement
    allows: bool
    acts: Matcher
    covers: Covers | None
    tests: tuple[conditions.Test, ...] = ()
    holds: conditions.Test | None = None
    principal: Named | None = None
    not_principal: Named | None = None
    services: frozenset[str] | None = None
    prefixes: frozenset[str] = frozenset({""})
    keys: frozenset[str] = frozenset()

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

    def names(self, who: Principal) -> bool:
        """Whether the caller is named in any form, `*` included, as control policies name everyone."""
        if self.principal is not None:
            return self.principal.names(who)
        return self.not_principal is not None and not self.not_principal.names(who)

    def denies(self, who: Principal, bounded: bool) -> bool:
        """Whether a Deny is meant for the caller; `bounded` if the caller has a permissions boundary."""
        if self.principal is not None:
            return self.principal.names(who)
        if self.not_principal is not None:
            return bounded or not self.not_principal.exempts(who)
        return False


class CompiledPolicy(msgspec.Struct, frozen=True, weakref=True):
    """The statements of one policy, and its text.

    `readable` is false for text that is no policy: it denies everything.
    """

    statements: tuple[CompiledStatement, ...]
    text: str
    readable: bool = True


_DENY_EVERYTHING = CompiledStatement(
    written=Statement(index=0, effect="Deny"),
    allows=False,
    acts=lambda action: True,
    covers=everywhere,
    not_principal=named({}, {}),  # nobody is exempt
)


def compile_policy(text: str, pins: Mapping[str, str] = {}) -> CompiledPolicy:
    """Compile a stored policy. `pins` maps principal ARNs in it to the unique ids they meant when saved.

    The text was checked before it was stored. Should it no longer read as a policy, nobody knows what it
    forbade, so what comes back grants nothing and denies everything to everyone.
    """
    key = text, tuple(sorted(pins.items()))
    found = alive.get(key)
    if found is None:
        found = alive[key] = _compiled(*key)
    return found


alive: WeakValueDictionary[tuple[str, tuple[tuple[str, str], ...]], CompiledPolicy] = WeakValueDictionary()
"""The policies that somebody holds, by text and pins: many roles have the same."""


def _compiled(text: str, pins: tuple[tuple[str, str], ...]) -> CompiledPolicy:
    try:
        found = syntax.parse(text)
        return CompiledPolicy(tuple(_statement(found, each, dict(pins)) for each in found.statements), text)
    except PolicyError:
        return CompiledPolicy((_DENY_EVERYTHING,), text, readable=False)


# --- one statement


def _statement(document: Document, statement: Statement, pins: Mapping[str, str]) -> CompiledStatement:
    if statement.effect not in ("Allow", "Deny"):
        raise PolicyError(syntax.SYNTAX_ERROR)
    closed = statement.effect == "Deny"
    tests = _tests(document, statement, closed)
    return CompiledStatement(
        written=statement,
        allows=not closed,
        acts=_acts(statement),
        covers=_covers(document, statement, closed),
        tests=tests,
        holds=conditions.all_of(tests) if tests else None,
        services=_services(statement),
        prefixes=_prefixes(document, statement),
        keys=frozenset(map(str.lower, statement.condition_keys(has_variables=document.has_variables))),
        principal=named(statement.principal, pins) if statement.principal is not None else None,
        not_principal=named(statement.not_principal, pins) if statement.not_principal is not None else None,
    )


def _acts(statement: Statement) -> Matcher:
    if statement.not_action is not None:
        excepted = patterns.actions(statement.not_action)
        return lambda action: not excepted(action)
    return patterns.actions(statement.action or ())


def _services(statement: Statement) -> frozenset[str] | None:
    if statement.not_action is not None or "*" in (statement.action or ()):
        return None
    return frozenset(pattern.partition(":")[0].lower() for pattern in statement.action or ())


def _tests(document: Document, statement: Statement, closed: bool) -> tuple[conditions.Test, ...]:
    tests = []
    for condition in statement.conditions:
        name = conditions.written(condition.operator)
        assert name is not None, "the grammar lets no unknown operator through"
        tests.append(
            conditions.compile_test(
                name, condition.key, condition.values, variables=document.has_variables, closed=closed
            )
        )
    return tuple(tests)


def _prefixes(document: Document, statement: Statement) -> frozenset[str]:
    if statement.resource is None:
        return frozenset({""})
    return frozenset(_prefix(text, has_variables=document.has_variables) for text in statement.resource)


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
        return everywhere
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


def _prefix(text: str, *, has_variables: bool) -> str:
    """What the `ResourceName.key` of everything that this pattern covers begins with."""
    *fields, tail = patterns.arn_fields(text)
    head = ":".join(fields).lower()
    literal = patterns.literal_prefix(head)
    if literal != head:
        return literal
    first = variables.template(tail, variables=has_variables, wildcards=True).parts[:1]
    return f"{head}:{first[0] if first and isinstance(first[0], str) else ''}"


def _resource(text: str, *, variables: bool, whole: bool) -> _Pattern:
    """One entry of Resource or NotResource (facts/policy.md section 1.4).

    An ARN cut short has `*` for the fields it lacks; in the policy of a resource (`whole`) only if it
    holds a `*` somewhere, and otherwise it matches nothing.
    """
    if text == "*":
        return lambda resource, context: True
    colons = text.count(":")
    if colons == 0 or (colons < patterns.HEAD_FIELDS and whole and "*" not in text):
        return lambda resource, context: False
    *head, tail = patterns.arn_fields(text)
    return _arn(head, tail, has_variables=variables)


def _arn(fields: list[str], tail: str, *, has_variables: bool) -> _Pattern:
    template = variables.template(tail, variables=has_variables, wildcards=True)
    head, in_head = patterns.plain_head(fields), patterns.arn_head(fields)
    if template.fixed is not None and head is not None:  # most policies: a call saved for each of their statements
        matches = patterns.glob(template.fixed)
        return lambda resource, context: resource.head == head and matches(resource.tail)
    in_tail = variables.pattern(template)
    return lambda resource, context: in_head(resource) and in_tail(resource.tail, context)

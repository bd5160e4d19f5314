"""What a policy can allow, compared as sets: Access Analyzer's custom checks. Source: facts/policy.md section 7.2.

A document is taken alone. Where sets cannot be told apart by looking at patterns and conditions, the answer is the
careful one: that access is granted, that it is new, that it is public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from bailiwick.core.policy.patterns import Piece, Wildcard, arn_fields, pieces
from bailiwick.core.policy.syntax import Condition, Document, Statement

# facts/policy.md section 4.9: a fixed value of one of these makes a statement about someone, not everyone
_FIXING = frozenset(
    f"aws:{key}"
    for key in (
        *("principalorgid", "principalorgpaths", "principalaccount", "principalarn", "principalservicename"),
        *("userid", "sourcevpc", "sourcevpcarn", "sourcevpce", "vpceaccount", "vpceorgid", "vpceorgpaths"),
        *("sourceip", "sourcearn", "sourceaccount", "sourceorgid", "sourceowner"),
    )
) | {"kms:calleraccount", "kms:viaservice", "sts:externalid"}


_CLOSED = (":saml-provider/", ":ldap-provider/")  # providers that serve one company each


class Reason(NamedTuple):
    """The statement because of which a check fails."""

    statement: int
    sid: str | None


# --- patterns as sets of texts


def covers(wide: str, narrow: str) -> bool:
    """Whether every text that `narrow` describes, `wide` describes as well. False where it cannot be told."""
    return _within(_signs(wide), _signs(narrow))


def overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns."""
    left, right = _signs(one), _signs(other)
    row = {0}  # the places of `right` at which `left`, read so far, can meet it
    row = _skipping(row, right)
    for sign in left:
        if sign is Wildcard.ANY:
            row = set(range(min(row), len(right) + 1)) if row else set()
            continue
        met = {at + 1 for at in row if at < len(right) and _meet(sign, right[at])}
        met |= {at for at in row if at < len(right) and right[at] is Wildcard.ANY}
        row = _skipping(met, right)
    return len(right) in row


def _signs(pattern: str) -> list[Piece]:
    """A pattern letter by letter."""
    signs: list[Piece] = []
    for part in pieces(pattern):
        signs += [part] if isinstance(part, Wildcard) else list(part)
    return signs


def _meet(one: Piece, other: Piece) -> bool:
    return one is Wildcard.ONE or other in (Wildcard.ONE, Wildcard.ANY) or one == other


def _skipping(places: set[int], signs: Sequence[Piece]) -> set[int]:
    """The places, and those behind stars that stand for nothing."""
    found = set(places)
    for at in sorted(places):
        while at < len(signs) and signs[at] is Wildcard.ANY:
            at += 1
            found.add(at)
    return found


def _within(wide: Sequence[Piece], narrow: Sequence[Piece]) -> bool:
    """Match `wide` against `narrow`, whose own wildcards only wildcards as wide can match."""
    row = {0}
    for sign in wide:
        if sign is Wildcard.ANY:
            row = set(range(min(row), len(narrow) + 1)) if row else set()
            continue
        row = {
            at + 1
            for at in row
            if at < len(narrow)
            and narrow[at] is not Wildcard.ANY
            and (sign is Wildcard.ONE or (narrow[at] is not Wildcard.ONE and narrow[at] == sign))
        }
    return len(narrow) in row


def _action_within(wide: str, narrow: str) -> bool:
    """`covers` for patterns of actions: they have no case, and a wildcard does not stand for a service."""
    wide, narrow = wide.lower(), narrow.lower()
    return wide == "*" or (wide.partition(":")[0] == narrow.partition(":")[0] and covers(wide, narrow))


def _actions_meet(one: str, other: str) -> bool:
    return overlap(one.lower(), other.lower())


def _resource_within(wide: str, narrow: str) -> bool:
    """`covers` for patterns of resources, whatever the variables in them stand for."""
    if wide in ("*", narrow):
        return True
    if narrow == "*" or "${" in wide:
        return False
    return all(map(covers, _fields(wide), _fields(narrow)))


def _resources_meet(one: str, other: str) -> bool:
    return "*" in (one, other) or all(map(overlap, _fields(one), _fields(other)))


def _fields(pattern: str) -> list[str]:
    """The six fields of an ARN's pattern; the first five have no case, in the last a variable may be anything."""
    *head, tail = arn_fields(pattern)
    before, variable, _ = tail.partition("${")
    return [*(field.lower() for field in head), before + "*" if variable else tail]


# --- the checks


def not_granted(found: Document, actions: Sequence[str], resources: Sequence[str]) -> list[Reason]:
    """The statements by which one of these actions can be allowed on one of these resources; [] if none can."""
    wanted = [(action, resource) for action in actions or ["*"] for resource in resources or ["*"]]
    return [
        Reason(statement.index, statement.sid)
        for statement in _allows(found)
        if any(
            _may_act(statement, action) and _may_cover(statement, resource) and not _denied(found, action, resource)
            for action, resource in wanted
        )
    ]


def new_access(new: Document, existing: Document) -> list[Reason]:
    """The statements of `new` that may allow what `existing` does not; [] if there is nothing new."""
    reasons = [
        Reason(statement.index, statement.sid)
        for statement in _allows(new)
        if not any(_includes(old, statement) for old in _allows(existing))
    ]
    lifted = [old for old in _denies(existing) if not any(_includes(deny, old) for deny in _denies(new))]
    for statement in _allows(new):
        reason = Reason(statement.index, statement.sid)
        if reason not in reasons and any(_touches(old, statement) for old in lifted):
            reasons.append(reason)  # a Deny that is gone may have kept it from applying
    return reasons


def public_access(found: Document) -> list[Reason]:
    """The statements that allow everyone, or strangers of an unknown account."""
    return [
        Reason(statement.index, statement.sid)
        for statement in _allows(found)
        if _names_everyone(statement) and not _fixed(statement) and not _denied_to_all(found, statement)
    ]


def _allows(found: Document) -> Iterable[Statement]:
    return (statement for statement in found.statements if statement.effect == "Allow")


def _denies(found: Document) -> Iterable[Statement]:
    return (statement for statement in found.statements if statement.effect == "Deny")


# --- what a statement may be about


def _may_act(statement: Statement, action: str) -> bool:
    if statement.not_action is not None:
        return not any(_action_within(pattern, action) for pattern in statement.not_action)
    return any(_actions_meet(pattern, action) for pattern in statement.action or ())


def _may_cover(statement: Statement, resource: str) -> bool:
    if statement.not_resource is not None:
        return not any(_resource_within(pattern, resource) for pattern in statement.not_resource)
    if statement.resource is None:
        return True  # a trust policy
    return any(_resources_meet(pattern, resource) for pattern in statement.resource)


def _denied(found: Document, action: str, resource: str) -> bool:
    """Whether a Deny without conditions, meant for everyone, covers all of this."""
    return any(
        not statement.conditions
        and (statement.principal is None or "*" in statement.principal.get("AWS", ()))
        and statement.not_principal is None
        and any(_action_within(pattern, action) for pattern in statement.action or ())
        and any(_resource_within(pattern, resource) for pattern in statement.resource or ("*",))
        for statement in _denies(found)
    )


def _denied_to_all(found: Document, statement: Statement) -> bool:
    actions, resources = statement.action or ("*",), statement.resource or ("*",)
    return all(_denied(found, action, resource) for action in actions for resource in resources)


def _touches(deny: Statement, allow: Statement) -> bool:
    """Whether a Deny and an Allow may be about the same request."""
    actions, resources = allow.action or ("*",), allow.resource or ("*",)
    return any(_may_act(deny, action) for action in actions) and any(
        _may_cover(deny, resource) for resource in resources
    )


# --- one statement within another of the same effect


def _includes(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` applies wherever `narrow` does."""
    return (
        _listed(wide.action, wide.not_action, narrow.action, narrow.not_action, _action_within, _actions_meet)
        and _listed(
            wide.resource,
            wide.not_resource,
            narrow.resource,
            narrow.not_resource,
            _resource_within,
            _resources_meet,
        )
        and _principals(wide, narrow)
        and all(any(_implies(have, want) for have in narrow.conditions) for want in wide.conditions)
    )


def _listed(
    wide: Sequence[str] | None,
    wide_not: Sequence[str] | None,
    narrow: Sequence[str] | None,
    narrow_not: Sequence[str] | None,
    within: Callable[[str, str], bool],
    meet: Callable[[str, str], bool],
) -> bool:
    """Whether an element (or its Not form) includes another."""

    if wide is None and wide_not is None:
        return narrow is None and narrow_not is None  # neither says, as in trust policies
    if wide is not None and "*" in wide:
        return True
    if narrow is not None:
        if wide is not None:
            return all(any(within(one, each) for one in wide) for each in narrow)
        return not any(meet(one, each) for one in wide_not or () for each in narrow)
    return wide_not is not None and all(any(within(each, one) for each in narrow_not or ()) for one in wide_not)


def _principals(wide: Statement, narrow: Statement) -> bool:
    if wide.not_principal is not None or narrow.not_principal is not None:
        return wide.principal == narrow.principal and wide.not_principal == narrow.not_principal
    if narrow.principal is None or wide.principal is None:
        return narrow.principal is wide.principal
    if "*" in wide.principal.get("AWS", ()):
        return True
    return all(
        any(_same_principal(one, each) for one in wide.principal.get(kind, ()))
        for kind, values in narrow.principal.items()
        for each in values
    )


def _same_principal(one: str, other: str) -> bool:
    """Whether two principals are the same one; an account has two names.

    An account does not include its users: it leaves the decision to their own policies, naming them does not.
    """
    return one == other or _account(one) == _account(other) != ""


def _account(principal: str) -> str:
    """The number of a principal that is an account, else ""."""
    number = principal.split(":")[4] if principal.endswith(":root") else principal
    return number if number.isdigit() else ""


def _implies(have: Condition, want: Condition) -> bool:
    """Whether a condition that holds makes the other hold: the same test with no value more, or less if negated."""
    if have.operator.lower() != want.operator.lower() or have.key.lower() != want.key.lower():
        return False
    if "not" in have.operator.lower():
        return set(want.values) <= set(have.values)
    if "like" in have.operator.lower():
        return all(any(covers(one, each) for one in want.values if "${" not in one + each) for each in have.values)
    return set(have.values) <= set(want.values)


# --- everyone


def _names_everyone(statement: Statement) -> bool:
    if statement.not_principal is not None:
        return True
    named: Mapping[str, Sequence[str]] = statement.principal or {}
    if "*" in named.get("AWS", ()):
        return True
    return any(not any(kind in provider for kind in _CLOSED) for provider in named.get("Federated", ()))


def _fixed(statement: Statement) -> bool:
    """Whether a condition ties the statement to someone: a key that says who, with values without wildcards."""
    return any(_ties(condition, statement) for condition in statement.conditions)


def _ties(condition: Condition, statement: Statement) -> bool:
    operator, key = condition.operator.lower(), condition.key.lower()
    if "not" in operator or operator.endswith("ifexists") or operator.startswith(("forallvalues", "null")):
        return False
    if not condition.values:
        return True  # it never holds
    if statement.principal and statement.principal.get("Federated") and key.rpartition(":")[2] in ("sub", "aud"):
        return not any(value.strip("*") == "" for value in condition.values)
    if key not in _FIXING:
        return False
    if key == "aws:sourceip":
        return not any(value.endswith("/0") for value in condition.values)
    if key in ("aws:principalarn", "aws:sourcearn"):
        return all(value.count(":") >= 5 and "*" not in value.split(":")[4] for value in condition.values)
    return not any("*" in value or "?" in value for value in condition.values)

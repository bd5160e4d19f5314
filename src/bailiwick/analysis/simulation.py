"""One question as IAM's policy simulator answers it. Source: facts/policy.md section 5.5."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bailiwick.analysis.answers import ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY, word
from bailiwick.analysis.asking import Asking
from bailiwick.core.policy.decide import Heard, decide, hear
from bailiwick.core.policy.evaluate import Verdict, ask, lacking
from bailiwick.core.policy.layer import Entry
from bailiwick.core.policy.places import Position, positions, statements
from bailiwick.core.policy.question import LayerKind
from bailiwick.core.policy.variables import keys

_CONTROLS = (LayerKind.SCP, LayerKind.RCP)  # whose statements and keys the simulator never lists


class Matched(msgspec.Struct, frozen=True):
    """A statement that decided: of which policy, and where in its text it begins and ends."""

    policy: str
    kind: LayerKind
    start: Position
    end: Position


class Simulated(msgspec.Struct, frozen=True):
    """The simulator's answer: `allowed`, `explicitDeny` or `implicitDeny`, and what that rests on.

    `missing` are condition keys that were not supplied. `boundary` and `organizations` tell whether those
    allow, None where there are none. `details` are what each side of an access across accounts says.
    """

    decision: str
    matched: tuple[Matched, ...]
    missing: tuple[str, ...]
    boundary: bool | None
    organizations: bool | None
    details: dict[str, str]


def simulate(asking: Asking) -> Simulated:
    """Ask the question of its layers."""
    question, layers = asking
    decision = decide(question, layers)
    heard = hear(question, layers)
    boundary = [_allows(each.verdict) for each in heard if each.kind is LayerKind.BOUNDARY]
    levels = [_allows(each.verdict) for each in heard if each.kind is LayerKind.SCP]
    across = question.principal.account != question.account and decision.layer not in _CONTROLS
    return Simulated(
        decision=word(decision),
        matched=tuple(_matched(asking, heard, word(decision))),
        missing=tuple(_missing(asking, heard)),
        boundary=boundary[0] if boundary else None,
        organizations=all(levels) if levels else None,
        details=_details(heard) if across else {},
    )


def _allows(verdict: Verdict) -> bool:
    return verdict.deny is None and verdict.allow is not None


def _speaking(asking: Asking, heard: list[Heard]) -> Iterator[tuple[Heard, Entry]]:
    """The statements about the action, but for those of control policies."""
    action = asking.question.action.lower()
    for each in heard:
        if each.kind not in _CONTROLS:
            yield from ((each, entry) for entry in each.layer.entries() if entry.statement.acts(action))


def _matched(asking: Asking, heard: list[Heard], decision: str) -> Iterator[Matched]:
    """The Denies of an explicit deny, the Allows that granted; nothing of an implicit deny."""
    if decision == IMPLICIT_DENY:
        return
    asked = ask(asking.question, bounded=asking.layers.boundary is not None)
    for each, (statement, match) in _speaking(asking, heard):
        grants = each.kind in (LayerKind.IDENTITY, LayerKind.RESOURCE, LayerKind.TRUST)
        wanted = (statement.allows and grants) if decision == ALLOWED else not statement.allows
        if wanted and not lacking(statement, asked, each.of_resource):
            text = _text(each, match.policy)
            place = statements(text)[match.index]
            start, end = positions(text, place.start, place.end)
            yield Matched(match.policy, each.kind, start, end)


def _text(heard: Heard, name: str) -> str:
    return next(attached.policy.text for attached in heard.layer.policies if attached.name == name)


def _missing(asking: Asking, heard: list[Heard]) -> list[str]:
    """The keys that statements about the action use, in conditions and variables, and that were not supplied."""
    found: dict[str, str] = {}
    for _, (statement, _) in _speaking(asking, heard):
        written = statement.written
        texts = [*written.resources, *(value for condition in written.conditions for value in condition.values)]
        names = [
            *(condition.key for condition in written.conditions),
            *(key for text in texts for key in keys(text)),
        ]
        found |= {name.lower(): name for name in names if name.lower() not in found}
    return [name for key, name in found.items() if key not in asking.question.context]


def _details(heard: list[Heard]) -> dict[str, str]:
    names = {
        LayerKind.IDENTITY: "IAM Policy",
        LayerKind.RESOURCE: "Resource Policy",
        LayerKind.BOUNDARY: "PermissionsBoundary Policy",
    }
    return {names[each.kind]: _word(each.verdict) for each in heard if each.kind in names}


def _word(verdict: Verdict) -> str:
    if verdict.deny is not None:
        return EXPLICIT_DENY
    return ALLOWED if verdict.allow is not None else IMPLICIT_DENY

"""What would turn a refusal: the statements to take away and those to add, proven with the engine itself.

Each change is made to a copy of the layers and the question asked again, until the answer is Allow; so the
list is neither too short nor a guess.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from bailiwick.core.policy.compile import CompiledPolicy, compile_policy
from bailiwick.core.policy.decide import Layers, decide, hear
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import LayerKind, Match, PrincipalKind, Question

_MOST = 12  # changes tried


class Change(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One change: `add` a statement to a layer, or `remove` (or narrow) one of it.

    `statement` is the text of what to add, `match` says which to remove.
    """

    do: str
    layer: LayerKind
    level: int | None = None
    statement: str | None = None
    match: Match | None = None


def changes(question: Question, layers: Layers) -> tuple[Change, ...]:
    """The changes of policies that together would have the question allowed; () if none would."""
    found: list[Change] = []
    for _ in range(_MOST):
        decision = decide(question, layers)
        if decision.allowed:
            return tuple(found)
        if decision.layer is None:
            break
        if decision.match is not None:
            found.append(Change("remove", decision.layer, match=decision.match))
            layers = _without(layers, decision.layer, decision.match)
            continue
        level = _silent_level(question, layers, decision.layer)
        statement = _statement(question, decision.layer)
        found.append(Change("add", decision.layer, level, json.dumps(statement)))
        layers = _with(layers, decision.layer, level, statement)
    return ()


def _silent_level(question: Question, layers: Layers, kind: LayerKind) -> int | None:
    """The first level of control policies that allows nothing; None for layers without levels."""
    for heard in hear(question, layers):
        if heard.kind is kind and heard.level is not None and heard.verdict.allow is None:
            return heard.level
    return None


def _statement(question: Question, kind: LayerKind) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow"}
    if kind in (LayerKind.RESOURCE, LayerKind.TRUST, LayerKind.RCP):
        statement["Principal"] = _principal(question)
    statement["Action"] = question.action
    if kind is not LayerKind.TRUST:
        statement["Resource"] = question.resource
    return statement


def _principal(question: Question) -> dict[str, str]:
    who = question.principal
    match who.kind:
        case PrincipalKind.ANONYMOUS:
            return {"AWS": "*"}
        case PrincipalKind.SERVICE:
            return {"Service": who.arn}
        case PrincipalKind.PROVIDER:
            return {"Federated": who.arn}
    return {"AWS": who.issuer_arn}


_FIELDS = {
    LayerKind.IDENTITY: "identity",
    LayerKind.BOUNDARY: "boundary",
    LayerKind.SESSION: "session",
    LayerKind.RESOURCE: "resource",
    LayerKind.TRUST: "resource",
    LayerKind.SCP: "scps",
    LayerKind.RCP: "rcps",
}


def _with(layers: Layers, kind: LayerKind, level: int | None, statement: dict[str, Any]) -> Layers:
    added = compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}))

    def extended(layer: Layer | None) -> Layer:
        return Layer((*(layer.policies if layer else ()), Attached(added, "added")))

    now = getattr(layers, _FIELDS[kind])
    if level is None:
        return _replaced(layers, kind, extended(now))
    return _replaced(layers, kind, (*now[:level], extended(now[level]), *now[level + 1 :]))


def _without(layers: Layers, kind: LayerKind, match: Match) -> Layers:
    """The layers without this statement; of control policies, on every level."""

    def less(layer: Layer) -> Layer:
        return Layer(_without_statement(attached, match) for attached in layer.policies)

    now = getattr(layers, _FIELDS[kind])
    return _replaced(layers, kind, tuple(map(less, now)) if isinstance(now, tuple) else less(now))


def _replaced(layers: Layers, kind: LayerKind, value: object) -> Layers:
    changed: dict[str, Any] = {**layers._asdict(), _FIELDS[kind]: value}
    return Layers(**changed)


def _without_statement(attached: Attached, match: Match) -> Attached:
    if (attached.name, attached.arn) != (match.policy, match.policy_arn):
        return attached
    policy = attached.policy
    kept = tuple(statement for statement in policy.statements if statement.written.index != match.index)
    return attached._replace(policy=CompiledPolicy(kept, policy.text, policy.readable))

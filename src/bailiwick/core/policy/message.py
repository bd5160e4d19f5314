"""A ruling in the form that DecodeAuthorizationMessage shows. Source: facts/policy.md section 5.4."""

from __future__ import annotations

import json
from typing import Any

from bailiwick.core.policy.decide import Ruling, hear
from bailiwick.core.policy.question import Match, Value
from bailiwick.core.policy.syntax import Statement, Texts


def authorization_message(ruling: Ruling, principal_id: str) -> str:
    """The JSON text for a ruling; `principal_id` is what the caller knows as its UserId."""
    question, decision = ruling.question, ruling.decision
    matched = _statement(ruling, decision.match) if decision.match is not None else None
    message = {
        "allowed": decision.allowed,
        "explicitDeny": decision.explicit,
        "matchedStatements": _items([_matched(matched)] if matched else []),
        "failures": _items([]),
        "context": {
            "principal": {"id": principal_id, "arn": question.principal.arn},
            "action": question.action,
            "resource": question.resource,
            "conditions": _items([_condition(key, value) for key, value in question.context.items()]),
        },
    }
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _statement(ruling: Ruling, match: Match) -> Statement | None:
    for heard in hear(ruling.question, ruling.layers):
        for entry in heard.layer.entries():
            if entry.match == match and heard.kind is ruling.decision.layer:
                return entry.statement.written
    return None


def _matched(statement: Statement) -> dict[str, Any]:
    named = statement.principal or statement.not_principal or {}
    return {
        "statementId": statement.sid or "",
        "effect": statement.effect.upper(),
        "principals": _values(tuple(value for values in named.values() for value in values)),
        "principalGroups": _items([]),
        "actions": _values(statement.actions),
        "resources": _values(statement.resources),
        "conditions": _items([_condition(each.key, each.values) for each in statement.conditions]),
    }


def _condition(key: str, value: Value) -> dict[str, Any]:
    return {"key": key, "values": _values((value,) if isinstance(value, str) else value)}


def _values(values: Texts) -> dict[str, Any]:
    return _items([{"value": value} for value in values])


def _items(items: list[Any]) -> dict[str, Any]:
    return {"items": items}

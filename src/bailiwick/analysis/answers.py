"""The answer to a question as plain JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.analysis.asking import Asking
from bailiwick.core.policy.decide import decide
from bailiwick.core.policy.explain import explain
from bailiwick.core.policy.question import Decision, LayerKind

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"

LAYERS = {
    LayerKind.SCP: "scp",
    LayerKind.RCP: "rcp",
    LayerKind.SESSION: "session",
    LayerKind.BOUNDARY: "boundary",
    LayerKind.IDENTITY: "identity",
    LayerKind.RESOURCE: "resource",
    LayerKind.TRUST: "resource",
}


def word(decision: Decision) -> str:
    """The decision in the simulator's words: `allowed`, `explicitDeny` or `implicitDeny`."""
    if decision.allowed:
        return ALLOWED
    return EXPLICIT_DENY if decision.explicit else IMPLICIT_DENY


def answer(asking: Asking) -> dict[str, Any]:
    """Decide, and tell why: `decision`, `allowed`, `layer`, `reason`, `statement`, `explanation`."""
    decision = decide(asking.question, asking.layers)
    explanation = explain(asking.question, asking.layers, decision)
    return {
        "decision": word(decision),
        "allowed": decision.allowed,
        "layer": LAYERS[decision.layer] if decision.layer else None,
        "reason": explanation.reason,
        "statement": msgspec.to_builtins(decision.match),
        "explanation": msgspec.to_builtins(explanation),
    }

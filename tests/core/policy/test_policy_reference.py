"""The engine and the slow reference evaluator answer 200,000 generated questions alike."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.analysis.answers import LAYERS, word
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.decide import Layers, context_keys, decide
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Principal, PrincipalKind, Question, Rule
from reference.evaluator import evaluate
from reference.generator import question

BATCHES, PER_BATCH = 20, 10_000


def layer(documents: list[dict[str, Any]] | None) -> Layer | None:
    if documents is None:
        return None
    compiled = [compile_policy(json.dumps(document)) for document in documents]
    assert all(policy.readable for policy in compiled), documents
    return Layer(Attached(policy, f"p{index}") for index, policy in enumerate(compiled))


def levels(documents: list[list[dict[str, Any]]]) -> tuple[Layer, ...]:
    return tuple(layer(each) or Layer.EMPTY for each in documents)


def posed(q: dict[str, Any]) -> tuple[Question, Layers]:
    """A question in the reference's form as the engine takes it."""
    policies = q["policies"]
    who = Principal(**{**q["principal"], "kind": PrincipalKind(q["principal"]["kind"])})
    context = {key: tuple(value) if isinstance(value, list) else value for key, value in q["context"].items()}
    return (
        Question(who, q["action"], q["resource"], q["account"], context, Rule(q["rule"])),
        Layers(
            identity=layer(policies["identity"]),
            boundary=layer(policies["boundary"]),
            session=layer(policies["session"]),
            resource=layer(policies["resource"]),
            scps=levels(policies["scp"]),
            rcps=levels(policies["rcp"]),
        ),
    )


def of_engine(q: dict[str, Any]) -> tuple[str, str | None]:
    """The engine's answer to a question in the reference's form."""
    decision = decide(*posed(q))
    return word(decision), LAYERS[decision.layer] if decision.layer else None


@pytest.mark.parametrize("batch", range(4))
def test_contexts_with_the_same_values_of_what_the_answer_rests_on_have_the_same_answer(batch: int) -> None:
    draw = random.Random(1000 + batch)
    seen: Counter[int] = Counter()
    for _ in range(2500):
        asked, layers = posed(question(draw))
        rests = context_keys(asked, layers)
        held = {key: asked.context[key] for key in rests if key in asked.context}
        seen[len(held)] += 1
        other = posed(question(draw))[0].context
        for context in (held, {key: value for key, value in other.items() if key not in rests} | held):
            assert decide(msgspec.structs.replace(asked, context=context), layers) == decide(asked, layers)
    assert min(seen[number] for number in (0, 1, 2)) > 100


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_engine_agrees_with_the_reference(batch: int) -> None:
    draw = random.Random(batch)
    seen: Counter[str] = Counter()
    for _ in range(PER_BATCH):
        q = question(draw)
        expected = evaluate(q)
        assert of_engine(q) == expected, json.dumps(q, indent=1)
        seen[expected[0]] += 1
    assert min(seen[answer] for answer in ("allowed", "explicitDeny", "implicitDeny")) > PER_BATCH // 10, seen


@given(st.randoms(use_true_random=False))
def test_the_engine_agrees_on_what_hypothesis_draws(draw: random.Random) -> None:
    q = question(draw)
    assert of_engine(q) == evaluate(q)

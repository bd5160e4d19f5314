"""What a decision costs when compiled, beside the slow reference evaluator and the number of statements asked."""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.decide import Layers, decide
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.patterns import resource_name
from bailiwick.core.policy.question import Principal, PrincipalKind, Question
from benchmark.calls import ACCOUNT
from benchmark.inside import measure
from benchmark.report import Report

LETTERS = "ABCDEFGHIJ"
USER = f"arn:aws:iam::{ACCOUNT}:user/bench"
WHO = Principal(PrincipalKind.USER, "aws", ACCOUNT, USER, USER, "AIDABENCH")
_NOTE = "`asked`: how many statements were looked at; the reference is the tests' evaluator, written to be obvious."
ALICE = {"StringEquals": {"aws:username": "alice"}}


def policies(write: Callable[[int, int], dict[str, Any]], count: int = 10) -> list[dict[str, Any]]:
    """So many documents of ten statements each."""
    return [
        {"Version": "2012-10-17", "Statement": [write(policy, place) for place in range(10)]}
        for policy in range(count)
    ]


def allow(action: str, resource: str, **more: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def decisions(report: Report) -> None:
    """The table of decisions."""
    everywhere = "arn:aws:s3:::bucket"
    others = policies(lambda p, s: allow(f"service{p}:Get{s}*", "*"), 100)
    last = policies(lambda p, s: allow(f"s3:Get{LETTERS[p]}{s}", f"{everywhere}-{p}-{s}/*"))
    cases = (
        ("10 x 10 statements, each its own action; the last matches", last, "s3:GetJ9"),
        ("the same and 1,000 statements of other services", others + last, "s3:GetJ9"),
        (
            "10 x 10 statements on one action, each its own resource; the last matches",
            policies(lambda p, s: allow("s3:GetObject", f"{everywhere}-{p}-{s}/*")),
            "s3:GetObject",
        ),
        (
            "the same, with a variable in each resource",
            policies(lambda p, s: allow("s3:GetObject", f"{everywhere}-{p}-{s}/${{aws:username}}/*")),
            "s3:GetObject",
        ),
        (
            "10 x 10 statements on one action and everything, told apart by a condition",
            policies(
                lambda p, s: allow(
                    "s3:GetObject", "*", Condition=ALICE if (p, s) == (9, 9) else {"Null": {"a:b": "false"}}
                )
            ),
            "s3:GetObject",
        ),
    )
    rows = []
    for title, documents, action in cases:
        question = Question(WHO, action, f"{everywhere}-9-9/alice/key", ACCOUNT, {"aws:username": "alice"})
        texts = [json.dumps(document) for document in documents]
        seconds, size = compiling(texts)
        layer = Layer(Attached(compile_policy(text), str(place)) for place, text in enumerate(texts))
        if not decide(question, Layers(layer)).allowed:
            raise SystemExit(f"refused: {title}")
        asked = sum(map(len, layer.candidates(action.lower(), resource_name(question.resource))))
        median, best = measure(lambda: decide(question, Layers(layer)))  # noqa: B023
        slow = reference(question, documents)
        cells = (f"{median:.1f}", f"{best:.1f}", asked, f"{slow:,.0f}", f"{seconds * 1e6:.0f}", f"{size:,.0f}")
        rows.append((title, *map(str, cells)))
    columns = ("policies", "median us", "best us", "asked", "reference us", "compile us", "bytes a policy")
    report.part("decisions", "A decision, compiled, beside the reference evaluator", columns, rows, _NOTE)


def compiling(texts: list[str]) -> tuple[float, float]:
    """Seconds and bytes that it takes to compile a policy, on average over these."""
    again = [text + " " for text in texts]  # not in the memory of compiled policies
    start = time.perf_counter()
    for text in again:
        compile_policy(text)
    seconds = (time.perf_counter() - start) / len(texts)
    once_more = [text + "  " for text in texts]
    tracemalloc.start()
    kept = [compile_policy(text) for text in once_more]
    size = tracemalloc.get_traced_memory()[0] / len(kept)
    tracemalloc.stop()
    return seconds, size


def reference(question: Question, documents: list[dict[str, Any]]) -> float:
    """Microseconds that the tests' slow evaluator takes for the same question."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from reference.evaluator import evaluate

    asked = {
        "principal": {**msgspec.to_builtins(question.principal)},
        "action": question.action,
        "resource": question.resource,
        "account": question.account,
        "context": dict(question.context),
        "rule": "ordinary",
        "policies": {"identity": documents, "scp": [], "rcp": []},
    }
    start = time.perf_counter()
    for _ in range(20):
        evaluate(asked)
    return (time.perf_counter() - start) / 20 * 1e6

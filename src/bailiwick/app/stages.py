"""A pipeline that looks at the clock between the stages of a request. Few requests go through it: see edge.py.

It is another view of the same pipeline: everything is shared, and what is measured is how the methods that are the
stages' borders are called. So the pipeline itself pays nothing and knows nothing of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any

from bailiwick.api import Call, Caller, Target
from bailiwick.app.metrics import Sample
from bailiwick.core.message import Request, Response
from bailiwick.core.policy.question import Decision
from bailiwick.measure import Histogram
from bailiwick.pipeline import Event, Pipeline, Received, Route

STAGES = (
    *("receive", "wait", "authenticate", "parse", "find", "authorize"),
    *("execute", "audit", "answer"),
)
"""`wait` is for a thread, `execute` the handler with its commit; the others are named after what is done."""

EVERY = 128
"""One request in so many is measured."""


class _Marked(Received, frozen=True):
    """A request with what is known of its times."""

    clock: Any = None


class _Clock:
    """The seconds of each stage of one request."""

    __slots__ = ("_last", "seconds")

    def __init__(self) -> None:
        self._last = perf_counter()
        self.seconds: dict[str, float] = {}

    def end(self, stage: str) -> None:
        """A stage has ended: what time went by since the last one did is its own."""
        now = perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


def clock_of(received: Received) -> Mapping[str, float]:
    """The seconds of each stage of a request that was measured, as far as it has got."""
    return received.clock.seconds if isinstance(received, _Marked) else {}


class Stages(Pipeline):
    """The measured view of a pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Share everything with `pipeline`."""
        self.__dict__.update(vars(pipeline))
        self.audit = self._audited
        self._write = pipeline.audit
        self._authorizer = _Authorizer(pipeline, self)  # type: ignore[assignment]  # it does what that one does
        self._of_thread = threading.local()
        self._times = {stage: Histogram() for stage in STAGES}

    def end(self, stage: str) -> None:
        """A stage of the request that this thread is at has ended."""
        clock: _Clock | None = getattr(self._of_thread, "clock", None)
        if clock is not None:
            clock.end(stage)

    def receive(self, request: Request) -> Received:
        clock = _Clock()
        received = super().receive(request)
        clock.end("receive")
        return _Marked(**{name: getattr(received, name) for name in Received.__struct_fields__}, clock=clock)

    def answer(self, received: Received) -> Response:
        clock = received.clock if isinstance(received, _Marked) else _Clock()
        clock.end("wait")
        self._of_thread.clock = clock
        try:
            response = super().answer(received)
        finally:
            self._of_thread.clock = None
        clock.end("answer")
        if response.status < 400:  # a refusal skips stages, and would make the others look fast
            for stage, seconds in clock.seconds.items():
                self._times[stage].observe(seconds)
        return response

    def authenticate(self, received: Received, route: Route) -> Caller:
        caller = super().authenticate(received, route)
        self.end("authenticate")
        return caller

    def call(self, received: Received, route: Route, caller: Caller, values: Any) -> Call:
        self.end("parse")
        return super().call(received, route, caller, values)

    def _audited(self, event: Event) -> None:
        self.end("execute")
        self._write(event)
        self.end("audit")

    def samples(self) -> Iterator[Sample]:
        """What was measured."""
        for stage, times in self._times.items():
            yield Sample.of("bailiwick_stage_seconds", (stage,), times.distribution)


class _Authorizer:
    """The pipeline's authorizer, with the clock looked at before and after."""

    def __init__(self, pipeline: Pipeline, stages: Stages) -> None:
        self._authorize = pipeline._authorizer.authorize
        self._stages = stages

    def authorize(self, call: Call, target: Target) -> Decision:
        self._stages.end("find")
        decision = self._authorize(call, target)
        self._stages.end("authorize")
        return decision

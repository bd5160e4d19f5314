"""Spans: one for each request, with what it was and how it ended, within the trace that the client names.

The tests need OpenTelemetry's API only; what takes the spans is made here.
"""

from __future__ import annotations

from typing import Any

import botocore.exceptions
import pytest

from bailiwick.app import traces
from bailiwick.app.server import ServerError
from bailiwick.app.stages import STAGES
from bailiwick.app.traces import Traced
from bailiwick.core.message import Header, Request
from world import World

trace = pytest.importorskip("opentelemetry.trace")

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Tracer:
    """Keeps what it is asked to begin."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def start_span(self, name: str, *, context: Any, kind: Any, start_time: int) -> Any:
        parent = trace.get_current_span(context).get_span_context()

        class Span(trace.NonRecordingSpan):
            def __init__(self) -> None:
                super().__init__(trace.SpanContext(1, 2, is_remote=False))
                self.name, self.kind, self.start, self.parent = name, kind, start_time, parent
                self.attributes: dict[str, Any] = {}
                self.status: Any = None
                self.ended = 0

            def is_recording(self) -> bool:
                return True

            def set_attribute(self, key: str, value: Any) -> None:
                self.attributes[key] = value

            def set_attributes(self, attributes: Any) -> None:
                self.attributes.update(attributes)

            def set_status(self, status: Any, description: str | None = None) -> None:
                self.status = status

            def end(self, end_time: int | None = None) -> None:
                self.ended += 1

        self.spans.append(Span())
        return self.spans[-1]


def traced() -> tuple[World, Tracer]:
    world, tracer = World(), Tracer()
    world.pipeline = Traced(world.pipeline, tracer)
    return world, tracer


def test_a_span_says_what_was_asked_and_how_it_ended() -> None:
    world, tracer = traced()
    answer = world.client("kms").list_keys()
    (span,) = tracer.spans
    assert (span.name, span.kind, span.ended, span.status) == ("kms:ListKeys", trace.SpanKind.SERVER, 1, None)
    assert span.start == int(world.events[-1].time * 1e9)
    stages = {name for name in span.attributes if name.startswith("bailiwick.stage.")}
    assert stages == {f"bailiwick.stage.{stage}" for stage in STAGES}
    assert {name: span.attributes[name] for name in span.attributes.keys() - stages} == {
        "rpc.system": "aws-api",
        "rpc.service": "kms",
        "rpc.method": "ListKeys",
        "aws.request_id": answer["ResponseMetadata"]["RequestId"],
        "cloud.region": "us-east-1",
        "bailiwick.outcome": "ok",
        "http.response.status_code": 200,
    }
    assert len(world.events) == 1


def test_a_refusal_is_named_and_is_no_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    world, tracer = traced()
    with pytest.raises(botocore.exceptions.ClientError):
        world.client("kms").describe_key(KeyId="no-such-key")
    (span,) = tracer.spans
    assert (span.attributes["error.type"], span.attributes["bailiwick.outcome"]) == ("NotFoundException", "invalid")
    assert span.status is None

    def broken(*_: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(world.pipeline._authorizer, "authorize", broken)
    with pytest.raises(botocore.exceptions.ClientError):
        world.client("kms").list_keys()
    span = tracer.spans[-1]
    assert span.status.status_code is trace.StatusCode.ERROR
    assert "planted" not in str(span.attributes)


@pytest.mark.parametrize(
    ("header", "parent"),
    [(PARENT, 0x4BF92F3577B34DA6A3CE929D0E0E4736), (None, 0), ("00-zz-zz-01", 0), ("x" * 9999, 0)],
    ids=["given", "none", "malformed", "long"],
)
def test_the_trace_of_the_client_is_continued(header: str | None, parent: int) -> None:
    world, tracer = traced()
    more = (Header("traceparent", header),) if header else ()
    world.pipeline.handle(Request("GET", "/", "", (Header("host", "a"), *more), b""))
    (span,) = tracer.spans
    assert (span.name, span.parent.trace_id) == ("unknown:unknown", parent)


def test_without_the_packages_the_server_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(traces.importlib, "import_module", missing)
    with pytest.raises(ServerError, match=r"pip install 'bailiwick\[traces\]'"):
        traces.begin()

"""A span of OpenTelemetry for each request, where that is installed (the extra `traces`) and asked for.

Where spans go is for the environment to say, in OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_TRACES_SAMPLER and so on). A request that carries W3C's `traceparent` continues that trace. Each is measured
stage by stage, and its span says how long they took.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

from bailiwick import __version__
from bailiwick.app.observer import named, outcome_of
from bailiwick.app.server import ServerError
from bailiwick.app.stages import Stages, clock_of
from bailiwick.core.message import Response
from bailiwick.pipeline import Event, Pipeline, Received

_PREFIX = "opentelemetry"
_CARRIED = ("traceparent", "tracestate")


class Tracing(NamedTuple):
    """OpenTelemetry, ready to be used."""

    tracer: Any
    provider: Any

    def close(self) -> None:
        """Send what is left."""
        self.provider.shutdown()


def begin() -> Tracing:
    """Set up the SDK with its OTLP exporter. Raises ServerError where they are not installed."""
    try:
        sdk = importlib.import_module(f"{_PREFIX}.sdk.trace")
        export = importlib.import_module(f"{_PREFIX}.sdk.trace.export")
        resources = importlib.import_module(f"{_PREFIX}.sdk.resources")
        otlp = importlib.import_module(f"{_PREFIX}.exporter.otlp.proto.http.trace_exporter")
    except ImportError as error:
        raise ServerError(
            f"`traces` needs OpenTelemetry, which is not installed ({error}); pip install 'bailiwick[traces]'"
        ) from None
    resource = resources.Resource.create({"service.name": "bailiwick", "service.version": __version__})
    provider = sdk.TracerProvider(resource=resource)
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    return Tracing(provider.get_tracer("bailiwick", __version__), provider)


class Traced(Stages):
    """A view of a pipeline in which every request is measured and has a span."""

    def __init__(self, pipeline: Pipeline, tracer: Any) -> None:
        """Share everything with `pipeline`; `tracer` is OpenTelemetry's."""
        super().__init__(pipeline)
        self._tracer = tracer
        self._trace = importlib.import_module(f"{_PREFIX}.trace")
        propagation = importlib.import_module(f"{_PREFIX}.trace.propagation.tracecontext")
        self._propagator = propagation.TraceContextTextMapPropagator()

    def answer(self, received: Received) -> Response:
        """Answer within a span that began when the request had arrived."""
        span = self._tracer.start_span(
            ":".join(named(received.route)),
            context=self._propagator.extract(_carrier(received)),
            kind=self._trace.SpanKind.SERVER,
            start_time=int(received.now * 1e9),
        )
        with self._trace.use_span(span, end_on_exit=True, record_exception=False):
            response = super().answer(received)
            if span.is_recording():
                span.set_attribute("http.response.status_code", response.status)
                for stage, seconds in clock_of(received).items():
                    span.set_attribute(f"bailiwick.stage.{stage}", seconds)
            return response

    def _audited(self, event: Event) -> None:
        span = self._trace.get_current_span()
        if span.is_recording():
            self._describe(span, event)
        super()._audited(event)

    def _describe(self, span: Any, event: Event) -> None:
        service, operation = named(event.route)
        outcome = outcome_of(event.error)
        attributes = {
            "rpc.system": "aws-api",
            "rpc.service": service,
            "rpc.method": operation,
            "aws.request_id": event.request_id,
            "cloud.region": event.region,
            "bailiwick.outcome": outcome,
        }
        if event.error is not None:
            attributes["error.type"] = type(event.error).__name__
        span.set_attributes(attributes)
        if outcome in ("failed", "unavailable"):  # a refusal is the client's affair
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))


def _carrier(received: Received) -> dict[str, str]:
    fields = received.request.fields
    return {name: fields[name] for name in _CARRIED if name in fields}

"""Every metric, declared once; samples of one process or several, put together and written for Prometheus.

docs/operations.md has the same table, and the dashboard in docs/grafana/ uses these names; tests compare. A process
that serves gives Samples; the parent of several adds them up (workers.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from bailiwick.measure import SECONDS, Distribution


class Sample(NamedTuple):
    """One value of a metric; a histogram has the counts of its buckets as well, and `value` is the sum."""

    name: str
    labels: tuple[str, ...]
    value: float
    counts: tuple[int, ...] = ()

    @classmethod
    def of(cls, name: str, labels: tuple[str, ...], distribution: Distribution) -> Sample:
        """The sample of a histogram."""
        return cls(name, labels, distribution.sum, distribution.counts)


class Metric(NamedTuple):
    """A metric. `joins` says what becomes of a gauge's values in several processes: their sum, or the largest."""

    name: str  # without what Prometheus appends to the names of counters and histograms
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    joins: Literal["sum", "largest"] = "sum"

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which it can be asked for."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (f"{self.name}_total" if self.kind == "counter" else self.name,)


METRICS = (
    Metric(
        "bailiwick_requests",
        "counter",
        "Requests answered, by outcome: ok, denied, unauthenticated, invalid, throttled, unavailable or failed",
        ("service", "operation", "outcome"),
    ),
    Metric("bailiwick_errors", "counter", "Requests refused or failed, by the error", ("service", "code")),
    Metric("bailiwick_throttled", "counter", "Requests over a rate, by its class", ("service", "class")),
    Metric(
        "bailiwick_request_seconds",
        "histogram",
        "Time from a request's having arrived to its audit record's being queued",
        ("service",),
    ),
    Metric("bailiwick_stage_seconds", "histogram", "Time of a stage, of one request in 128", ("stage",)),
    Metric("bailiwick_connections", "gauge", "Open connections"),
    Metric("bailiwick_edge_requests", "counter", "Requests answered on connections, probes included"),
    Metric("bailiwick_edge_refusals", "counter", "What was no acceptable HTTP, by reason", ("reason",)),
    Metric("bailiwick_pool_waiting", "gauge", "Requests that wait for a thread"),
    Metric("bailiwick_pool_threads", "gauge", "Threads that there may be for requests that take longer"),
    Metric("bailiwick_cache_entries", "gauge", "Values held in memory", ("cache",)),
    Metric("bailiwick_cache_limit", "gauge", "Most values that may be held in memory", ("cache",)),
    Metric("bailiwick_cache_hits", "counter", "Values found in memory", ("cache",)),
    Metric("bailiwick_cache_misses", "counter", "Values that had to be read or made", ("cache",)),
    Metric(
        "bailiwick_store_transaction_seconds",
        "histogram",
        "Time of a transaction that reached the database, mode read or write",
        ("mode",),
    ),
    Metric("bailiwick_store_commit_seconds", "histogram", "Time of a commit"),
    Metric(
        "bailiwick_store_refresh_seconds",
        "histogram",
        "Time of asking the database what others have changed, where it was asked at all",
    ),
    Metric(
        "bailiwick_store_silent_seconds",
        "gauge",
        "Time since a process last knew what others have changed (PostgreSQL; 0 on SQLite)",
        joins="largest",
    ),
    Metric("bailiwick_audit_records", "counter", "Audit records on disk"),
    Metric("bailiwick_audit_waiting", "gauge", "Audit records that wait to be written"),
    Metric(
        "bailiwick_audit_lag_seconds",
        "gauge",
        "Time for which audit records have been waiting while none could be written",
        joins="largest",
    ),
    Metric(
        "bailiwick_audit_turned_away", "counter", "Requests refused because no audit record could be made of them"
    ),
    Metric("bailiwick_audit_refusals", "counter", "Attempts to write audit records that the disk refused"),
    Metric("bailiwick_audit_exported", "counter", "Audit records that an export has delivered", ("to",)),
    Metric(
        "bailiwick_audit_export_failures", "counter", "Attempts that the receiver of an export refused", ("to",)
    ),
    Metric(
        "bailiwick_audit_export_lag_seconds",
        "gauge",
        "Age of the oldest audit record that an export has not delivered",
        ("to",),
        joins="largest",
    ),
    Metric(
        "bailiwick_key_proxy_requests",
        "counter",
        "Questions to proxies of external key stores, by outcome: answered, failed, spared or busy",
        ("proxy", "outcome"),
    ),
    Metric("bailiwick_key_proxy_seconds", "histogram", "Time until such a proxy has answered or failed"),
    Metric("bailiwick_key_proxy_connections", "counter", "Connections made to such proxies"),
    Metric(
        "bailiwick_key_proxies_left_alone",
        "gauge",
        "Processes that do not ask such a proxy for now: it has failed",
        ("proxy",),
    ),
    Metric(
        "bailiwick_hsm_requests", "counter", "Calls to HSMs, by outcome: answered or failed", ("hsm", "outcome")
    ),
    Metric(
        "bailiwick_peer_messages",
        "counter",
        "Messages to other deployments that share keys, by outcome: taken or failed",
        ("peer", "outcome"),
    ),
    Metric(
        "bailiwick_peer_silent_seconds",
        "gauge",
        "Time for which a peer has taken none of what it was to be told",
        ("peer",),
        joins="largest",
    ),
    Metric("bailiwick_outward_waiting", "gauge", "Requests that wait for a thread to ask somebody else's server"),
    Metric("bailiwick_workers", "gauge", "Processes that serve"),
    Metric("bailiwick_worker_replacements", "counter", "Workers that died and were replaced"),
    Metric("bailiwick_resident_bytes", "gauge", "Resident memory of all processes that serve"),
    Metric("bailiwick_largest_resident_bytes", "gauge", "Resident memory of the largest of them", joins="largest"),
    Metric("bailiwick_cpu_seconds", "counter", "Processor time that they have used"),
    Metric("bailiwick_open_files", "gauge", "Open file descriptors"),
    Metric("bailiwick_build", "gauge", "What runs: always 1", ("version", "python"), joins="largest"),
)

BY_NAME = {metric.name: metric for metric in METRICS}

_Key = tuple[str, tuple[str, ...]]


def joined(samples: Iterable[Sample]) -> list[Sample]:
    """The samples of several processes as one: counters, histograms and most gauges are added up."""
    found: dict[_Key, Sample] = {}
    for sample in samples:
        key = sample.name, sample.labels
        other = found.get(key)
        found[key] = sample if other is None else _both(sample, other)
    return list(found.values())


def _both(one: Sample, other: Sample) -> Sample:
    if BY_NAME[one.name].joins == "largest":
        return max(one, other, key=lambda sample: sample.value)
    counts = tuple(a + b for a, b in zip(one.counts, other.counts, strict=True))
    return Sample(one.name, one.labels, one.value + other.value, counts)


def lasting(samples: Iterable[Sample]) -> list[Sample]:
    """What remains of a process that is gone: its counters and histograms, or the sums would go down."""
    return [sample for sample in samples if BY_NAME[sample.name].kind != "gauge"]


def written(samples: Iterable[Sample]) -> bytes:
    """The samples in Prometheus's text form (version 0.0.4)."""
    from prometheus_client import generate_latest  # only those that are asked need it

    return generate_latest(_Collected(joined(samples)))  # it asks for `collect` only


class _Collected:
    """In the place of a registry."""

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        for metric in METRICS:
            family: Any
            if metric.kind == "histogram":
                family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            else:
                of = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                family = of(metric.name, metric.help, labels=metric.labels)
            for sample in sorted(sample for sample in self._samples if sample.name == metric.name):
                if metric.kind == "histogram":
                    family.add_metric(sample.labels, _buckets(sample.counts), sample.value)
                else:
                    family.add_metric(sample.labels, sample.value)
            yield family


def _buckets(counts: tuple[int, ...]) -> list[tuple[str, float]]:
    bounds = [*map(repr, SECONDS), "+Inf"]
    total, found = 0, []
    for bound, counted in zip(bounds, counts, strict=True):
        total += counted
        found.append((bound, float(total)))
    return found

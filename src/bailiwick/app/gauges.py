"""What one process that serves has to tell: its requests, and the state of each of its parts."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from bailiwick import __version__
from bailiwick.app import record
from bailiwick.app.metrics import Sample
from bailiwick.app.protocol import refusals
from bailiwick.core.bounded import Use
from bailiwick.core.policy import patterns
from bailiwick.core.sigv4 import claim, verify

if TYPE_CHECKING:
    from bailiwick.app.edge import Edge
    from bailiwick.app.environment import World
    from bailiwick.app.server import Server

_PAGE = resource.getpagesize()


def gathered(world: World, edge: Edge, server: Server) -> list[Sample]:
    """Every sample of this process."""
    return [
        *world.observer.samples(),
        *edge.samples(),
        Sample("bailiwick_connections", (), len(server.server_state.connections)),
        Sample("bailiwick_edge_requests", (), server.server_state.total_requests),
        *(Sample("bailiwick_edge_refusals", (each.name.lower(),), tally.value) for each, tally in refusals.items()),
        *_throttled(world),
        *world.key_proxies.samples(),
        *(sample for hsm in world.hsms.values() for sample in hsm.samples()),
        *(world.courier.samples() if world.courier else ()),
        *_caches(world),
        *_store(world),
        *_trail(world),
        *_process(),
    ]


def _throttled(world: World) -> Iterator[Sample]:
    rates = world.environment.rates
    for labels, refused in tuple(rates.refused.items()) if rates is not None else ():
        yield Sample("bailiwick_throttled", labels, refused)


def _caches(world: World) -> Iterator[Sample]:
    cache = world.store.cache
    uses = {
        "store": Use(len(cache), cache.size, cache.hits, cache.misses),
        "decisions": world.pipeline.remembered,
        "sessions": world.directory.remembered,
        "scopes": claim.remembered.use,
        "identities": record.identities.use,
        "signing_keys": _of(verify.signer.cache_info),
        "resources": _of(patterns.resource_name.cache_info),
    }
    for name, use in uses.items():
        yield Sample("bailiwick_cache_entries", (name,), use.size)
        yield Sample("bailiwick_cache_limit", (name,), use.limit)
        yield Sample("bailiwick_cache_hits", (name,), use.hits)
        yield Sample("bailiwick_cache_misses", (name,), use.misses)


def _of(cache_info: Callable[[], Any]) -> Use:
    hits, misses, limit, size = cache_info()
    return Use(size, limit, hits, misses)


def _store(world: World) -> Iterator[Sample]:
    store = world.store
    yield Sample.of("bailiwick_store_transaction_seconds", ("read",), store.reads.distribution)
    yield Sample.of("bailiwick_store_transaction_seconds", ("write",), store.writes.distribution)
    yield Sample.of("bailiwick_store_commit_seconds", (), store.commits.distribution)
    yield Sample.of("bailiwick_store_refresh_seconds", (), store.looks)
    yield Sample("bailiwick_store_silent_seconds", (), store.silent)


def _trail(world: World) -> Iterator[Sample]:
    trail = world.trail
    if trail is not None:
        yield Sample("bailiwick_audit_records", (), trail.records)
        yield Sample("bailiwick_audit_waiting", (), trail.waiting)
        yield Sample("bailiwick_audit_lag_seconds", (), trail.lag)
        yield Sample("bailiwick_audit_refusals", (), trail.refusals)
    for export in world.exporters:
        yield Sample("bailiwick_audit_exported", (export.name,), export.sent)
        yield Sample("bailiwick_audit_export_failures", (export.name,), export.failures)
        yield Sample("bailiwick_audit_export_lag_seconds", (export.name,), export.lag.seconds)


def _process() -> Iterator[Sample]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident = _resident()
    yield Sample("bailiwick_workers", (), 1)
    yield Sample("bailiwick_resident_bytes", (), resident)
    yield Sample("bailiwick_largest_resident_bytes", (), resident)
    yield Sample("bailiwick_cpu_seconds", (), used.ru_utime + used.ru_stime)
    yield Sample("bailiwick_open_files", (), _open_files())
    yield Sample("bailiwick_build", (__version__, platform.python_version()), 1)


def _resident() -> int:
    """Bytes; 0 where the system does not tell (it is no Linux)."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0

"""Every event is counted, and told in the log where an operator would want to know of it.

Labels come from the service models and from the classes of errors, never from what a client sent, so that their
number is bounded. The log says who asked for what and with which result. It holds neither what was in the request
nor what was answered, for either may be secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import structlog

from bailiwick import api
from bailiwick.api import ApiError
from bailiwick.app.metrics import Sample
from bailiwick.measure import Histogram, Tally
from bailiwick.pipeline import Event, Route

log = structlog.get_logger()

UNKNOWN = "unknown"
"""Service and operation of a request that names none of ours."""

_UNAUTHENTICATED = (
    api.MissingAuthenticationToken,
    api.IncompleteSignature,
    api.SignatureDoesNotMatch,
    api.InvalidClientTokenId,
    api.ExpiredToken,
)


def outcome_of(error: ApiError | None) -> str:
    """The class of an outcome: ok, denied, unauthenticated, throttled, unavailable, failed (ours) or invalid."""
    if error is None:
        return "ok"
    if isinstance(error, api.AccessDenied):
        return "denied"
    if isinstance(error, _UNAUTHENTICATED):
        return "unauthenticated"
    if isinstance(error, api.Throttling):
        return "throttled"
    if isinstance(error, api.ServiceUnavailable):
        return "unavailable"
    return "invalid" if error.sender else "failed"


class _Kind(msgspec.Struct, frozen=True):
    """What is counted together: an operation with one way of ending."""

    service: str
    operation: str
    outcome: str
    code: str  # the class of the error; empty for success
    tally: Tally
    times: Histogram  # of the whole service

    def seen(self, seconds: float) -> None:
        self.tally.add()
        self.times.observe(seconds)


class Observer:
    """What the pipeline calls with each event, on the way to the audit trail. Safe between threads."""

    def __init__(
        self,
        write: Callable[[Event], None],
        *,
        access_log: bool = False,
        slow: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take the trail's `write`. `access_log` has every request logged, `slow` those of at least so many seconds
        (0: none)."""
        self._write = write
        self._access_log = access_log
        self._slow = slow or float("inf")
        self._now = now
        self._kinds: dict[tuple[int, type[ApiError] | None], tuple[Route | None, _Kind]] = {}
        self._times: dict[str, Histogram] = {}

    def __call__(self, event: Event) -> None:
        """Have the event written down, count it, and log it if it is of interest."""
        self._write(event)
        route, error = event.route, event.error
        known = self._kinds.get((id(route), None if error is None else error.__class__))
        kind = known[1] if known is not None else self._kind(route, error)
        seconds = self._now() - event.time  # by the wall clock, which may have been set: never below nothing
        kind.seen(seconds if seconds > 0.0 else 0.0)
        if error is not None or seconds >= self._slow or self._access_log:
            self._tell(event, kind, seconds)

    def samples(self) -> Iterator[Sample]:
        """What was counted."""
        errors: dict[tuple[str, str], int] = {}
        requests: dict[tuple[str, str, str], int] = {}
        for _, kind in tuple(self._kinds.values()):
            one = kind.service, kind.operation, kind.outcome
            requests[one] = requests.get(one, 0) + kind.tally.value
            if kind.code:
                errors[kind.service, kind.code] = errors.get((kind.service, kind.code), 0) + kind.tally.value
        for labels, value in requests.items():
            yield Sample("bailiwick_requests", labels, value)
        for code, value in errors.items():
            yield Sample("bailiwick_errors", code, value)
        for service, times in tuple(self._times.items()):
            yield Sample.of("bailiwick_request_seconds", (service,), times.distribution)

    def _kind(self, route: Route | None, error: ApiError | None) -> _Kind:
        service, operation = named(route)
        times = self._times.setdefault(service, Histogram())
        code = "" if error is None else type(error).__name__
        made = _Kind(service, operation, outcome_of(error), code, Tally(), times)
        # The route is kept with it, so that no other can have its identity.
        return self._kinds.setdefault((id(route), None if error is None else type(error)), (route, made))[1]

    def _tell(self, event: Event, kind: _Kind, seconds: float) -> None:
        if seconds >= self._slow:
            log.warning("slow request", **_told(event, kind, seconds))
        elif event.error is None:
            log.info("request", **_told(event, kind, seconds))
        elif kind.outcome in ("failed", "unavailable"):
            log.error("request failed", **_told(event, kind, seconds))
        else:
            log.info("request refused", **_told(event, kind, seconds))


def named(route: Route | None) -> tuple[str, str]:
    """Service and operation of a route, as labels."""
    return (UNKNOWN, UNKNOWN) if route is None else (route.operation.service, route.operation.name)


def _told(event: Event, kind: _Kind, seconds: float) -> dict[str, Any]:
    told: dict[str, Any] = {
        "request_id": event.request_id,
        "service": kind.service,
        "operation": kind.operation,
        "outcome": kind.outcome,
        "milliseconds": round(seconds * 1000, 1),
        "source": event.source,
    }
    if kind.code:
        told["code"] = kind.code
    if event.caller is not None:
        told["caller"] = event.caller.arn
    return told

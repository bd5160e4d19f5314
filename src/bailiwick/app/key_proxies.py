"""The way to the proxies of external key stores, which other people run, and which may be slow or gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import structlog

from bailiwick.app.metrics import Sample
from bailiwick.federation.breaker import Breaker, Busy, Spared
from bailiwick.federation.fetch import FetchError
from bailiwick.federation.kept import Kept
from bailiwick.measure import Histogram, Tally

log = structlog.get_logger()

_REMEMBERED = 256  # proxies; tenants name them
_HEALTH = "/health"


class KeyProxies:
    """Asks each at its endpoint, or at the URL that the operator gives for it."""

    def __init__(self, kept: Kept, places: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        """Take the connections, the operator's URLs by endpoint, and a clock that only goes on."""
        self._kept, self._places, self._clock = kept, dict(places), clock
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._lock = threading.Lock()
        self._times = Histogram()
        self._outcomes = {outcome: Tally() for outcome in ("answered", "failed", "spared", "busy")}

    def post(
        self, endpoint: str, path: str, operation: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """The status and body with which the proxy at `endpoint` and `path` answers.

        How it is can always be asked; anything else not while it is left alone. Raises FetchError.
        """
        breaker = self._breaker(endpoint, path)
        was_open, begun, outcome = breaker.is_open, time.perf_counter(), "failed"
        try:
            with breaker.asking(insists=operation == _HEALTH):
                answer = self._kept.post(self._places.get(endpoint, endpoint) + path + operation, headers, body)
            outcome = "answered"
            return answer
        except (Spared, Busy) as error:
            outcome = "spared" if isinstance(error, Spared) else "busy"
            raise
        except FetchError as error:
            if breaker.is_open and not was_open:
                log.warning("a key store's proxy is left alone", proxy=endpoint + path, reason=str(error))
            raise
        finally:
            self._outcomes[outcome].add()
            if outcome in ("answered", "failed"):
                self._times.observe(time.perf_counter() - begun)
            if was_open and outcome == "answered":
                log.info("a key store's proxy answers again", proxy=endpoint + path)

    def samples(self) -> Iterator[Sample]:
        """What was asked, and how it went."""
        for outcome, tally in self._outcomes.items():
            yield Sample("bailiwick_key_proxy_requests", (outcome,), tally.value)
        yield Sample.of("bailiwick_key_proxy_seconds", (), self._times.distribution)
        yield Sample("bailiwick_key_proxy_connections", (), self._kept.opened.value)
        alone = sum(breaker.is_open for breaker in tuple(self._breakers.values()))
        yield Sample("bailiwick_key_proxies_left_alone", (), alone)

    def close(self) -> None:
        """Close what is open."""
        self._kept.close()

    def _breaker(self, endpoint: str, path: str) -> Breaker:
        """That of a proxy; those that were used last are remembered."""
        with self._lock:
            found = self._breakers.pop((endpoint, path), None) or Breaker(self._clock)
            self._breakers[endpoint, path] = found
            if len(self._breakers) > _REMEMBERED:
                del self._breakers[next(iter(self._breakers))]
        return found

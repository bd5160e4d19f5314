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
_OUTCOMES = ("answered", "failed", "spared", "busy")


class _Proxy:
    """What this process knows of one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.breaker = Breaker(clock)
        self.outcomes = {outcome: Tally() for outcome in _OUTCOMES}


class KeyProxies:
    """Asks each at its endpoint, or at the URL that the operator gives for it."""

    def __init__(self, kept: Kept, places: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        """Take the connections, the operator's URLs by endpoint, and a clock that only goes on."""
        self._kept, self._places, self._clock = kept, dict(places), clock
        self._proxies: dict[tuple[str, str], _Proxy] = {}
        self._lock = threading.Lock()
        self._times = Histogram()

    def post(
        self, endpoint: str, path: str, operation: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """The status and body with which the proxy at `endpoint` and `path` answers.

        How it is can always be asked; anything else not while it is left alone. Raises FetchError.
        """
        known = self._known(endpoint, path)
        breaker = known.breaker
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
            known.outcomes[outcome].add()
            if outcome in ("answered", "failed"):
                self._times.observe(time.perf_counter() - begun)
            if was_open and outcome == "answered":
                log.info("a key store's proxy answers again", proxy=endpoint + path)

    def samples(self) -> Iterator[Sample]:
        """What was asked of which, and how it went."""
        for (endpoint, path), known in tuple(self._proxies.items()):
            for outcome, tally in known.outcomes.items():
                yield Sample("bailiwick_key_proxy_requests", (endpoint + path, outcome), tally.value)
            yield Sample("bailiwick_key_proxies_left_alone", (endpoint + path,), int(known.breaker.is_open))
        yield Sample.of("bailiwick_key_proxy_seconds", (), self._times.distribution)
        yield Sample("bailiwick_key_proxy_connections", (), self._kept.opened.value)

    def close(self) -> None:
        """Close what is open."""
        self._kept.close()

    def _known(self, endpoint: str, path: str) -> _Proxy:
        """What is known of a proxy; those that were used last are remembered."""
        with self._lock:
            found = self._proxies.pop((endpoint, path), None) or _Proxy(self._clock)
            self._proxies[endpoint, path] = found
            if len(self._proxies) > _REMEMBERED:
                del self._proxies[next(iter(self._proxies))]
        return found

"""`/readyz`: may requests be sent to this process? Asked at most once a second, in a thread of its own.

What is told is which part is not ready; why is in the log, once for each change, for strangers may ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from sqlalchemy import literal, select

from bailiwick.app.noise import noise
from bailiwick.core import ids
from bailiwick.core.message import Response
from bailiwick.store import Store, StoreError

log = structlog.get_logger()

_GOOD_FOR = 1.0  # seconds

Check = Callable[[], str | None]
"""Looks at one part; returns why it is not ready, or None."""


class Ready:
    """The answer to `/readyz`. To be called from one thread: that of the event loop."""

    def __init__(self, checks: Mapping[str, Check], clock: Callable[[], float] = time.monotonic) -> None:
        """Take a check for each part by its name."""
        self.draining = False
        self._checks = checks
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ready")
        self._known: tuple[float, Response] | None = None
        self._asked: Future[Response] | None = None
        self._troubles: dict[str, str] = {}

    def __call__(self) -> Response | Future[Response]:
        """The answer, from memory if it is fresh. 503 says that requests should go elsewhere."""
        if self.draining:
            return plain(503, "draining\n")
        if self._known is not None and self._clock() - self._known[0] < _GOOD_FOR:
            return self._known[1]
        if self._asked is None or self._asked.done():
            self._asked = self._pool.submit(self._look)
        return self._asked

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> Response:
        troubles = {name: trouble for name, check in self._checks.items() if (trouble := _asked(check))}
        for name in self._checks:
            if troubles.get(name) != self._troubles.get(name):
                if name in troubles:
                    log.error("not ready", part=name, reason=troubles[name])
                else:
                    log.info("ready again", part=name)
        self._troubles = troubles
        lines = [f"{name}: {'not ready' if name in troubles else 'ok'}\n" for name in self._checks]
        answer = plain(503 if troubles else 200, "".join(lines))
        self._known = self._clock(), answer
        return answer


def _asked(check: Check) -> str | None:
    try:
        return check()
    except Exception as error:  # a check that fails has found something
        return f"{type(error).__name__}: {error}"


def of_store(store: Store) -> Check:
    """Whether the database answers, and what it says is fresh."""

    def check() -> str | None:
        try:
            store.refresh()
            with store.transaction() as transaction:
                transaction.one(select(literal(1)))
        except StoreError as error:
            return str(error)
        return None

    return check


def plain(status: int, text: str) -> Response:
    """An answer of the edge's own."""
    request_id = ids.request_id(noise)
    headers = (("x-amzn-requestid", request_id), ("content-type", "text/plain; charset=utf-8"))
    return Response(status, headers, text.encode())

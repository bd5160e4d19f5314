"""Whether a server is asked now: not by too many at once, and for a while not at all after it has failed in a row.

Who waits for a server that is gone holds a thread, which others could use. After a while one question is let
through; by its answer the server is asked as before, or left alone for another while.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bailiwick.federation.fetch import FetchError

FAILURES = 5
"""So many failures in a row, and a server is left alone."""

PAUSE = 5.0
"""Seconds for which it is."""

AT_ONCE = 16
"""So many ask it at once."""


class Spared(FetchError):
    """It was not asked, for it has failed; the text is that of the last failure."""


class Busy(FetchError):
    """It was not asked, for too many ask it."""


class Breaker:
    """That of one server. Safe between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a clock that only goes on."""
        self._clock = clock
        self._lock = threading.Lock()
        self._asking = self._failed = 0
        self._last: FetchError | None = None
        self._until = 0.0
        self._probed = False

    @property
    def is_open(self) -> bool:
        """Whether it is left alone."""
        return self._failed >= FAILURES

    @contextmanager
    def asking(self, *, insists: bool = False) -> Iterator[None]:
        """Ask in this block; a FetchError that leaves it is a failure. Raises Busy; Spared unless one insists."""
        probe = self._begin(insists)
        try:
            yield
        except FetchError as error:
            self._end(probe, error)
            raise
        except BaseException:
            self._end(probe, None, counts=False)
            raise
        self._end(probe, None)

    def _begin(self, insists: bool) -> bool:
        """Whether this question is the one that is let through."""
        with self._lock:
            if self._asking >= AT_ONCE:
                raise Busy("too many ask it at once", reached=True)
            probe = self.is_open and not insists
            if probe:
                if self._probed or self._clock() < self._until:
                    assert self._last is not None, "it has failed"
                    raise Spared(str(self._last), reached=self._last.reached)
                self._probed = True
            self._asking += 1
            return probe

    def _end(self, probe: bool, error: FetchError | None, *, counts: bool = True) -> None:
        with self._lock:
            self._asking -= 1
            if probe:
                self._probed = False
            if not counts:
                return
            if error is None:
                self._failed = 0
                return
            self._failed, self._last = self._failed + 1, error
            if self.is_open:
                self._until = self._clock() + PAUSE

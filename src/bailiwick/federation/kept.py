"""Questions to servers that are asked again and again: over connections that stay open between them.

A connection goes to an address that fetch.py has checked, is in use by one question at a time, and is kept only
where the answer was read to its end and nothing came after it. It is kept for so short a time that another address
or another certificate of the server is soon noticed.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bailiwick.federation.fetch import Fetcher, Place, Question, told
from bailiwick.measure import Tally

_IDLE = 20.0
"""Seconds for which a connection waits for its next question."""

_LIFE = 300.0
"""Seconds after which it is not used again."""

_EACH, _ALL = 16, 64
"""So many wait for one server, and so many for all of them: whoever may name servers may not have files opened."""


class _Connection(NamedTuple):
    socket: socket.socket
    made: float
    rests: float

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer, no end either."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(0)


class Kept:
    """Asks as its Fetcher does. Safe between threads."""

    def __init__(self, fetcher: Fetcher, clock: Callable[[], float] = time.monotonic) -> None:
        """Take who makes the connections, and a clock for their age."""
        self._fetcher, self._clock = fetcher, clock
        self._idle: dict[tuple[str, str, int], list[_Connection]] = {}
        self._lock = threading.Lock()
        self.opened = Tally()
        """How many connections were made."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and the body with which `url` answers this. It may be asked twice. Raises FetchError."""
        place, ends = Place.of(url), time.monotonic() + self._fetcher.seconds
        question = Question("POST", {"user-agent": "bailiwick", **headers}, body)
        held = self._take(place)
        if held is not None:
            try:
                return self._ask(held, place, question, ends)
            except ConnectionError:
                pass  # it was closed meanwhile, as servers do
        with told():
            return self._ask(self._new(place, ends), place, question, ends)

    def close(self) -> None:
        """Close what waits."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connection in (each for waiting in idle.values() for each in waiting):
            connection.socket.close()

    def _new(self, place: Place, ends: float) -> _Connection:
        made, now = self._fetcher.connected(place, ends)[0], self._clock()
        self.opened.add()
        return _Connection(made, now, now)

    def _ask(self, connection: _Connection, place: Place, question: Question, ends: float) -> tuple[int, bytes]:
        keep = False
        try:
            status, body, keep = self._fetcher.ask(connection.socket, place, question, ends)
            return status, body
        finally:
            if not (keep and self._put(place, connection)):
                connection.socket.close()

    def _take(self, place: Place) -> _Connection | None:
        """A connection that waits and is still good. The one that was used last is the likeliest."""
        now = self._clock()
        while True:
            with self._lock:
                waiting = self._idle.get(_key(place))
                if not waiting:
                    return None
                found = waiting.pop()
            if now - found.rests < _IDLE and now - found.made < _LIFE and found.is_quiet:
                return found
            found.socket.close()

    def _put(self, place: Place, connection: _Connection) -> bool:
        """Have it wait, if there is room; those that waited too long make some."""
        now, old = self._clock(), []
        with self._lock:
            for key, waiting in list(self._idle.items()):
                while waiting and now - waiting[0].rests >= _IDLE:
                    old.append(waiting.pop(0))
                if not waiting:
                    del self._idle[key]
            waiting = self._idle.setdefault(_key(place), [])
            fits = len(waiting) < _EACH and sum(map(len, self._idle.values())) < _ALL
            if fits:
                waiting.append(connection._replace(rests=now))
        for each in old:
            each.socket.close()
        return fits


def _key(place: Place) -> tuple[str, str, int]:
    return place.scheme, place.host, place.port

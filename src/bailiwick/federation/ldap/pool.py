"""Connections to several servers: kept open, and made to the first server that answers.

A server that cannot be reached is left alone for a second, then for twice as long each time, up to half a minute. A
connection that was kept and turns out to be dead says nothing about its server: a new one is made.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from bailiwick.core.errors import DirectoryUnavailable
from bailiwick.federation.ldap.configuration import Address
from bailiwick.federation.ldap.connection import Broken, Connection

T = TypeVar("T")
log = structlog.get_logger()

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_IDLE = 60.0  # seconds after which a connection is not trusted to be alive any more

Connect = Callable[[Address], Connection]


class Pool:
    """Runs work on a connection. At most `most` pieces of work go on at a time; others are refused at once.

    So a directory that hangs takes `most` threads of a server and no more.
    """

    def __init__(
        self,
        addresses: tuple[Address, ...],
        connect: Connect,
        most: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = addresses
        self._connect = connect
        self._now = now
        self._free = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._kept: list[tuple[Connection, float]] = []
        self._down: dict[Address, tuple[float, float]] = {}  # until when, and the pause

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns. It may be run a second time, on a new connection, if the first one broke.

        Raises DirectoryUnavailable.
        """
        if not self._free.acquire(blocking=False):
            raise DirectoryUnavailable(
                "as many people as may are signing in at this moment; `server.connections` is the bound"
            )
        try:
            kept = self._take()
            if kept is not None:
                try:
                    return self._work(kept, work)
                except Broken as stale:
                    log.debug("a connection to the directory was dead", reason=str(stale))
            return self._work(self._new(), work)
        finally:
            self._free.release()

    def close(self) -> None:
        """End every connection that is kept."""
        with self._lock:
            kept, self._kept = self._kept, []
        for connection, _ in kept:
            connection.leave()

    def _take(self) -> Connection | None:
        now = self._now()
        while True:
            with self._lock:
                if not self._kept:
                    return None
                connection, since = self._kept.pop()
            if now - since < _IDLE:
                return connection
            connection.leave()

    def _work(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        """The work done, and the connection kept unless something was wrong."""
        try:
            value = work(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._kept.append((connection, self._now()))
        return value

    def _new(self) -> Connection:
        """A connection to the first server that can be had."""
        reasons = list[str]()
        for address in self._addresses:
            with self._lock:
                until, pause = self._down.get(address, (0.0, _FIRST_PAUSE / 2))
            if self._now() < until:
                reasons.append(f"{address} is left alone after it failed")
                continue
            try:
                connection = self._connect(address)
            except DirectoryUnavailable as error:
                reasons.append(str(error))
                pause = min(pause * 2, _LONGEST_PAUSE)
                with self._lock:
                    self._down[address] = (self._now() + pause, pause)
                log.warning("a server of the directory failed", reason=str(error), seconds=pause)
                continue
            with self._lock:
                self._down.pop(address, None)
            return connection
        raise DirectoryUnavailable("; ".join(reasons))

"""Several processes on one port: a parent that holds the port and replaces a worker that dies.

Each worker is a fresh interpreter (spawn) that gets settings and key ring through a pipe. The pipe's other end
is the parent's life line: when it closes, the worker drains and ends, so a killed parent leaves no orphans.

Each worker listens on a socket of its own (SO_REUSEPORT), so that the kernel deals out connections. Measured
with two workers and eight connections: one socket for both gave 8 and 0, or 7 and 1; own sockets 5 and 3.

Metrics are the parent's to tell: through the pipe it asks each worker for what it has counted, and adds it up.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from threading import Lock
from typing import Any

import structlog

from bailiwick.app import environment, logs
from bailiwick.app.gauges import gathered
from bailiwick.app.hardening import harden
from bailiwick.app.home import Home
from bailiwick.app.metrics import Sample, joined, lasting
from bailiwick.app.scrape import scraped
from bailiwick.app.server import ServerError, listen, server, serves_only
from bailiwick.app.settings import Settings
from bailiwick.store import StoreError

log = structlog.get_logger()

_EXTRA_SECONDS = 5.0  # that a worker gets beyond the time to drain before it is killed
_PAUSE = 1.0
_PATIENCE = 2.0  # seconds in which a worker must tell its metrics, or its last ones stand for them
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Worker:
    """One worker as the parent sees it."""

    def __init__(self, settings: Settings, home: Home, port: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.line, theirs = spawn.Pipe()
        self.process: SpawnProcess = spawn.Process(
            target=work, args=(settings, home, port, theirs), name="bailiwick worker"
        )
        self.process.start()
        theirs.close()
        self.ready = False
        self.last: list[Sample] = []
        self._asked = 0

    def hear(self) -> None:
        """Take the worker's word that it accepts connections; its death is seen elsewhere."""
        try:
            self.ready = self.line.recv() == "ready"
        except EOFError:
            self.process.join()

    def samples(self) -> list[Sample]:
        """What the worker has counted; the last that it told, where it does not answer."""
        if not self.ready:
            return []
        self._asked += 1
        try:
            self.line.send(self._asked)
            ends = time.monotonic() + _PATIENCE
            while self.line.poll(max(0.0, ends - time.monotonic())):
                number, samples = self.line.recv()
                if number == self._asked:  # not the late answer to another question
                    self.last = samples
                    break
        except (EOFError, OSError):
            pass  # it has died, which is seen elsewhere
        return self.last


class _Fleet:
    """The workers, as the thread that tells their metrics sees them."""

    def __init__(self, settings: Settings, home: Home, port: int) -> None:
        self._given = settings, home, port
        self._number = settings.workers
        self._lock = Lock()  # held while anything is said through a pipe, or a pipe is closed
        self._gone: list[Sample] = []
        self._replaced = 0
        self.workers: list[_Worker] = []

    def begin(self) -> None:
        """Start the first generation."""
        self.workers = [_Worker(*self._given) for _ in range(self._number)]

    def replace(self, place: int) -> None:
        """Start another in the place of one that died; what that one had counted still counts."""
        worker = self.workers[place]
        with self._lock:
            worker.line.close()
            self._gone = joined([*self._gone, *lasting(worker.last)])
            self._replaced += 1
            worker.ready, was_ready = False, worker.ready
        log.error("a worker died and is replaced", pid=worker.process.pid, status=worker.process.exitcode)
        if not was_ready:
            time.sleep(_PAUSE)  # it was a replacement itself, and would die all day
        self.workers[place] = _Worker(*self._given)

    def samples(self) -> list[Sample]:
        """What all of them have counted."""
        with self._lock:
            told = [sample for worker in self.workers for sample in worker.samples()]
            replaced = Sample("bailiwick_worker_replacements", (), self._replaced)
            return [*self._gone, *told, replaced]


def supervise(settings: Settings, home: Home, port: int, ready: Callable[[], None]) -> None:
    """Run the workers until SIGINT or SIGTERM. `ready` is called once, when all of them accept.

    Raises ServerError if a worker of the first generation ends before it was ready: another would end as well.
    """
    told, tell = os.pipe()
    before = {number: signal.signal(number, lambda *_: os.write(tell, b"!") and None) for number in _SIGNALS}
    fleet = _Fleet(settings, home, port)
    try:
        with scraped(settings, fleet.samples):
            fleet.begin()
            _watch(fleet, told, ready)
    finally:
        _end(fleet.workers, settings.drain_delay + settings.drain_timeout + _EXTRA_SECONDS)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        os.close(tell)


def _watch(fleet: _Fleet, told: int, ready: Callable[[], None]) -> None:
    """Replace workers that die, until something can be read from `told`."""
    workers, announced = fleet.workers, False
    while True:
        lines: list[Any] = [worker.line for worker in workers if not worker.ready]
        heard = wait([told, *lines, *(worker.process.sentinel for worker in workers)])
        if told in heard:
            return
        for place, worker in enumerate(workers):
            if worker.line in heard:
                worker.hear()
            if not worker.process.is_alive():
                if not (worker.ready or announced):
                    raise ServerError("a worker could not start; what it logged says why")
                fleet.replace(place)
        if not announced and all(worker.ready for worker in workers):
            announced = True
            ready()


def _end(workers: list[_Worker], seconds: float) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(seconds)
        if worker.process.is_alive():
            log.error("a worker did not drain in time and is killed", pid=worker.process.pid)
            worker.process.kill()
            worker.process.join()


def work(settings: Settings, home: Home, port: int, line: Connection) -> None:
    """The life of one worker. It runs in a process of its own."""
    logs.configure(settings.log_level)
    harden()
    try:
        world = environment.on_folder(home, settings)
        edge = world.edge(settings)
        serves_only()
        serving = server(edge, settings, ready=lambda: line.send("ready"))
        listener = listen(settings.host, port, shared=True)
    except (ServerError, StoreError, OSError) as error:
        log.error("a worker cannot start", reason=str(error))
        raise SystemExit(1) from None

    def watch() -> None:
        try:
            while True:
                line.send((line.recv(), gathered(world, edge, serving)))
        except (EOFError, OSError):
            pass
        finally:
            serving.should_exit = True

    threading.Thread(target=watch, name="life line", daemon=True).start()
    serving.run([listener])
    edge.close()
    world.close()

"""Several processes on one port: a parent that holds the port and replaces a worker that dies.

Each worker is a fresh interpreter (spawn) that gets settings and key ring through a pipe. The pipe's other end
is the parent's life line: when it closes, the worker drains and ends, so a killed parent leaves no orphans.

Each worker listens on a socket of its own (SO_REUSEPORT), so that the kernel deals out connections. Measured
with two workers and eight connections: one socket for both gave 8 and 0, or 7 and 1; own sockets 5 and 3.
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
from typing import Any

import structlog

from bailiwick.app import environment, logs
from bailiwick.app.home import Home
from bailiwick.app.server import ServerError, listen, server, serves_only
from bailiwick.app.settings import Settings
from bailiwick.store import StoreError

log = structlog.get_logger()

_EXTRA_SECONDS = 5.0  # that a worker gets beyond the time to drain before it is killed
_PAUSE = 1.0
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

    def hear(self) -> None:
        """Take the worker's word that it accepts connections; its death is seen elsewhere."""
        try:
            self.ready = self.line.recv() == "ready"
        except EOFError:
            self.process.join()


def supervise(settings: Settings, home: Home, port: int, ready: Callable[[], None]) -> None:
    """Run the workers until SIGINT or SIGTERM. `ready` is called once, when all of them accept.

    Raises ServerError if a worker of the first generation ends before it was ready: another would end as well.
    """
    told, tell = os.pipe()
    before = {number: signal.signal(number, lambda *_: os.write(tell, b"!") and None) for number in _SIGNALS}
    workers = [_Worker(settings, home, port) for _ in range(settings.workers)]
    announced = False
    try:
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
                    workers[place] = _replacement(worker, settings, home, port)
            if not announced and all(worker.ready for worker in workers):
                announced = True
                ready()
    finally:
        _end(workers, settings.drain_timeout + _EXTRA_SECONDS)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        os.close(tell)


def _replacement(worker: _Worker, settings: Settings, home: Home, port: int) -> _Worker:
    worker.line.close()
    log.error("a worker died and is replaced", pid=worker.process.pid, status=worker.process.exitcode)
    if not worker.ready:
        time.sleep(_PAUSE)  # it was a replacement itself, and would die all day
    return _Worker(settings, home, port)


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
            line.recv()
        except (EOFError, OSError):
            serving.should_exit = True

    threading.Thread(target=watch, name="life line", daemon=True).start()
    serving.run([listener])
    edge.close()
    world.close()

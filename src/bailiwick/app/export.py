"""Exports of the audit trail: each follows what is stored, in a thread of its own, and never holds up a request.

While a receiver refuses, nothing is skipped: the same batch is sent again, with pauses that grow, and the lag that
grows meanwhile is logged and can be read. One process of a deployment exports; when it ends, another takes over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.app.settings import Settings, SettingsError
from bailiwick.app.sinks import FileSink, SyslogSink
from bailiwick.trail.follow import Follower, Lag
from bailiwick.trail.shelf import Shelf

log = structlog.get_logger()

_SHORTEST_SECRET = 16
_POLL = 0.5  # seconds between looks for new records
_STANDBY = 5.0  # seconds between attempts to be the one who exports
_LONGEST_PAUSE = 60.0  # between attempts of a receiver that refuses
_MUCH = 60.0  # seconds of lag that are worth a warning, and between warnings


class Sink(Protocol):
    """Where records go."""

    name: str

    def send(self, records: list[bytes], batch: str) -> None:
        """Deliver records (JSON objects). `batch` names them: the same again for the same again. Raises OSError."""

    def close(self) -> None:
        """Let go of what is open."""


class Exporter:
    """One export: its counters, its lag, and the thread that does it once `start` was called."""

    def __init__(self, sink: Sink, shelf: Shelf, now: Callable[[], float] = time.time) -> None:
        self.name = sink.name
        self.sent = self.failures = 0
        self.lag = Lag()
        self._sink = sink
        self._now = now
        self._follower = Follower(shelf, shelf.cursor(sink.name))
        self._pause = 0.0  # seconds, while the receiver refuses
        self._warned = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"export {sink.name}", daemon=True)

    def start(self) -> None:
        """Begin to export."""
        self._thread.start()

    def close(self) -> None:
        """End, after one more look unless the receiver refuses."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self) -> float:
        """Send one batch if there is one; returns how many seconds to wait before the next step."""
        try:
            if not self._follower.hold():
                return _STANDBY
            batch = self._follower.next()
            self.lag = self._follower.lag(batch, self._now())
            self._warn()
            if batch is None:
                self._pause = 0.0
                return _POLL
            self._sink.send(batch.records, batch.begins)
            self._follower.done(batch)
        except OSError as error:
            self.failures += 1
            self._pause = min(max(self._pause * 2, 1.0), _LONGEST_PAUSE)
            log.warning("the audit trail could not be exported", to=self.name, reason=str(error), again=self._pause)
            return self._pause
        self.sent += len(batch.records)
        self._pause = 0.0
        return 0.0

    def _warn(self) -> None:
        now = self._now()
        if self.lag.seconds > _MUCH and now - self._warned > _MUCH:
            self._warned = now
            log.warning(
                "an export of the audit trail lags", to=self.name, bytes=self.lag.bytes, seconds=self.lag.seconds
            )

    def _run(self) -> None:
        while not self._ended.wait(self.step()):
            pass
        while not self._pause and self.step() == 0.0:
            pass  # what was written since; a receiver that refuses is left to the next start
        self._sink.close()
        try:
            self._follower.release()
        except OSError as error:
            log.warning("the position of an export could not be given up", to=self.name, reason=str(error))


def exporters(settings: Settings, shelf: Shelf) -> list[Exporter]:
    """The exports that the settings ask for, not yet begun. Raises SettingsError, OSError."""
    found: list[Sink] = []
    if settings.audit_export_files:
        found.append(FileSink(settings.audit_export_files, settings.audit_rotate_bytes))
    try:
        if settings.audit_export_syslog:
            found.append(SyslogSink(settings.audit_export_syslog))
        if settings.audit_export_otlp:
            from bailiwick.app.sinks_http import OtlpSink  # http.client, which most have no use for

            found.append(OtlpSink(settings.audit_export_otlp))
        if settings.audit_export_webhook and settings.audit_export_webhook_secret:
            from bailiwick.app.sinks_http import WebhookSink

            secret = _secret(settings.audit_export_webhook_secret)
            found.append(WebhookSink(settings.audit_export_webhook, secret))
    except ValueError as error:
        raise SettingsError(f"the audit trail cannot be exported: {error}") from None
    return [Exporter(sink, shelf) for sink in found]


def _secret(path: Path) -> bytes:
    try:
        secret = read_private(path).strip()
    except UnsafeFile as error:
        raise SettingsError(str(error)) from None
    if len(secret) < _SHORTEST_SECRET:
        raise SettingsError(f"the secret in {path} is too short: {_SHORTEST_SECRET} bytes or more")
    return secret

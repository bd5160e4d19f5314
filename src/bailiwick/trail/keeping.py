"""What is done to a trail beside writing it: hourly digests, segments of the dead taken over, old ones removed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import structlog

from bailiwick.trail import digest, segment
from bailiwick.trail.digest import BadDigest, Digest, Previous, Signer
from bailiwick.trail.segment import Broken, State
from bailiwick.trail.shelf import Shelf

log = structlog.get_logger()

_HOUR = 3600.0
_DAY = 86400.0


class Keeper:
    """Keeps the digests of one process's segments, and the trail within its bounds."""

    def __init__(
        self,
        shelf: Shelf,
        signer: Signer,
        *,
        keep_days: int = 0,
        keep_bytes: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Segments older than `keep_days`, or that make the trail larger than `keep_bytes`, go; 0 keeps them."""
        self._shelf = shelf
        self._signer = signer
        self._keep_days = keep_days
        self._keep_bytes = keep_bytes
        self._now = now
        self._begin = now()
        self._closed: list[State] = []
        self._previous: Previous | None = None
        self._is_first = True
        self._is_full = False

    @property
    def is_due(self) -> bool:
        """Whether an hour of the clock has ended since the last digest, or the trail is over its size."""
        return self._is_full or int(self._now() // _HOUR) != int(self._begin // _HOUR)

    def closed(self, state: State) -> None:
        """A segment has ended. Raises OSError."""
        self._closed.append(state)
        if self._keep_bytes:
            self._is_full = sum(kept.bytes for kept in self._shelf.segments()) > self._keep_bytes

    def sign(self, current: State | None) -> None:
        """Write a digest of everything since the last one. Raises OSError, and then the next one has it all."""
        if self._is_first:
            self._take_up()
            self._is_first = False
        self._is_full = False
        removed = self._remove_old(current)
        segments = (*self._closed, *((current,) if current is not None else ()))
        if not segments and not removed:
            self._begin = self._now()
            return
        end = self._now()
        closed = tuple(state.name for state in self._closed)
        made = Digest(digest.FORMAT, self._begin, end, segments, closed, removed, self._previous)
        name, data, previous = self._signer.sign(made)
        self._shelf.keep_digest(name, data)
        self._closed, self._begin, self._previous = [], end, previous

    def _take_up(self) -> None:
        """Take over what processes have left that ended without a digest, and go on from the newest digest."""
        covered: set[str] = set()
        for name in self._shelf.digests():
            data = self._shelf.digest(name)
            try:
                found = digest.read(name, data, self._signer.public)
            except BadDigest as error:
                log.error("a digest of the audit trail is not as it was written", reason=str(error))
                continue
            covered.update(found.closed)
            self._previous = Previous(name, hashlib.sha256(data).hexdigest())
        for kept in self._shelf.segments():
            if kept.name not in covered and (state := self._left_behind(kept.name)) is not None:
                self._closed.append(state)

    def _left_behind(self, name: str) -> State | None:
        """The state of a segment whose writer is gone; None for one that may grow, or has nothing good in it."""
        state = None
        try:
            if self._shelf.grows(name):
                return None
            self._shelf.end(name)
            for state in segment.check(name, self._shelf.lines(name)):  # noqa: B007  (the last one counts)
                pass
        except Broken as broken:
            log.warning("an audit segment did not end well", segment=name, reason=broken.reason, good=broken.after)
        except OSError as error:
            log.error("an audit segment cannot be read", segment=name, reason=error.strerror)
        return state

    def _remove_old(self, current: State | None) -> tuple[str, ...]:
        if not (self._keep_days or self._keep_bytes):
            return ()
        size, removed = 0, []
        oldest = self._now() - self._keep_days * _DAY
        for kept in reversed(self._shelf.segments()):
            size += kept.bytes
            if current is not None and kept.name == current.name:
                continue
            is_old = bool(self._keep_days) and kept.written < oldest
            if not is_old and not (self._keep_bytes and size > self._keep_bytes):
                continue
            try:
                if not self._shelf.grows(kept.name):
                    self._shelf.remove(kept.name)
                    removed.append(kept.name)
            except FileNotFoundError:
                continue  # another process was faster
        if removed:
            log.info("audit segments removed, as retention says", segments=len(removed))
        return tuple(removed)

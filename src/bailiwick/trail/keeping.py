"""What is done to a trail beside writing it: hourly digests, segments of the dead taken over, old ones removed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from bailiwick.trail import digest, segment
from bailiwick.trail.digest import BadDigest, Digest, Previous, Signer
from bailiwick.trail.segment import Broken, State

log = structlog.get_logger()

_HOUR = 3600.0
_DAY = 86400.0


class Keeper:
    """Keeps the digests of one process's segments, and the trail within its bounds."""

    def __init__(
        self,
        folder: Path,
        signer: Signer,
        *,
        keep_days: int = 0,
        keep_bytes: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Segments older than `keep_days`, or that make the trail larger than `keep_bytes`, go; 0 keeps them."""
        self._folder = folder
        self._signer = signer
        self._keep_days = keep_days
        self._keep_bytes = keep_bytes
        self._now = now
        self._begin = now()
        self._closed: list[State] = []
        self._previous: Previous | None = None
        self._is_first = True

    @property
    def is_due(self) -> bool:
        """Whether an hour of the clock has ended since the last digest."""
        return int(self._now() // _HOUR) != int(self._begin // _HOUR)

    def closed(self, state: State) -> None:
        """A segment has ended."""
        self._closed.append(state)

    def sign(self, current: State | None) -> None:
        """Write a digest of everything since the last one. Raises OSError, and then the next one has it all."""
        if self._is_first:
            self._take_up()
            self._is_first = False
        removed = self._remove_old(current)
        segments = (*self._closed, *((current,) if current is not None else ()))
        if not segments and not removed:
            self._begin = self._now()
            return
        end = self._now()
        closed = tuple(state.name for state in self._closed)
        made = Digest(digest.FORMAT, self._begin, end, segments, closed, removed, self._previous)
        self._previous = self._signer.write(self._folder, made)
        self._closed, self._begin = [], end

    def _take_up(self) -> None:
        """Take over what processes have left that ended without a digest, and go on from the newest digest."""
        files = digest.all_in(self._folder)
        covered: set[str] = set()
        for path in files:
            try:
                found, sha256 = digest.read(path, self._signer.public)
            except (BadDigest, OSError) as error:
                log.error("a digest of the audit trail is not as it was written", reason=str(error))
                continue
            covered.update(found.closed)
            self._previous = Previous(path.name, sha256)
        for path in segment.all_in(self._folder):
            if path.name not in covered and (state := _left_behind(path)) is not None:
                self._closed.append(state)

    def _remove_old(self, current: State | None) -> tuple[str, ...]:
        if not (self._keep_days or self._keep_bytes):
            return ()
        kept, removed = 0, []
        oldest = self._now() - self._keep_days * _DAY
        for path in reversed(segment.all_in(self._folder)):
            if current is not None and path.name == current.name:
                continue
            try:
                status = path.stat()
                kept += status.st_size
                is_old = bool(self._keep_days) and status.st_mtime < oldest
                if (is_old or (self._keep_bytes and kept > self._keep_bytes)) and not _grows(path):
                    path.unlink()
                    path.with_suffix(".index").unlink(missing_ok=True)
                    removed.append(path.name)
            except FileNotFoundError:
                continue  # another process was faster
        if removed:
            log.info("audit segments removed, as retention says", segments=len(removed))
        return tuple(removed)


def _left_behind(path: Path) -> State | None:
    """The state of a segment whose writer is gone; None for one that may still grow, or has nothing good in it."""
    if _grows(path):
        return None
    state = None
    try:
        for state in segment.check(path):  # noqa: B007  (the last one counts)
            pass
    except Broken as broken:
        log.warning("an audit segment did not end well", segment=path.name, reason=broken.reason, good=broken.after)
    except OSError as error:
        log.error("an audit segment cannot be read", segment=path.name, reason=error.strerror)
    return state


def _grows(path: Path) -> bool:
    with path.open("rb") as file:
        return segment.grows(file)

"""How often a secret may be guessed: a few times at once, then ever more slowly."""

from __future__ import annotations

_FREE = 5  # failures before the first wait
_FIRST_WAIT = 30.0  # seconds, doubled by each further failure
_LONGEST_WAIT = 3600.0
_FORGOTTEN = 86_400.0
_REMEMBERED = 10_000


class Attempts:
    """Counts what failed, by key, in one process. Two threads that meet here may count one failure less."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[int, float]] = {}  # how often, and when last

    def waits(self, key: str, now: float, free: int = _FREE) -> bool:
        """Whether nothing may be tried for `key` yet, `free` failures being free; `now` in epoch seconds."""
        count, last = self._failed.get(key, (0, 0.0))
        if count < free:
            return False
        wait = min(_FIRST_WAIT * 2.0 ** min(count - free, 16), _LONGEST_WAIT)
        return now < last + wait

    def failed(self, key: str, now: float) -> None:
        """An attempt for `key` has failed."""
        count, last = self._failed.pop(key, (0, 0.0))
        while len(self._failed) >= _REMEMBERED:
            self._failed.pop(next(iter(self._failed)), None)  # the one that failed longest ago
        self._failed[key] = (1 if last + _FORGOTTEN < now else count + 1, now)

    def succeeded(self, key: str) -> None:
        """An attempt for `key` was right: what failed before is forgotten."""
        self._failed.pop(key, None)

"""How often a secret may be guessed: a few times at once, then ever more slowly."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

FORGOTTEN = 86_400.0
"""Seconds after the last failure when all of them are forgotten."""

_FREE = 5  # failures before the first wait
_FIRST_WAIT = 30.0  # seconds, doubled by each further failure
_LONGEST_WAIT = 3600.0
_REMEMBERED = 20_000
_MOST_NEWS = 64  # failures of one name that are told at once: many more than anybody has before she waits


class Count(NamedTuple):
    """How often something failed, and when last, in epoch seconds."""

    failures: int
    last: float

    def waits(self, now: float, free: int) -> bool:
        """Whether nothing may be tried yet, `free` failures being free."""
        if self.failures < free:
            return False
        wait = min(_FIRST_WAIT * 2.0 ** min(self.failures - free, 16), _LONGEST_WAIT)
        return now < self.last + wait

    def after(self, now: float, free: int) -> Count:
        """The count after one more failure. Many that were begun at once count no more than were free."""
        if self.waits(now, free):
            return self
        return Count(1 if self.last + FORGOTTEN < now else self.failures + 1, max(self.last, now))


class News(NamedTuple):
    """What happened to a name: whether a success had all forgotten, and the failures since: when, how many free."""

    forgotten: bool
    failed: list[tuple[float, int]]


NEVER = Count(0, 0.0)


class Attempts:
    """Counts what failed, by key. Two threads that meet here may count one failure less.

    What is counted is told to the other processes, and learned from them, by whoever takes the news
    (directory/guesses.py). Keys are kept as digests under a secret: what is given as a name may be a password.
    """

    def __init__(self, secret: bytes = b"") -> None:
        """Take the secret, at most 64 bytes: the same in every process that counts together."""
        self._secret = secret
        self._counts: dict[str, Count] = {}
        self._news: dict[str, News] = {}

    def waits(self, key: str, now: float, free: int = _FREE) -> bool:
        """Whether nothing may be tried for `key` yet, `free` failures being free; `now` in epoch seconds."""
        return self._counts.get(self._name(key), NEVER).waits(now, free)

    def failed(self, key: str, now: float, free: int = _FREE) -> None:
        """An attempt for `key` has failed."""
        name = self._name(key)
        before = self._counts.get(name, NEVER)
        count = before.after(now, free)
        if count is before:
            return
        self.learn(name, count)
        news = self._news.setdefault(name, News(False, []))
        if len(news.failed) < _MOST_NEWS and len(self._news) <= _REMEMBERED:
            news.failed.append((now, free))

    def succeeded(self, key: str) -> None:
        """An attempt for `key` was right: what failed before is forgotten."""
        name = self._name(key)
        if self._counts.pop(name, None) is not None:
            self._news[name] = News(True, [])

    # -- Counting together ------------------------------------------------------------------------------

    def take_news(self) -> dict[str, News]:
        """What happened since this was last asked, by name."""
        taken, self._news = self._news, {}
        return taken

    def give_back(self, news: dict[str, News]) -> None:
        """These could not be told yet."""
        self._news = {**news, **self._news}

    def learn(self, name: str, count: Count) -> None:
        """So often has it failed, in all processes."""
        self._counts.pop(name, None)
        while len(self._counts) >= _REMEMBERED:
            self._counts.pop(next(iter(self._counts)), None)  # the one that failed longest ago
        if count.failures:
            self._counts[name] = count

    def _name(self, key: str) -> str:
        return hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16, key=self._secret).hexdigest()

"""Failed guesses at secrets, counted by all processes of a deployment together.

Each process decides by what it has in memory: no sign-in reads or writes anything for it. What failed is written
down in the next second, and the others, who are told as of any other change, read what is new. So whoever spreads
guesses over processes gains no more than those that she is through with in a second or two. When the database is
away each process counts for itself. A process that is started reads what was counted before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from bailiwick.api import Environment, Transaction
from bailiwick.core.attempts import FORGOTTEN, NEVER, Attempts, Count, News
from bailiwick.directory.credential_tables import guess
from bailiwick.store import StoreError

if TYPE_CHECKING:
    from bailiwick.store import Store

MOST = 20_000
"""Rows that are kept: those that failed last."""
_SKEW = 120.0  # seconds by which the clocks of two nodes may differ
_CHUNK = 500
_TOPIC = "guesses"


class Guesses:
    """The memory of one process, and the table of all."""

    def __init__(self, store: Store, attempts: Attempts) -> None:
        self._store, self._attempts = store, attempts
        self._mark: object = None
        self._read = 0.0

    def share(self, now: float) -> None:
        """Tell what happened here, learn what happened elsewhere; about each second. Raises store.StoreError."""
        news = self._attempts.take_news()
        if news:
            try:
                told = self._tell(news, now)
            except StoreError:
                self._attempts.give_back(news)
                raise
            for name, count in told.items():
                self._attempts.learn(name, count)
        self._store.refresh()
        mark = self._store.remembered(_TOPIC, "", lambda _: (object(), (_TOPIC,)))
        if mark is not self._mark:
            self._learn(now)
            self._mark, self._read = mark, now

    def _tell(self, news: dict[str, News], now: float) -> dict[str, Count]:
        """Write it down; returns the counts that came of it."""
        column, told, every = guess.c, dict[str, Count](), sorted(news)
        with self._store.transaction(write=True) as transaction:
            for start in range(0, len(news), _CHUNK):
                names = every[start : start + _CHUNK]
                rows = transaction.all(select(guess).where(column.name.in_(names)))
                before = {row.name: Count(row.failures, row.last) for row in rows}
                told |= {name: _counted(before.get(name, NEVER), news[name], now) for name in names}
                transaction.run(delete(guess).where(column.name.in_(names)))
                transaction.run(insert(guess), [{"name": name, **told[name]._asdict()} for name in names])
            transaction.changed(_TOPIC)
        return told

    def _learn(self, now: float) -> None:
        since = (self._read or now - FORGOTTEN) - _SKEW
        wanted = select(guess).where(guess.c.last > since).order_by(guess.c.last.desc()).limit(MOST)
        with self._store.transaction() as transaction:
            rows = transaction.all(wanted)
        for row in reversed(rows):
            self._attempts.learn(row.name, Count(row.failures, row.last))


def _counted(before: Count, news: News, now: float) -> Count:
    count = Count(0, now) if news.forgotten else before
    for when, free in sorted(news.failed):
        count = count.after(when, free)
    return count


def sweep(transaction: Transaction, environment: Environment, now: float) -> None:
    """Delete what is forgotten, and the oldest of too many: a chore."""
    last = guess.c.last
    transaction.run(delete(guess).where(last <= now - FORGOTTEN - _SKEW))
    first_too_many = transaction.one(select(last).order_by(last.desc()).offset(MOST).limit(1))
    if first_too_many is not None:
        transaction.run(delete(guess).where(last <= first_too_many.last))

"""The outbox: which peer is to be told of which key, until it has answered.

What is written there is only that there is something to tell; what is told is what is known when it is sent. So
nothing piles up while a peer is away, and of two messages the later one is enough.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from bailiwick.api import Environment, Transaction
from bailiwick.services.kms import families
from bailiwick.services.kms.family_tables import family, outbox
from bailiwick.store import settings

GREETED = "kms.greeted"
"""The fact that says when this deployment last asked its peers for all that they know."""

LEASE = 60.0
"""Seconds for which what one process delivers is left to it."""

_TOGETHER = 5.0  # seconds within which the processes of one start come up
_LONGEST = 300.0
_AT_ONCE = 20


class Letter(NamedTuple):
    """Something to tell a peer."""

    account: str
    id: str
    peer: str
    version: int
    attempts: int


def take(transaction: Transaction, now: float) -> list[Letter]:
    """What is due, for whoever asks to deliver: it is nobody else's for a while."""
    column = outbox.c
    due = transaction.all(select(outbox).where(column.due <= now).order_by(column.due).limit(_AT_ONCE))
    for row in due:
        transaction.run(update(outbox).where(*_same(row)).values(due=now + LEASE))
    return [Letter(row.account, row.id, row.peer, row.version, row.attempts) for row in due]


def look(transaction: Transaction) -> tuple[int, float | None]:
    """How much there is to deliver, and when the first of it is due."""
    row = transaction.one(select(func.count().label("waiting"), func.min(outbox.c.due).label("due")))
    return (row.waiting, row.due) if row is not None else (0, None)


def delivered(transaction: Transaction, letter: Letter, now: float) -> None:
    """Forget what was answered; what has changed meanwhile is due at once."""
    if not transaction.run(delete(outbox).where(*_same(letter), outbox.c.version == letter.version)):
        transaction.run(update(outbox).where(*_same(letter)).values(due=now))


def put_off(transaction: Transaction, letter: Letter, now: float) -> None:
    """Try again later: after 1, 2, 4 ... seconds, and every five minutes in the end."""
    later = min(_LONGEST, 2.0 ** min(letter.attempts, 10))
    values = {"attempts": outbox.c.attempts + 1, "due": now + later}
    transaction.run(update(outbox).where(*_same(letter), outbox.c.version == letter.version).values(values))


def greet(transaction: Transaction, environment: Environment) -> None:
    """Have the peers of every family told, as after a start: they may know what is not known here.

    Of processes that start together one does it.
    """
    now = environment.now()
    if now - float(settings.get(transaction, GREETED) or 0) < _TOGETHER:
        return
    settings.put(transaction, GREETED, str(now))
    for row in transaction.all(select(family.c.account, family.c.id)):
        families.changed(transaction, environment, row.account, row.id)


def _same(of: Letter | Row[Any]) -> tuple[ColumnElement[bool], ...]:
    column = outbox.c
    return column.account == of.account, column.id == of.id, column.peer == of.peer

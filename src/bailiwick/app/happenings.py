"""What is done without a call, by services themselves or by operators' commands, on its way into the audit trail.

It is kept in the database, in the transaction in which it was done, and forgotten when its record is on disk. So
nothing that is done is without a record in the end, whenever a process dies; one that dies in between leaves it to
the others, and then there may be two records. What commands do is told by a server. No transaction waits for the
trail, which may lie in the same database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Transaction
from bailiwick.app.audit import Trail
from bailiwick.app.noise import noise
from bailiwick.app.record import ServiceEvent
from bailiwick.core import ids
from bailiwick.core.happened import Happened
from bailiwick.store import Store
from bailiwick.trail import tables

_PATIENCE = 5.0  # seconds; a disk that takes no records is not waited for
_LEFT = 120.0  # seconds after which nobody else is about to tell it
_AT_ONCE = 100


class Kept(NamedTuple):
    """Something that happened, as the database keeps it."""

    id: str
    happened: Happened


def keep(transaction: Transaction, happened: Iterable[Happened], now: float, since: float = 0.0) -> list[Kept]:
    """Have a server tell it. `since` is when somebody began to; until some time after it is left to her."""
    kept = [Kept(ids.request_id(noise), each._replace(time=now)) for each in happened]
    if kept:
        rows = [{"id": id, "time": since, "event": msgspec.json.encode(each)} for id, each in kept]
        transaction.run(insert(tables.happened), rows)
    return kept


class Happenings:
    """Those of one process. One thread uses it."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store, self._trail = store, trail
        self._told: list[tuple[Future[None], tuple[str, ...]]] = []

    def keep(self, transaction: Transaction, happened: Iterable[Happened], now: float) -> list[Kept]:
        """Have them told even if this process dies. Give them to `tell` once the transaction has committed."""
        return keep(transaction, happened, now, since=now)

    def tell(self, kept: Sequence[Kept]) -> None:
        """Have the trail take them, if it takes any; else it is left for later. Raises store.StoreError."""
        if not kept or self._trail.trouble() is not None:
            return
        for _, each in kept:
            self._trail.write(ServiceEvent(each.time, "", "", "", each.region, None, None, happened=each))
        stored = self._trail.stored()
        self._told.append((stored, tuple(each.id for each in kept)))
        try:
            stored.result(_PATIENCE)
        except (TimeoutError, RuntimeError):
            return
        self._forget()

    def tell_what_is_left(self, now: float) -> None:
        """The same for what commands did, and for what a process kept and did not come to tell.

        Of several processes one tells it. Raises store.StoreError.
        """
        self._forget()
        known = {id for _, each in self._told for id in each}
        column = tables.happened.c
        old = select(tables.happened).where(column.time <= now - _LEFT).order_by(column.time).limit(_AT_ONCE)
        with self._store.transaction() as transaction:
            rows = [row for row in transaction.all(old) if row.id not in known]
        if not rows or self._trail.trouble() is not None:
            return
        with self._store.transaction(write=True) as transaction:
            taken = [
                row
                for row in rows
                if transaction.run(
                    update(tables.happened).where(column.id == row.id, column.time == row.time).values(time=now)
                )
            ]
        self.tell([Kept(row.id, _read(row.event, row.time)) for row in taken])

    def _forget(self) -> None:
        """Remove from the database what is on disk."""
        done = [each for stored, each in self._told if stored.done() and stored.exception() is None]
        if done:
            over = [id for each in done for id in each]
            with self._store.transaction(write=True) as transaction:
                transaction.run(delete(tables.happened).where(tables.happened.c.id.in_(over)))
        self._told = [(stored, each) for stored, each in self._told if not stored.done()]


def _read(event: bytes, since: float) -> Happened:
    """What is kept. Of an earlier version it has no time of its own: it was told from when it was done."""
    found = msgspec.json.decode(event, type=Happened)
    return found if found.time else found._replace(time=since)

"""A trail in the database: for nodes that share nothing else.

A segment is a row, its blocks are rows of at most some 128 KiB. There are no locks as files have them, so a segment
counts as growing while its row was written within two hours and does not say that it has ended; whoever takes it
over says so first, and a writer that was only slow finds it ended and begins another.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, insert, select, update

from bailiwick.store import Store, StoreError
from bailiwick.store.transaction import Transaction
from bailiwick.trail import tables
from bailiwick.trail.segment import SUFFIX, State, block, first, stem, text_of
from bailiwick.trail.shelf import Kept, Read

_BLOCK = 128 << 10
_ALONE = 7200.0  # seconds without a write after which a segment's writer is taken for dead
_LEASE = 60.0  # seconds for which a follower holds its position

_segment, _block, _digest, _follower = tables.segment.c, tables.block.c, tables.digest.c, tables.follower.c


class Database:
    """The trail in a database."""

    def __init__(self, store: Store, indexes: Path | None = None, now: Callable[[], float] = time.time) -> None:
        """Take an open store, and a folder in which this machine may keep indexes."""
        self._store = store
        self._indexes = indexes
        self._now = now

    def __str__(self) -> str:
        return "the database"

    def begin(self, at: datetime) -> TableSegment:
        return TableSegment(self._store, at, self._now)

    def segments(self) -> list[Kept]:
        columns = (_segment.name, _segment.bytes, _segment.written)
        with self._reading() as transaction:
            rows = transaction.all(select(*columns).order_by(_segment.name))
        return [Kept(row.name, row.bytes, row.written) for row in rows]

    def grows(self, name: str) -> bool:
        with self._reading() as transaction:
            row = transaction.one(select(_segment.written, _segment.ended).where(_segment.name == name))
        return row is not None and not row.ended and self._now() - row.written < _ALONE

    def end(self, name: str) -> None:
        with _writing(self._store) as transaction:
            transaction.run(update(tables.segment).where(_segment.name == name).values(ended=1))

    def lines(self, name: str, start: int = 0) -> Iterator[bytes]:
        found = self._containing(name, start)
        while found is not None:
            begin, data = found
            yield from io.BytesIO(data[max(start - begin, 0) :])  # by line feeds, and by nothing else
            found = self._at(name, begin + len(data))

    @contextmanager
    def reader(self, name: str) -> Iterator[Read]:
        begin, data = 0, b""

        def read(offset: int) -> bytes:
            nonlocal begin, data
            if not begin <= offset < begin + len(data):
                begin, data = self._containing(name, offset) or (0, b"")
            at = offset - begin
            return data[at : data.find(b"\n", at) + 1]

        yield read

    def remove(self, name: str) -> None:
        with _writing(self._store) as transaction:
            transaction.run(delete(tables.block).where(_block.segment == name))
            transaction.run(delete(tables.segment).where(_segment.name == name))
        if (index := self.index(name)) is not None:
            index.unlink(missing_ok=True)

    def digests(self) -> list[str]:
        with self._reading() as transaction:
            return [row.name for row in transaction.all(select(_digest.name).order_by(_digest.name))]

    def digest(self, name: str) -> bytes:
        with self._reading() as transaction:
            row = transaction.one(select(_digest.data).where(_digest.name == name))
        if row is None:
            raise FileNotFoundError(errno.ENOENT, "there is no such digest", name)
        return bytes(row.data)

    def keep_digest(self, name: str, data: bytes) -> None:
        with _writing(self._store) as transaction:
            transaction.run(insert(tables.digest).values(name=name, data=data))

    def index(self, name: str) -> Path | None:
        if self._indexes is None:
            return None
        self._indexes.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._indexes / f"{name.removesuffix(SUFFIX)}.index"

    def cursor(self, name: str) -> TableCursor:
        return TableCursor(self._store, name, self._now)

    def _containing(self, name: str, offset: int) -> tuple[int, bytes] | None:
        chosen = select(_block.start, _block.data).where(_block.segment == name, _block.start <= offset)
        with self._reading() as transaction:
            row = transaction.one(chosen.order_by(_block.start.desc()).limit(1))
        return (row.start, bytes(row.data)) if row is not None else None

    def _at(self, name: str, start: int) -> tuple[int, bytes] | None:
        chosen = select(_block.data).where(_block.segment == name, _block.start == start)
        with self._reading() as transaction:
            row = transaction.one(chosen)
        return (start, bytes(row.data)) if row is not None else None

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with _translated(), self._store.transaction() as transaction:
            yield transaction


class TableSegment:
    """A segment of the database open for appending."""

    def __init__(self, store: Store, begin: datetime, now: Callable[[], float]) -> None:
        """Begin a segment. Raises OSError."""
        self.day = begin.strftime("%Y%m%d")
        self.name = f"{stem(begin)}-{secrets.token_hex(6)}{SUFFIX}"
        self._store = store
        self._now = now
        self._size = self._records = 0
        self._chain = first(self.name)
        row = {"name": self.name, "bytes": 0, "chain": self._text, "written": now(), "ended": 0}
        with _writing(store) as transaction:
            transaction.run(insert(tables.segment).values(**row))

    @property
    def _text(self) -> str:
        return text_of(self._chain).decode()

    @property
    def state(self) -> State:
        return State(self.name, self._records, self._size, self._text)

    def append(self, records: Sequence[bytes]) -> None:
        if not records:
            return
        chain, size, rows = self._chain, self._size, []
        for some in _split(records):
            body, tail, chain = block(chain, some)
            rows.append({"segment": self.name, "start": size, "data": body + tail})
            size += len(body) + len(tail)
        new = text_of(chain).decode()
        chosen = update(tables.segment).where(_segment.name == self.name, _segment.ended == 0)
        # INVARIANT: what was committed is not written again, though the answer to a commit may be lost. The chain
        # tells: it is the new one only if these very records are there.
        before = chosen.where(_segment.chain == self._text)
        with _writing(self._store) as transaction:
            if transaction.run(before.values(bytes=size, chain=new, written=self._now())):
                transaction.run(insert(tables.block), rows)
            else:
                row = transaction.one(select(_segment.chain).where(_segment.name == self.name))
                if row is None or row.chain != new:
                    raise FileNotFoundError(errno.ESTALE, "another process has ended this segment", self.name)
        self._chain, self._size = chain, size
        self._records += len(records)

    def close(self) -> None:
        with _writing(self._store) as transaction:
            transaction.run(update(tables.segment).where(_segment.name == self.name).values(ended=1))


class TableCursor:
    """A follower's position in a row, held by a lease."""

    def __init__(self, store: Store, name: str, now: Callable[[], float]) -> None:
        self._store = store
        self._name = name
        self._now = now
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._until = 0.0

    def hold(self) -> bool:
        now = self._now()
        if now < self._until - _LEASE / 2:
            return True
        held = {"holder": self._holder, "until": now + _LEASE}
        mine = update(tables.follower).where(
            _follower.name == self._name, (_follower.holder == self._holder) | (_follower.until < now)
        )
        with _writing(self._store) as transaction:
            found = transaction.one(select(_follower.name).where(_follower.name == self._name))
            if found is None:
                transaction.run(insert(tables.follower).values(name=self._name, position=b"", **held))
            elif not transaction.run(mine.values(**held)):
                return False
        self._until = now + _LEASE
        return True

    def load(self) -> bytes:
        with _translated(), self._store.transaction() as transaction:
            row = transaction.one(select(_follower.position).where(_follower.name == self._name))
        return bytes(row.position) if row is not None else b""

    def save(self, position: bytes) -> None:
        mine = update(tables.follower).where(_follower.name == self._name, _follower.holder == self._holder)
        with _writing(self._store) as transaction:
            if not transaction.run(mine.values(position=position)):
                self._until = 0.0
                raise OSError(errno.ESTALE, "another node follows the trail now")

    def release(self) -> None:
        mine = update(tables.follower).where(_follower.name == self._name, _follower.holder == self._holder)
        self._until = 0.0
        with _writing(self._store) as transaction:
            transaction.run(mine.values(until=0.0))


def _split(records: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    begin = size = 0
    for at, record in enumerate(records):
        if size and size + len(record) > _BLOCK:
            yield records[begin:at]
            begin, size = at, 0
        size += len(record)
    yield records[begin:]


@contextmanager
def _writing(store: Store) -> Iterator[Transaction]:
    with _translated(), store.transaction(write=True) as transaction:
        yield transaction


@contextmanager
def _translated() -> Iterator[None]:
    """The store's errors as those of the system, which a trail in files has."""
    try:
        yield
    except StoreError as error:
        raise OSError(errno.EIO, str(error)) from error

"""One transaction: nothing happens until its first use, so a call that needs no row costs no connection."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Executable, Row, delete, func, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection

from bailiwick.store import reasons
from bailiwick.store.cache import MISSING
from bailiwick.store.errors import Aborted, Duplicate, StoreUnavailable, Unstorable
from bailiwick.store.schema import change

if TYPE_CHECKING:
    from bailiwick.store.store import Store

T = TypeVar("T")

# The table of changes keeps this many rows, and is trimmed each time its sequence passes a multiple of _TRIM.
KEPT_CHANGES = 20_000
_TRIM = 1_000


class Transaction:
    """A read or write transaction, as api.Transaction describes it. Use it in a `with` statement.

    It commits when the block ends normally and rolls back when an exception leaves it. A read transaction sees
    one state of the database and refuses to change it.
    """

    def __init__(self, store: Store, *, write: bool) -> None:
        self.write = write
        self._store = store
        self._connection: Connection | None = None
        self._generation = 0
        self._begun = 0.0
        self._topics: list[str] = []

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if kind is None and self.write:
                with _translated():
                    self._note_changes(connection)
                begun = perf_counter()
                with _translated(committing=True), _ended(connection):
                    connection.commit()
                self._store.commits.observe(perf_counter() - begun)
            else:
                with _translated():
                    connection.rollback()
            if kind is None:
                self._store.committed(self._topics)
        finally:
            self._topics = []
            self._store.release(connection)
            times = self._store.writes if self.write else self._store.reads
            times.observe(perf_counter() - self._begun)

    def all(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        """Every row of the result. Raises StoreUnavailable."""
        connection = self._open()
        with _translated():
            return connection.execute(statement, parameters).all()

    def one(self, statement: Executable, parameters: Any = None) -> Row[Any] | None:
        """The first row of the result, or None. Raises StoreUnavailable."""
        connection = self._open()
        with _translated():
            return connection.execute(statement, parameters).first()

    def run(self, statement: Executable, parameters: Any = None) -> int:
        """Execute a change; returns the number of rows changed. Raises Duplicate, StoreUnavailable."""
        assert self.write, "a read transaction changes nothing"
        connection = self._open()
        with _translated():
            return connection.execute(statement, parameters).rowcount

    def begin_writing(self) -> None:
        """Go on as a write transaction, begun at its next use: what was read before is to be read again."""
        if self.write:
            return
        self.rest()
        self.write = True

    def rest(self) -> None:
        """Give a connection that only reads back until the next use, which may find the database changed."""
        if self.write:
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                with _translated():
                    connection.rollback()
            finally:
                self._store.release(connection)

    def settle(self) -> None:
        """Commit what was written, and go on as one that reads, as if this block had ended and another begun."""
        self.__exit__(None, None, None)
        self.write = False

    def changed(self, *topics: str) -> None:
        """Have every cache of every process forget, at commit, what depends on these topics."""
        assert self.write, "a read transaction changes nothing"
        self._topics.extend(topics)

    def remember(self, kind: str, key: Hashable, load: Callable[[Transaction], tuple[T, Iterable[str]]]) -> T:
        """The value of `load(transaction)`, from memory while none of the topics it names has changed."""
        if self.write:
            return load(self)[0]  # it may see its own uncommitted changes, which are nobody else's business
        cache = self._store.cache
        value: T | object = cache.get(kind, key)
        if value is MISSING:
            self._open()
            value, topics = load(self)
            cache.put(kind, key, value, topics, self._generation)
        return value  # type: ignore[return-value]  # what was put under this kind and key was a T

    def _open(self) -> Connection:
        if self._connection is None:
            # Before the snapshot begins, or a value could be kept that is older than its generation.
            self._generation = self._store.cache.generation
            self._begun = perf_counter()
            with _translated():
                self._connection = self._store.connect(write=self.write)
        return self._connection

    def _note_changes(self, connection: Connection) -> None:
        if not self._topics:
            return
        connection.execute(insert(change), [{"topic": topic} for topic in dict.fromkeys(self._topics)])
        self._store.announce(connection)
        last = connection.execute(select(func.max(change.c.seq))).scalar_one()
        if last % _TRIM < len(self._topics):
            connection.execute(delete(change).where(change.c.seq <= last - KEPT_CHANGES))


@contextmanager
def _ended(connection: Connection) -> Iterator[None]:
    """Let no transaction stay open where a commit failed: the connection would take its lock back to the pool."""
    try:
        yield
    except BaseException:
        try:
            driver: Any = connection.connection.driver_connection
            driver.rollback()
        except Exception:
            connection.invalidate()
        raise


@contextmanager
def _translated(*, committing: bool = False) -> Iterator[None]:
    """The driver's errors as the store's. Only one that comes while committing leaves the outcome open."""
    try:
        yield
    except IntegrityError as error:
        raise Duplicate(str(error.orig)) from error
    except DataError as error:
        raise Unstorable(str(error.orig).partition("\n")[0]) from error
    except UnicodeEncodeError as error:
        raise Unstorable("a surrogate that stands alone is no character") from error
    except NoConnection as error:
        raise Aborted("every connection to the database is in use") from error
    except DBAPIError as error:
        kind = StoreUnavailable if committing and not reasons.undone(error.orig) else Aborted
        raise kind(reasons.told(error.orig)) from error

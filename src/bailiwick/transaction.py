"""What handlers may ask of the store: the form of a transaction, which store/transaction.py has."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

from sqlalchemy import Executable, Row

T = TypeVar("T")


class Transaction(Protocol):
    """One transaction of the store, opened at its first use; the pipeline commits or rolls back."""

    def __enter__(self) -> Transaction:
        """Begin, lazily."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or roll back if an exception leaves the block."""

    def all(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        """Every row of the result."""

    def one(self, statement: Executable, parameters: Any = None) -> Row[Any] | None:
        """The first row of the result, or None."""

    def run(self, statement: Executable, parameters: Any = None) -> int:
        """Execute a change; returns the number of rows changed. Raises store.Duplicate for a taken key."""

    def begin_writing(self) -> None:
        """Go on as a write transaction, for a read that must write once: what was read is to be read again."""

    def rest(self) -> None:
        """Hold nothing of the store until the next use, if it only reads: others are about to be waited for."""

    def settle(self) -> None:
        """Commit what was written, and go on as one that reads: it must last even if nothing else comes of this."""

    def changed(self, *topics: str) -> None:
        """Tell every cache of every process, at commit, to forget what depends on these topics."""

    def remember(self, kind: str, key: Hashable, load: Callable[[Transaction], tuple[T, Iterable[str]]]) -> T:
        """The value of `load`, from memory while none of the topics that it names has changed.

        Within a write transaction nothing is remembered: what is read is what the transaction sees.
        """

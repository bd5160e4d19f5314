"""What handlers may know of the past (api.History): the audit trail, of one account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Protocol

import msgspec
import structlog

from bailiwick.api import ServiceUnavailable
from bailiwick.trail.search import Place, Query, Search
from bailiwick.trail.segment import record_in
from bailiwick.trail.shelf import Shelf

log = structlog.get_logger()

_PATIENCE = 5.0  # seconds that what was answered before may take to be on disk


class Writer(Protocol):
    """Whoever writes the trail."""

    def stored(self) -> Future[None]:
        """What is done when every event written before is on disk."""


class _Identity(msgspec.Struct, frozen=True):
    account: str = msgspec.field(name="accountId", default="")


class _Ours(msgspec.Struct, frozen=True):
    explanation: msgspec.Raw = msgspec.Raw(b"null")


class _Record(msgspec.Struct, frozen=True):
    """Of a record, who asked, and why that was refused."""

    identity: _Identity = msgspec.field(name="userIdentity", default=_Identity())
    bailiwick: _Ours = _Ours()


class TrailHistory:
    """The history that is in the trail on a shelf."""

    def __init__(self, shelf: Shelf, writer: Writer) -> None:
        """Search `shelf`, once what `writer` was given is there."""
        self._search = Search(shelf)
        self._writer = writer

    def records(
        self, account: str, words: Sequence[str], since: float, until: float, after: str | None
    ) -> Iterator[tuple[str, bytes]]:
        place = msgspec.json.decode(after, type=Place) if after is not None else None
        for at, record in self._found(Query((*words, f"account={account}"), since, until), place):
            yield msgspec.json.encode(at).decode(), without_ours(record)

    def explanation(self, account: str, event: str) -> bytes | None:
        for _, record in self._found(Query((f"eventID={event}", f"account={account}"))):
            told = msgspec.json.decode(record, type=_Record)
            if told.identity.account == account:
                explanation = bytes(told.bailiwick.explanation)
                return None if explanation == b"null" else explanation
        return None

    def _found(self, query: Query, place: Place | None = None) -> Iterator[tuple[Place, bytes]]:
        try:
            self._writer.stored().result(_PATIENCE)
            for at, line in self._search.find(query, place):
                yield at, record_in(line)
        except (OSError, TimeoutError, RuntimeError) as error:
            log.error("the audit trail cannot be searched", reason=str(error))
            raise ServiceUnavailable("The service is unavailable. Please try again shortly.") from None


def without_ours(record: bytes) -> bytes:
    """The record without what CloudTrail does not have.

    It tells how the decision was made, policies of other accounts included, which is for the operator alone.
    """
    members = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    members.pop("bailiwick", None)
    return msgspec.json.encode(members)

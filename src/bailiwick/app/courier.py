"""Delivers what peers are to be told, and takes in what they answer.

Every process of a deployment with peers has one thread for it. What is to be told is in the database (its outbox),
and what one process has begun the others leave alone for a while; so nothing is lost with a process, and little is
done twice.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from bailiwick.api import ApiError
from bailiwick.app.metrics import Sample
from bailiwick.core import ids
from bailiwick.core.errors import SealError
from bailiwick.core.message import Request
from bailiwick.core.peers import Peer
from bailiwick.federation.fetch import FetchError
from bailiwick.pipeline import Pipeline, Received
from bailiwick.store import StoreError

if TYPE_CHECKING:
    from bailiwick.services.kms.delivery import Letter

log = structlog.get_logger()

_OPERATION = "SynchronizeMultiRegionKey"
_PAUSE = 1.0  # seconds between looks at the database, for what other processes have written
_SOON = 0.02  # seconds that a transaction gets to commit after it has said that there is something
_HEADERS = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"TrentService.{_OPERATION}"}

Post = Callable[[Peer, Mapping[str, str], bytes], tuple[int, bytes]]
"""POST to a peer; returns the status and the body of the answer. Raises federation.fetch.FetchError."""


class Undelivered(Exception):
    """A peer did not take what it was told; the text says why."""


class Courier:
    """Delivers what is due."""

    def __init__(self, pipeline: Pipeline, post: Post) -> None:
        self._pipeline = pipeline
        self._post = post
        self._outcomes: dict[tuple[str, str], int] = {}
        self._silent: dict[str, float] = {}  # since when a peer has taken nothing, by the monotonic clock

    def run(self, woken: threading.Event, ended: threading.Event) -> None:
        """Deliver until `ended`; `woken` is set when there may be something, and when it is over."""
        self._safely(self.greet)
        while not ended.is_set():
            if woken.wait(_PAUSE):
                woken.clear()
                if ended.wait(_SOON):
                    return
            self._safely(lambda: self.round(ended))

    def greet(self) -> None:
        """Have every peer told of every key, for this deployment may have been away."""
        from bailiwick.services.kms import delivery

        with self._pipeline.store.transaction(write=True) as transaction:
            delivery.greet(transaction, self._pipeline.environment)

    def samples(self) -> Iterator[Sample]:
        """How the peers have answered."""
        for (peer, outcome), tally in tuple(self._outcomes.items()):
            yield Sample("bailiwick_peer_messages", (peer, outcome), tally)
        for peer, since in tuple(self._silent.items()):
            yield Sample("bailiwick_peer_silent_seconds", (peer,), time.monotonic() - since)

    def round(self, ended: threading.Event | None = None) -> int:
        """Deliver what is due, unless it is over; returns how much that was."""
        count = 0
        away: set[str] = set()  # peers that did not answer: the rest of what they are to be told can wait
        while ended is None or not ended.is_set():
            letters = self._due()
            if not letters:
                break
            count += len(letters)
            for letter in letters:
                self._send(letter, away)
        return count

    def _due(self) -> list[Letter]:
        """What is due, taken so that it is nobody else's for a while."""
        from bailiwick.services.kms import delivery

        store, now = self._pipeline.store, self._pipeline.environment.now()
        with store.transaction() as transaction:
            waiting, due = delivery.look(transaction)
        if not waiting:
            self._silent.clear()
        if due is None or due > now:
            return []
        with store.transaction(write=True) as transaction:
            return delivery.take(transaction, now)

    def _send(self, letter: Letter, away: set[str]) -> None:
        """Deliver a letter, or put it off; a peer that does not answer is put among those that are `away`."""
        from bailiwick.services.kms import delivery

        store, environment = self._pipeline.store, self._pipeline.environment
        peer = environment.peers.named(letter.peer)
        try:
            if letter.peer in away:
                raise Undelivered("it did not answer a moment ago")
            if peer is not None:
                self._deliver(peer, letter.account, letter.id)
                self._note(letter.peer, "taken")
        except (FetchError, Undelivered, ApiError, SealError, ValueError) as error:
            if isinstance(error, FetchError):
                away.add(letter.peer)
            tell = log.info if letter.attempts else log.warning
            tell("a peer is told later", peer=letter.peer, key=letter.id, reason=str(error))
            self._note(letter.peer, "failed")
            settle = delivery.put_off
        else:
            settle = delivery.delivered
        with store.transaction(write=True) as transaction:
            settle(transaction, letter, environment.now())

    def _note(self, peer: str, outcome: str) -> None:
        self._outcomes[peer, outcome] = self._outcomes.get((peer, outcome), 0) + 1
        if outcome == "taken":
            self._silent.pop(peer, None)
        else:
            self._silent.setdefault(peer, time.monotonic())

    def _deliver(self, peer: Peer, account: str, key_id: str) -> None:
        from bailiwick.services.kms import synchronizing

        environment = self._pipeline.environment
        with self._pipeline.store.transaction() as transaction:
            asked = synchronizing.ask(transaction, environment, account, key_id, peer, environment.now())
        if asked is None:
            return
        body = msgspec.json.encode({"Message": base64.b64encode(asked).decode()})
        status, answer = self._post(peer, _HEADERS, body)
        if status != 200:
            raise Undelivered(f"it answers {status}: {_reason(answer)}")
        message = msgspec.json.decode(answer, type=_Answer).Message
        caller = synchronizing.answered(environment, peer, asked, message, environment.now())
        if caller is None:
            return
        route = self._pipeline.route("kms", _OPERATION)
        assert route is not None, "KMS has it"
        request = Request("POST", "/", "", (), b"", peer.url)
        received = Received(request, ids.request_id(environment.noise), environment.now(), None, route)
        call = self._pipeline.call(received, route, caller, None)
        self._pipeline.invoke(
            msgspec.structs.replace(call, operation=synchronizing.TAKE_ANSWER),
            msgspec.convert({"Message": message}, route.input),
        )

    def _safely(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except StoreError as error:
            log.warning("peers are told later", reason=str(error))
        except Exception as error:  # it must go on all the same
            log.error("peers could not be told", exc_info=error)


class _Answer(msgspec.Struct, frozen=True):
    Message: bytes


class _Refusal(msgspec.Struct, frozen=True):
    message: str = ""


def _reason(answer: bytes) -> str:
    """What a refusal says, as far as it can be read."""
    try:
        return msgspec.json.decode(answer, type=_Refusal).message[:300]
    except msgspec.MsgspecError:
        return "what it says cannot be read"

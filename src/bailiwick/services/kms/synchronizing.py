"""Peers tell each other of the multi-Region keys that they share, in messages that prove themselves."""

from __future__ import annotations

from typing import Any

from bailiwick.api import Call, Caller, Environment, Operation, Target, Transaction
from bailiwick.core import peers
from bailiwick.core.errors import SealError
from bailiwick.core.peers import Peer, Sealed
from bailiwick.core.policy.question import Principal, PrincipalKind, Rule
from bailiwick.directory import joining
from bailiwick.services.kms import peer_merge, peer_messages, peer_snapshots, shapes
from bailiwick.services.kms.peer_messages import Snapshot
from bailiwick.services.kms.peer_replicas import Unacceptable
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import InvalidPeerMessageException
from bailiwick.store import Duplicate

_UNKNOWN = "The message is not one of a peer."


class PeerCaller(Caller, frozen=True, kw_only=True):
    """A peer as a caller, with what it said. `evidence` is what the audit trail tells of that."""

    peer: Peer
    sealed: Sealed
    told: Snapshot
    evidence: dict[str, Any]


def peer_that_sent(call: Call, request: shapes.SynchronizeMultiRegionKeyRequest) -> Caller:
    """The peer whose message it is. Raises InvalidPeerMessageException for what none sent here now."""
    try:
        sealed = peers.read(request.Message)
        peer = call.environment.peers.of_id(sealed.secret_id)
        if peer is None:
            raise InvalidPeerMessageException(_UNKNOWN)
        told = peer_messages.decoded(peers.opened(peer, "ask", sealed, call.now))
    except SealError as error:
        raise InvalidPeerMessageException(f"{_UNKNOWN[:-1]}: {error}.") from None
    except ValueError as error:
        raise InvalidPeerMessageException(f"The message cannot be read: {error}.") from None
    return caller(call.environment, peer, sealed, told)


def caller(environment: Environment, peer: Peer, sealed: Sealed, told: Snapshot) -> PeerCaller:
    """A peer that told this."""
    arn = f"arn:{environment.partition}:kms:{sealed.sender}:{told.account}:peer/{peer.name}"
    principal = Principal(PrincipalKind.PROVIDER, environment.partition, told.account, arn, arn, peer.name)
    return PeerCaller(
        principal,
        user_id=peer.name,
        name=peer.name,
        context={"aws:principaltype": "Peer", "aws:userid": peer.name},
        peer=peer,
        sealed=sealed,
        told=told,
        evidence=_evidence(told),
    )


def key_told_of(call: Call, request: shapes.SynchronizeMultiRegionKeyRequest) -> Target:
    """The key, by the ARN of its primary. The message was proven: no policy is asked."""
    assert isinstance(call.caller, PeerCaller), "the message was opened"
    told = call.caller.told
    arn = f"arn:{call.partition}:kms:{told.primary}:{told.account}:key/{told.id}"
    return Target(account=told.account, arn=arn, rule=Rule.NONE)


@kms.operation("SynchronizeMultiRegionKey", on=key_told_of, writes=True, by=peer_that_sent)
def synchronize_multi_region_key(
    call: Call, request: shapes.SynchronizeMultiRegionKeyRequest, record: None
) -> shapes.SynchronizeMultiRegionKeyResponse:
    """Take in what was told, and tell what is known."""
    caller = call.caller
    assert isinstance(caller, PeerCaller), "the message was opened"
    peer, sealed, told, environment = caller.peer, caller.sealed, caller.told, call.environment
    try:
        joining.redeem(call.transaction, f"peer/{peer.name}", sealed.once.hex(), sealed.time + peers.WINDOW + 1)
    except Duplicate:
        raise InvalidPeerMessageException("The message was sent before: it is good once.") from None
    _take(call, peer, told)
    has = [each.id for each in told.materials]
    return shapes.SynchronizeMultiRegionKeyResponse(
        Message=_answer(call.transaction, environment, told, peer, call.now, has, sealed.once)
    )


def _take_answer(call: Call, request: shapes.SynchronizeMultiRegionKeyRequest, record: None) -> None:
    """Take in what a peer answered, who is the caller."""
    assert isinstance(call.caller, PeerCaller), "the answer was opened"
    _take(call, call.caller.peer, call.caller.told)


def ask(
    transaction: Transaction, environment: Environment, account: str, key_id: str, peer: Peer, now: float
) -> bytes | None:
    """The message that tells a peer of a key; None if there is nothing to tell, or the account is not shared."""
    if account not in peer.accounts:
        return None
    found = peer_snapshots.compose(transaction, environment, account, key_id, peer)
    if found is None:
        return None
    plain = peer_messages.encoded(found)
    return peers.seal(peer, "ask", environment.region, plain, now, environment.entropy)


def answered(environment: Environment, peer: Peer, asked: bytes, answer: bytes, now: float) -> PeerCaller | None:
    """The peer with what it answers; None if it has nothing to say. Raises SealError, ValueError."""
    sealed = peers.read(answer)
    plain = peers.opened(peer, "answer", sealed, now, peers.read(asked).once)
    return caller(environment, peer, sealed, peer_messages.decoded(plain)) if plain else None


def _take(call: Call, peer: Peer, told: Snapshot) -> None:
    try:
        told_beside = peer_merge.merge(call.transaction, call.environment, told, peer, call.now)
    except Unacceptable as error:
        raise InvalidPeerMessageException(f"The message is refused: {error}.") from None
    if told_beside:
        call.additional = told_beside


def _answer(
    transaction: Transaction,
    environment: Environment,
    told: Snapshot,
    peer: Peer,
    now: float,
    has: list[str],
    answers: bytes,
) -> bytes:
    found = peer_snapshots.compose(transaction, environment, told.account, told.id, peer, has)
    plain = peer_messages.encoded(found) if found is not None else b""
    return peers.seal(peer, "answer", environment.region, plain, now, environment.entropy, answers)


def _evidence(told: Snapshot) -> dict[str, Any]:
    """What the audit trail tells of a message: no material, no policy."""
    said: dict[str, Any] = {"keyId": told.id, "epoch": told.epoch, "revision": told.revision}
    said["primaryRegion"] = told.primary
    said["members"] = {region: each.state for region, each in sorted(told.members.items())}
    if told.moved_by is not None:
        said["movedBy"] = told.moved_by.arn
    if told.wishes:
        said["replicaRegions"] = sorted(told.wishes)
    return said


TAKE_ANSWER = Operation("kms", "SynchronizeMultiRegionKey", key_told_of, _take_answer, writes=True, quota=kms.quota)
"""What is done with the answer of a peer, through the pipeline, so that the audit trail has it."""

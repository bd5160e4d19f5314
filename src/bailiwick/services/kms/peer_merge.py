"""What a peer tells of a multi-Region key, and what is known here: made one, whichever comes first or twice.

- What all keys share is taken from the newer of the two (Snapshot.rank); the older one's is left.
- Material is never lost: what either has, both have. Which of it is current, the newer one says.
- Of a key in another region the register with the higher version is believed, whoever passed it on; of keys here
  nobody is believed.
- The primary comes here only as the policies here allow (peer_consent.py), or back where it was laid down.
- A wish is fulfilled once, for who is not behind: it names the register of what was there before.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import insert, update

from bailiwick.api import Environment, Transaction
from bailiwick.core.peers import Peer
from bailiwick.directory import accounts
from bailiwick.services.kms import families, multi_region, peer_consent, peer_replicas, records, rotation, specs
from bailiwick.services.kms.families import GONE, WANTED, Family, Member
from bailiwick.services.kms.family_tables import family
from bailiwick.services.kms.peer_messages import Snapshot
from bailiwick.services.kms.peer_replicas import Unacceptable
from bailiwick.services.kms.records import PENDING_DELETION


def merge(
    transaction: Transaction, environment: Environment, told: Snapshot, peer: Peer, now: float
) -> dict[str, str | bool]:
    """Take in what a peer told. Raises Unacceptable, and then nothing may be kept.

    Returns what the audit trail tells of it beside: that the primary comes back, or by what it was refused here.
    """
    account, key_id = told.account, told.id
    _check(transaction, environment, told, peer)
    known = families.find(transaction, account, key_id)
    if known is None:
        if not any(environment.peers.of_region(region) is None for region in told.wishes):
            return {}  # it is of no concern here
        _begin(transaction, environment, told)
    news = known is None or told.rank > known.rank
    before = known.primary_region if known is not None else ""
    returns = known is not None and _returns(transaction, known, told)
    renewed = _renew_wishes(transaction, told)
    news |= _take_registers(transaction, told)
    own = behind = _catch_up(transaction, told)
    if known is None or told.rank >= known.rank:
        for region, wish in sorted(told.wishes.items()):
            if environment.peers.of_region(region) is None:
                news |= peer_replicas.make(transaction, environment, told, region, wish, now)
    is_newer = known is not None and told.rank > known.rank and (bool(told.spec) or _is_for_us(transaction, told))
    own |= peer_replicas.unite(transaction, environment, told, is_newer=is_newer)
    if is_newer:
        peer_replicas.follow(transaction, told)
        _take_shared(transaction, told)
        renewed |= _wishes_of(transaction, told, peer)  # it did not fulfil what somebody asked who was behind
    if own or is_newer or news or renewed:
        but = None if renewed else peer.name  # who has the answer, or has given it
        families.changed(transaction, environment, account, key_id, own=own or is_newer, but=but)
    by = None if returns or behind else _refused(transaction, environment, told, before, peer, now)
    _settle(transaction, environment, told, before, now, gives_back=by is not None)
    if by is not None:
        return {"primaryRefusedBy": by}
    return {"primaryGivenBack": True} if returns and is_newer else {}


def _check(transaction: Transaction, environment: Environment, told: Snapshot, peer: Peer) -> None:
    """Whether it is for this peer to tell. Raises Unacceptable."""
    if told.partition != environment.partition:
        raise Unacceptable(f"it is of the partition {told.partition}")
    if told.account not in peer.accounts:
        raise Unacceptable(f"keys of account {told.account} are not shared with {peer.name}")
    if accounts.find(transaction, told.account) is None:
        raise Unacceptable(f"there is no account {told.account} here")
    rows = families.here(transaction, told.account, told.id)
    known = families.members(transaction, told.account, told.id)
    if rows and not known:
        raise Unacceptable("there is another key with this id")
    if known and not any(region in peer.regions for region in known):
        raise Unacceptable(f"the key is not shared with {peer.name}")
    if told.spec and any((row.spec, row.usage, row.origin) != (told.spec, told.usage, told.origin) for row in rows):
        raise Unacceptable("the key is of another kind")
    if told.spec and (told.spec not in specs.SPECS or told.usage not in specs.SPECS[told.spec]):
        raise Unacceptable(f"there are no keys of the kind {told.spec} {told.usage}")


def _begin(transaction: Transaction, environment: Environment, told: Snapshot) -> None:
    transaction.run(
        insert(family).values(
            account=told.account,
            id=told.id,
            **_shared(told),
            digests=families.seal_digests(environment, told.account, told.id, told.digests),
        )
    )


def _renew_wishes(transaction: Transaction, told: Snapshot) -> bool:
    """Have a wish follow what is told to be gone since; whether there was any."""
    renewed = False
    for region, mine in families.members(transaction, told.account, told.id).items():
        seen = told.members.get(region)
        if mine.state == WANTED and seen is not None and seen.state == GONE and seen.version > mine.version:
            families.put(transaction, told.account, told.id, msgspec.structs.replace(mine, version=seen.version))
            renewed = True
    return renewed


def _returns(transaction: Transaction, known: Family, told: Snapshot) -> bool:
    """Whether a primary comes back to who laid it down, from one who had never said that it was the primary."""
    chosen = families.members(transaction, told.account, told.id).get(known.primary_region)
    return known.moved_from == told.primary and chosen is not None and chosen.epoch < known.epoch


def _refused(
    transaction: Transaction, environment: Environment, told: Snapshot, before: str, peer: Peer, now: float
) -> str | None:
    """By which layer of policies a key here is refused to be the primary that was moved to it; None if by none.

    Raises Unacceptable where nobody is said to have moved it. So of two who refuse neither sends it back for ever.
    """
    found = families.find(transaction, told.account, told.id)
    if found is None or before in ("", found.primary_region):
        return None
    key_arn = peer_replicas.arn_of(environment, told, found.primary_region)
    key = records.key(transaction, environment, key_arn, now)
    if key is None:
        return None
    mover = peer_consent.mover(found)
    if mover is None:
        raise Unacceptable("the primary was moved here, and nobody is named who asked for it")
    decision = peer_consent.decision(transaction, mover, key, peer.name)
    return None if decision.allowed or decision.layer is None else decision.layer.value


def _is_for_us(transaction: Transaction, told: Snapshot) -> bool:
    """Whether it is a key here that a deployment without one gives the primary back to, which it could not be."""
    rows = families.here(transaction, told.account, told.id)
    return any(row.region == told.primary for row in rows)


def _wishes_of(transaction: Transaction, told: Snapshot, peer: Peer) -> bool:
    """Whether there is a wish for a peer."""
    known = families.members(transaction, told.account, told.id)
    return any(each.state == WANTED and each.region in peer.regions for each in known.values())


def _take_registers(transaction: Transaction, told: Snapshot) -> bool:
    """Believe what is newer of keys elsewhere; whether there was any."""
    known, news = families.members(transaction, told.account, told.id), False
    for region, register in told.members.items():
        mine = known.get(region)
        if mine is not None and (mine.here or mine.version >= register.version):
            continue
        families.put(
            transaction,
            told.account,
            told.id,
            Member(
                region=region,
                here=False,
                version=register.version,
                epoch=register.epoch,
                state=register.state,
                holds=frozenset(register.holds),
            ),
        )
        news = True
    if news:
        transaction.changed(*families.topics(transaction, told.account, told.id))
    return news


def _catch_up(transaction: Transaction, told: Snapshot) -> bool:
    """After this deployment was restored: go on above the versions that peers have seen; whether that was so."""
    behind = False
    for region, mine in families.members(transaction, told.account, told.id).items():
        seen = told.members.get(region)
        if mine.here and seen is not None and seen.version > mine.version:
            ahead = msgspec.structs.replace(mine, version=seen.version + 1)
            families.put(transaction, told.account, told.id, ahead)
            behind = True
    return behind


def _take_shared(transaction: Transaction, told: Snapshot) -> None:
    same = (family.c.account == told.account, family.c.id == told.id)
    transaction.run(update(family).where(*same).values(**_shared(told)))


def _shared(told: Snapshot) -> dict[str, Any]:
    """What all keys of a family share, as its row has it."""
    return {
        "epoch": told.epoch,
        "primary_region": told.primary,
        "revision": told.revision,
        "rotation_due": told.rotation_due,
        "pending": told.pending,
        "pending_how": told.pending_how,
        "pending_since": told.pending_since,
        "moved_by": None if told.moved_by is None else msgspec.json.encode(told.moved_by).decode(),
        "moved_from": None,
    }


def _settle(
    transaction: Transaction, environment: Environment, told: Snapshot, before: str, now: float, *, gives_back: bool
) -> None:
    """What follows from what is known now: who is primary, what is current, what is to be deleted."""
    account, key_id = told.account, told.id
    found = families.find(transaction, account, key_id)
    assert found is not None, "it was begun"
    if gives_back or _cannot_be_primary(transaction, found, before):
        due = found.rotation_due  # the one that was the primary goes on
        families.move_primary(transaction, environment, account, key_id, before, rotation_due=due)
    _break_tie(transaction, environment, found, told)
    rotation.complete(transaction, environment, account, key_id, now)
    multi_region.replica_is_gone(transaction, account, key_id, now)


def _cannot_be_primary(transaction: Transaction, found: Family, before: str) -> bool:
    """Whether it is a key here that was chosen, and is none or is to be deleted, while the one before is there."""
    known = families.members(transaction, found.account, found.id)
    chosen, earlier = known.get(found.primary_region), known.get(before)
    if chosen is None or not chosen.here or earlier is None or before == found.primary_region:
        return False
    rows = families.here(transaction, found.account, found.id)
    row = next((row for row in rows if row.region == found.primary_region), None)
    return (row is None or row.state == PENDING_DELETION) and earlier.state != GONE


def _break_tie(transaction: Transaction, environment: Environment, found: Family, told: Snapshot) -> None:
    """Raise the revision where two states of the same rank differ, which can be after this deployment was restored.

    The deployment of the primary does it: what is here goes.
    """
    rows = families.here(transaction, told.account, told.id)
    row = next((row for row in rows if row.region == found.primary_region), None)
    if row is None or not told.spec or told.rank != found.rank:
        return
    ours = row.material, row.rotation_days, row.rotation_due, found.pending
    if ours != (told.material, told.rotation_days, told.rotation_due, told.pending):
        families.changed(transaction, environment, told.account, told.id, shared=True)

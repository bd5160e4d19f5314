"""Multi-Region keys some of whose keys are at peers: what this deployment knows of each, and whom it has to tell.

A family is what all keys of a multi-Region key share. It has a row from the first replica at a peer on; a
multi-Region key that is all here has none. The order of two states of it is that of (epoch, primary region,
revision): the primary's deployment raises the revision with each change, whoever moves the primary the epoch.
Of its members each is told by its own deployment alone, under a version of its own. docs/decisions/0018 has why.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row, insert, select, update

from bailiwick.api import Environment, Transaction
from bailiwick.services.kms import records, tables
from bailiwick.services.kms.family_tables import family, member, outbox
from bailiwick.services.kms.records import Key

PRESENT, GONE, WANTED = "Present", "Gone", "Wanted"
FORCED = 1000
"""By how much the epoch rises when an operator moves the primary without asking the deployment that has it."""

PURPOSE = "kms-family-digests"


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What is shared. `digests` is sealed. Where the primary was moved by a call, `moved_by` says by whom (JSON).

    `moved_from` is not shared: the region here that laid the primary down, until something newer is told.
    """

    account: str
    id: str
    epoch: int
    primary_region: str
    revision: int
    digests: bytes
    rotation_due: float | None = None
    pending: str = ""
    pending_how: str | None = None
    pending_since: float | None = None
    moved_by: str | None = None
    moved_from: str | None = None

    @property
    def rank(self) -> tuple[int, str, int]:
        """The higher one is newer."""
        return self.epoch, self.primary_region, self.revision


class Pending(NamedTuple):
    """Material that waits until every replica holds it: its id, and how and when the rotation was begun."""

    pending: str = ""
    how: str | None = None
    since: float | None = None


NOTHING = Pending()


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a family. Of those here the row says only that they are; `holds` is what a peer told."""

    region: str
    here: bool
    version: int
    epoch: int
    state: str
    holds: frozenset[str] = frozenset()
    wish: str | None = None

    @property
    def is_away(self) -> bool:
        """Whether it is at a peer, or is to be made there."""
        return not self.here and self.state != GONE


def find(transaction: Transaction, account: str, key_id: str) -> Family | None:
    """The family of a multi-Region key, if some of its keys are, or were, at peers."""
    row = transaction.one(select(family).where(family.c.account == account, family.c.id == key_id))
    return None if row is None else Family(**row._mapping)


def members(transaction: Transaction, account: str, key_id: str) -> dict[str, Member]:
    """The members of a family by their regions."""
    column = member.c
    rows = transaction.all(
        select(member).where(column.account == account, column.id == key_id).order_by(column.region)
    )
    return {
        row.region: Member(
            region=row.region,
            here=bool(row.here),
            version=row.version,
            epoch=row.epoch,
            state=row.state,
            holds=frozenset(json.loads(row.holds)),
            wish=row.wish,
        )
        for row in rows
    }


def away(transaction: Transaction, account: str, key_id: str) -> list[Member]:
    """Those of its keys that are at peers, or are to be made there."""
    return [each for each in members(transaction, account, key_id).values() if each.is_away]


def here(transaction: Transaction, account: str, key_id: str) -> list[Row[Any]]:
    """The rows of the keys of a multi-Region key that are in this store, in the order of their regions."""
    column = tables.key.c
    return list(
        transaction.all(
            select(tables.key).where(column.account == account, column.id == key_id).order_by(column.region)
        )
    )


def topics(transaction: Transaction, account: str, key_id: str) -> list[str]:
    """What to call when something has changed for the keys here."""
    return [records.topic(row.arn) for row in here(transaction, account, key_id)]


def begin(transaction: Transaction, environment: Environment, key: Key) -> bool:
    """Make a family of a multi-Region key that was all here; False if it is one already."""
    if find(transaction, key.account, key.id) is not None:
        return False
    secret = environment.entropy(32)
    transaction.run(
        insert(family).values(
            account=key.account,
            id=key.id,
            epoch=0,
            primary_region=key.primary_region,
            revision=0,
            digests=seal_digests(environment, key.account, key.id, secret),
        )
    )
    for row in here(transaction, key.account, key.id):
        made = Member(region=row.region, here=True, version=1, epoch=0, state=PRESENT)
        put(transaction, key.account, key.id, made)
    return True


def put(transaction: Transaction, account: str, key_id: str, told: Member) -> None:
    """Write a member down, instead of what was known of it."""
    column, values = member.c, {**msgspec.structs.asdict(told), "holds": json.dumps(sorted(told.holds))}
    same = (column.account == account, column.id == key_id, column.region == told.region)
    if not transaction.run(update(member).where(*same).values(values)):
        transaction.run(insert(member).values(account=account, id=key_id, **values))


def joined(transaction: Transaction, environment: Environment, account: str, key_id: str, region: str) -> None:
    """Say that there is a key in another region of this deployment. Nothing, if it is of no family."""
    found = find(transaction, account, key_id)
    if found is not None:
        _turn(transaction, found, region, PRESENT)
        changed(transaction, environment, account, key_id)


def left(transaction: Transaction, environment: Environment, account: str, key_id: str, region: str) -> None:
    """Say that the key in a region of this deployment is gone. Nothing, if it was of no family."""
    found = find(transaction, account, key_id)
    if found is not None:
        _turn(transaction, found, region, GONE)
        changed(transaction, environment, account, key_id)


def _turn(transaction: Transaction, found: Family, region: str, state: str) -> None:
    known = members(transaction, found.account, found.id).get(region)
    version = 1 + (known.version if known is not None else 0)
    told = Member(region=region, here=True, version=version, epoch=found.epoch, state=state)
    put(transaction, found.account, found.id, told)


def changed(
    transaction: Transaction,
    environment: Environment,
    account: str,
    key_id: str,
    *,
    shared: bool = False,
    own: bool = False,
    but: str | None = None,
) -> None:
    """Tell the peers of a family, in this transaction's outbox. Nothing, if the key is of none.

    `shared` says that the primary, which is here, has changed what all share; `own` that what the keys here hold
    has changed. `but` is the name of the peer that knows already.
    """
    found = find(transaction, account, key_id)
    if found is None:
        return
    same = (family.c.account == account, family.c.id == key_id)
    if shared:
        transaction.run(update(family).where(*same).values(revision=found.revision + 1))
    if own:
        mine = (member.c.account == account, member.c.id == key_id, member.c.here, member.c.state == PRESENT)
        transaction.run(update(member).where(*mine).values(version=member.c.version + 1, epoch=found.epoch))
    regions = [each.region for each in members(transaction, account, key_id).values() if not each.here]
    peers = {peer.name: peer for peer in map(environment.peers.of_region, regions) if peer is not None}
    for name, peer in sorted(peers.items()):
        if name != but and account in peer.accounts:
            enqueue(transaction, account, key_id, name, environment.now())
    environment.peers.wake()


def enqueue(transaction: Transaction, account: str, key_id: str, peer: str, now: float) -> None:
    """Have a peer told of a family, now."""
    column, values = outbox.c, {"due": now, "attempts": 0}
    same = (column.account == account, column.id == key_id, column.peer == peer)
    if not transaction.run(update(outbox).where(*same).values(version=column.version + 1, **values)):
        transaction.run(insert(outbox).values(account=account, id=key_id, peer=peer, version=1, **values))


def move_primary(
    transaction: Transaction,
    environment: Environment,
    account: str,
    key_id: str,
    region: str,
    *,
    rotation_due: float | None,
    step: int = 1,
    moved_by: str | None = None,
    moved_from: str | None = None,
) -> None:
    """Have the primary be in a region, as all keys here say from now on; `step` is by how much the epoch rises.

    `moved_by` and `moved_from` are as in Family.
    """
    point(transaction, account, key_id, region, rotation_due)
    found = find(transaction, account, key_id)
    if found is not None:
        values = {"epoch": found.epoch + step, "primary_region": region, "rotation_due": rotation_due}
        values |= {"moved_by": moved_by, "moved_from": moved_from}
        same = (family.c.account == account, family.c.id == key_id)
        transaction.run(update(family).where(*same).values(values))
        changed(transaction, environment, account, key_id, own=True)


def point(transaction: Transaction, account: str, key_id: str, region: str, rotation_due: float | None) -> None:
    """Have the keys here say where the primary is, which is the one that rotates."""
    for row in here(transaction, account, key_id):
        due = rotation_due if row.region == region else None
        values = {"primary_region": region, "rotation_due": due}
        transaction.run(update(tables.key).where(tables.key.c.arn == row.arn).values(values))
        transaction.changed(records.topic(row.arn))


def pending(transaction: Transaction, account: str, key_id: str) -> Pending:
    """The material of a key that waits."""
    found = find(transaction, account, key_id)
    return NOTHING if found is None else Pending(found.pending, found.pending_how, found.pending_since)


def wait(
    transaction: Transaction, account: str, key_id: str, material: str, how: str | None, since: float | None
) -> None:
    """Have material wait until every replica holds it; with an empty id, none."""
    values = {"pending": material, "pending_how": how, "pending_since": since}
    transaction.run(update(family).where(family.c.account == account, family.c.id == key_id).values(values))


def waiting(transaction: Transaction, before: float, limit: int) -> list[tuple[str, str]]:
    """The account and id of families with material that has waited since `before`."""
    column = family.c
    rows = transaction.all(
        select(column.account, column.id).where(column.pending != "", column.pending_since <= before).limit(limit)
    )
    return [(row.account, row.id) for row in rows]


def seal_digests(environment: Environment, account: str, key_id: str, secret: bytes) -> bytes:
    """The key by which a family's imported material is recognized, as it is stored."""
    return environment.ring.seal(PURPOSE, secret, environment.entropy, f"{account}|{key_id}".encode())


def open_digests(environment: Environment, found: Family) -> bytes:
    """What `seal_digests` sealed. Raises SealError."""
    return environment.ring.open(PURPOSE, found.digests, f"{found.account}|{found.id}".encode())

"""All that this deployment knows of a multi-Region key, as it tells a peer."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Row, select

from bailiwick.api import Environment, Transaction
from bailiwick.core.peers import Peer
from bailiwick.services.kms import families, peer_consent, records, tables
from bailiwick.services.kms.families import PRESENT, WANTED, Family, Member
from bailiwick.services.kms.peer_messages import Material, Register, Snapshot, Wish
from bailiwick.services.kms.records import EXTERNAL


def compose(
    transaction: Transaction,
    environment: Environment,
    account: str,
    key_id: str,
    peer: Peer,
    has: Collection[str] = (),
) -> Snapshot | None:
    """What is told to `peer`, without the material that it `has`. None if the key is of no family."""
    found = families.find(transaction, account, key_id)
    if found is None:
        return None
    rows = families.here(transaction, account, key_id)
    primary = next((row for row in rows if row.region == found.primary_region), None)
    first = rows[0] if rows else None
    known = families.members(transaction, account, key_id).values()
    return Snapshot(
        partition=environment.partition,
        account=account,
        id=key_id,
        spec=first.spec if first else "",
        usage=first.usage if first else "",
        origin="EXTERNAL" if first and first.origin == EXTERNAL else "AWS_KMS",
        epoch=found.epoch,
        primary=found.primary_region,
        revision=found.revision,
        material=first.material if first else "",
        digests=families.open_digests(environment, found),
        rotation_days=first.rotation_days if first else None,
        rotation_due=primary.rotation_due if primary else found.rotation_due,
        pending=found.pending,
        pending_how=found.pending_how,
        pending_since=found.pending_since,
        moved_by=peer_consent.mover(found),
        materials=_materials(transaction, environment, first, has) if first else [],
        members={each.region: _register(transaction, found, rows, each) for each in known if each.state != WANTED},
        wishes={
            each.region: _wish(each)
            for each in known
            if each.state == WANTED and environment.peers.of_region(each.region) is peer
        },
    )


def holding(transaction: Transaction, key_arn: str) -> list[str]:
    """The ids of the materials that a key has."""
    column = tables.material.c
    rows = transaction.all(
        select(column.id).where(column.key_arn == key_arn, column.sealed.is_not(None)).order_by(column.number)
    )
    return [row.id for row in rows]


def wish(policy: str, description: str, tags: list[tuple[str, str]]) -> str:
    """How a replica is to be made, as a member has it."""
    made = Wish(after=0, policy=policy, description=description, tags=tags)
    return msgspec.json.encode(made).decode()


def _wish(each: Member) -> Wish:
    assert each.wish is not None, "what is wanted has a wish"
    return msgspec.structs.replace(msgspec.json.decode(each.wish, type=Wish), after=each.version)


def _register(transaction: Transaction, found: Family, rows: list[Row[Any]], each: Member) -> Register:
    state, holds = each.state, sorted(each.holds)
    if each.here and state == PRESENT:
        holds = next((holding(transaction, row.arn) for row in rows if row.region == each.region), [])
    return Register(
        version=each.version,
        epoch=found.epoch if each.here else each.epoch,
        state="Present" if state == PRESENT else "Gone",
        holds=holds,
    )


def _materials(
    transaction: Transaction, environment: Environment, row: Row[Any], has: Collection[str]
) -> list[Material]:
    """The materials of a key here. Those that were imported are imported everywhere by their owner."""
    column = tables.material.c
    held = transaction.all(select(tables.material).where(column.key_arn == row.arn).order_by(column.number))
    away = row.origin == EXTERNAL
    return [
        Material(
            id=each.id,
            created=each.created,
            state=each.state,
            rotated=each.rotated,
            rotation=each.rotation,
            description=each.description,
            secret=(
                None
                if away or each.id in has or each.sealed is None
                else records.open_material(environment.ring, row.arn, each.id, each.sealed)
            ),
            digest=each.digest if away else None,
        )
        for each in held
    ]

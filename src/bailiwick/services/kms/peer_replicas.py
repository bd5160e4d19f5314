"""Keys made here, and kept in step, as the primary's deployment tells."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import Row, insert, select, update

from bailiwick.api import Environment, Transaction
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_key
from bailiwick.directory import entities
from bailiwick.services.kms import families, material, records, tables, tags
from bailiwick.services.kms.families import PRESENT, Member
from bailiwick.services.kms.peer_messages import Material, Snapshot, Wish
from bailiwick.services.kms.records import (
    CURRENT,
    DISABLED,
    ENABLED,
    EXTERNAL,
    NON_CURRENT,
    PENDING_IMPORT,
)
from bailiwick.services.kms.shapes import Tag

_ENTITY = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:(user|role)/.+", re.ASCII)
_NOBODY = "of-another-deployment"
"""Whom a user or role is in the policy of a replica, if there is none of this name here when it is made."""


class Unacceptable(Exception):
    """What a peer told is not for it to tell; the text says why."""


def make(
    transaction: Transaction, environment: Environment, told: Snapshot, region: str, wish: Wish, now: float
) -> bool:
    """Make the replica that is wished for; False if that was done before. Raises Unacceptable."""
    known = families.members(transaction, told.account, told.id).get(region)
    if known is not None and (known.state == PRESENT or known.version > wish.after):
        return False
    key_arn = arn_of(environment, told, region)
    transaction.run(
        insert(tables.key).values(
            arn=key_arn,
            account=told.account,
            region=region,
            id=told.id,
            description=wish.description,
            state=PENDING_IMPORT if told.origin == EXTERNAL else ENABLED,
            spec=told.spec,
            usage=told.usage,
            origin=told.origin,
            created=round(now, 3),
            material=told.material,
            policy=wish.policy,
            pins=json.dumps(_pins(transaction, environment, wish.policy)),
            primary_region=told.primary,
            rotation_days=told.rotation_days,
        )
    )
    tags.put(transaction, key_arn, [Tag(TagKey=key, TagValue=value) for key, value in wish.tags])
    for number, each in enumerate(told.materials):
        _insert(transaction, environment, key_arn, told, each, number, each.state)
    if told.origin != EXTERNAL and not _holds(transaction, key_arn, told.material):
        raise Unacceptable("the current material is missing")
    made = Member(region=region, here=True, version=wish.after + 1, epoch=told.epoch, state=PRESENT)
    families.put(transaction, told.account, told.id, made)
    transaction.changed(records.topic(key_arn))
    return True


def unite(transaction: Transaction, environment: Environment, told: Snapshot, *, is_newer: bool) -> bool:
    """Give each key here the material that it lacks; whether there was any. What is imported is only named."""
    united = False
    for row in families.here(transaction, told.account, told.id):
        known = {each.id: each.number for each in _materials(transaction, row.arn)}
        lacking = [each for each in told.materials if each.id not in known]
        for number, each in enumerate(lacking, 1 + max(known.values(), default=-1)):
            if each.secret is None and not (told.origin == EXTERNAL and is_newer):
                continue
            state = NON_CURRENT if each.state == CURRENT else each.state
            _insert(transaction, environment, row.arn, told, each, number, state)
            transaction.changed(records.topic(row.arn))
            united = True
    return united


def follow(transaction: Transaction, told: Snapshot) -> None:
    """Have each key here be as the newer state says. Raises Unacceptable if it lacks the current material."""
    families.point(transaction, told.account, told.id, told.primary, told.rotation_due)
    if not told.spec:
        return  # it has no key: what the keys here share stays
    for row in families.here(transaction, told.account, told.id):
        if told.origin != EXTERNAL and not _holds(transaction, row.arn, told.material):
            raise Unacceptable("the current material is missing")
        column = tables.material.c
        transaction.run(
            update(tables.material)
            .where(column.key_arn == row.arn, column.state == CURRENT, column.id != told.material)
            .values(state=NON_CURRENT)
        )
        for each in told.materials:
            transaction.run(
                update(tables.material)
                .where(column.key_arn == row.arn, column.id == each.id)
                .values(state=each.state, rotated=each.rotated, rotation=each.rotation)
            )
        values: dict[str, Any] = {"material": told.material, "rotation_days": told.rotation_days}
        if row.state in (ENABLED, DISABLED) and records.lacks_material(transaction, row.arn):
            values["state"] = PENDING_IMPORT
        transaction.run(update(tables.key).where(tables.key.c.arn == row.arn).values(values))


def arn_of(environment: Environment, told: Snapshot, region: str) -> str:
    """The ARN of the key in a region."""
    return f"arn:{environment.partition}:kms:{region}:{told.account}:key/{told.id}"


def _pins(transaction: Transaction, environment: Environment, policy: str) -> dict[str, str]:
    """Whom the policy of a replica names. Users and roles that are not here are nobody, also should they come."""
    try:
        named = check_key(policy, lax=True).principals().get("AWS", ())
    except PolicyError as error:
        raise Unacceptable(f"its policy is none: {error}") from None
    found = entities.pins(transaction, environment.partition, named)
    strangers = (each for each in named if each not in found and _ENTITY.fullmatch(each))
    return {**dict.fromkeys(strangers, _NOBODY), **found}


def _insert(
    transaction: Transaction,
    environment: Environment,
    key_arn: str,
    told: Snapshot,
    each: Material,
    number: int,
    state: str,
) -> None:
    """Take material in. Raises Unacceptable for what is none of such a key."""
    sealed = None
    if each.secret is not None:
        if told.origin == EXTERNAL or not material.fits(told.spec, each.secret):
            raise Unacceptable("there is material that is none of such a key")
        sealed = records.seal_material(environment, key_arn, each.id, each.secret)
    transaction.run(
        insert(tables.material).values(
            key_arn=key_arn,
            id=each.id,
            sealed=sealed,
            created=each.created,
            number=number,
            state=state,
            rotated=each.rotated,
            rotation=each.rotation,
            description=each.description,
            digest=each.digest,
        )
    )


def _materials(transaction: Transaction, key_arn: str) -> list[Row[Any]]:
    column = tables.material.c
    return list(transaction.all(select(column.id, column.number).where(column.key_arn == key_arn)))


def _holds(transaction: Transaction, key_arn: str, material_id: str) -> bool:
    column = tables.material.c
    same = (column.key_arn == key_arn, column.id == material_id, column.sealed.is_not(None))
    return transaction.one(select(column.id).where(*same)) is not None

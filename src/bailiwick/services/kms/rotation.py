"""Rotation: a key gets new material, and keeps the old for what was encrypted under it (facts/kms.md section 7)."""

from __future__ import annotations

import msgspec
from sqlalchemy import func, insert, select, update

from bailiwick.api import Call, Environment, Target, Transaction
from bailiwick.core.happened import Happened
from bailiwick.core.policy.question import Value
from bailiwick.services.kms import families, material, multi_region, paging, records, shapes, specs, states, tables
from bailiwick.services.kms.records import AWS_KMS, CURRENT, ENABLED, EXTERNAL, NON_CURRENT, PENDING_ROTATION, Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import (
    ConflictException,
    KMSInvalidStateException,
    LimitExceededException,
    UnsupportedOperationException,
)
from bailiwick.services.kms.targets import key_named

AUTOMATIC, ON_DEMAND = "AUTOMATIC", "ON_DEMAND"
ON_DEMAND_ROTATIONS = 10  # of a key: AWS's quota page and recordings; its newest model speaks of 25
DEFAULT_DAYS = 365
_PENDING_EVERYWHERE = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
_DAY = 86400
_PAGE = 100
_AT_ONCE = 100  # keys that one round of the chore rotates


def key_to_rotate(call: Call, request: shapes.EnableKeyRotationRequest) -> Target:
    """The key, with the period as a condition key."""
    target = key_named(call, request)
    days: dict[str, Value] = {"kms:rotationperiodindays": str(request.RotationPeriodInDays or DEFAULT_DAYS)}
    return msgspec.structs.replace(target, context={**target.context, **days})


@kms.operation("EnableKeyRotation", on=key_to_rotate, writes=True)
def enable_key_rotation(call: Call, request: shapes.EnableKeyRotationRequest, key: Key) -> None:
    _check_schedule("EnableKeyRotation", key)
    days = request.RotationPeriodInDays or DEFAULT_DAYS
    _schedule(call, key, days=days, due=round(call.now + days * _DAY, 3))


@kms.operation("DisableKeyRotation", on=key_named, writes=True)
def disable_key_rotation(call: Call, request: shapes.DisableKeyRotationRequest, key: Key) -> None:
    _check_schedule("DisableKeyRotation", key)
    _schedule(call, key, days=None, due=None)


@kms.operation("GetKeyRotationStatus", on=key_named)
def get_key_rotation_status(
    call: Call, request: shapes.GetKeyRotationStatusRequest, key: Key
) -> shapes.GetKeyRotationStatusResponse:
    """Asked of every key, by Terraform for one: of a key that never rotates the answer is false, as AWS says."""
    rotates = key.rotation_days is not None and key.deletion is None
    waits = _pending(call.transaction, key)
    return shapes.GetKeyRotationStatusResponse(
        KeyRotationEnabled=rotates,
        KeyId=key.arn,
        RotationPeriodInDays=key.rotation_days if rotates else None,
        NextRotationDate=key.rotation_due if rotates else None,
        OnDemandRotationStartDate=waits.since if waits.how == ON_DEMAND else None,
    )


@kms.operation("RotateKeyOnDemand", on=key_named, writes=True)
def rotate_key_on_demand(
    call: Call, request: shapes.RotateKeyOnDemandRequest, key: Key
) -> shapes.RotateKeyOnDemandResponse:
    states.check("RotateKeyOnDemand", key)  # before the spec: a disabled RSA key is told that it is disabled
    _check_rotates(key, AWS_KMS, EXTERNAL)
    _check_primary(key)
    if _pending(call.transaction, key).pending:
        raise ConflictException(f"The rotation of {key.arn} that was begun before is not complete.")
    if _count_on_demand(call.transaction, key.arn) >= ON_DEMAND_ROTATIONS:
        raise LimitExceededException(
            "The on-demand rotations limit has been reached for the given keyId. "
            f"No more on-demand rotations can be performed for this key: {key.arn}"
        )
    if key.origin == EXTERNAL:
        _take_up_pending(call, key)
    else:
        rotate(call.transaction, call.environment, key, ON_DEMAND, call.now)
    return shapes.RotateKeyOnDemandResponse(KeyId=key.arn)


@kms.operation("ListKeyRotations", on=key_named)
def list_key_rotations(
    call: Call, request: shapes.ListKeyRotationsRequest, key: Key
) -> shapes.ListKeyRotationsResponse:
    _check_rotates(key, AWS_KMS, EXTERNAL)
    column, limit = tables.material.c, request.Limit or _PAGE
    wanted = [column.key_arn == key.arn, column.number > int(paging.after(call, request.Marker) or -1)]
    waits = _pending(call.transaction, key).pending
    if waits and key.origin == AWS_KMS:
        wanted.append(column.id != waits)
    if request.IncludeKeyMaterial != "ALL_KEY_MATERIAL":
        wanted.append(column.rotated.is_not(None))
    rows = call.transaction.all(select(tables.material).where(*wanted).order_by(column.number).limit(limit + 1))
    page, truncated, marker = paging.page(call, rows, limit, lambda row: str(row.number))
    imported = key.origin == EXTERNAL
    lacking = {
        row.id for row in page if row.state == PENDING_ROTATION and _lacks_somewhere(call.transaction, key, row.id)
    }
    return shapes.ListKeyRotationsResponse(
        Rotations=[
            shapes.RotationsListEntry(
                KeyId=key.id,
                KeyMaterialId=row.id,
                KeyMaterialDescription=row.description,
                ImportState=("PENDING_IMPORT" if row.sealed is None else "IMPORTED") if imported else None,
                KeyMaterialState=_PENDING_EVERYWHERE if row.id in lacking else row.state,
                ExpirationModel=records.expiration_model(row.expires) if imported else None,
                ValidTo=row.expires,
                RotationDate=row.rotated,
                RotationType=row.rotation,
            )
            for row in page
        ],
        Truncated=truncated,
        NextMarker=marker,
    )


def rotate(transaction: Transaction, environment: Environment, key: Key, how: str, now: float) -> str:
    """Give a key, and every other of the same multi-Region key, new material; returns its id.

    It is the current one at once; or, if there are replicas at peers, when each of them holds it (`complete`).
    """
    fresh, fresh_id = material.generate(key.spec, environment.entropy), environment.entropy(32).hex()
    every = multi_region.related(transaction, key)
    waits = key.primary_region is not None and bool(_away(transaction, key.account, key.id))
    for arn in every:
        number = transaction.one(
            select(func.max(tables.material.c.number).label("last")).where(tables.material.c.key_arn == arn)
        )
        transaction.run(
            insert(tables.material).values(
                key_arn=arn,
                id=fresh_id,
                sealed=records.seal_material(environment, arn, fresh_id, fresh),
                created=round(now, 3),
                number=1 + (number.last if number is not None and number.last is not None else 0),
                state=NON_CURRENT,
            )
        )
        transaction.changed(records.topic(arn))
        if not waits:
            make_current(transaction, arn, fresh_id, how, now)
    if key.primary_region is not None:
        if waits:
            families.wait(transaction, key.account, key.id, fresh_id, how, now)
        families.changed(transaction, environment, key.account, key.id, shared=True, own=True)
    return fresh_id


def complete(transaction: Transaction, environment: Environment, account: str, key_id: str, now: float) -> None:
    """Have the material that waits be the current one, if the primary is here and every replica at a peer holds it.

    A peer that is away holds nobody up for longer than a day.
    """
    found = families.find(transaction, account, key_id)
    if found is None or not found.pending:
        return
    rows = families.here(transaction, account, key_id)
    lacks = any(found.pending not in each.holds for each in _away(transaction, account, key_id))
    if (lacks and now < (found.pending_since or 0) + _DAY) or all(r.region != found.primary_region for r in rows):
        return
    for row in rows:
        make_current(transaction, row.arn, found.pending, found.pending_how or ON_DEMAND, now)
    families.wait(transaction, account, key_id, "", None, None)
    families.changed(transaction, environment, account, key_id, shared=True)


@kms.chore
def complete_what_waits(transaction: Transaction, environment: Environment, now: float) -> None:
    """Complete the rotations that have waited long enough for peers that are away."""
    for account, key_id in families.waiting(transaction, now - _DAY, _AT_ONCE):
        complete(transaction, environment, account, key_id, now)


def _away(transaction: Transaction, account: str, key_id: str) -> list[families.Member]:
    """The replicas at peers that have been made."""
    return [each for each in families.away(transaction, account, key_id) if each.state == families.PRESENT]


def make_current(transaction: Transaction, arn: str, material_id: str, how: str, now: float) -> None:
    """Have a key encrypt under another of its materials from now on."""
    column = tables.material.c
    transaction.run(
        update(tables.material).where(column.key_arn == arn, column.state == CURRENT).values(state=NON_CURRENT)
    )
    transaction.run(
        update(tables.material)
        .where(column.key_arn == arn, column.id == material_id)
        .values(state=CURRENT, rotated=round(now, 3), rotation=how)
    )
    transaction.run(update(tables.key).where(tables.key.c.arn == arn).values(material=material_id))
    transaction.changed(records.topic(arn))


@kms.chore
def rotate_what_is_due(transaction: Transaction, environment: Environment, now: float) -> list[Happened]:
    """Rotate the keys whose time has come. A key that is disabled rotates once it is enabled again."""
    column = tables.key.c
    due = transaction.all(
        select(column.arn)
        .where(column.rotation_due <= now, column.state == ENABLED)
        .order_by(column.rotation_due)
        .limit(_AT_ONCE)
    )
    happened = []
    for row in due:
        key = records.key(transaction, environment, row.arn, now)
        if key is None or key.rotation_days is None or _pending(transaction, key).pending:
            continue
        fresh = rotate(transaction, environment, key, AUTOMATIC, now)
        transaction.run(
            update(tables.key)
            .where(column.arn == key.arn)
            .values(rotation_due=round(now + key.rotation_days * _DAY, 3))
        )
        materials = {"previousKeyMaterialId": key.material, "currentKeyMaterialId": fresh}
        details = {"rotationType": AUTOMATIC, "keyOrigin": key.origin, **materials}
        happened.append(records.happened("RotateKey", key, details))
    return happened


def _pending(transaction: Transaction, key: Key) -> families.Pending:
    return families.pending(transaction, key.account, key.id) if key.primary_region else families.NOTHING


def _check_rotates(key: Key, *origins: str) -> None:
    if not specs.is_symmetric(key.spec):
        raise UnsupportedOperationException("")
    states.check_origin(key, *origins)


def _check_schedule(operation: str, key: Key) -> None:
    """Whether a key can rotate by itself; in the order in which AWS looks: origin, state, spec."""
    states.check_origin(key, AWS_KMS)
    states.check(operation, key)
    _check_rotates(key, AWS_KMS)
    _check_primary(key)


def _check_primary(key: Key) -> None:
    if key.primary_region is not None:
        multi_region.check_primary(key)


def _schedule(call: Call, key: Key, *, days: int | None, due: float | None) -> None:
    for arn in multi_region.related(call.transaction, key):
        # The primary rotates for all of them.
        values = {"rotation_days": days, "rotation_due": due if arn == key.arn else None}
        call.transaction.run(update(tables.key).where(tables.key.c.arn == arn).values(**values))
        call.transaction.changed(records.topic(arn))
    if key.primary_region is not None:
        families.changed(call.transaction, call.environment, key.account, key.id, shared=True)


def _count_on_demand(transaction: Transaction, arn: str) -> int:
    column = tables.material.c
    row = transaction.one(
        select(func.count().label("rows")).where(column.key_arn == arn, column.rotation == ON_DEMAND)
    )
    return 0 if row is None else int(row.rows)


def _take_up_pending(call: Call, key: Key) -> None:
    column = tables.material.c
    is_here = column.sealed.is_not(None) & (column.expires.is_(None) | (column.expires > call.now))
    pending = call.transaction.one(
        select(column.id).where(column.key_arn == key.arn, column.state == PENDING_ROTATION, is_here)
    )
    if pending is None or _lacks_somewhere(call.transaction, key, pending.id):
        raise KMSInvalidStateException(f"No available key material pending rotation for the key: {key.arn}.")
    for arn in multi_region.related(call.transaction, key):
        make_current(call.transaction, arn, pending.id, ON_DEMAND, call.now)
    if key.primary_region is not None:
        families.changed(call.transaction, call.environment, key.account, key.id, shared=True)


def _lacks_somewhere(transaction: Transaction, key: Key, material_id: str) -> bool:
    """Whether a key of the same multi-Region key has not been given this material by its owner."""
    if key.primary_region is None:
        return False
    column, every = tables.material.c, multi_region.related(transaction, key)
    held = (column.key_arn.in_(every), column.id == material_id, column.sealed.is_not(None))
    if len(transaction.all(select(column.key_arn).where(*held))) < len(every):
        return True
    return any(material_id not in each.holds for each in _away(transaction, key.account, key.id))

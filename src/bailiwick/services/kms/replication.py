"""Multi-Region keys made in further regions, and the primary moved (facts/kms.md section 9)."""

from __future__ import annotations

import json

import msgspec
from sqlalchemy import insert, select

from bailiwick.api import Call, Target, ValidationError
from bailiwick.core.arn import is_foreign
from bailiwick.core.policy.question import Value
from bailiwick.services.kms import (
    families,
    multi_region,
    peer_consent,
    policies,
    records,
    replicas_away,
    shapes,
    states,
    tables,
    tags,
)
from bailiwick.services.kms.keys import metadata
from bailiwick.services.kms.records import ENABLED, EXTERNAL, PENDING_IMPORT, Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import AlreadyExistsException, NotFoundException
from bailiwick.services.kms.targets import Use, target_of


def key_to_replicate(call: Call, request: shapes.ReplicateKeyRequest) -> Target:
    """The primary; and the caller must be allowed to make the replica, with its tags."""
    replica: dict[str, Value] = {"kms:replicaregion": request.ReplicaRegion}
    target = target_of(call, request.KeyId, Use(keys=replica), aliases=False)
    context = {**target.context, **tags.of_request(request.Tags)}
    making = Target(account=call.account, action="kms:CreateKey", context=context)
    tagging = (Target(account=call.account, action="kms:TagResource", context=context),) if request.Tags else ()
    return msgspec.structs.replace(target, also=(making, *tagging))


@kms.operation("ReplicateKey", on=key_to_replicate, writes=True)
def replicate_key(call: Call, request: shapes.ReplicateKeyRequest, key: Key) -> shapes.ReplicateKeyResponse:
    region = request.ReplicaRegion
    multi_region.check_primary(key)
    states.check("ReplicateKey", key)
    if region == key.region:
        raise ValidationError("The replica Region must be different from the Region of the primary key.")
    if is_foreign(region, call.partition):
        raise ValidationError("The replica Region must be in the same partition as the primary key.")
    arn = multi_region.in_region(key.arn, region)
    if call.transaction.one(select(tables.key.c.arn).where(tables.key.c.arn == arn)) is not None:
        raise AlreadyExistsException(f"A multi-Region key with this ID already exists in Region {region}: {arn}")
    policy, pins = policies.of_new(call, request, arn)
    peer = call.environment.peers.of_region(region)
    if peer is not None:
        tags.check(request.Tags)
        replicas_away.wish(call, key, peer, region, request, policy)
        made = msgspec.structs.replace(key, arn=arn, region=region, created=round(call.now, 3))
        made = msgspec.structs.replace(made, description=request.Description or "", deletion=None)
    else:
        made = _made(call, key, arn, region, request, policy, pins)
    # AWS answers before the replica is ready, and its clients wait for that. One that is here is ready at once.
    shown = msgspec.structs.replace(
        metadata(call.transaction, made), Enabled=False, KeyState="Creating", CurrentKeyMaterialId=None
    )
    return shapes.ReplicateKeyResponse(
        ReplicaKeyMetadata=shown, ReplicaPolicy=policy, ReplicaTags=list(request.Tags) if request.Tags else None
    )


def primary_to_move(call: Call, request: shapes.UpdatePrimaryRegionRequest) -> Target:
    """The primary, and the replica that is to become it."""
    region: dict[str, Value] = {"kms:primaryregion": request.PrimaryRegion}
    target = target_of(call, request.KeyId, Use(keys=region), aliases=False)
    if target.record is None or target.record.primary_region is None:
        return target
    replica = records.key(
        call.transaction,
        call.environment,
        multi_region.in_region(target.arn, request.PrimaryRegion),
        call.now,
    )
    if replica is not None and replica.arn == target.arn:
        return target
    if replica is None and call.environment.peers.of_region(request.PrimaryRegion) is None:
        return target
    if replica is None:
        return msgspec.structs.replace(target, also=(_away(call, target, request.PrimaryRegion),))
    also = msgspec.structs.replace(
        target, account=replica.account, arn=replica.arn, policy=replica.layer,
        context={**region, **replica.context, "kms:calleraccount": call.account},
    )  # fmt: skip
    return msgspec.structs.replace(target, also=(also,))


def _away(call: Call, target: Target, region: str) -> Target:
    """A replica at a peer, for what the caller's policies say; the peer asks its own when it is told."""
    context: dict[str, Value] = {
        key: value
        for key, value in target.context.items()
        if not key.startswith(("aws:resourcetag/", "kms:resourcealiases"))
    }
    context["kms:multiregionkeytype"] = multi_region.REPLICA
    leaves_it_to_them = records.compiled(policies.default(call), {})
    return msgspec.structs.replace(
        target, arn=multi_region.in_region(target.arn, region), policy=leaves_it_to_them, context=context
    )


@kms.operation("UpdatePrimaryRegion", on=primary_to_move, writes=True)
def update_primary_region(call: Call, request: shapes.UpdatePrimaryRegionRequest, key: Key) -> None:
    region = request.PrimaryRegion
    multi_region.check_primary(key)
    states.check("UpdatePrimaryRegion", key)
    if region == key.region:
        return
    replica = multi_region.in_region(key.arn, region)
    if replica not in multi_region.related(call.transaction, key) and not replicas_away.is_made(call, key, region):
        raise NotFoundException(f"Key '{replica}' does not exist")
    families.move_primary(
        call.transaction,
        call.environment,
        key.account,
        key.id,
        region,
        rotation_due=key.rotation_due,
        moved_by=peer_consent.asking(call),
        moved_from=key.region,
    )


def _made(
    call: Call,
    key: Key,
    arn: str,
    region: str,
    request: shapes.ReplicateKeyRequest,
    policy: str,
    pins: dict[str, str],
) -> Key:
    """A replica that is made here."""
    _insert(call, key, arn, region, request.Description or "", policy, pins)
    tags.put(call.transaction, arn, request.Tags)
    call.transaction.changed(records.topic(arn), records.topic(key.arn))
    families.joined(call.transaction, call.environment, key.account, key.id, region)
    made = records.key(call.transaction, call.environment, arn, call.now)
    assert made is not None, "a key that was just written is there"
    return made


def _insert(
    call: Call, key: Key, arn: str, region: str, description: str, policy: str, pins: dict[str, str]
) -> None:
    """The row of a replica, and the key's materials in it; imported ones must be imported there too."""
    imported = key.origin == EXTERNAL
    call.transaction.run(
        insert(tables.key).values(
            arn=arn,
            account=key.account,
            region=region,
            id=key.id,
            description=description,
            state=PENDING_IMPORT if imported else ENABLED,
            spec=key.spec,
            usage=key.usage,
            origin=key.origin,
            created=round(call.now, 3),
            material=key.material,
            policy=policy,
            pins=json.dumps(pins),
            primary_region=key.region,
            rotation_days=key.rotation_days,
        )
    )
    rows = call.transaction.all(select(tables.material).where(tables.material.c.key_arn == key.arn))
    for row in rows:
        material = None if imported else key.materials.get(row.id)
        sealed = None
        if material is not None:
            sealed = records.seal_material(call.environment, arn, row.id, material)
        values = {**row._mapping, "key_arn": arn, "sealed": sealed, "expires": None}
        call.transaction.run(insert(tables.material).values(**values))

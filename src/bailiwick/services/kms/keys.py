"""Keys: made, described, enabled and disabled, and given up after a time to think."""

from __future__ import annotations

import json
import uuid
from typing import NamedTuple

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call, Environment, Target, Transaction, ValidationError, nothing
from bailiwick.core.happened import Happened
from bailiwick.core.policy.question import Value
from bailiwick.services.kms import (
    families,
    grants,
    key_stores,
    material,
    multi_region,
    paging,
    policies,
    records,
    replicas_away,
    shapes,
    specs,
    states,
    tables,
    tags,
)
from bailiwick.services.kms.last_use import key_to_stop
from bailiwick.services.kms.records import (
    AWS_CLOUDHSM,
    AWS_KMS,
    DISABLED,
    ENABLED,
    EXTERNAL,
    PENDING_DELETION,
    PENDING_IMPORT,
    PENDING_REPLICA_DELETION,
    Key,
)
from bailiwick.services.kms.requesting import makes_no_key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import UnsupportedOperationException
from bailiwick.services.kms.specs import SYMMETRIC_DEFAULT
from bailiwick.services.kms.stores import KeyStore
from bailiwick.services.kms.targets import key_named, key_or_alias_named
from bailiwick.store import waiting

_DAY = 86400
_DEFAULT_WINDOW = 30

# Which member of KeyMetadata lists the algorithms, by usage.
_LISTED = {
    specs.ENCRYPT: "EncryptionAlgorithms",
    specs.SIGN: "SigningAlgorithms",
    specs.MAC: "MacAlgorithms",
    specs.AGREE: "KeyAgreementAlgorithms",
    specs.ENCAPSULATE: "EncapsulationAlgorithms",
}


def listed_algorithms(spec: str, usage: str) -> dict[str, list[str]]:
    """What a key of this spec and usage can do, under the member that shows it."""
    return {_LISTED[usage]: list(specs.algorithms(spec, usage))}


def metadata(transaction: Transaction, key: Key) -> shapes.KeyMetadata:
    """A key as DescribeKey shows it (facts/kms.md section 2.3)."""
    has_material = key.material in key.materials and key.state != PENDING_IMPORT
    imported = key.origin == EXTERNAL and has_material
    return shapes.KeyMetadata(
        AWSAccountId=key.account,
        KeyId=key.id,
        Arn=key.arn,
        CreationDate=key.created,
        Enabled=key.state == ENABLED,
        Description=key.description,
        KeyUsage=key.usage,
        KeyState=key.state,
        DeletionDate=key.deletion,
        Origin=key.origin,
        KeyManager=key.manager,
        CustomerMasterKeySpec=key.spec,
        KeySpec=key.spec,
        ValidTo=key.expires if imported else None,
        ExpirationModel=records.expiration_model(key.expires) if imported else None,
        MultiRegion=key.primary_region is not None,
        MultiRegionConfiguration=multi_region.configuration(transaction, key),
        PendingDeletionWindowInDays=multi_region.pending_window(key),
        CurrentKeyMaterialId=key.shown_material if specs.is_symmetric(key.spec) and has_material else None,
        **key_stores.metadata(key),
        **listed_algorithms(key.spec, key.usage),  # type: ignore[arg-type]  # one of five members of one type
    )


def new_key(call: Call, request: shapes.CreateKeyRequest) -> Target:
    """No key is there yet: identity policies decide, and with tags the caller must be allowed to set them."""
    if request.CustomKeyStoreId is not None:
        waiting.leave()
    context: dict[str, Value] = {
        **tags.of_request(request.Tags),
        "kms:keyspec": _spec(request),
        "kms:keyusage": request.KeyUsage or specs.ENCRYPT,
        "kms:keyorigin": request.Origin or AWS_KMS,
        "kms:multiregion": "true" if request.MultiRegion else "false",
        "kms:bypasspolicylockoutsafetycheck": "true" if request.BypassPolicyLockoutSafetyCheck else "false",
        "kms:calleraccount": call.account,
    }
    tagging = Target(account=call.account, action="kms:TagResource", context=context)
    return Target(account=call.account, context=context, also=(tagging,) if request.Tags else ())


@kms.operation("CreateKey", on=new_key, writes=True, asks_first=True)
def create_key(call: Call, request: shapes.CreateKeyRequest, record: None) -> shapes.CreateKeyResponse:
    replicas_away.check_region(call)
    spec, usage = _kind(request)
    entropy, imported = call.environment.entropy, request.Origin == EXTERNAL
    # What can take long is done before the transaction is opened.
    home = key_stores.home_of(call, request)
    token = home if home is not None and home.kind == AWS_CLOUDHSM else None
    made = None if imported or token else material.generate(spec, entropy)
    key_id = f"mrk-{entropy(16).hex()}" if request.MultiRegion else str(uuid.UUID(bytes=entropy(16), version=4))
    arn = f"arn:{call.partition}:kms:{call.region}:{call.account}:key/{key_id}"
    material_id = "" if imported else entropy(32).hex()
    if token is not None:
        _check(call, request, arn)  # or the token would make a key for nothing
        key_stores.make(call, token, arn, material_id)
    call.transaction.begin_writing()
    _write(call, request, _New(arn, spec, usage, home, material_id, made))
    return shapes.CreateKeyResponse(KeyMetadata=metadata(call.transaction, _reloaded(call, arn)))


class _New(NamedTuple):
    """A key that is to be written; its material, if that is to be in the database."""

    arn: str
    spec: str
    usage: str
    home: KeyStore | None
    material_id: str
    material: bytes | None

    def __repr__(self) -> str:
        return f"_New({self.arn})"


def _check(call: Call, request: shapes.CreateKeyRequest, arn: str) -> tuple[str, dict[str, str]]:
    """The policy of a new key, and whom it names; or what `_write` refuses."""
    tags.check(request.Tags)
    return policies.of_new(call, request, arn)


def _write(call: Call, request: shapes.CreateKeyRequest, new: _New) -> None:
    arn, home, created = new.arn, new.home, round(call.now, 3)
    policy, pins = _check(call, request, arn)
    call.transaction.run(
        insert(tables.key).values(
            arn=arn,
            account=call.account,
            region=call.region,
            id=arn.rpartition("/")[2],
            description=request.Description or "",
            state=PENDING_IMPORT if request.Origin == EXTERNAL else ENABLED,
            spec=new.spec,
            usage=new.usage,
            origin=request.Origin or AWS_KMS,
            created=created,
            material=new.material_id,
            policy=policy,
            pins=json.dumps(pins),
            primary_region=call.region if request.MultiRegion else None,
            store=home.id if home else None,
            xks_key=request.XksKeyId,
        )
    )
    if new.material is not None:
        call.transaction.run(
            insert(tables.material).values(
                key_arn=arn,
                id=new.material_id,
                sealed=records.seal_material(call.environment, arn, new.material_id, new.material),
                created=created,
            )
        )
    tags.put(call.transaction, arn, request.Tags)
    call.transaction.changed(records.topic(arn))
    if home is not None:
        key_stores.take_in(call, home, arn, new.material_id, request.XksKeyId)


@kms.operation("DescribeKey", on=key_or_alias_named, quick=makes_no_key)
def describe_key(call: Call, request: shapes.DescribeKeyRequest, key: Key) -> shapes.DescribeKeyResponse:
    grants.check_tokens(call, request.GrantTokens)
    return shapes.DescribeKeyResponse(KeyMetadata=metadata(call.transaction, key))


@kms.operation("ListKeys", on=nothing)
def list_keys(call: Call, request: shapes.ListKeysRequest, record: None) -> shapes.ListKeysResponse:
    limit, column = request.Limit or 100, tables.key.c
    rows = call.transaction.all(
        select(column.id, column.arn)
        .where(
            column.account == call.account,
            column.region == call.region,
            column.id > paging.after(call, request.Marker),
            (column.deletion.is_(None)) | (column.deletion > call.now),
        )
        .order_by(column.id)
        .limit(limit + 1)
    )
    page, truncated, marker = paging.page(call, rows, limit, lambda row: str(row.id))
    return shapes.ListKeysResponse(
        Keys=[shapes.KeyListEntry(KeyId=row.id, KeyArn=row.arn) for row in page],
        NextMarker=marker,
        Truncated=truncated,
    )


@kms.operation("EnableKey", on=key_named, writes=True)
def enable_key(call: Call, request: shapes.EnableKeyRequest, key: Key) -> None:
    states.check("EnableKey", key)
    _update(call, key, state=ENABLED)


@kms.operation("DisableKey", on=key_to_stop, writes=True)
def disable_key(call: Call, request: shapes.DisableKeyRequest, key: Key) -> None:
    states.check("DisableKey", key)
    _update(call, key, state=DISABLED)


@kms.operation("UpdateKeyDescription", on=key_named, writes=True)
def update_key_description(call: Call, request: shapes.UpdateKeyDescriptionRequest, key: Key) -> None:
    states.check("UpdateKeyDescription", key)
    _update(call, key, description=request.Description)


def key_to_delete(call: Call, request: shapes.ScheduleKeyDeletionRequest) -> Target:
    """The key, with the waiting period as a condition key."""
    target = key_to_stop(call, request)
    days: dict[str, Value] = {
        "kms:schedulekeydeletionpendingwindowindays": str(request.PendingWindowInDays or _DEFAULT_WINDOW)
    }
    return msgspec.structs.replace(target, context={**target.context, **days})


@kms.operation("ScheduleKeyDeletion", on=key_to_delete, writes=True)
def schedule_key_deletion(
    call: Call, request: shapes.ScheduleKeyDeletionRequest, key: Key
) -> shapes.ScheduleKeyDeletionResponse:
    days = request.PendingWindowInDays or _DEFAULT_WINDOW
    if not 7 <= days <= 30:
        raise ValidationError("PendingWindowInDays must be between 7 and 30 (inclusive).")
    states.check("ScheduleKeyDeletion", key)
    if multi_region.has_replicas(call.transaction, key):
        _update(call, key, state=PENDING_REPLICA_DELETION, deletion_days=days)
        return shapes.ScheduleKeyDeletionResponse(
            KeyId=key.arn, KeyState=PENDING_REPLICA_DELETION, PendingWindowInDays=days
        )
    deletion = round(call.now + days * _DAY, 3)
    _update(call, key, state=PENDING_DELETION, deletion=deletion)
    return shapes.ScheduleKeyDeletionResponse(
        KeyId=key.arn, DeletionDate=deletion, KeyState=PENDING_DELETION, PendingWindowInDays=days
    )


@kms.operation("CancelKeyDeletion", on=key_named, writes=True)
def cancel_key_deletion(
    call: Call, request: shapes.CancelKeyDeletionRequest, key: Key
) -> shapes.CancelKeyDeletionResponse:
    states.check("CancelKeyDeletion", key)
    is_whole = key.is_whole and not records.lacks_material(call.transaction, key.arn)
    _update(call, key, state=DISABLED if is_whole else PENDING_IMPORT, deletion=None, deletion_days=None)
    return shapes.CancelKeyDeletionResponse(KeyId=key.arn)


def _spec(request: shapes.CreateKeyRequest) -> str:
    return request.KeySpec or request.CustomerMasterKeySpec or SYMMETRIC_DEFAULT


def _kind(request: shapes.CreateKeyRequest) -> tuple[str, str]:
    """The spec and usage of the key to be made. Refuses what this version does not make, and what nobody makes."""
    if request.KeySpec and request.CustomerMasterKeySpec:
        raise ValidationError(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    spec = _spec(request)
    if spec != SYMMETRIC_DEFAULT and request.KeyUsage is None:
        raise ValidationError(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    specs.check_made(spec)
    usage = request.KeyUsage or specs.ENCRYPT
    if usage not in specs.SPECS[spec]:
        raise ValidationError(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
    key_stores.check(request, spec)
    if request.Origin == EXTERNAL and spec.startswith("ML_"):
        raise UnsupportedOperationException(f"Key material for keys of the spec {spec} cannot be imported.")
    return spec, usage


@kms.chore
def delete_what_is_due(transaction: Transaction, environment: Environment, now: float) -> list[Happened]:
    """Delete keys whose waiting period is over, with everything that is theirs. No call has seen them since."""
    column = tables.key.c
    due = transaction.all(select(tables.key).where(column.deletion <= now).order_by(column.deletion).limit(100))
    happened = []
    for row in due:
        aliases = transaction.all(select(tables.alias.c.arn).where(tables.alias.c.key_arn == row.arn))
        for table in (tables.alias, tables.grant, tables.tag, tables.last_use, tables.material):
            transaction.run(delete(table).where(table.c.key_arn == row.arn))
        transaction.run(delete(tables.key).where(column.arn == row.arn))
        is_told_later = key_stores.let_go(transaction, row, now)
        transaction.changed(records.topic(row.arn), *(records.alias_topic(alias.arn) for alias in aliases))
        if row.primary_region is not None:
            families.left(transaction, environment, row.account, row.id, row.region)
            multi_region.replica_is_gone(transaction, row.account, row.id, now)
        if not is_told_later:
            happened.append(records.happened("DeleteKey", row))
    return happened


def _update(call: Call, key: Key, **values: object) -> None:
    call.transaction.run(update(tables.key).where(tables.key.c.arn == key.arn).values(**values))
    call.transaction.changed(records.topic(key.arn))


def _reloaded(call: Call, arn: str) -> Key:
    key = records.key(call.transaction, call.environment, arn, call.now)
    assert key is not None, "a key that was just written is there"
    return key

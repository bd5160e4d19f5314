"""When a key was last used: noted in memory by the operations, written in batches off the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, insert, select, update

from bailiwick.api import Call, Environment, Target
from bailiwick.core.policy.question import Value
from bailiwick.services.kms import shapes, tables
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.targets import key_named
from bailiwick.store import StoreError, settings

if TYPE_CHECKING:
    from bailiwick.store import Store

SINCE = "kms.uses-since"
"""The fact that says from when on uses are noted, in a deployment that is older than that."""

_CHUNK = 500
_DAY = 86400


@kms.operation("GetKeyLastUsage", on=key_named)
def get_key_last_usage(
    call: Call, request: shapes.GetKeyLastUsageRequest, key: Key
) -> shapes.GetKeyLastUsageResponse:
    """AWS's answer, but for the id of the event, which is in the audit trail under the request's id."""
    used, use = shapes.KeyLastUsageData(), _last(call, key)
    if use is not None:
        used = shapes.KeyLastUsageData(Operation=use[0], Timestamp=use[1], KmsRequestId=use[2])
    return shapes.GetKeyLastUsageResponse(
        KeyId=key.id,
        KeyLastUsage=used,
        TrackingStartDate=_since(call, key),
        KeyCreationDate=key.created,
    )


def key_to_stop(call: Call, request: shapes.DisableKeyRequest | shapes.ScheduleKeyDeletionRequest) -> Target:
    """The key, with the days for which nobody has used it as a condition key; if never, since uses are noted."""
    target = key_named(call, request)
    if target.record is None:
        return target
    use = _last(call, target.record)
    since = _since(call, target.record) if use is None else use[1]
    days: dict[str, Value] = {"kms:trailingdayswithoutkeyusage": str(max(0, int((call.now - since) // _DAY)))}
    return msgspec.structs.replace(target, context={**target.context, **days})


def _last(call: Call, key: Key) -> tuple[str, float, str] | None:
    """The last use of a key: operation, time, request id; what is not written yet is looked at too."""
    column = tables.last_use.c
    row = call.transaction.one(
        select(column.operation, column.time, column.request).where(column.key_arn == key.arn)
    )
    uses = [(row.operation, row.time, row.request)] if row is not None else []
    if noted := call.environment.key_uses.get(key.arn):
        uses.append(noted)
    return max(uses, key=lambda use: use[1], default=None)


def _since(call: Call, key: Key) -> float:
    """From when on uses of a key are noted."""
    return max(key.created, float(settings.get(call.transaction, SINCE) or 0))


def flush(store: Store, environment: Environment) -> None:
    """Write the uses that were noted. Raises store.StoreError, and keeps for the next time what was not written."""
    noted = environment.key_uses
    while noted:
        taken = dict(noted.popitem() for _ in range(min(len(noted), _CHUNK)))
        try:
            _write(store, taken)
        except StoreError:
            for arn, use in taken.items():
                noted.setdefault(arn, use)  # unless there is a newer one
            raise


def _write(store: Store, uses: dict[str, tuple[str, float, str]]) -> None:
    column = tables.last_use.c
    rows = [{"arn": arn, "op": op, "at": round(at, 3), "id": id_} for arn, (op, at, id_) in sorted(uses.items())]
    with store.transaction(write=True) as transaction:
        known = {row.key_arn for row in transaction.all(select(column.key_arn).where(column.key_arn.in_(uses)))}
        values: dict[str, Any] = {"operation": bindparam("op"), "time": bindparam("at"), "request": bindparam("id")}
        if later := [row for row in rows if row["arn"] in known]:
            newer = (column.key_arn == bindparam("arn")) & (column.time < bindparam("at"))
            transaction.run(update(tables.last_use).where(newer).values(**values), later)
        if first := [row for row in rows if row["arn"] not in known]:
            transaction.run(insert(tables.last_use).values(key_arn=bindparam("arn"), **values), first)

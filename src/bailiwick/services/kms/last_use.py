"""When a key was last used: noted in memory by the operations, written in batches off the path."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, insert, select, update

from bailiwick.api import Call, Environment, Target
from bailiwick.core.policy.question import Value
from bailiwick.services.kms import shapes, tables
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.targets import key_named
from bailiwick.store import settings

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
    if noted := call.environment.key_uses.uses.get(key.arn):
        time, operation, request = noted
        uses.append((operation, time, request))
    return max(uses, key=lambda use: use[1], default=None)


def _since(call: Call, key: Key) -> float:
    """From when on uses of a key are noted."""
    return max(key.created, float(settings.get(call.transaction, SINCE) or 0))


def flush(store: Store, environment: Environment, now: float = math.inf) -> None:
    """Write the uses that are due at `now` (epoch seconds), by default every one. Raises store.StoreError."""
    with environment.key_uses.due(now) as uses:
        rows = [
            {"arn": arn, "op": operation, "at": round(at, 3), "id": request}
            for arn, (at, operation, request) in sorted(uses.items())
        ]
        for start in range(0, len(rows), _CHUNK):
            _write(store, rows[start : start + _CHUNK])


def _write(store: Store, rows: list[dict[str, Any]]) -> None:
    column = tables.last_use.c
    with store.transaction(write=True) as transaction:
        arns = [row["arn"] for row in rows]
        known = {row.key_arn for row in transaction.all(select(column.key_arn).where(column.key_arn.in_(arns)))}
        values: dict[str, Any] = {"operation": bindparam("op"), "time": bindparam("at"), "request": bindparam("id")}
        if later := [row for row in rows if row["arn"] in known]:
            newer = (column.key_arn == bindparam("arn")) & (column.time < bindparam("at"))
            transaction.run(update(tables.last_use).where(newer).values(**values), later)
        if first := [row for row in rows if row["arn"] not in known]:
            transaction.run(insert(tables.last_use).values(key_arn=bindparam("arn"), **values), first)

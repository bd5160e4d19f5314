"""When a key was last used: noted in memory by the operations, written in batches off the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from bailiwick.api import Call, Environment
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


@kms.operation("GetKeyLastUsage", on=key_named)
def get_key_last_usage(
    call: Call, request: shapes.GetKeyLastUsageRequest, key: Key
) -> shapes.GetKeyLastUsageResponse:
    """AWS's answer, but for the id of the event, which is in the audit trail under the request's id."""
    column = tables.last_use.c
    row = call.transaction.one(
        select(column.operation, column.time, column.request).where(column.key_arn == key.arn)
    )
    uses = [tuple(row)] if row is not None else []
    if noted := call.environment.key_uses.get(key.arn):
        uses.append(noted)
    used = shapes.KeyLastUsageData()
    if uses:
        operation, time, request_id = max(uses, key=lambda use: use[1])
        used = shapes.KeyLastUsageData(Operation=operation, Timestamp=time, KmsRequestId=request_id)
    return shapes.GetKeyLastUsageResponse(
        KeyId=key.id,
        KeyLastUsage=used,
        TrackingStartDate=max(key.created, float(settings.get(call.transaction, SINCE) or 0)),
        KeyCreationDate=key.created,
    )


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

"""Multi-Region keys: one key id and material in several regions (facts/kms.md section 9).

Each of them is a key of its own, with its policy, grants, aliases, tags and state. `primary_region` says where the
primary is, in the row of every one. What is here of those whose keys are at peers as well, families.py says.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, update

from bailiwick.api import Transaction
from bailiwick.core import arn
from bailiwick.services.kms import families, records, shapes, tables
from bailiwick.services.kms.records import PENDING_DELETION, PENDING_REPLICA_DELETION, Key
from bailiwick.services.kms.shapes import UnsupportedOperationException

PRIMARY, REPLICA = "PRIMARY", "REPLICA"
_DAY = 86400


def others(transaction: Transaction, account: str, key_id: str, but: str) -> list[Row[Any]]:
    """The rows of the keys with the same id in other regions of this deployment, in the order of their regions."""
    return [row for row in families.here(transaction, account, key_id) if row.arn != but]


def related(transaction: Transaction, key: Key) -> list[str]:
    """The ARNs of a key and of the others of the same multi-Region key that are here, the key's own first."""
    if key.primary_region is None:
        return [key.arn]
    return [key.arn, *(row.arn for row in others(transaction, key.account, key.id, key.arn))]


def check_primary(key: Key) -> None:
    """Refuse what only the primary of a multi-Region key may do. Raises UnsupportedOperationException."""
    if key.primary_region != key.region:
        raise UnsupportedOperationException(f"{key.arn} is not a multi-region primary key.")


def has_replicas(transaction: Transaction, key: Key) -> bool:
    """Whether it is a primary with replicas."""
    if key.primary_region != key.region:
        return False
    where = transaction, key.account, key.id
    return bool(others(*where, key.arn) or families.away(*where))


def configuration(transaction: Transaction, key: Key) -> shapes.MultiRegionConfiguration | None:
    """How a multi-Region key is spread, as its metadata shows it."""
    if key.primary_region is None:
        return None
    regions = {key.region: key.arn}
    regions |= {row.region: row.arn for row in others(transaction, key.account, key.id, key.arn)}
    away = families.away(transaction, key.account, key.id)
    regions |= {each.region: in_region(key.arn, each.region) for each in away}
    shown = [shapes.MultiRegionKey(Arn=key_arn, Region=region) for region, key_arn in sorted(regions.items())]
    return shapes.MultiRegionConfiguration(
        MultiRegionKeyType=PRIMARY if key.region == key.primary_region else REPLICA,
        PrimaryKey=next((each for each in shown if each.Region == key.primary_region), None),
        ReplicaKeys=[each for each in shown if each.Region != key.primary_region],
    )


def pending_window(key: Key) -> int | None:
    """The waiting period that begins when the last replica is gone."""
    return key.deletion_days if key.state == PENDING_REPLICA_DELETION else None


def replica_is_gone(transaction: Transaction, account: str, key_id: str, now: float) -> None:
    """After the deletion of a replica: its primary's waiting period begins, if it waited for the last one."""
    left = families.here(transaction, account, key_id)
    if len(left) != 1 or left[0].state != PENDING_REPLICA_DELETION or families.away(transaction, account, key_id):
        return
    primary = left[0]
    transaction.run(
        update(tables.key)
        .where(tables.key.c.arn == primary.arn)
        .values(state=PENDING_DELETION, deletion=round(now + primary.deletion_days * _DAY, 3), deletion_days=None)
    )
    transaction.changed(records.topic(primary.arn))


def in_region(key_arn: str, region: str) -> str:
    """The ARN of the same multi-Region key in another region."""
    parsed = arn.parse(key_arn)
    return f"arn:{parsed.partition}:kms:{region}:{parsed.account}:{parsed.resource}"

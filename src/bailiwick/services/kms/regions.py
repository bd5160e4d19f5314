"""What an operator decides of a multi-Region key when a peer is lost."""

from __future__ import annotations

from bailiwick.api import Environment, Transaction
from bailiwick.core import arn
from bailiwick.core.errors import ArnError
from bailiwick.services.kms import families, multi_region
from bailiwick.services.kms.families import FORCED, GONE, Family, Member
from bailiwick.services.kms.records import PENDING_DELETION

_DAY = 86400


class Impossible(Exception):
    """It cannot be done; the text says why."""


def take_over(transaction: Transaction, environment: Environment, key_arn: str) -> None:
    """Make a replica that is here the primary, though the deployment of the primary was not asked.

    Should that come back, the epoch of this one is far ahead. Raises Impossible.
    """
    found, region = _family(transaction, key_arn)
    row = next((row for row in families.here(transaction, found.account, found.id) if row.region == region), None)
    if row is None:
        raise Impossible(f"{key_arn} is not in this deployment")
    if row.region == found.primary_region:
        raise Impossible(f"{key_arn} is the primary already")
    if row.state == PENDING_DELETION:
        raise Impossible(f"{key_arn} is pending deletion: cancel that first")
    due = found.rotation_due
    if row.rotation_days is not None and due is None:
        due = round(environment.now() + row.rotation_days * _DAY, 3)
    families.move_primary(transaction, environment, found.account, found.id, region, rotation_due=due, step=FORCED)


def forget(transaction: Transaction, environment: Environment, key_arn: str) -> None:
    """Take a replica at a peer for gone. Raises Impossible."""
    found, region = _family(transaction, key_arn)
    known = families.members(transaction, found.account, found.id).get(region)
    if known is None or not known.is_away:
        raise Impossible(f"{key_arn} is no replica at a peer")
    if region == found.primary_region:
        raise Impossible(f"{key_arn} is the primary: promote another first")
    gone = Member(region=region, here=False, version=known.version + FORCED, epoch=known.epoch, state=GONE)
    families.put(transaction, found.account, found.id, gone)
    families.changed(transaction, environment, found.account, found.id)
    transaction.changed(*families.topics(transaction, found.account, found.id))
    multi_region.replica_is_gone(transaction, found.account, found.id, environment.now())


def _family(transaction: Transaction, key_arn: str) -> tuple[Family, str]:
    """The family of a key, and its region. Raises Impossible."""
    try:
        parsed = arn.parse(key_arn)
    except ArnError:
        raise Impossible(f"{key_arn} is no ARN") from None
    found = families.find(transaction, parsed.account, parsed.resource.removeprefix("key/"))
    if found is None:
        raise Impossible(f"{key_arn} is not shared with a peer")
    return found, parsed.region

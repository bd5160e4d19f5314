"""What proves somebody once and no more: an assertion, a request that was signed for a service.

It is used up in the database, so for every process and node: of two who come with it at once, one gets a session.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, insert

from bailiwick.api import Call, Environment, Transaction
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.tables import redeemed
from bailiwick.store import Duplicate

_REMEMBERED_LONGER = 3600.0  # by which a clock may step back


def use_up(call: Call, whose: str, name: str, expires: float) -> bool:
    """See to it that `name`, of `whose` names it is, is good for this call alone; False for the second call.

    `expires` is when it proves nothing any more: epoch seconds.
    """
    digest = hashlib.sha256(f"{whose}\n{name}".encode()).hexdigest()
    try:
        call.transaction.run(insert(redeemed).values(id=digest, expires=expires + _REMEMBERED_LONGER))
    except Duplicate:
        return False
    return True


@sts.chore
def forget_what_has_expired(transaction: Transaction, environment: Environment, now: float) -> None:
    """Forget what was used up, and is too old to be used again."""
    transaction.run(delete(redeemed).where(redeemed.c.expires <= now))

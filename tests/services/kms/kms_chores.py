"""A round of what KMS does by itself, as a process of the server does it."""

from __future__ import annotations

from bailiwick.core.happened import Happened
from bailiwick.services.kms.service import kms
from world import World


def do_chores(world: World, now: float) -> list[Happened]:
    """Do every chore; returns what of that is told, once it is committed."""
    told: list[Happened] = []
    for works, writes in ((kms.chores, True), (kms.errands, False)):
        for work in works:
            with world.store.transaction(write=writes) as transaction:
                happened = work(transaction, world.environment, now)
            told += happened or ()
    return told

"""When keys, roles and actions were last used: noted in memory on the path, written in batches off it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, bindparam, or_, update

from bailiwick.api import Caller, Transaction
from bailiwick.core.formats import SessionKind
from bailiwick.core.noted import Noted, Use
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import last_access, tables

if TYPE_CHECKING:
    from bailiwick.store import Store


class Usage:
    """What was used since it was last written. Safe between threads; a crash loses a minute's notes at most."""

    def __init__(self) -> None:
        self._keys: Noted[str, tuple[str, str]] = Noted()  # of access keys by id: for which service and region
        self._roles: Noted[str, str] = Noted()  # of roles by id: for which region
        self._actions: Noted[last_access.Key, str] = Noted()  # for which region

    def note(self, caller: Caller, service: str, action: str, region: str, now: float) -> None:
        """The caller has just made a verified request: an operation of `service`, signed for `region`."""
        principal = caller.principal
        if principal.kind is not PrincipalKind.ROOT:
            self._actions.uses[principal.unique_id, service, action] = (now, region, "")
        session = caller.session
        if session is None:
            if caller.access_key_id is not None:
                self._keys.uses[caller.access_key_id] = (now, (service, region), "")
        elif session.kind is SessionKind.ROLE:
            self._roles.uses[session.principal] = (now, region, "")

    def flush(self, store: Store, now: float = math.inf) -> None:
        """Write what is due at `now` (epoch seconds), by default everything. Raises store.StoreError."""
        with self._keys.due(now) as keys, self._roles.due(now) as roles, self._actions.due(now) as actions:
            if not keys and not roles and not actions:
                return
            with store.transaction(write=True) as transaction:
                if actions:
                    last_access.write(transaction, actions)
                if keys:
                    _write_keys(transaction, keys)
                if roles:
                    _write_roles(transaction, roles)


# What is written is newer than what is there: another process may have seen a later use and written it already.


def _write_keys(transaction: Transaction, uses: dict[str, Use[tuple[str, str]]]) -> None:
    column = tables.access_key.c
    time: BindParameter[float] = bindparam("time")
    newer = or_(column.last_used.is_(None), column.last_used < time)
    values: dict[str, Any] = {"last_used_service": bindparam("service"), "last_used_region": bindparam("region")}
    later = update(tables.access_key).where(column.id == bindparam("key"), newer)
    transaction.run(
        later.values(last_used=time, **values),
        [{"key": key, "time": at, "service": of[0], "region": of[1]} for key, (at, of, _) in uses.items()],
    )


def _write_roles(transaction: Transaction, uses: dict[str, Use[str]]) -> None:
    column = tables.role.c
    time: BindParameter[float] = bindparam("time")
    newer = or_(column.last_used.is_(None), column.last_used < time)
    later = update(tables.role).where(column.id == bindparam("role"), newer)
    transaction.run(
        later.values(last_used=time, last_used_region=bindparam("region")),
        [{"role": role, "time": at, "region": region} for role, (at, region, _) in uses.items()],
    )

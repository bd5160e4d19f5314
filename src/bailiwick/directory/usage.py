"""When keys, roles and actions were last used: noted in memory on the path, written in batches off it."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, update

from bailiwick.api import Caller
from bailiwick.core.formats import SessionKind
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import last_access, tables

if TYPE_CHECKING:
    from bailiwick.store import Store

_KeyUse = tuple[float, str, str]  # time, service, region
_RoleUse = tuple[float, str]  # time, region
_ActionUse = tuple[float, str]  # time, region


class Usage:
    """What was used since the last flush. Safe between threads; losing it in a crash loses a minute's notes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: dict[str, _KeyUse] = {}
        self._roles: dict[str, _RoleUse] = {}
        self._actions: dict[last_access.Key, _ActionUse] = {}

    def note(self, caller: Caller, service: str, action: str, region: str, now: float) -> None:
        """The caller has just made a verified request: an operation of `service`, signed for `region`."""
        principal = caller.principal
        if principal.kind is not PrincipalKind.ROOT:
            self._actions[principal.unique_id, service, action] = (now, region)
        session = caller.session
        if session is None:
            if caller.access_key_id is not None:
                self._keys[caller.access_key_id] = (now, service, region)
        elif session.kind is SessionKind.ROLE:
            self._roles[session.principal] = (now, region)

    def flush(self, store: Store) -> None:
        """Write what was noted. Raises store.StoreUnavailable, and keeps nothing of what it could not write."""
        with self._lock:
            keys, self._keys = self._keys, {}
            roles, self._roles = self._roles, {}
            actions, self._actions = self._actions, {}
        if not keys and not roles and not actions:
            return
        with store.transaction(write=True) as transaction:
            if actions:
                last_access.write(transaction, actions)
            if keys:
                columns = tables.access_key.c
                statement = (
                    update(tables.access_key)
                    .where(columns.id == bindparam("key"))
                    .values(
                        last_used=bindparam("time"),
                        last_used_service=bindparam("service"),
                        last_used_region=bindparam("region"),
                    )
                )
                rows = [
                    {"key": key, "time": time, "service": service, "region": region}
                    for key, (time, service, region) in keys.items()
                ]
                transaction.run(statement, rows)
            if roles:
                role = tables.role.c
                changed = (
                    update(tables.role)
                    .where(role.id == bindparam("role"))
                    .values(last_used=bindparam("time"), last_used_region=bindparam("region"))
                )
                found = [{"role": r, "time": time, "region": region} for r, (time, region) in roles.items()]
                transaction.run(changed, found)

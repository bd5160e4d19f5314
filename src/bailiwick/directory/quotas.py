"""How many of what an account may have: AWS's defaults, which a deployment or an account may be given others for.

A number that is set is a fact of the installation (store/settings.py), for one account or for all of them; the
account's own wins. Source of names and defaults: facts/iam.md sections 5.4 and 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Table, func, select

from bailiwick.api import Transaction
from bailiwick.directory import tables
from bailiwick.directory.role_tables import instance_profile
from bailiwick.store import settings
from bailiwick.store.schema import setting

DEFAULTS: Mapping[str, int] = MappingProxyType(
    {
        "ACLSizePerRole": 2048,
        "GroupsPerAccount": 300,
        "GroupsPerUser": 10,
        "InstanceProfilesPerAccount": 1000,
        "PoliciesPerAccount": 1500,
        "PoliciesPerGroup": 10,
        "PoliciesPerRole": 10,
        "PoliciesPerUser": 10,
        "RolesPerAccount": 1000,
        "UsersPerAccount": 5000,
    }
)
"""The quotas that can be changed, with AWS's defaults."""

_COUNTED: Mapping[str, Table] = {
    "GroupsPerAccount": tables.group,
    "InstanceProfilesPerAccount": instance_profile,
    "PoliciesPerAccount": tables.policy,
    "RolesPerAccount": tables.role,
    "UsersPerAccount": tables.user,
}

HIGHEST = 10_000_000  # what a quota may be set to


def allowed(transaction: Transaction, account: str, name: str) -> int:
    """What the quota `name` is for an account."""
    return _found(transaction, account, (name,))[name]


def every(transaction: Transaction, account: str) -> dict[str, int]:
    """Every quota that can be changed, as it is for an account."""
    return _found(transaction, account, tuple(DEFAULTS))


def exceeded(transaction: Transaction, account: str) -> dict[str, int]:
    """The quotas of the account as a whole that are exceeded, and how many there are."""
    given, found = every(transaction, account), {}
    for name, table in _COUNTED.items():
        row = transaction.one(select(func.count().label("rows")).where(table.c.account == account))
        if row is not None and row.rows > given[name]:
            found[name] = int(row.rows)
    return found


def put(transaction: Transaction, name: str, value: int, account: str | None = None) -> None:
    """Set a quota, for one account or for every account that has none of its own."""
    assert name in DEFAULTS, "only the quotas of the table can be changed"
    settings.put(transaction, _fact(name, account), str(value))


def _fact(name: str, account: str | None) -> str:
    return f"quota.{account}.{name}" if account else f"quota.{name}"


def _found(transaction: Transaction, account: str, names: tuple[str, ...]) -> dict[str, int]:
    facts = {_fact(name, owner): name for name in names for owner in (account, None)}
    rows = transaction.all(select(setting).where(setting.c.name.in_(facts)))
    given = {row.name: int(row.value) for row in rows}
    return {name: given.get(_fact(name, account), given.get(_fact(name, None), DEFAULTS[name])) for name in names}

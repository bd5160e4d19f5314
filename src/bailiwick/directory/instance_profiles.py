"""Instance profiles: what an EC2 instance is given so that it gets the credentials of a role."""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from bailiwick.api import Transaction
from bailiwick.core import arn
from bailiwick.directory.entities import record
from bailiwick.directory.role_tables import instance_profile


class InstanceProfile(msgspec.Struct, frozen=True):
    """An instance profile. `role_id` is the unique id of the role in it, if there is one."""

    id: str
    account: str
    name: str
    path: str
    created: float
    role_id: str | None = None

    def arn(self, partition: str) -> str:
        """The profile's ARN."""
        return arn.iam(partition, self.account, "instance-profile", self.path, self.name)


def find(transaction: Transaction, account: str, name: str) -> InstanceProfile | None:
    """The instance profile of an account with this name."""
    column = instance_profile.c
    row = transaction.one(select(instance_profile).where(column.account == account, column.folded == name.lower()))
    return None if row is None else record(InstanceProfile, row)


def holding(transaction: Transaction, role_id: str) -> list[InstanceProfile]:
    """The instance profiles that hold a role, by name."""
    column = instance_profile.c
    rows = transaction.all(select(instance_profile).where(column.role_id == role_id).order_by(column.folded))
    return [record(InstanceProfile, row) for row in rows]

"""What managed policies are used for in an account: attached to so many entities, boundary of so many."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, literal, or_, select, union_all

from bailiwick.api import Transaction
from bailiwick.directory import tables

_attachment, _user, _role = tables.attachment.c, tables.user.c, tables.role.c


class Use(NamedTuple):
    """To how many entities a policy is attached, and of how many users and roles it is the boundary."""

    attachments: int = 0
    boundaries: int = 0

    @property
    def is_used(self) -> bool:
        """Whether anything needs the policy."""
        return self != (0, 0)


def counted(transaction: Transaction, account: str, arns: Collection[str]) -> dict[str, Use]:
    """The use of each of these policies in an account, counted in one query."""
    rows = transaction.all(
        union_all(
            select(_attachment.policy_arn.label("arn"), literal(1).label("attached"), func.count().label("uses"))
            .where(_attachment.account == account, _attachment.policy_arn.in_(arns))
            .group_by(_attachment.policy_arn),
            *(
                select(column.boundary.label("arn"), literal(0).label("attached"), func.count().label("uses"))
                .where(column.account == account, column.boundary.in_(arns))
                .group_by(column.boundary)
                for column in (_user, _role)
            ),
        )
    )
    found: dict[str, Use] = {}
    for row in rows:
        attachments, boundaries = found.get(row.arn, Use())
        if row.attached:
            found[row.arn] = Use(attachments + row.uses, boundaries)
        else:
            found[row.arn] = Use(attachments, boundaries + row.uses)
    return found


def of(transaction: Transaction, account: str, arn: str) -> Use:
    """The use of one policy in an account."""
    return counted(transaction, account, (arn,)).get(arn, Use())


def condition(account: str, usage: str | None) -> ColumnElement[bool]:
    """The condition that a row of the table of policies is used: as PolicyUsageFilter says, or for anything."""
    arn = tables.policy.c.arn
    attached = select(1).where(_attachment.account == account, _attachment.policy_arn == arn).exists()
    bounding = [
        select(1).where(column.account == account, column.boundary == arn).exists() for column in (_user, _role)
    ]
    if usage == "PermissionsPolicy":
        return attached
    return or_(*bounding) if usage == "PermissionsBoundary" else or_(attached, *bounding)


def used_of_aws(transaction: Transaction, account: str, usage: str | None, prefix: str) -> set[str]:
    """The ARNs, all of which begin with `prefix`, of AWS's policies that an account uses."""
    queries = []
    beyond = prefix + "\x7f"  # an ARN has printable ASCII characters only
    if usage != "PermissionsBoundary":
        arn = _attachment.policy_arn
        queries.append(select(arn.label("arn")).where(_attachment.account == account, arn > prefix, arn < beyond))
    if usage != "PermissionsPolicy":
        queries += [
            select(column.boundary.label("arn")).where(
                column.account == account, column.boundary > prefix, column.boundary < beyond
            )
            for column in (_user, _role)
        ]
    return {row.arn for row in transaction.all(union_all(*(query.distinct() for query in queries)))}

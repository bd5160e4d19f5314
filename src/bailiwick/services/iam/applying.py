"""The policies that apply to a user, group or role, under the names that the simulator gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select

from bailiwick.api import Call
from bailiwick.directory import entities, tables
from bailiwick.directory.entities import Group, User
from bailiwick.services.iam.owners import Owner


class Applying(NamedTuple):
    """A policy that applies: its text, its ARN if it is managed, and to whom it was given."""

    name: str
    text: str
    arn: str | None
    kind: str  # user, group or role
    owner: str

    @property
    def id(self) -> str:
        """The SourcePolicyId of the simulator."""
        return self.name if self.arn else f"{self.kind}_{self.owner}_{self.name}"


def applying(call: Call, owner: Owner) -> list[Applying]:
    """Every identity policy of an entity; of a user, those of her groups as well."""
    found = list(_of(call, owner))
    if isinstance(owner, User):
        rows = call.transaction.all(
            select(tables.group)
            .join(tables.membership, tables.membership.c.group_id == tables.group.c.id)
            .where(tables.membership.c.user_id == owner.id)
            .order_by(tables.group.c.name)
        )
        for row in rows:
            found += _of(call, entities.record(Group, row))
    return found


def _of(call: Call, owner: Owner) -> Iterable[Applying]:
    kind, inline, attachment = type(owner).__name__.lower(), tables.inline_policy.c, tables.attachment.c
    for row in call.transaction.all(
        select(inline.name, inline.document).where(inline.owner_id == owner.id).order_by(inline.name)
    ):
        yield Applying(row.name, row.document, None, kind, owner.name)
    for row in call.transaction.all(
        select(attachment.policy_arn).where(attachment.owner_id == owner.id).order_by(attachment.policy_arn)
    ):
        policy = entities.policy(call.transaction, row.policy_arn)
        if policy is not None:
            text = entities.default_document(call.transaction, policy)
            yield Applying(policy.name, text, row.policy_arn, kind, owner.name)

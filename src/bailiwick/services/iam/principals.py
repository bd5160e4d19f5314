"""Users, groups, roles and policies by their ARN, and the principals behind them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from bailiwick.api import Call, Target
from bailiwick.core import arn
from bailiwick.core.errors import ArnError
from bailiwick.directory import entities, tables
from bailiwick.directory.entities import Group, ManagedPolicy, Role, User
from bailiwick.services.iam.owners import Owner
from bailiwick.services.iam.shapes import InvalidInputException, NoSuchEntityException
from bailiwick.services.iam.targets import policy_of


def entity_at(call: Call, named: str) -> Target:
    """The user, group or role with this ARN. The record is that entity. Raises InvalidInput for another ARN."""
    try:
        found = arn.parse(named)
    except ArnError:
        raise InvalidInputException(f"ARN {named} is not valid.") from None
    kind, _, path = found.resource.partition("/")
    read = {"user": entities.user, "group": entities.group, "role": entities.role}.get(kind)
    if found.service != "iam" or read is None:
        raise InvalidInputException(f"Invalid Entity Arn: {named} does not clearly define entity type and name.")
    owner = read(call.transaction, call.account, path.rpartition("/")[2]) if found.account == call.account else None
    if owner is not None and owner.arn(call.partition) != named:
        owner = None
    missing = NoSuchEntityException(f"The {kind} with name {path.rpartition('/')[2]} cannot be found.")
    return Target(account=found.account or call.account, arn=named, record=owner, absent=None if owner else missing)


def entity_or_policy(call: Call, named: str) -> Target:
    """The user, group, role or managed policy with this ARN. The record is that."""
    if ":policy/" not in named:
        return entity_at(call, named)
    policy = policy_of(call, named)
    missing = NoSuchEntityException(f"Policy {named} was not found.")
    return Target(account=call.account, arn=named, record=policy, absent=None if policy else missing)


def of(call: Call, subject: Owner | ManagedPolicy | None) -> list[User | Role]:
    """The users and roles with a subject's permissions: itself, a group's members, whom a policy is attached to."""
    if isinstance(subject, User | Role):
        return [subject]
    member, attachment = tables.membership.c, tables.attachment.c
    if isinstance(subject, Group):
        return list(_users(call, tables.user.c.id.in_(select(member.user_id).where(member.group_id == subject.id))))
    if subject is None:
        return []
    owners = select(attachment.owner_id).where(
        attachment.policy_arn == subject.arn, attachment.account == call.account
    )
    members = select(member.user_id).where(member.group_id.in_(owners))
    rows = call.transaction.all(select(tables.role).where(tables.role.c.id.in_(owners)))
    users = {user.id: user for ids in (owners, members) for user in _users(call, tables.user.c.id.in_(ids))}
    return [*users.values(), *(entities.record(Role, row) for row in rows)]


def _users(call: Call, condition: ColumnElement[bool]) -> list[User]:
    return [entities.record(User, row) for row in call.transaction.all(select(tables.user).where(condition))]

"""Users, groups, roles and policies with all that belongs to them: what GetAccountAuthorizationDetails shows.

Each function reads one page of one kind, after a key, and what belongs to its entries in a fixed number of queries.
The export (app/cli_transfer.py) reads through the same functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Table, select

from bailiwick.api import Transaction
from bailiwick.directory import entities, managed, tables
from bailiwick.directory.entities import Group, ManagedPolicy, Role, User
from bailiwick.directory.instance_profiles import InstanceProfile
from bailiwick.directory.role_tables import instance_profile
from bailiwick.services.iam import boundaries, names, policies, policy_usage, shapes, trust
from bailiwick.services.iam.policy_usage import Use

E = TypeVar("E", User, Group, Role)

Detail = shapes.UserDetail | shapes.GroupDetail | shapes.RoleDetail | shapes.ManagedPolicyDetail
Entry = tuple[str, Detail]
"""A detail, with the key after which the next one comes."""

Reader = Callable[[Transaction, str, str, str, int], list[Entry]]
"""Takes a transaction, the partition, the account, the key after which to begin, and how many to read at most."""


def users(transaction: Transaction, partition: str, account: str, after: str, most: int) -> list[Entry]:
    """Users, by name."""
    found = _entities(transaction, tables.user, User, account, after, most)
    ids = [user.id for user in found]
    inline, attached = _inline(transaction, ids), _attached(transaction, ids)
    tags, groups = _tags(transaction, ids), _groups(transaction, ids)
    return [
        (
            user.name.lower(),
            shapes.UserDetail(
                Path=user.path,
                UserName=user.name,
                UserId=user.id,
                Arn=user.arn(partition),
                CreateDate=user.created,
                UserPolicyList=inline[user.id] or None,  # of users alone, an empty list is left out (recorded 2026)
                GroupList=groups[user.id],
                AttachedManagedPolicies=attached[user.id],
                PermissionsBoundary=boundaries.shown(user.boundary),
                Tags=tags[user.id],
            ),
        )
        for user in found
    ]


def groups(transaction: Transaction, partition: str, account: str, after: str, most: int) -> list[Entry]:
    """Groups, by name."""
    found = _entities(transaction, tables.group, Group, account, after, most)
    ids = [group.id for group in found]
    inline, attached = _inline(transaction, ids), _attached(transaction, ids)
    return [
        (
            group.name.lower(),
            shapes.GroupDetail(
                Path=group.path,
                GroupName=group.name,
                GroupId=group.id,
                Arn=group.arn(partition),
                CreateDate=group.created,
                GroupPolicyList=inline[group.id],
                AttachedManagedPolicies=attached[group.id],
            ),
        )
        for group in found
    ]


def roles(transaction: Transaction, partition: str, account: str, after: str, most: int) -> list[Entry]:
    """Roles, by name."""
    found = _entities(transaction, tables.role, Role, account, after, most)
    ids = [role.id for role in found]
    inline, attached, tags = _inline(transaction, ids), _attached(transaction, ids), _tags(transaction, ids)
    profiles = _profiles(transaction, ids)
    answers: list[Entry] = []
    for role in found:
        document = names.encoded(trust.text(transaction, partition, role))
        detail = shapes.RoleDetail(
            Path=role.path,
            RoleName=role.name,
            RoleId=role.id,
            Arn=role.arn(partition),
            CreateDate=role.created,
            AssumeRolePolicyDocument=document,
            InstanceProfileList=[_profile(partition, each, role, document) for each in profiles[role.id]],
            RolePolicyList=inline[role.id],
            AttachedManagedPolicies=attached[role.id],
            PermissionsBoundary=boundaries.shown(role.boundary),
            Tags=tags[role.id],
            RoleLastUsed=shapes.RoleLastUsed(LastUsedDate=role.last_used, Region=role.last_used_region),
        )
        answers.append((role.name.lower(), detail))
    return answers


def customers_policies(
    transaction: Transaction, partition: str, account: str, after: str, most: int
) -> list[Entry]:
    """The account's own managed policies with all their versions, by ARN."""
    column, version = tables.policy.c, tables.policy_version
    rows = transaction.all(
        select(tables.policy).where(column.account == account, column.arn > after).order_by(column.arn).limit(most)
    )
    found = [entities.record(ManagedPolicy, row) for row in rows]
    documents: dict[str, list[tuple[int, str, float]]] = defaultdict(list)
    for row in transaction.all(
        select(version)
        .where(version.c.policy_id.in_([policy.id for policy in found]))
        .order_by(version.c.number.desc())
    ):
        documents[row.policy_id].append((row.number, row.document, row.created))
    uses = policy_usage.counted(transaction, account, [policy.arn for policy in found])
    return [(each.arn, _policy(each, documents[each.id], uses.get(each.arn, Use()))) for each in found]


def every_aws_policy(transaction: Transaction, partition: str, account: str, after: str, most: int) -> list[Entry]:
    """AWS's managed policies, by ARN."""
    return _aws(transaction, account, [each for each in managed.every(partition) if each.arn > after][:most])


def aws_policies_in_use(
    transaction: Transaction, partition: str, account: str, after: str, most: int
) -> list[Entry]:
    """Those of AWS's managed policies that the account uses, by ARN."""
    used = policy_usage.used_of_aws(transaction, account, None, f"arn:{partition}:iam::aws:policy/")
    found = [each for each in managed.every(partition) if each.arn > after and each.arn in used]
    return _aws(transaction, account, found[:most])


# -- What belongs to an entity --------------------------------------------------------------------------------


def _entities(
    transaction: Transaction, table: Table, kind: type[E], account: str, after: str, most: int
) -> list[E]:
    column = table.c
    rows = transaction.all(
        select(table).where(column.account == account, column.folded > after).order_by(column.folded).limit(most)
    )
    return [entities.record(kind, row) for row in rows]


def _inline(transaction: Transaction, ids: Sequence[str]) -> dict[str, list[shapes.PolicyDetail]]:
    column, found = tables.inline_policy.c, defaultdict[str, list[shapes.PolicyDetail]](list)
    statement = select(tables.inline_policy).where(column.owner_id.in_(ids)).order_by(column.name)
    for row in transaction.all(statement):
        found[row.owner_id].append(
            shapes.PolicyDetail(PolicyName=row.name, PolicyDocument=names.encoded(row.document))
        )
    return found


def _attached(transaction: Transaction, ids: Sequence[str]) -> dict[str, list[shapes.AttachedPolicy]]:
    column, found = tables.attachment.c, defaultdict[str, list[shapes.AttachedPolicy]](list)
    statement = select(column.owner_id, column.policy_arn).where(column.owner_id.in_(ids))
    for row in transaction.all(statement.order_by(column.policy_arn)):
        name = row.policy_arn.rpartition("/")[2]
        found[row.owner_id].append(shapes.AttachedPolicy(PolicyName=name, PolicyArn=row.policy_arn))
    return found


def _tags(transaction: Transaction, ids: Sequence[str]) -> dict[str, list[shapes.Tag]]:
    column, found = tables.tag.c, defaultdict[str, list[shapes.Tag]](list)
    for row in transaction.all(select(tables.tag).where(column.owner_id.in_(ids)).order_by(column.position)):
        found[row.owner_id].append(shapes.Tag(Key=row.key, Value=row.value))
    return found


def _groups(transaction: Transaction, ids: Sequence[str]) -> dict[str, list[str]]:
    member, group, found = tables.membership.c, tables.group.c, defaultdict[str, list[str]](list)
    statement = select(member.user_id, group.name).join(tables.group, group.id == member.group_id)
    for row in transaction.all(statement.where(member.user_id.in_(ids)).order_by(group.folded)):
        found[row.user_id].append(row.name)
    return found


def _profiles(transaction: Transaction, ids: Sequence[str]) -> dict[str, list[InstanceProfile]]:
    column, found = instance_profile.c, defaultdict[str, list[InstanceProfile]](list)
    statement = select(instance_profile).where(column.role_id.in_(ids)).order_by(column.folded)
    for row in transaction.all(statement):
        found[row.role_id].append(entities.record(InstanceProfile, row))
    return found


def _profile(partition: str, profile: InstanceProfile, role: Role, document: str) -> shapes.InstanceProfile:
    """A profile within the details of its role, which is shown in it once more, in short."""
    shown = shapes.Role(
        Path=role.path,
        RoleName=role.name,
        RoleId=role.id,
        Arn=role.arn(partition),
        CreateDate=role.created,
        AssumeRolePolicyDocument=document,
    )
    return shapes.InstanceProfile(
        Path=profile.path,
        InstanceProfileName=profile.name,
        InstanceProfileId=profile.id,
        Arn=profile.arn(partition),
        CreateDate=profile.created,
        Roles=[shown],
    )


def _aws(transaction: Transaction, account: str, found: Sequence[ManagedPolicy]) -> list[Entry]:
    uses = policy_usage.counted(transaction, account, [policy.arn for policy in found])
    return [
        (
            each.arn,
            _policy(each, [(each.default_version, each.document or "", each.updated)], uses.get(each.arn, Use())),
        )
        for each in found
    ]


def _policy(policy: ManagedPolicy, versions: Sequence[tuple[int, str, float]], use: Use) -> Any:
    """A managed policy with its versions, the newest first; without its description, as recorded."""
    return shapes.ManagedPolicyDetail(
        **policies.members(policy, use),
        PolicyVersionList=[
            shapes.PolicyVersion(
                Document=names.encoded(document),
                VersionId=f"v{number}",
                IsDefaultVersion=number == policy.default_version,
                CreateDate=created,
            )
            for number, document, created in versions
        ],
    )

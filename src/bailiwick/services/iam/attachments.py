"""Managed policies attached to users, groups and roles: one piece of code for the three."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, union

from bailiwick.api import Call, Finder, Target
from bailiwick.directory import tables
from bailiwick.directory.entities import Group, ManagedPolicy, Role, User
from bailiwick.services.iam import names, paging, shapes
from bailiwick.services.iam.owners import Owner, changed
from bailiwick.services.iam.protected import role_to_change
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import NoSuchEntityException, PolicyNotAttachableException
from bailiwick.services.iam.targets import group_named, policy_named, policy_of, role_named, user_named

_table = tables.attachment.c


def with_policy(find: Finder) -> Finder:
    """The finder `find`, with the policy of the request as a condition key. The policy is not the resource."""

    def found(call: Call, request: Any) -> Target:
        target = find(call, request)
        return msgspec.structs.replace(target, context={**target.context, "iam:policyarn": request.PolicyArn})

    return found


def attach(call: Call, owner: Owner, policy_arn: str) -> None:
    """Attach a policy; one that is attached already stays so.

    Raises NoSuchEntity, PolicyNotAttachable (for a policy of service-linked roles) or LimitExceeded.
    """
    policy = policy_of(call, policy_arn)
    if policy is None:
        raise NoSuchEntityException(f"Policy {policy_arn} does not exist or is not attachable.")
    if policy.is_linked:
        kind = type(owner).__name__
        raise PolicyNotAttachableException(f"Cannot attach a Service Role Policy to a Customer {kind}.")
    mine = _table.owner_id == owner.id
    if names.count(call.transaction, mine & (_table.policy_arn == policy_arn)):
        return
    names.check_room(call, mine, f"PoliciesPer{type(owner).__name__}")
    call.transaction.run(
        insert(tables.attachment).values(
            owner_id=owner.id, policy_arn=policy_arn, account=owner.account, attached=call.now
        )
    )
    changed(call, owner)


def detach(call: Call, owner: Owner, policy_arn: str) -> None:
    """Detach a policy. Raises NoSuchEntity if it is not attached."""
    policy_of(call, policy_arn)  # for the form of the ARN
    removed = call.transaction.run(
        delete(tables.attachment).where(_table.owner_id == owner.id, _table.policy_arn == policy_arn)
    )
    if not removed:
        raise NoSuchEntityException(f"Policy {policy_arn} was not found.")
    changed(call, owner)


def page(call: Call, owner: Owner, request: Any) -> dict[str, Any]:
    """A page of the policies attached to an entity, as the members of a response."""
    start = paging.after(call, request.Marker)
    rows = call.transaction.all(
        select(_table.policy_arn)
        .where(_table.owner_id == owner.id, _table.policy_arn > start)
        .order_by(_table.policy_arn)
    )
    prefix = request.PathPrefix or "/"
    found = [row.policy_arn for row in rows if _path(row.policy_arn).startswith(prefix)]
    cut, truncated, marker = paging.page(call, found, request.MaxItems, str)
    attached = [shapes.AttachedPolicy(PolicyName=each.rpartition("/")[2], PolicyArn=each) for each in cut]
    return {"AttachedPolicies": attached, "IsTruncated": truncated, "Marker": marker}


def _path(policy_arn: str) -> str:
    """The path in a policy's ARN. Of the policies of service-linked roles, it is all that is known."""
    return policy_arn.partition(":policy")[2].rpartition("/")[0] + "/"


@iam.operation("AttachUserPolicy", on=with_policy(user_named), writes=True)
def attach_user_policy(call: Call, request: shapes.AttachUserPolicyRequest, user: User) -> None:
    attach(call, user, request.PolicyArn)


@iam.operation("DetachUserPolicy", on=with_policy(user_named), writes=True)
def detach_user_policy(call: Call, request: shapes.DetachUserPolicyRequest, user: User) -> None:
    detach(call, user, request.PolicyArn)


@iam.operation("ListAttachedUserPolicies", on=user_named)
def list_attached_user_policies(
    call: Call, request: shapes.ListAttachedUserPoliciesRequest, user: User
) -> shapes.ListAttachedUserPoliciesResponse:
    return shapes.ListAttachedUserPoliciesResponse(**page(call, user, request))


@iam.operation("AttachGroupPolicy", on=with_policy(group_named), writes=True)
def attach_group_policy(call: Call, request: shapes.AttachGroupPolicyRequest, group: Group) -> None:
    attach(call, group, request.PolicyArn)


@iam.operation("DetachGroupPolicy", on=with_policy(group_named), writes=True)
def detach_group_policy(call: Call, request: shapes.DetachGroupPolicyRequest, group: Group) -> None:
    detach(call, group, request.PolicyArn)


@iam.operation("ListAttachedGroupPolicies", on=group_named)
def list_attached_group_policies(
    call: Call, request: shapes.ListAttachedGroupPoliciesRequest, group: Group
) -> shapes.ListAttachedGroupPoliciesResponse:
    return shapes.ListAttachedGroupPoliciesResponse(**page(call, group, request))


@iam.operation("AttachRolePolicy", on=with_policy(role_to_change), writes=True)
def attach_role_policy(call: Call, request: shapes.AttachRolePolicyRequest, role: Role) -> None:
    attach(call, role, request.PolicyArn)


@iam.operation("DetachRolePolicy", on=with_policy(role_to_change), writes=True)
def detach_role_policy(call: Call, request: shapes.DetachRolePolicyRequest, role: Role) -> None:
    detach(call, role, request.PolicyArn)


@iam.operation("ListAttachedRolePolicies", on=role_named)
def list_attached_role_policies(
    call: Call, request: shapes.ListAttachedRolePoliciesRequest, role: Role
) -> shapes.ListAttachedRolePoliciesResponse:
    return shapes.ListAttachedRolePoliciesResponse(**page(call, role, request))


@iam.operation("ListEntitiesForPolicy", on=policy_named)
def list_entities_for_policy(
    call: Call, request: shapes.ListEntitiesForPolicyRequest, policy: ManagedPolicy
) -> shapes.ListEntitiesForPolicyResponse:
    start, found = paging.after(call, request.Marker), list[tuple[str, str, str]]()
    for table in (tables.group, tables.role, tables.user):
        missing = paging.wanted(request.MaxItems) - len(found)
        kind = table.name.removeprefix("iam_").title()
        if (
            missing and start < f"{table.name}0" and request.EntityFilter in (None, kind)
        ):  # "0" is after every "/..."
            after = start.removeprefix(f"{table.name}/") if start > table.name else ""
            rows = _users_of(call, table, policy, request, after, missing)
            found += [(table.name, row.id, row.name) for row in rows]
    cut, truncated, marker = paging.page(call, found, request.MaxItems, lambda each: f"{each[0]}/{each[1]}")
    return shapes.ListEntitiesForPolicyResponse(
        PolicyGroups=[shapes.PolicyGroup(GroupName=n, GroupId=i) for t, i, n in cut if t == "iam_group"],
        PolicyUsers=[shapes.PolicyUser(UserName=n, UserId=i) for t, i, n in cut if t == "iam_user"],
        PolicyRoles=[shapes.PolicyRole(RoleName=n, RoleId=i) for t, i, n in cut if t == "iam_role"],
        IsTruncated=truncated,
        Marker=marker,
    )


def _users_of(
    call: Call,
    table: Any,
    policy: ManagedPolicy,
    request: shapes.ListEntitiesForPolicyRequest,
    after: str,
    limit: int,
) -> list[Any]:
    """The first entities of one table after an id that have the policy attached, or as their boundary."""
    column = table.c
    using = []
    if request.PolicyUsageFilter != "PermissionsBoundary":
        attached = (_table.policy_arn == policy.arn) & (_table.account == call.account)
        using.append(select(_table.owner_id).where(attached))
    if request.PolicyUsageFilter != "PermissionsPolicy" and "boundary" in column:
        bounded = (column.boundary == policy.arn) & (column.account == call.account)
        using.append(select(column.id).where(bounded))
    if not using:
        return []
    here = column.id.in_(union(*using)) & names.under(column.path, request.PathPrefix)
    statement = select(column.id, column.name).where(here, column.id > after)
    return list(call.transaction.all(statement.order_by(column.id).limit(limit)))

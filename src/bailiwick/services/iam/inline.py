"""Inline policies of users, groups and roles: one piece of code for the three."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select

from bailiwick.api import Call
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_identity
from bailiwick.directory import tables
from bailiwick.directory.entities import Group, Role, User
from bailiwick.services.iam import names, paging, shapes
from bailiwick.services.iam.owners import Owner, changed
from bailiwick.services.iam.protected import role_to_change
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
)
from bailiwick.services.iam.targets import group_named, role_named, user_named

_table = tables.inline_policy.c

# The most that the inline policies of one entity may take together, white space not counted.
MAX_SIZE = {"user": 2048, "group": 5120, "role": 10240}


def put(call: Call, owner: Owner, name: str, document: str) -> None:
    """Set an inline policy. Raises MalformedPolicyDocument or LimitExceeded."""
    try:
        check_identity(document)
    except PolicyError as error:
        raise MalformedPolicyDocumentException(str(error)) from None
    kind = type(owner).__name__.lower()
    others = call.transaction.all(select(_table.document).where(_table.owner_id == owner.id, _table.name != name))
    if names.size(document) + sum(names.size(row.document) for row in others) > MAX_SIZE[kind]:
        raise LimitExceededException(
            f"Maximum policy size of {MAX_SIZE[kind]} bytes exceeded for {kind} {owner.name}"
        )
    _delete(call, owner, name)
    call.transaction.run(insert(tables.inline_policy).values(owner_id=owner.id, name=name, document=document))
    changed(call, owner)


def get(call: Call, owner: Owner, name: str) -> str:
    """The percent-encoded document of an inline policy. Raises NoSuchEntity if there is none of this name."""
    row = call.transaction.one(select(_table.document).where(_table.owner_id == owner.id, _table.name == name))
    if row is None:
        raise _missing(owner, name)
    return names.encoded(row.document)


def remove(call: Call, owner: Owner, name: str) -> None:
    """Delete an inline policy. Raises NoSuchEntity if there is none of this name."""
    if not _delete(call, owner, name):
        raise _missing(owner, name)
    changed(call, owner)


def page(call: Call, owner: Owner, request: Any) -> dict[str, Any]:
    """A page of the names of an entity's inline policies, as the members of a response."""
    statement = select(_table.name).where(_table.owner_id == owner.id)
    rows, truncated, marker = paging.read(call, request, statement, _table.name)
    return {"PolicyNames": [str(row.name) for row in rows], "IsTruncated": truncated, "Marker": marker}


def _delete(call: Call, owner: Owner, name: str) -> int:
    return call.transaction.run(
        delete(tables.inline_policy).where(_table.owner_id == owner.id, _table.name == name)
    )


def _missing(owner: Owner, name: str) -> NoSuchEntityException:
    kind = type(owner).__name__.lower()
    return NoSuchEntityException(f"The {kind} policy with name {name} cannot be found.")


@iam.operation("PutUserPolicy", on=user_named, writes=True)
def put_user_policy(call: Call, request: shapes.PutUserPolicyRequest, user: User) -> None:
    put(call, user, request.PolicyName, request.PolicyDocument)


@iam.operation("GetUserPolicy", on=user_named)
def get_user_policy(call: Call, request: shapes.GetUserPolicyRequest, user: User) -> shapes.GetUserPolicyResponse:
    document = get(call, user, request.PolicyName)
    return shapes.GetUserPolicyResponse(UserName=user.name, PolicyName=request.PolicyName, PolicyDocument=document)


@iam.operation("DeleteUserPolicy", on=user_named, writes=True)
def delete_user_policy(call: Call, request: shapes.DeleteUserPolicyRequest, user: User) -> None:
    remove(call, user, request.PolicyName)


@iam.operation("ListUserPolicies", on=user_named)
def list_user_policies(
    call: Call, request: shapes.ListUserPoliciesRequest, user: User
) -> shapes.ListUserPoliciesResponse:
    return shapes.ListUserPoliciesResponse(**page(call, user, request))


@iam.operation("PutGroupPolicy", on=group_named, writes=True)
def put_group_policy(call: Call, request: shapes.PutGroupPolicyRequest, group: Group) -> None:
    put(call, group, request.PolicyName, request.PolicyDocument)


@iam.operation("GetGroupPolicy", on=group_named)
def get_group_policy(
    call: Call, request: shapes.GetGroupPolicyRequest, group: Group
) -> shapes.GetGroupPolicyResponse:
    document = get(call, group, request.PolicyName)
    return shapes.GetGroupPolicyResponse(
        GroupName=group.name, PolicyName=request.PolicyName, PolicyDocument=document
    )


@iam.operation("DeleteGroupPolicy", on=group_named, writes=True)
def delete_group_policy(call: Call, request: shapes.DeleteGroupPolicyRequest, group: Group) -> None:
    remove(call, group, request.PolicyName)


@iam.operation("ListGroupPolicies", on=group_named)
def list_group_policies(
    call: Call, request: shapes.ListGroupPoliciesRequest, group: Group
) -> shapes.ListGroupPoliciesResponse:
    return shapes.ListGroupPoliciesResponse(**page(call, group, request))


@iam.operation("PutRolePolicy", on=role_to_change, writes=True)
def put_role_policy(call: Call, request: shapes.PutRolePolicyRequest, role: Role) -> None:
    put(call, role, request.PolicyName, request.PolicyDocument)


@iam.operation("GetRolePolicy", on=role_named)
def get_role_policy(call: Call, request: shapes.GetRolePolicyRequest, role: Role) -> shapes.GetRolePolicyResponse:
    document = get(call, role, request.PolicyName)
    return shapes.GetRolePolicyResponse(RoleName=role.name, PolicyName=request.PolicyName, PolicyDocument=document)


@iam.operation("DeleteRolePolicy", on=role_to_change, writes=True)
def delete_role_policy(call: Call, request: shapes.DeleteRolePolicyRequest, role: Role) -> None:
    remove(call, role, request.PolicyName)


@iam.operation("ListRolePolicies", on=role_named)
def list_role_policies(
    call: Call, request: shapes.ListRolePoliciesRequest, role: Role
) -> shapes.ListRolePoliciesResponse:
    return shapes.ListRolePoliciesResponse(**page(call, role, request))

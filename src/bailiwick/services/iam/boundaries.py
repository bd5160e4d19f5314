"""Permissions boundaries of users and roles: a managed policy that limits what others can give them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, update

from bailiwick.api import Call, Target, ValidationError
from bailiwick.core.policy.question import Value
from bailiwick.directory import tables
from bailiwick.directory.entities import Role, User
from bailiwick.services.iam import shapes
from bailiwick.services.iam.protected import role_to_change
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import InvalidInputException, NoSuchEntityException
from bailiwick.services.iam.targets import policy_of, user_named


def shown(boundary: str | None) -> shapes.AttachedPermissionsBoundary | None:
    """A boundary as responses show it."""
    if boundary is None:
        return None
    return shapes.AttachedPermissionsBoundary(PermissionsBoundaryType="Policy", PermissionsBoundaryArn=boundary)


def of_request(boundary: str | None) -> dict[str, Value]:
    """The condition key of the boundary that a request sets."""
    return {} if boundary is None else {"iam:permissionsboundary": boundary}


def checked(call: Call, boundary: str | None) -> str | None:
    """The boundary, if there is such a policy. Raises InvalidInput or NoSuchEntity if not."""
    if boundary is None:
        return None
    try:
        found = policy_of(call, boundary)
    except ValidationError as error:
        raise InvalidInputException(error.message) from None
    if found is None:
        raise NoSuchEntityException(f"Scope ARN: {boundary} does not exist or is not attachable.")
    return boundary


def user_to_bound(call: Call, request: Any) -> Target:
    """A user, and the boundary that is to be hers."""
    return _with_boundary(user_named(call, request), request)


def role_to_bound(call: Call, request: Any) -> Target:
    """A role, and the boundary that is to be its own. AWS's refusal shows the role's ARN."""
    return _with_boundary(role_to_change(call, request), request)


@iam.operation("PutUserPermissionsBoundary", on=user_to_bound, writes=True)
def put_user_boundary(call: Call, request: shapes.PutUserPermissionsBoundaryRequest, user: User) -> None:
    _put(call, tables.user, user, checked(call, request.PermissionsBoundary))


@iam.operation("DeleteUserPermissionsBoundary", on=user_named, writes=True)
def delete_user_boundary(call: Call, request: shapes.DeleteUserPermissionsBoundaryRequest, user: User) -> None:
    _put(call, tables.user, user, None)


@iam.operation("PutRolePermissionsBoundary", on=role_to_bound, writes=True)
def put_role_boundary(call: Call, request: shapes.PutRolePermissionsBoundaryRequest, role: Role) -> None:
    _put(call, tables.role, role, checked(call, request.PermissionsBoundary))


@iam.operation("DeleteRolePermissionsBoundary", on=role_to_change, writes=True)
def delete_role_boundary(call: Call, request: shapes.DeleteRolePermissionsBoundaryRequest, role: Role) -> None:
    _put(call, tables.role, role, None)


def _with_boundary(target: Target, request: Any) -> Target:
    return Target(
        account=target.account,
        arn=target.arn,
        record=target.record,
        context={**target.context, **of_request(request.PermissionsBoundary)},
        absent=target.absent,
    )


def _put(call: Call, table: Table, owner: User | Role, boundary: str | None) -> None:
    call.transaction.run(update(table).where(table.c.id == owner.id).values(boundary=boundary))
    call.transaction.changed(f"principal:{owner.id}")

"""Service-linked roles: made for a service of AWS, with the name, trust and policy that the service wants.

The services of AWS are not here, so nobody assumes these roles; deletion finds none in use and is done at once.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.api import AccessDenied, Call, Target
from bailiwick.core import ids
from bailiwick.directory import tables
from bailiwick.directory.entities import Role
from bailiwick.directory.role_tables import deletion_task
from bailiwick.services.iam import names, protected, roles, shapes
from bailiwick.services.iam.linked_services import LINKED
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    EntityAlreadyExistsException,
    InvalidInputException,
    NoSuchEntityException,
)
from bailiwick.services.iam.targets import no_role, role_named

_TASK = "task/aws-service-role/"
_TASKS_KEPT = 30 * 86400.0  # seconds
_MAX_NAME = 64


def new_linked_role(call: Call, request: shapes.CreateServiceLinkedRoleRequest) -> Target:
    """The role to be made, under the name that its service gives it."""
    arn = names.account_arn(call, "role", _path(request.AWSServiceName), _name(request))
    return Target(account=call.account, arn=arn, context={"iam:awsservicename": request.AWSServiceName})


def linked_role_named(call: Call, request: Any) -> Target:
    """The service-linked role that RoleName names; any other role is none. The record is a Role."""
    target = role_named(call, request)
    role: Role | None = target.record
    if role is None or role.path.startswith(protected.SERVICE_LINKED):
        return target
    return msgspec.structs.replace(target, absent=no_role(role.name))


def role_of_task(call: Call, request: shapes.GetServiceLinkedRoleDeletionStatusRequest) -> Target:
    """The role that a task deletes. The record is the task's status."""
    task = request.DeletionTaskId
    column = deletion_task.c
    row = call.transaction.one(select(column.status).where(column.id == task, column.account == call.account))
    missing = NoSuchEntityException(f"The deletion task with id {task} cannot be found.")
    service, _, rest = task.removeprefix(_TASK).partition("/")
    return Target(
        account=call.account,
        arn=names.account_arn(call, "role", _path(service), rest.partition("/")[0]),
        record=row.status if row else None,
        absent=None if row else missing,
    )


@iam.operation("CreateServiceLinkedRole", on=new_linked_role, writes=True)
def create_service_linked_role(
    call: Call, request: shapes.CreateServiceLinkedRoleRequest, record: None
) -> shapes.CreateServiceLinkedRoleResponse:
    service, name = request.AWSServiceName, _name(request)
    linked = LINKED.get(service)
    if linked is None:
        raise AccessDenied(f"Cannot find Service Linked Role template for {service}")
    if request.CustomSuffix is not None and not linked.takes_suffix:
        raise InvalidInputException(f"Custom suffix is not allowed for {service}")
    if len(name) > _MAX_NAME:
        raise InvalidInputException(f"The role name {name} is longer than {_MAX_NAME} characters.")
    roles.check_quota(call)
    role = Role(
        id=ids.unique_id("AROA", call.account, call.environment.entropy),
        account=call.account,
        name=name,
        path=_path(service),
        created=names.seconds(call.now),
        max_session=roles.DEFAULT_SESSION,
        trust=_trust("sts:AssumeRole", service),
        pins={},
        description=request.Description or None,
    )
    try:
        roles.add(call, role)
    except EntityAlreadyExistsException:
        raise InvalidInputException(
            f"Service role name {name} has been taken in this account, please try a different suffix."
        ) from None
    policy_arn = f"arn:{call.partition}:iam::aws:policy/aws-service-role/{linked.policy}"
    call.transaction.run(
        insert(tables.attachment).values(
            owner_id=role.id, policy_arn=policy_arn, account=role.account, attached=call.now
        )
    )
    # This answer alone shows lists in the trust policy (as documented; GetRole shows them not, as recorded).
    shown = msgspec.structs.replace(
        roles.shown(call, role, session=False),
        AssumeRolePolicyDocument=names.encoded(_trust(["sts:AssumeRole"], [service])),
    )
    return shapes.CreateServiceLinkedRoleResponse(Role=shown)


@iam.operation("DeleteServiceLinkedRole", on=linked_role_named, writes=True)
def delete_service_linked_role(
    call: Call, request: shapes.DeleteServiceLinkedRoleRequest, role: Role
) -> shapes.DeleteServiceLinkedRoleResponse:
    service = role.path.removeprefix(protected.SERVICE_LINKED).rstrip("/")
    task = f"{_TASK}{service}/{role.name}/{ids.request_id(call.environment.noise)}"
    call.transaction.run(delete(tables.attachment).where(tables.attachment.c.owner_id == role.id))
    roles.forget(call, role)
    old = (deletion_task.c.account == role.account) & (deletion_task.c.created < call.now - _TASKS_KEPT)
    call.transaction.run(delete(deletion_task).where(old))
    call.transaction.run(
        insert(deletion_task).values(id=task, account=role.account, status="SUCCEEDED", created=call.now)
    )
    return shapes.DeleteServiceLinkedRoleResponse(DeletionTaskId=task)


@iam.operation("GetServiceLinkedRoleDeletionStatus", on=role_of_task)
def get_deletion_status(
    call: Call, request: shapes.GetServiceLinkedRoleDeletionStatusRequest, status: str
) -> shapes.GetServiceLinkedRoleDeletionStatusResponse:
    return shapes.GetServiceLinkedRoleDeletionStatusResponse(Status=status)


def _path(service: str) -> str:
    return f"{protected.SERVICE_LINKED}{service}/"


def _name(request: shapes.CreateServiceLinkedRoleRequest) -> str:
    linked = LINKED.get(request.AWSServiceName)
    name = linked.role if linked else "AWSServiceRoleFor"
    return f"{name}_{request.CustomSuffix}" if request.CustomSuffix else name


def _trust(action: str | list[str], service: str | list[str]) -> str:
    statement = {"Action": action, "Effect": "Allow", "Principal": {"Service": service}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))

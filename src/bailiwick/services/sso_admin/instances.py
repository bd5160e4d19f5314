"""Instances: where Identity Center is switched on. An account has at most one."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import Instance
from bailiwick.services.sso_admin import shapes, targets
from bailiwick.services.sso_admin.service import sso_admin
from bailiwick.services.sso_admin.shapes import ConflictException, ValidationException
from bailiwick.store import Duplicate


@sso_admin.operation("CreateInstance", on=targets.nothing, writes=True)
def create_instance(
    call: Call, request: shapes.CreateInstanceRequest, record: None
) -> shapes.CreateInstanceResponse:
    noise = call.environment.noise
    made = Instance(
        *(f"ssoins-{noise(8).hex()}", call.account, f"d-{noise(5).hex()}", request.Name or ""),
        region=call.region,
        created=call.now,
    )
    try:
        call.transaction.run(insert(tables.instance).values(**msgspec.structs.asdict(made)))
    except Duplicate:
        raise ConflictException("The account has an instance of Identity Center already.") from None
    return shapes.CreateInstanceResponse(InstanceArn=made.arn(call.partition))


@sso_admin.operation("DescribeInstance", on=targets.instance)
def describe_instance(
    call: Call, request: shapes.DescribeInstanceRequest, found: Instance
) -> shapes.DescribeInstanceResponse:
    return shapes.DescribeInstanceResponse(**_members(call, found), PermissionSetsEnabled=True)


@sso_admin.operation("ListInstances", on=targets.nothing)
def list_instances(call: Call, request: shapes.ListInstancesRequest, record: None) -> shapes.ListInstancesResponse:
    found = people.instance(call.transaction, account=call.account)
    shown = [shapes.InstanceMetadata(**_members(call, found))] if found is not None else []
    return shapes.ListInstancesResponse(Instances=shown)


def _members(call: Call, found: Instance) -> dict[str, Any]:
    """What every answer that shows an instance says of it."""
    return {
        "InstanceArn": found.arn(call.partition),
        "IdentityStoreId": found.store,
        "IdentityStoreArn": found.store_arn(call.partition),
        "OwnerAccountId": found.account,
        "Name": found.name or None,
        "CreatedDate": found.created,
        "Status": "ACTIVE",
        "PrimaryRegion": found.region,
    }


@sso_admin.operation("UpdateInstance", on=targets.instance, writes=True)
def update_instance(
    call: Call, request: shapes.UpdateInstanceRequest, found: Instance
) -> shapes.UpdateInstanceResponse:
    if request.EncryptionConfiguration or request.NetworkConfiguration or request.PermissionSetsEnabled is False:
        raise ValidationException("Only the name of an instance can be changed here.")
    if request.Name is not None:
        columns = tables.instance.c
        call.transaction.run(update(tables.instance).where(columns.id == found.id).values(name=request.Name))
    return shapes.UpdateInstanceResponse()


@sso_admin.operation("DeleteInstance", on=targets.instance, writes=True)
def delete_instance(
    call: Call, request: shapes.DeleteInstanceRequest, found: Instance
) -> shapes.DeleteInstanceResponse:
    for table, column in (
        (tables.permission_set, tables.permission_set.c.instance),
        (tables.user, tables.user.c.store),
        (tables.group, tables.group.c.store),
    ):
        key = found.id if table is tables.permission_set else found.store
        if call.transaction.one(select(column).where(column == key)) is not None:
            raise ConflictException("Delete its permission sets, users and groups first.")
    call.transaction.run(delete(tables.instance).where(tables.instance.c.id == found.id))
    return shapes.DeleteInstanceResponse()

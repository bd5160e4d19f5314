"""Access keys of users and of the root user: two at most, active or inactive."""

from __future__ import annotations

from sqlalchemy import select, update

from bailiwick.api import AccessDenied, Call, Target
from bailiwick.directory import access_keys, entities, tables
from bailiwick.directory.entities import AccessKey, User
from bailiwick.services.iam import names, paging, shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import NoSuchEntityException
from bailiwick.services.iam.targets import owner_or_self

KEYS_PER_OWNER = 2


@iam.operation("CreateAccessKey", on=owner_or_self, writes=True)
def create_access_key(
    call: Call, request: shapes.CreateAccessKeyRequest, user: User | None
) -> shapes.CreateAccessKeyResponse:
    owner = names.owner_id(call, user)
    present = names.count(call.transaction, tables.access_key.c.owner_id == owner)
    names.check_quota(present, KEYS_PER_OWNER, "AccessKeysPerUser")
    key_id, secret = access_keys.create(call.transaction, call.environment, call.account, owner, call.now)
    return shapes.CreateAccessKeyResponse(
        AccessKey=shapes.AccessKey(
            UserName=names.owner_name(user),
            AccessKeyId=key_id,
            Status="Active",
            SecretAccessKey=secret,
            CreateDate=call.now,
        )
    )


@iam.operation("UpdateAccessKey", on=owner_or_self, writes=True)
def update_access_key(call: Call, request: shapes.UpdateAccessKeyRequest, user: User | None) -> None:
    key = _key_of(call, user, request.AccessKeyId)
    names.check_settable(request.Status)
    call.transaction.run(
        update(tables.access_key).where(tables.access_key.c.id == key.id).values(status=request.Status)
    )
    call.transaction.changed(f"access-key:{key.id}")


@iam.operation("DeleteAccessKey", on=owner_or_self, writes=True)
def delete_access_key(call: Call, request: shapes.DeleteAccessKeyRequest, user: User | None) -> None:
    key = _key_of(call, user, request.AccessKeyId)
    access_keys.remove_all(call.transaction, key.owner_id, [key.id])


@iam.operation("ListAccessKeys", on=owner_or_self)
def list_access_keys(
    call: Call, request: shapes.ListAccessKeysRequest, user: User | None
) -> shapes.ListAccessKeysResponse:
    columns = tables.access_key.c
    own = select(tables.access_key).where(columns.owner_id == names.owner_id(call, user))
    rows, truncated, marker = paging.read(call, request, own, columns.id)
    page = [entities.record(AccessKey, row) for row in rows]
    return shapes.ListAccessKeysResponse(
        AccessKeyMetadata=[
            shapes.AccessKeyMetadata(
                UserName=names.owner_name(user), AccessKeyId=key.id, Status=key.status, CreateDate=key.created
            )
            for key in page
        ],
        IsTruncated=truncated,
        Marker=marker,
    )


def key_used(call: Call, request: shapes.GetAccessKeyLastUsedRequest) -> Target:
    """The owner of a key. A key that is not the account's is told as AWS tells it: as a refusal."""
    key = entities.access_key(call.transaction, request.AccessKeyId)
    if key is not None and key.account == call.account:
        owner = entities.user_by_id(call.transaction, key.owner_id)
        arn = owner.arn(call.partition) if owner else f"arn:{call.partition}:iam::{call.account}:root"
        return Target(account=call.account, arn=arn, record=(key, owner))
    told = (
        f"User: {call.caller.arn} is not authorized to perform iam:GetAccessKeyLastUsed "
        f"on resource: access key {request.AccessKeyId}"
    )
    return Target(account=call.account, absent=AccessDenied(told))


@iam.operation("GetAccessKeyLastUsed", on=key_used)
def get_access_key_last_used(
    call: Call, request: shapes.GetAccessKeyLastUsedRequest, record: tuple[AccessKey, User | None]
) -> shapes.GetAccessKeyLastUsedResponse:
    key, owner = record
    return shapes.GetAccessKeyLastUsedResponse(
        UserName=names.owner_name(owner),
        AccessKeyLastUsed=shapes.AccessKeyLastUsed(
            LastUsedDate=key.last_used,
            ServiceName=key.last_used_service or "N/A",
            Region=key.last_used_region or "N/A",
        ),
    )


def _key_of(call: Call, user: User | None, key_id: str) -> AccessKey:
    """The key with this id, if it is this owner's. Raises NoSuchEntity if not."""
    key = entities.access_key(call.transaction, key_id)
    if key is None or key.owner_id != names.owner_id(call, user):
        raise NoSuchEntityException(f"The Access Key with id {key_id} cannot be found.")
    return key

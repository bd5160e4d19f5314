"""Aliases: names for keys in one account and region. An alias is never what a key's use is authorized on."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, false, insert, select, update

from bailiwick.api import ApiError, Call, Target, ValidationError, nothing
from bailiwick.services.kms import managed, paging, records, shapes, specs, states, tables
from bailiwick.services.kms.records import Alias, Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import AlreadyExistsException, LimitExceededException, NotFoundException
from bailiwick.services.kms.targets import alias_named, arn_of_alias, target_of

ALIASES_PER_KEY = 50
_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]+", re.ASCII)


class NotAuthorizedException(ApiError):
    """A name that belongs to AWS. The model does not know this error, the service gives it."""

    code = "NotAuthorizedException"


def alias_to_create(call: Call, request: shapes.CreateAliasRequest) -> Target:
    """The alias by identity policies, and the key by its own. The record is the Key."""
    _check_name(request.AliasName)
    target, _ = alias_named(call, request.AliasName)
    key = _key(call, request.TargetKeyId)
    return msgspec.structs.replace(target, record=key.record, also=(key,))


@kms.operation("CreateAlias", on=alias_to_create, writes=True)
def create_alias(call: Call, request: shapes.CreateAliasRequest, key: Key) -> None:
    states.check("CreateAlias", key)
    arn = arn_of_alias(call, request.AliasName)
    if records.alias(call.transaction, arn):
        raise AlreadyExistsException(f"An alias with the name {arn} already exists")
    _check_quota(call, key)
    now = round(call.now, 3)
    call.transaction.run(
        insert(tables.alias).values(
            arn=arn,
            account=call.account,
            region=call.region,
            name=request.AliasName,
            key_arn=key.arn,
            created=now,
            updated=now,
        )
    )
    call.transaction.changed(records.alias_topic(arn), records.topic(key.arn))


def alias_to_update(call: Call, request: shapes.UpdateAliasRequest) -> Target:
    """The alias, the key that it names, and the key that it is to name. The record is the alias and that key."""
    target, alias = alias_named(call, request.AliasName)
    new = _key(call, request.TargetKeyId)
    if alias is None:
        return msgspec.structs.replace(target, also=(new,), absent=_missing(target.arn))
    return msgspec.structs.replace(target, record=(alias, new.record), also=(target_of(call, alias.key_arn), new))


@kms.operation("UpdateAlias", on=alias_to_update, writes=True)
def update_alias(call: Call, request: shapes.UpdateAliasRequest, record: tuple[Alias, Key]) -> None:
    alias, key = record
    _check_alike(call, alias, key)
    states.check("UpdateAlias", key)
    if alias.key_arn != key.arn:
        _check_quota(call, key)
    call.transaction.run(
        update(tables.alias)
        .where(tables.alias.c.arn == alias.arn)
        .values(key_arn=key.arn, updated=round(call.now, 3))
    )
    call.transaction.changed(records.alias_topic(alias.arn), records.topic(alias.key_arn), records.topic(key.arn))


def alias_to_delete(call: Call, request: shapes.DeleteAliasRequest) -> Target:
    """The alias, and the key that it names. The record is the Alias."""
    if not request.AliasName.startswith("alias/"):
        raise ValidationError("Invalid identifier")
    _check_name(request.AliasName)
    target, alias = alias_named(call, request.AliasName)
    if alias is None:
        return msgspec.structs.replace(target, absent=_missing(target.arn))
    return msgspec.structs.replace(target, record=alias, also=(target_of(call, alias.key_arn),))


@kms.operation("DeleteAlias", on=alias_to_delete, writes=True)
def delete_alias(call: Call, request: shapes.DeleteAliasRequest, alias: Alias) -> None:
    call.transaction.run(delete(tables.alias).where(tables.alias.c.arn == alias.arn))
    call.transaction.changed(records.alias_topic(alias.arn), records.topic(alias.key_arn))


@kms.operation("ListAliases", on=nothing)
def list_aliases(call: Call, request: shapes.ListAliasesRequest, record: None) -> shapes.ListAliasesResponse:
    column, limit = tables.alias.c, min(request.Limit or 50, 100)
    here: ColumnElement[bool] = (column.account == call.account) & (column.region == call.region)
    if request.KeyId is not None:
        target = target_of(call, request.KeyId, aliases=False)
        if target.absent:
            raise target.absent
        # An alias is where its key is, so the key alone says enough, and its index is the narrow one.
        here = column.key_arn == target.arn if target.account == call.account else false()
    statement = (
        select(tables.alias)
        .where(here, column.name > paging.after(call, request.Marker))
        .order_by(column.name)
        .limit(limit + 1)
    )
    rows: list[Any] = list(call.transaction.all(statement))
    if request.KeyId is None:
        rows = managed.with_predefined(call, rows, paging.after(call, request.Marker))[: limit + 1]
    page, truncated, marker = paging.page(call, rows, limit, lambda row: str(row.name))
    return shapes.ListAliasesResponse(
        Aliases=[
            shapes.AliasListEntry(
                AliasName=row.name,
                AliasArn=row.arn,
                TargetKeyId=row.key_arn.rpartition("/")[2] or None,
                CreationDate=row.created or None,
                LastUpdatedDate=row.updated or None,
            )
            for row in page
        ],
        NextMarker=marker,
        Truncated=truncated,
    )


def _key(call: Call, name: str) -> Target:
    """The key that an alias is to name: by id or ARN, in the caller's own account."""
    if name.startswith("alias/") or ":alias/" in name:
        raise ValidationError("Aliases must refer to keys. Not aliases")
    return target_of(call, name, aliases=False)


def _check_alike(call: Call, alias: Alias, new: Key) -> None:
    """Whoever uses the alias must be able to go on: the new key is of the same class and usage as the old one."""
    old = records.key(call.transaction, call.environment, alias.key_arn, call.now)
    if old is None:
        return
    kinds = [(specs.is_symmetric(key.spec), specs.is_hmac(key.spec), key.usage) for key in (old, new)]
    if kinds[0] != kinds[1]:
        raise ValidationError(
            f"Alias {alias.arn} cannot be changed from a CMK with key usage {old.usage} "
            f"to a CMK with key usage {new.usage}"
        )


def _check_name(name: str) -> None:
    if not name.startswith("alias/"):
        raise ValidationError(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if name.startswith(managed.PREFIX):
        raise NotAuthorizedException
    if not _ALIAS.fullmatch(name):
        raise ValidationError(f"{name} contains invalid characters for an alias")


def _check_quota(call: Call, key: Key) -> None:
    present = call.transaction.all(select(tables.alias.c.arn).where(tables.alias.c.key_arn == key.arn))
    if len(present) >= ALIASES_PER_KEY:
        raise LimitExceededException(f"A key has at most {ALIASES_PER_KEY} aliases.")


def _missing(arn: str) -> NotFoundException:
    return NotFoundException(f"Alias {arn} is not found.")

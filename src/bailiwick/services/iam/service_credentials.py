"""Service-specific credentials: names and passwords, or API keys, for services that have a door of their own.

The secret is shown once. Of its 256 random bits or more a digest is enough to know it again.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
from sqlalchemy import Row, Select, delete, insert, select, update

from bailiwick.api import Call, Target, ValidationError
from bailiwick.core import ids
from bailiwick.core.policy.question import Value
from bailiwick.directory import tables
from bailiwick.directory.credential_tables import service_credential as table
from bailiwick.directory.entities import User
from bailiwick.directory.password_policy import DAY
from bailiwick.services.iam import names, paging, shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import NoSuchEntityException
from bailiwick.services.iam.targets import user_named, user_or_self

CREDENTIALS_PER_SERVICE = 2

_PASSWORDS = frozenset(("codecommit.amazonaws.com", "cassandra.amazonaws.com"))
_KEYS = frozenset(("bedrock.amazonaws.com", "logs.amazonaws.com"))
_SECRET_BYTES = 44  # 60 characters of base64
_KEY_PREFIX = "ABSK"


def owner_of_new(call: Call, request: shapes.CreateServiceSpecificCredentialRequest) -> Target:
    """The user for whom a credential is to be made."""
    context: dict[str, Value] = {"iam:servicespecificcredentialservicename": request.ServiceName}
    if request.CredentialAgeDays is not None:
        context["iam:servicespecificcredentialagedays"] = str(request.CredentialAgeDays)
    return _with_keys(user_named(call, request), context)


def owner_of_credential(call: Call, request: Any) -> Target:
    """The user whose credential ServiceSpecificCredentialId names."""
    target = user_or_self(call, request)
    row = _find(call, target.record, request.ServiceSpecificCredentialId) if target.record else None
    return _with_keys(target, {"iam:servicespecificcredentialservicename": row.service}) if row else target


def owner_or_all(call: Call, request: shapes.ListServiceSpecificCredentialsRequest) -> Target:
    """The user whose credentials are listed, or, for AllUsers, every user of the account."""
    if not request.AllUsers:
        return user_or_self(call, request)
    if request.UserName is not None:
        raise ValidationError("UserName and AllUsers cannot be given together.")
    return Target(account=call.account)


@iam.operation("CreateServiceSpecificCredential", on=owner_of_new, writes=True)
def create_service_specific_credential(
    call: Call, request: shapes.CreateServiceSpecificCredentialRequest, user: User
) -> shapes.CreateServiceSpecificCredentialResponse:
    service = _supported(request.ServiceName)
    is_key = service in _KEYS
    if request.CredentialAgeDays is not None and not is_key:
        raise ValidationError(f"Credentials for {service} do not expire.")
    rows = call.transaction.all(
        select(table.c.service_user_name).where(table.c.owner_id == user.id, table.c.service == service)
    )
    names.check_quota(len(rows), CREDENTIALS_PER_SERVICE, "ServiceSpecificCredentialsPerUser")
    service_user_name = _free_name(user, {row.service_user_name for row in rows})
    secret = _new_secret(call, service_user_name, is_key=is_key)
    made = ids.unique_id("ACCA", call.account, call.environment.entropy)
    age = request.CredentialAgeDays
    call.transaction.run(
        insert(table).values(
            id=made,
            account=call.account,
            owner_id=user.id,
            service=service,
            service_user_name=service_user_name,
            is_key=is_key,
            digest=_digest(secret),
            status="Active",
            created=names.seconds(call.now),
            expires=None if age is None else names.seconds(call.now) + age * DAY,
        )
    )
    shown = _shown(call, user, _existing(call, user, made), secret)
    return shapes.CreateServiceSpecificCredentialResponse(ServiceSpecificCredential=shown)


@iam.operation("ResetServiceSpecificCredential", on=owner_of_credential, writes=True)
def reset_service_specific_credential(
    call: Call, request: shapes.ResetServiceSpecificCredentialRequest, user: User
) -> shapes.ResetServiceSpecificCredentialResponse:
    row = _existing(call, user, request.ServiceSpecificCredentialId)
    secret = _new_secret(call, row.service_user_name, is_key=row.is_key)
    call.transaction.run(update(table).where(table.c.id == row.id).values(digest=_digest(secret)))
    return shapes.ResetServiceSpecificCredentialResponse(ServiceSpecificCredential=_shown(call, user, row, secret))


@iam.operation("UpdateServiceSpecificCredential", on=owner_of_credential, writes=True)
def update_service_specific_credential(
    call: Call, request: shapes.UpdateServiceSpecificCredentialRequest, user: User
) -> None:
    row = _existing(call, user, request.ServiceSpecificCredentialId)
    names.check_settable(request.Status)
    call.transaction.run(update(table).where(table.c.id == row.id).values(status=request.Status))


@iam.operation("DeleteServiceSpecificCredential", on=owner_of_credential, writes=True)
def delete_service_specific_credential(
    call: Call, request: shapes.DeleteServiceSpecificCredentialRequest, user: User
) -> None:
    row = _existing(call, user, request.ServiceSpecificCredentialId)
    call.transaction.run(delete(table).where(table.c.id == row.id))


@iam.operation("ListServiceSpecificCredentials", on=owner_or_all)
def list_service_specific_credentials(
    call: Call, request: shapes.ListServiceSpecificCredentialsRequest, user: User | None
) -> shapes.ListServiceSpecificCredentialsResponse:
    wanted: Select[Any] = select(table, tables.user.c.name).join(tables.user, tables.user.c.id == table.c.owner_id)
    whose = table.c.account == call.account if user is None else table.c.owner_id == user.id
    wanted = wanted.where(whose)
    if request.ServiceName is not None:
        wanted = wanted.where(table.c.service == _supported(request.ServiceName))
    page, truncated, marker = paging.read(call, request, wanted, table.c.id)
    return shapes.ListServiceSpecificCredentialsResponse(
        ServiceSpecificCredentials=[
            shapes.ServiceSpecificCredentialMetadata(
                UserName=row.name,
                Status=_status(call, row),
                ServiceUserName=None if row.is_key else row.service_user_name,
                ServiceCredentialAlias=row.service_user_name if row.is_key else None,
                CreateDate=row.created,
                ExpirationDate=row.expires,
                ServiceSpecificCredentialId=row.id,
                ServiceName=row.service,
            )
            for row in page
        ],
        IsTruncated=truncated,
        Marker=marker,
    )


def _with_keys(target: Target, context: dict[str, Value]) -> Target:
    return msgspec.structs.replace(target, context={**target.context, **context})


def _supported(service: str) -> str:
    if service not in _PASSWORDS | _KEYS:
        raise NoSuchEntityException(f"No such service {service} is supported for Service Specific Credentials")
    return service


def _find(call: Call, user: User, credential_id: str) -> Row[Any] | None:
    return call.transaction.one(select(table).where(table.c.id == credential_id, table.c.owner_id == user.id))


def _existing(call: Call, user: User, credential_id: str) -> Row[Any]:
    row = _find(call, user, credential_id)
    if row is None:
        raise NoSuchEntityException(f"No such credential {credential_id} exists")
    return row


def _free_name(user: User, taken: set[str]) -> str:
    """The name at the service's door: `jane-at-123456789012`, and `jane+1-at-...` for a second one."""
    for number in range(CREDENTIALS_PER_SERVICE):
        name = f"{user.name}{f'+{number}' if number else ''}-at-{user.account}"
        if name not in taken:
            break
    return name


def _new_secret(call: Call, name: str, *, is_key: bool) -> str:
    secret = base64.b64encode(call.environment.entropy(_SECRET_BYTES)).decode("ascii")
    return _KEY_PREFIX + base64.b64encode(f"{name}:{secret}".encode()).decode("ascii") if is_key else secret


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _status(call: Call, row: Row[Any]) -> str:
    return "Expired" if row.expires is not None and row.expires <= call.now else str(row.status)


def _shown(call: Call, user: User, row: Row[Any], secret: str) -> shapes.ServiceSpecificCredential:
    return shapes.ServiceSpecificCredential(
        CreateDate=row.created,
        ExpirationDate=row.expires,
        ServiceName=row.service,
        ServiceUserName=None if row.is_key else row.service_user_name,
        ServicePassword=None if row.is_key else secret,
        ServiceCredentialAlias=row.service_user_name if row.is_key else None,
        ServiceCredentialSecret=secret if row.is_key else None,
        ServiceSpecificCredentialId=row.id,
        UserName=user.name,
        Status=_status(call, row),
    )

"""SSH public keys of users, as CodeCommit's door would ask for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from bailiwick.api import Call
from bailiwick.core import ids
from bailiwick.directory.credential_tables import ssh_public_key as table
from bailiwick.directory.entities import User
from bailiwick.services.iam import names, paging, pem, shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    DuplicateSSHPublicKeyException,
    InvalidPublicKeyException,
    NoSuchEntityException,
    UnrecognizedPublicKeyEncodingException,
)
from bailiwick.services.iam.targets import user_named, user_or_self
from bailiwick.store import Duplicate

KEYS_PER_USER = 5


@iam.operation("UploadSSHPublicKey", on=user_named, writes=True)
def upload_ssh_public_key(
    call: Call, request: shapes.UploadSSHPublicKeyRequest, user: User
) -> shapes.UploadSSHPublicKeyResponse:
    body = request.SSHPublicKeyBody
    if not body.strip().startswith(("ssh-", "-----BEGIN ")):
        raise UnrecognizedPublicKeyEncodingException("The public key must be in the encoding of ssh-rsa or in PEM.")
    try:
        fingerprint = pem.ssh_fingerprint(pem.ssh_key(body))
    except pem.Unreadable as error:
        raise InvalidPublicKeyException(f"The public key is invalid: {error}.") from None
    names.check_quota(
        names.count(call.transaction, table.c.owner_id == user.id), KEYS_PER_USER, "SSHPublicKeysPerUser"
    )
    key_id = ids.access_key_id("APKA", call.account, call.environment.entropy)
    try:
        call.transaction.run(
            insert(table).values(
                id=key_id, owner_id=user.id, body=body, fingerprint=fingerprint, status="Active", uploaded=call.now
            )
        )
    except Duplicate:
        raise DuplicateSSHPublicKeyException("The SSH public key is already associated with this user.") from None
    return shapes.UploadSSHPublicKeyResponse(SSHPublicKey=_shown(user, _key(call, user, key_id), body))


@iam.operation("GetSSHPublicKey", on=user_named)
def get_ssh_public_key(
    call: Call, request: shapes.GetSSHPublicKeyRequest, user: User
) -> shapes.GetSSHPublicKeyResponse:
    key = _key(call, user, request.SSHPublicKeyId)
    return shapes.GetSSHPublicKeyResponse(SSHPublicKey=_shown(user, key, _encoded(key.body, request.Encoding)))


@iam.operation("UpdateSSHPublicKey", on=user_named, writes=True)
def update_ssh_public_key(call: Call, request: shapes.UpdateSSHPublicKeyRequest, user: User) -> None:
    key = _key(call, user, request.SSHPublicKeyId)
    names.check_settable(request.Status)
    call.transaction.run(update(table).where(table.c.id == key.id).values(status=request.Status))


@iam.operation("DeleteSSHPublicKey", on=user_named, writes=True)
def delete_ssh_public_key(call: Call, request: shapes.DeleteSSHPublicKeyRequest, user: User) -> None:
    key = _key(call, user, request.SSHPublicKeyId)
    call.transaction.run(delete(table).where(table.c.id == key.id))


@iam.operation("ListSSHPublicKeys", on=user_or_self)
def list_ssh_public_keys(
    call: Call, request: shapes.ListSSHPublicKeysRequest, user: User
) -> shapes.ListSSHPublicKeysResponse:
    own = select(table).where(table.c.owner_id == user.id)
    page, truncated, marker = paging.read(call, request, own, table.c.id)
    return shapes.ListSSHPublicKeysResponse(
        SSHPublicKeys=[
            shapes.SSHPublicKeyMetadata(
                UserName=user.name, SSHPublicKeyId=row.id, Status=row.status, UploadDate=row.uploaded
            )
            for row in page
        ],
        IsTruncated=truncated,
        Marker=marker,
    )


def _key(call: Call, user: User, key_id: str) -> Row[Any]:
    """The key with this id, if it is this user's. Raises NoSuchEntity if not."""
    row = call.transaction.one(select(table).where(table.c.id == key_id, table.c.owner_id == user.id))
    if row is None:
        raise NoSuchEntityException(f"The Public Key with id {key_id} cannot be found.")
    return row


def _encoded(body: str, encoding: str) -> str:
    """A key in the encoding that is asked for; as uploaded, comment and all, if it is in that one already."""
    if body.strip().startswith("ssh-") == (encoding == "SSH"):
        return body
    key = pem.ssh_key(body)
    return pem.ssh_line(key) if encoding == "SSH" else pem.pem(key)


def _shown(user: User, row: Row[Any], body: str) -> shapes.SSHPublicKey:
    return shapes.SSHPublicKey(
        UserName=user.name,
        SSHPublicKeyId=row.id,
        Fingerprint=row.fingerprint,
        SSHPublicKeyBody=body,
        Status=row.status,
        UploadDate=row.uploaded,
    )

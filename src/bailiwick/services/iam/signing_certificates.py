"""X.509 signing certificates of users and of the root user: two at most."""

from __future__ import annotations

import base64
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from bailiwick.api import Call
from bailiwick.directory.credential_tables import signing_certificate as table
from bailiwick.directory.entities import User
from bailiwick.services.iam import names, paging, pem, shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    DuplicateCertificateException,
    InvalidCertificateException,
    MalformedCertificateException,
    NoSuchEntityException,
)
from bailiwick.services.iam.targets import owner_or_self
from bailiwick.store import Duplicate

CERTIFICATES_PER_OWNER = 2
_ID_BYTES = 20  # 32 letters of base32


@iam.operation("UploadSigningCertificate", on=owner_or_self, writes=True)
def upload_signing_certificate(
    call: Call, request: shapes.UploadSigningCertificateRequest, user: User | None
) -> shapes.UploadSigningCertificateResponse:
    body = request.CertificateBody
    try:
        certificate = pem.certificate(body)
    except pem.Unreadable:
        raise MalformedCertificateException(f"Certificate {body} is malformed.") from None
    if pem.expires(certificate) <= call.now:
        raise InvalidCertificateException("The certificate has expired.")
    owner = names.owner_id(call, user)
    names.check_quota(
        names.count(call.transaction, table.c.owner_id == owner), CERTIFICATES_PER_OWNER, "CertificatesPerUser"
    )
    made = base64.b32encode(call.environment.entropy(_ID_BYTES)).decode("ascii")
    try:
        call.transaction.run(
            insert(table).values(
                id=made,
                account=call.account,
                owner_id=owner,
                body=body,
                fingerprint=pem.fingerprint(certificate),
                status="Active",
                uploaded=call.now,
            )
        )
    except Duplicate:
        raise DuplicateCertificateException(
            "The certificate is already associated with a user of this account."
        ) from None
    return shapes.UploadSigningCertificateResponse(Certificate=_shown(user, _certificate(call, user, made)))


@iam.operation("UpdateSigningCertificate", on=owner_or_self, writes=True)
def update_signing_certificate(
    call: Call, request: shapes.UpdateSigningCertificateRequest, user: User | None
) -> None:
    found = _certificate(call, user, request.CertificateId)
    names.check_settable(request.Status)
    call.transaction.run(update(table).where(table.c.id == found.id).values(status=request.Status))


@iam.operation("DeleteSigningCertificate", on=owner_or_self, writes=True)
def delete_signing_certificate(
    call: Call, request: shapes.DeleteSigningCertificateRequest, user: User | None
) -> None:
    found = _certificate(call, user, request.CertificateId)
    call.transaction.run(delete(table).where(table.c.id == found.id))


@iam.operation("ListSigningCertificates", on=owner_or_self)
def list_signing_certificates(
    call: Call, request: shapes.ListSigningCertificatesRequest, user: User | None
) -> shapes.ListSigningCertificatesResponse:
    own = select(table).where(table.c.owner_id == names.owner_id(call, user))
    page, truncated, marker = paging.read(call, request, own, table.c.id)
    return shapes.ListSigningCertificatesResponse(
        Certificates=[_shown(user, row) for row in page], IsTruncated=truncated, Marker=marker
    )


def _certificate(call: Call, user: User | None, certificate_id: str) -> Row[Any]:
    """The certificate with this id, if it is this owner's. Raises NoSuchEntity if not."""
    owner = names.owner_id(call, user)
    row = call.transaction.one(select(table).where(table.c.id == certificate_id, table.c.owner_id == owner))
    if row is None:
        raise NoSuchEntityException(f"The Certificate with id {certificate_id} cannot be found.")
    return row


def _shown(user: User | None, row: Row[Any]) -> shapes.SigningCertificate:
    return shapes.SigningCertificate(
        UserName=names.owner_name(user),
        CertificateId=row.id,
        CertificateBody=row.body,
        Status=row.status,
        UploadDate=row.uploaded,
    )

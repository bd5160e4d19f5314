"""Subjects: the workloads that came with a certificate, one for each distinguished name."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import insert, select, update

from bailiwick.api import Call, Target, nothing
from bailiwick.directory.entities import record as as_record
from bailiwick.services.rolesanywhere import items, paging, shapes, tables
from bailiwick.services.rolesanywhere.items import SUBJECT
from bailiwick.services.rolesanywhere.service import rolesanywhere

_MOST_CERTIFICATES = 10
_FRESH = 300  # seconds within which the same certificate is not written down again


class Certificate(msgspec.Struct, frozen=True):
    """A certificate that a subject came with."""

    serial: str
    issuer: str
    pem: str
    seen: float


class Shown(msgspec.Struct, frozen=True):
    """What a subject showed last: certificates, the newest first, and the properties of its instance."""

    certificates: tuple[Certificate, ...] = ()
    properties: dict[str, str] | None = None


class Subject(msgspec.Struct, frozen=True):
    """A subject as it is kept. `body` is JSON of Shown."""

    account: str
    region: str
    id: str
    name: str
    created: float
    updated: float
    seen: float
    body: str

    @property
    def shown(self) -> Shown:
        """The body."""
        return msgspec.json.decode(self.body, type=Shown)


def id_of(account: str, region: str, name: str) -> str:
    """The id of the subject with this distinguished name: the same whenever it comes."""
    digest = hashlib.sha256(f"{account}/{region}/{name}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def find(call: Call, account: str, region: str, subject_id: str) -> Subject | None:
    """The subject with this id."""
    columns = tables.subject.c
    where = columns.account == account, columns.region == region, columns.id == subject_id
    row = call.transaction.one(select(tables.subject).where(*where))
    return None if row is None else as_record(Subject, row)


def note(call: Call, account: str, certificate: x509.Certificate, properties: dict[str, str] | None) -> str:
    """Write down that a certificate's subject came, if it was not just here; returns the subject's id.

    It makes of a call that reads one that writes: what was read before is not to be relied on after it.
    """
    name = certificate.subject.rfc4514_string()
    subject_id, serial = id_of(account, call.region, name), str(certificate.serial_number)
    known = find(call, account, call.region, subject_id)
    newest = known.shown.certificates[:1] if known else ()
    fresh = known is not None and call.now - known.seen < _FRESH and [each.serial for each in newest] == [serial]
    if fresh and known is not None and (properties is None or properties == known.shown.properties):
        return subject_id
    call.transaction.begin_writing()
    known = find(call, account, call.region, subject_id)
    pem = certificate.public_bytes(Encoding.PEM).decode()
    new = Certificate(serial, certificate.issuer.rfc4514_string(), pem, call.now)
    others = [each for each in (known.shown.certificates if known else ()) if each.serial != serial]
    body = Shown((new, *others)[:_MOST_CERTIFICATES], properties or (known.shown.properties if known else None))
    _keep(call, account, subject_id, name, msgspec.json.encode(body).decode(), known)
    return subject_id


def _keep(call: Call, account: str, subject_id: str, name: str, body: str, known: Subject | None) -> None:
    columns = tables.subject.c
    if known is None:
        made = Subject(account, call.region, subject_id, name, call.now, call.now, call.now, body)
        call.transaction.run(insert(tables.subject).values(**msgspec.structs.asdict(made)))
        return
    where = columns.account == account, columns.region == call.region, columns.id == subject_id
    values = {"updated": call.now, "seen": call.now, "body": body}
    call.transaction.run(update(tables.subject).where(*where).values(**values))


def named(call: Call, request: Any) -> Target:
    """The subject that subjectId or resourceArn names. The record is the Subject."""
    asked = str(getattr(request, "subjectId", None) or request.resourceArn).rpartition("/")[2]
    found = find(call, call.account, call.region, asked)
    return Target(
        account=call.account,
        arn=items.arn_of(call.partition, call.region, call.account, SUBJECT, asked),
        context=items.tags_of(call.transaction, asked) if found else {},
        record=found,
        absent=None if found else items.missing(SUBJECT),
    )


@rolesanywhere.operation("GetSubject", on=named)
def get_subject(call: Call, request: shapes.ScalarSubjectRequest, subject: Subject) -> shapes.SubjectDetailResponse:
    shown = subject.shown
    properties = shapes.InstanceProperty(seenAt=subject.seen, properties=shown.properties, failed=False)
    detail = shapes.SubjectDetail(
        **_told(call, subject),
        credentials=[
            shapes.CredentialSummary(
                seenAt=each.seen,
                serialNumber=each.serial,
                issuer=each.issuer,
                enabled=True,
                x509CertificateData=each.pem,
                failed=False,
            )
            for each in shown.certificates
        ],
        instanceProperties=[properties] if shown.properties is not None else [],
    )
    return shapes.SubjectDetailResponse(subject=detail)


@rolesanywhere.operation("ListSubjects", on=nothing)
def list_subjects(call: Call, request: shapes.ListRequest, record: None) -> shapes.ListSubjectsResponse:
    columns = tables.subject.c
    where = columns.account == call.account, columns.region == call.region, columns.id > paging.after(call, request)
    some = select(tables.subject).where(*where).order_by(columns.id).limit(paging.size(request) + 1)
    rows = call.transaction.all(some)
    shown, token = paging.page(call, request, [as_record(Subject, row) for row in rows], lambda each: each.id)
    return shapes.ListSubjectsResponse(
        subjects=[shapes.SubjectSummary(**_told(call, each)) for each in shown], nextToken=token
    )


def _told(call: Call, subject: Subject) -> dict[str, Any]:
    return {
        "subjectArn": items.arn_of(call.partition, subject.region, subject.account, SUBJECT, subject.id),
        "subjectId": subject.id,
        "enabled": True,
        "x509Subject": subject.name,
        "lastSeenAt": subject.seen,
        "createdAt": subject.created,
        "updatedAt": subject.updated,
    }

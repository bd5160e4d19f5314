"""Server certificates: kept for whoever terminates TLS. The private key is sealed and never shown again."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call, Target, nothing
from bailiwick.core import arn, ids
from bailiwick.directory import entities
from bailiwick.directory.credential_tables import server_certificate as table
from bailiwick.services.iam import listing, names, pem, shapes, tags
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    EntityAlreadyExistsException,
    KeyPairMismatchException,
    MalformedCertificateException,
    NoSuchEntityException,
)
from bailiwick.store import Duplicate

CERTIFICATES_PER_ACCOUNT = 20
_PURPOSE = "server-certificate"


class ServerCertificate(msgspec.Struct, frozen=True):
    """A server certificate, without its private key."""

    id: str
    account: str
    name: str
    path: str
    body: str
    uploaded: float
    expires: float
    chain: str | None = None

    def arn(self, partition: str) -> str:
        """The certificate's ARN."""
        return arn.iam(partition, self.account, "server-certificate", self.path, self.name)


def certificate_named(call: Call, request: Any) -> Target:
    """The certificate that ServerCertificateName names. The record is a ServerCertificate."""
    wanted = request.ServerCertificateName
    row = call.transaction.one(
        select(table).where(table.c.account == call.account, table.c.folded == wanted.lower())
    )
    found = None if row is None else entities.record(ServerCertificate, row)
    context = tags.of_both(call, request, found.id if found else None, tags.ONLY_AWS)
    path, name = (found.path, found.name) if found else ("/", wanted)
    return Target(
        account=call.account,
        arn=names.account_arn(call, "server-certificate", path, name),
        record=found,
        context=context,
        absent=None
        if found
        else NoSuchEntityException(f"The Server Certificate with name {wanted} cannot be found."),
    )


def new_certificate(call: Call, request: shapes.UploadServerCertificateRequest) -> Target:
    """The certificate to be uploaded; with tags, the caller must be allowed to set them too."""
    arn = names.account_arn(call, "server-certificate", request.Path or "/", request.ServerCertificateName)
    return tags.new(call, arn, request.Tags, "iam:TagServerCertificate")


@iam.operation("UploadServerCertificate", on=new_certificate, writes=True)
def upload_server_certificate(
    call: Call, request: shapes.UploadServerCertificateRequest, record: None
) -> shapes.UploadServerCertificateResponse:
    expires = _checked(request)
    present = names.count(call.transaction, table.c.account == call.account)
    names.check_quota(present, CERTIFICATES_PER_ACCOUNT, "ServerCertificatesPerAccount")
    made = ServerCertificate(
        id=ids.unique_id("ASCA", call.account, call.environment.entropy),
        account=call.account,
        name=request.ServerCertificateName,
        path=request.Path or "/",
        body=request.CertificateBody,
        uploaded=names.seconds(call.now),
        expires=expires,
        chain=request.CertificateChain,
    )
    ring, entropy = call.environment.ring, call.environment.entropy
    sealed = ring.seal(_PURPOSE, request.PrivateKey.encode(), entropy, made.id.encode())
    try:
        call.transaction.run(
            insert(table).values(**msgspec.structs.asdict(made), folded=made.name.lower(), private_key=sealed)
        )
    except Duplicate:
        raise _taken(made.name) from None
    tags.put(call.transaction, made.id, request.Tags, fold=False)
    return shapes.UploadServerCertificateResponse(
        ServerCertificateMetadata=_shown(call, made), Tags=tags.shown(call.transaction, made.id)
    )


@iam.operation("GetServerCertificate", on=certificate_named)
def get_server_certificate(
    call: Call, request: shapes.GetServerCertificateRequest, found: ServerCertificate
) -> shapes.GetServerCertificateResponse:
    return shapes.GetServerCertificateResponse(
        ServerCertificate=shapes.ServerCertificate(
            ServerCertificateMetadata=_shown(call, found),
            CertificateBody=found.body,
            CertificateChain=found.chain,
            Tags=tags.listed(call.transaction, found.id),
        )
    )


@iam.operation("UpdateServerCertificate", on=certificate_named, writes=True)
def update_server_certificate(
    call: Call, request: shapes.UpdateServerCertificateRequest, found: ServerCertificate
) -> None:
    name, path = request.NewServerCertificateName or found.name, request.NewPath or found.path
    try:
        call.transaction.run(
            update(table).where(table.c.id == found.id).values(name=name, folded=name.lower(), path=path)
        )
    except Duplicate:
        raise _taken(name) from None


@iam.operation("DeleteServerCertificate", on=certificate_named, writes=True)
def delete_server_certificate(
    call: Call, request: shapes.DeleteServerCertificateRequest, found: ServerCertificate
) -> None:
    tags.remove_all(call.transaction, found.id)
    call.transaction.run(delete(table).where(table.c.id == found.id))


@iam.operation("ListServerCertificates", on=nothing)
def list_server_certificates(
    call: Call, request: shapes.ListServerCertificatesRequest, record: None
) -> shapes.ListServerCertificatesResponse:
    page, truncated, marker = listing.page(call, table, ServerCertificate, request)
    return shapes.ListServerCertificatesResponse(
        ServerCertificateMetadataList=[_shown(call, each) for each in page], IsTruncated=truncated, Marker=marker
    )


@iam.operation("TagServerCertificate", on=certificate_named, writes=True)
def tag_server_certificate(
    call: Call, request: shapes.TagServerCertificateRequest, found: ServerCertificate
) -> None:
    tags.put(call.transaction, found.id, request.Tags, fold=False)


@iam.operation("UntagServerCertificate", on=certificate_named, writes=True)
def untag_server_certificate(
    call: Call, request: shapes.UntagServerCertificateRequest, found: ServerCertificate
) -> None:
    tags.remove(call.transaction, found.id, request.TagKeys, fold=False)


@iam.operation("ListServerCertificateTags", on=certificate_named)
def list_server_certificate_tags(
    call: Call, request: shapes.ListServerCertificateTagsRequest, found: ServerCertificate
) -> shapes.ListServerCertificateTagsResponse:
    page, truncated, marker = tags.page_listed(call, found.id, request.Marker, request.MaxItems)
    return shapes.ListServerCertificateTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)


def _checked(request: shapes.UploadServerCertificateRequest) -> float:
    """When the certificate expires. Raises for what cannot be read, or does not belong together."""
    try:
        leaf = pem.certificate(request.CertificateBody)
    except pem.Unreadable:
        raise MalformedCertificateException(
            "Unable to parse certificate. Please ensure the certificate is in PEM format."
        ) from None
    try:
        key = pem.private_key(request.PrivateKey)
    except pem.Unreadable:
        raise MalformedCertificateException(
            "Unable to parse key. Please ensure the key is in PEM format and is not encrypted."
        ) from None
    if not pem.belongs(key, leaf):
        raise KeyPairMismatchException("The private key does not match the public key of the certificate.")
    if request.CertificateChain is not None:
        try:
            chain = pem.certificates(request.CertificateChain)
        except pem.Unreadable:
            raise MalformedCertificateException(
                "Unable to parse certificate chain. Please ensure the chain is in PEM format."
            ) from None
        if not pem.is_chain(leaf, chain):
            raise MalformedCertificateException("Unable to validate certificate chain.")
    return pem.expires(leaf)


def _taken(name: str) -> EntityAlreadyExistsException:
    return EntityAlreadyExistsException(f"The Server Certificate with name {name} already exists.")


def _shown(call: Call, found: ServerCertificate) -> shapes.ServerCertificateMetadata:
    return shapes.ServerCertificateMetadata(
        Path=found.path,
        ServerCertificateName=found.name,
        ServerCertificateId=found.id,
        Arn=found.arn(call.partition),
        UploadDate=found.uploaded,
        Expiration=found.expires,
    )

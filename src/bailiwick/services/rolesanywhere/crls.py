"""Lists of revoked certificates, imported for a trust anchor."""

from __future__ import annotations

import base64

import msgspec

from bailiwick.api import Call, nothing
from bailiwick.core.assertion import x509
from bailiwick.core.errors import CertificateRefused
from bailiwick.services.rolesanywhere import items, shapes, tags
from bailiwick.services.rolesanywhere.anchors import MAX_CERTIFICATES, Anchor
from bailiwick.services.rolesanywhere.items import ANCHOR, CRL, Item
from bailiwick.services.rolesanywhere.service import rolesanywhere
from bailiwick.services.rolesanywhere.shapes import ValidationException


class Crl(msgspec.Struct, frozen=True):
    """What only a list has: itself, in base64, and the id of its trust anchor."""

    data: str
    anchor: str

    @property
    def list(self) -> bytes:
        """The list as it was imported."""
        return base64.b64decode(self.data)


_named = items.named(CRL, "crlId")


@rolesanywhere.operation("ImportCrl", on=tags.new, writes=True)
def import_crl(call: Call, request: shapes.ImportCrlRequest, record: None) -> shapes.CrlDetailResponse:
    anchor = items.find(call.transaction, call.account, call.region, ANCHOR, request.trustAnchorArn)
    if anchor is None:
        raise ValidationException("The trust anchor of the CRL does not exist.")
    body = Crl(_checked(anchor, request.crlData), anchor.id)
    made = items.create(call, CRL, request.name, request.aliasName, bool(request.enabled), body)
    tags.put(call, made.id, request.tags)
    return _answer(call, made)


@rolesanywhere.operation("GetCrl", on=_named)
def get_crl(call: Call, request: shapes.ScalarCrlRequest, crl: Item) -> shapes.CrlDetailResponse:
    return _answer(call, crl)


@rolesanywhere.operation("ListCrls", on=nothing)
def list_crls(call: Call, request: shapes.ListRequest, record: None) -> shapes.ListCrlsResponse:
    shown, token = items.page(call, request, CRL)
    return shapes.ListCrlsResponse(nextToken=token, crls=[_detail(call, each) for each in shown])


@rolesanywhere.operation("UpdateCrl", on=_named, writes=True)
def update_crl(call: Call, request: shapes.UpdateCrlRequest, crl: Item) -> shapes.CrlDetailResponse:
    body = crl.read(Crl)
    if request.crlData is not None:
        anchor = items.find(call.transaction, call.account, call.region, ANCHOR, body.anchor)
        if anchor is None:
            raise ValidationException("The trust anchor of the CRL does not exist.")
        body = msgspec.structs.replace(body, data=_checked(anchor, request.crlData))
    return _answer(call, items.change(call, crl, name=request.name, alias=request.aliasName, body=body))


@rolesanywhere.operation("DeleteCrl", on=_named, writes=True)
def delete_crl(call: Call, request: shapes.ScalarCrlRequest, crl: Item) -> shapes.CrlDetailResponse:
    items.remove(call, crl)
    return _answer(call, crl)


@rolesanywhere.operation("EnableCrl", on=_named, writes=True)
def enable_crl(call: Call, request: shapes.ScalarCrlRequest, crl: Item) -> shapes.CrlDetailResponse:
    return _answer(call, items.change(call, crl, enabled=True))


@rolesanywhere.operation("DisableCrl", on=_named, writes=True)
def disable_crl(call: Call, request: shapes.ScalarCrlRequest, crl: Item) -> shapes.CrlDetailResponse:
    return _answer(call, items.change(call, crl, enabled=False))


def _checked(anchor: Item, data: bytes) -> str:
    """A list in base64. Raises ValidationException for what is none, or was not signed by the trust anchor."""
    try:
        read = x509.read_crl(data)
        authorities = x509.read_bundle(anchor.read(Anchor).bundle, MAX_CERTIFICATES)
    except CertificateRefused as refused:
        raise ValidationException(str(refused)) from None
    if not x509.is_signed_by(read, authorities):
        raise ValidationException("The CRL was not signed by the trust anchor.")
    return base64.b64encode(data).decode()


def _answer(call: Call, crl: Item) -> shapes.CrlDetailResponse:
    return shapes.CrlDetailResponse(crl=_detail(call, crl))


def _detail(call: Call, crl: Item) -> shapes.CrlDetail:
    body = crl.read(Crl)
    return shapes.CrlDetail(
        crlId=crl.id,
        crlArn=crl.arn(call.partition),
        name=crl.name,
        enabled=crl.enabled,
        crlData=body.list,
        trustAnchorArn=items.arn_of(call.partition, crl.region, crl.account, ANCHOR, body.anchor),
        createdAt=crl.created,
        updatedAt=crl.updated,
        aliasName=crl.alias,
        aliasArn=crl.alias_arn(call.partition),
    )

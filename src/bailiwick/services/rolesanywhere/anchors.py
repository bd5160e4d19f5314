"""Trust anchors: the authorities whose certificates vouch for workloads."""

from __future__ import annotations

import msgspec

from bailiwick.api import Call, nothing
from bailiwick.core.assertion import x509
from bailiwick.core.errors import CertificateRefused
from bailiwick.services.rolesanywhere import items, shapes, tags
from bailiwick.services.rolesanywhere.items import ANCHOR, Item
from bailiwick.services.rolesanywhere.service import rolesanywhere
from bailiwick.services.rolesanywhere.shapes import ValidationException

MAX_CERTIFICATES = 2  # the old authority and the new one
_BUNDLE = "CERTIFICATE_BUNDLE"
_EVENTS = ("CA_CERTIFICATE_EXPIRY", "END_ENTITY_CERTIFICATE_EXPIRY")
_THRESHOLD, _AWS = 45, "rolesanywhere.amazonaws.com"


class Notice(msgspec.Struct, frozen=True):
    """When to be told that certificates expire: kept and shown, as the API has it."""

    enabled: bool
    threshold: int = _THRESHOLD
    channel: str = "ALL"
    by: str = ""


class Anchor(msgspec.Struct, frozen=True):
    """What only a trust anchor has: its certificates (PEM), and when to be told that they expire."""

    bundle: str
    notices: dict[str, Notice] = {}


_named = items.named(ANCHOR, "trustAnchorId")


@rolesanywhere.operation("CreateTrustAnchor", on=tags.new, writes=True)
def create_trust_anchor(
    call: Call, request: shapes.CreateTrustAnchorRequest, record: None
) -> shapes.TrustAnchorDetailResponse:
    body = _noticed(call, Anchor(_bundle(request.source)), request.notificationSettings or [])
    _check_distribution_points(request.crlDpRevocationEnabled)
    made = items.create(call, ANCHOR, request.name, request.aliasName, bool(request.enabled), body)
    tags.put(call, made.id, request.tags)
    return _answer(call, made)


@rolesanywhere.operation("GetTrustAnchor", on=_named)
def get_trust_anchor(
    call: Call, request: shapes.ScalarTrustAnchorRequest, anchor: Item
) -> shapes.TrustAnchorDetailResponse:
    return _answer(call, anchor)


@rolesanywhere.operation("ListTrustAnchors", on=nothing)
def list_trust_anchors(call: Call, request: shapes.ListRequest, record: None) -> shapes.ListTrustAnchorsResponse:
    shown, token = items.page(call, request, ANCHOR)
    return shapes.ListTrustAnchorsResponse(nextToken=token, trustAnchors=[detail(call, each) for each in shown])


@rolesanywhere.operation("UpdateTrustAnchor", on=_named, writes=True)
def update_trust_anchor(
    call: Call, request: shapes.UpdateTrustAnchorRequest, anchor: Item
) -> shapes.TrustAnchorDetailResponse:
    _check_distribution_points(request.crlDpRevocationEnabled)
    body = None
    if request.source is not None:
        body = msgspec.structs.replace(anchor.read(Anchor), bundle=_bundle(request.source))
    return _answer(call, items.change(call, anchor, name=request.name, alias=request.aliasName, body=body))


@rolesanywhere.operation("DeleteTrustAnchor", on=_named, writes=True)
def delete_trust_anchor(
    call: Call, request: shapes.ScalarTrustAnchorRequest, anchor: Item
) -> shapes.TrustAnchorDetailResponse:
    items.remove(call, anchor)
    return _answer(call, anchor)


@rolesanywhere.operation("EnableTrustAnchor", on=_named, writes=True)
def enable_trust_anchor(
    call: Call, request: shapes.ScalarTrustAnchorRequest, anchor: Item
) -> shapes.TrustAnchorDetailResponse:
    return _answer(call, items.change(call, anchor, enabled=True))


@rolesanywhere.operation("DisableTrustAnchor", on=_named, writes=True)
def disable_trust_anchor(
    call: Call, request: shapes.ScalarTrustAnchorRequest, anchor: Item
) -> shapes.TrustAnchorDetailResponse:
    return _answer(call, items.change(call, anchor, enabled=False))


@rolesanywhere.operation("PutNotificationSettings", on=_named, writes=True)
def put_notification_settings(
    call: Call, request: shapes.PutNotificationSettingsRequest, anchor: Item
) -> shapes.PutNotificationSettingsResponse:
    body = _noticed(call, anchor.read(Anchor), request.notificationSettings)
    return shapes.PutNotificationSettingsResponse(trustAnchor=detail(call, items.change(call, anchor, body=body)))


@rolesanywhere.operation("ResetNotificationSettings", on=_named, writes=True)
def reset_notification_settings(
    call: Call, request: shapes.ResetNotificationSettingsRequest, anchor: Item
) -> shapes.ResetNotificationSettingsResponse:
    body, reset = anchor.read(Anchor), {each.event for each in request.notificationSettingKeys}
    kept = {event: notice for event, notice in body.notices.items() if event not in reset}
    changed = items.change(call, anchor, body=msgspec.structs.replace(body, notices=kept))
    return shapes.ResetNotificationSettingsResponse(trustAnchor=detail(call, changed))


def _bundle(source: shapes.Source) -> str:
    """The PEM text of a source. Raises ValidationException for another kind, or for certificates of no use."""
    text = source.sourceData.x509CertificateData if source.sourceData else None
    if source.sourceType != _BUNDLE or text is None:
        raise ValidationException(f"The source of a trust anchor must be a {_BUNDLE} here.")
    try:
        for certificate in x509.read_bundle(text, MAX_CERTIFICATES):
            x509.check_anchor(certificate)
    except CertificateRefused as refused:
        raise ValidationException(str(refused)) from None
    return text


def _check_distribution_points(wanted: bool | None) -> None:
    if wanted:
        raise ValidationException("CRL distribution points are not asked by this server: use ImportCrl.")


def _noticed(call: Call, anchor: Anchor, settings: list[shapes.NotificationSetting]) -> Anchor:
    told = {
        each.event: Notice(each.enabled, each.threshold or _THRESHOLD, each.channel or "ALL", call.account)
        for each in settings
    }
    return msgspec.structs.replace(anchor, notices={**anchor.notices, **told})


def _answer(call: Call, anchor: Item) -> shapes.TrustAnchorDetailResponse:
    return shapes.TrustAnchorDetailResponse(trustAnchor=detail(call, anchor))


def detail(call: Call, anchor: Item) -> shapes.TrustAnchorDetail:
    """A trust anchor as the answers show it."""
    body = anchor.read(Anchor)
    notices = {event: body.notices.get(event, Notice(enabled=True, by=_AWS)) for event in _EVENTS}
    return shapes.TrustAnchorDetail(
        trustAnchorId=anchor.id,
        trustAnchorArn=anchor.arn(call.partition),
        name=anchor.name,
        source=shapes.Source(sourceType=_BUNDLE, sourceData=shapes.SourceData(x509CertificateData=body.bundle)),
        enabled=anchor.enabled,
        crlDpRevocationEnabled=False,
        createdAt=anchor.created,
        updatedAt=anchor.updated,
        notificationSettings=[
            shapes.NotificationSettingDetail(
                enabled=notice.enabled,
                event=event,
                threshold=notice.threshold,
                channel=notice.channel,
                configuredBy=notice.by,
            )
            for event, notice in notices.items()
        ],
        aliasName=anchor.alias,
        aliasArn=anchor.alias_arn(call.partition),
    )

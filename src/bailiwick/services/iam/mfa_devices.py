"""MFA devices: made, given to a user or to root with two consecutive codes, and taken away again."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import quote

from sqlalchemy import select

from bailiwick.api import Call, Target, ValidationError, nothing
from bailiwick.core import totp
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import aliases, entities, mfa
from bailiwick.directory.credential_tables import mfa_device
from bailiwick.directory.entities import User
from bailiwick.directory.mfa import Device
from bailiwick.services.iam import names, paging, shapes, tags, users
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidAuthenticationCodeException,
    NoSuchEntityException,
)
from bailiwick.services.iam.targets import user_or_self
from bailiwick.store import Duplicate

_LONGEST_NAME = 226
_LONGEST_SERIAL = 256
_ISSUER = "Bailiwick"


def owner(call: Call, request: Any) -> Target:
    """Whose devices are meant: a user's, or root's own for the root user who names nobody else (no record)."""
    if call.caller.kind is PrincipalKind.ROOT and (
        request.UserName is None
        or (request.UserName == "root" and entities.user(call.transaction, call.account, "root") is None)
    ):
        return Target(account=call.account, arn=call.caller.arn)
    return user_or_self(call, request)


def device_with_serial(call: Call, request: Any) -> Target:
    """The device that SerialNumber names. The record is a Device."""
    serial = request.SerialNumber
    found = mfa.find(call.transaction, call.account, serial)
    context = tags.of_both(call, request, serial if found else None, tags.ONLY_AWS)
    return Target(
        account=call.account,
        arn=serial if serial.startswith("arn:") else names.account_arn(call, "mfa", "/", serial),
        record=found,
        context=context,
        absent=None if found else _missing(serial),
    )


def new_device(call: Call, request: shapes.CreateVirtualMFADeviceRequest) -> Target:
    """The device to be made; with tags, the caller must be allowed to set them too."""
    arn = names.account_arn(call, "mfa", request.Path or "/", request.VirtualMFADeviceName)
    return tags.new(call, arn, request.Tags, "iam:TagMFADevice", record=arn)


@iam.operation("CreateVirtualMFADevice", on=new_device, writes=True)
def create_virtual_mfa_device(
    call: Call, request: shapes.CreateVirtualMFADeviceRequest, serial: str
) -> shapes.CreateVirtualMFADeviceResponse:
    name = request.VirtualMFADeviceName
    if len(name) > _LONGEST_NAME or len(serial) > _LONGEST_SERIAL:
        raise ValidationError(
            f"A device's name has at most {_LONGEST_NAME} characters, and its ARN, which is its serial number, "
            f"{_LONGEST_SERIAL}."
        )
    try:
        seed = mfa.create_virtual(call.transaction, call.environment, call.account, serial, names.seconds(call.now))
    except Duplicate:
        raise EntityAlreadyExistsException("MFA device already exists.") from None
    tags.put(call.transaction, serial, request.Tags, fold=False)
    account = aliases.of(call.transaction, call.account) or call.account
    return shapes.CreateVirtualMFADeviceResponse(
        VirtualMFADevice=shapes.VirtualMFADevice(
            SerialNumber=serial,
            Base32StringSeed=seed.encode("ascii"),
            QRCodePNG=_qr_code(totp.uri(seed, _ISSUER, quote(f"{name}@{account}", safe="@"))),
            Tags=tags.shown(call.transaction, serial),
        )
    )


@iam.operation("DeleteVirtualMFADevice", on=device_with_serial, writes=True)
def delete_virtual_mfa_device(call: Call, request: shapes.DeleteVirtualMFADeviceRequest, device: Device) -> None:
    if device.kind != mfa.VIRTUAL:
        raise _missing(device.serial)
    if device.owner_id is not None:
        raise DeleteConflictException("MFA VirtualDevice in use. Must deactivate first.")
    tags.remove_all(call.transaction, device.serial)
    mfa.remove(call.transaction, device)


@iam.operation("EnableMFADevice", on=owner, writes=True)
def enable_mfa_device(call: Call, request: shapes.EnableMFADeviceRequest, user: User | None) -> None:
    device = mfa.find(call.transaction, call.account, request.SerialNumber)
    if device is None:
        raise _missing(request.SerialNumber)
    if device.owner_id is not None:
        raise EntityAlreadyExistsException("MFA Device is already in use.")
    holder = names.owner_id(call, user)
    names.check_quota(
        names.count(call.transaction, mfa_device.c.owner_id == holder), mfa.DEVICES_PER_OWNER, "MFADevicesPerUser"
    )
    codes = (request.AuthenticationCode1, request.AuthenticationCode2)
    if not mfa.enable(call.transaction, call.environment, device, holder, codes, names.seconds(call.now)):
        raise _wrong_codes()


@iam.operation("ResyncMFADevice", on=owner, writes=True)
def resync_mfa_device(call: Call, request: shapes.ResyncMFADeviceRequest, user: User | None) -> None:
    device = _device_of(call, user, request.SerialNumber)
    codes = (request.AuthenticationCode1, request.AuthenticationCode2)
    if not mfa.resync(call.transaction, call.environment, device, codes, call.now):
        raise _wrong_codes()


@iam.operation("DeactivateMFADevice", on=owner, writes=True)
def deactivate_mfa_device(call: Call, request: shapes.DeactivateMFADeviceRequest, user: User | None) -> None:
    device = _device_of(call, user, request.SerialNumber)
    mfa.deactivate(call.transaction, device)
    if device.kind != mfa.VIRTUAL:
        tags.remove_all(call.transaction, device.serial)


@iam.operation("GetMFADevice", on=owner)
def get_mfa_device(
    call: Call, request: shapes.GetMFADeviceRequest, user: User | None
) -> shapes.GetMFADeviceResponse:
    device = _device_of(call, user, request.SerialNumber)
    return shapes.GetMFADeviceResponse(
        UserName=names.owner_name(user),
        SerialNumber=device.serial,
        EnableDate=device.enabled,
        Certifications=json.loads(device.certifications) if device.certifications else None,
    )


@iam.operation("ListMFADevices", on=owner)
def list_mfa_devices(
    call: Call, request: shapes.ListMFADevicesRequest, user: User | None
) -> shapes.ListMFADevicesResponse:
    column = mfa_device.c
    own = select(mfa_device).where(column.owner_id == names.owner_id(call, user))
    page, truncated, marker = paging.read(call, request, own, column.serial)
    return shapes.ListMFADevicesResponse(
        MFADevices=[
            shapes.MFADevice(UserName=names.owner_name(user), SerialNumber=row.serial, EnableDate=row.enabled)
            for row in page
        ],
        IsTruncated=truncated,
        Marker=marker,
    )


@iam.operation("ListVirtualMFADevices", on=nothing)
def list_virtual_mfa_devices(
    call: Call, request: shapes.ListVirtualMFADevicesRequest, record: None
) -> shapes.ListVirtualMFADevicesResponse:
    column = mfa_device.c
    wanted = select(mfa_device).where(column.account == call.account, column.kind == mfa.VIRTUAL)
    if request.AssignmentStatus == "Assigned":
        wanted = wanted.where(column.owner_id.is_not(None))
    elif request.AssignmentStatus == "Unassigned":
        wanted = wanted.where(column.owner_id.is_(None))
    page, truncated, marker = paging.read(call, request, wanted, column.serial)
    owners = users.shown_by_id(call, [row.owner_id for row in page if row.owner_id])
    return shapes.ListVirtualMFADevicesResponse(
        VirtualMFADevices=[
            shapes.VirtualMFADevice(SerialNumber=row.serial, User=owners.get(row.owner_id), EnableDate=row.enabled)
            for row in page
        ],
        IsTruncated=truncated,
        Marker=marker,
    )


@iam.operation("TagMFADevice", on=device_with_serial, writes=True)
def tag_mfa_device(call: Call, request: shapes.TagMFADeviceRequest, device: Device) -> None:
    tags.put(call.transaction, device.serial, request.Tags, fold=False)


@iam.operation("UntagMFADevice", on=device_with_serial, writes=True)
def untag_mfa_device(call: Call, request: shapes.UntagMFADeviceRequest, device: Device) -> None:
    tags.remove(call.transaction, device.serial, request.TagKeys, fold=False)


@iam.operation("ListMFADeviceTags", on=device_with_serial)
def list_mfa_device_tags(
    call: Call, request: shapes.ListMFADeviceTagsRequest, device: Device
) -> shapes.ListMFADeviceTagsResponse:
    page, truncated, marker = tags.page_listed(call, device.serial, request.Marker, request.MaxItems)
    return shapes.ListMFADeviceTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)


def _device_of(call: Call, user: User | None, serial: str) -> Device:
    """The device with this serial number, if it is this owner's. Raises NoSuchEntity if not."""
    found = mfa.find(call.transaction, call.account, serial)
    if found is None or found.owner_id != names.owner_id(call, user):
        raise _missing(serial)
    return found


def _missing(serial: str) -> NoSuchEntityException:
    return NoSuchEntityException(f"MFA Device with serial number {serial} does not exist.")


def _wrong_codes() -> InvalidAuthenticationCodeException:
    return InvalidAuthenticationCodeException("Authentication code for device is not valid.")


def _qr_code(uri: str) -> bytes:
    """A PNG of the QR code for an `otpauth` URI."""
    import segno  # not at every start

    picture = io.BytesIO()
    segno.make(uri, micro=False).save(picture, kind="png", scale=5)
    return picture.getvalue()

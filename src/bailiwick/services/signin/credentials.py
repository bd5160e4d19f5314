"""My security credentials: what a signed-in person does with her own password, devices and access keys.

Everything that AWS has an operation for is that operation, done with her own rights.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from bailiwick.api import AccessDenied, ApiError, Call
from bailiwick.core.message import Response
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import mfa, web_sessions
from bailiwick.directory import passwords as kept_passwords
from bailiwick.directory.mfa import Device
from bailiwick.services.signin import webauthn
from bailiwick.services.signin.passwords import change_of_root, rules_of
from bailiwick.services.signin.people import Person
from bailiwick.store import Duplicate
from bailiwick.web import cookies
from bailiwick.web.browser import STEP
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()

HOME = "/signin/credentials"
_ENROL_SECONDS = 900
_HAVE_CREDENTIALS = (PrincipalKind.USER, PrincipalKind.ROOT)


class Enrolment(msgspec.Struct, frozen=True):
    """A passkey or security key that is being registered: under which name, and what was asked of the browser."""

    owner_id: str
    name: str
    challenge: dict[str, Any]


@pages.get("/signin/credentials")
def show(visit: Visit) -> Response:
    """All of it on one page."""
    if not _has_credentials(visit):
        return visit.page("signin/no_credentials.html")
    return _show(visit)


def _show(visit: Visit, *, status: int = 200, wrong: str = "", about: str = "") -> Response:
    person = _self(visit)
    devices, not_devices = _asked(visit, "ListMFADevices")
    keys, not_keys = _asked(visit, "ListAccessKeys")
    with visit.site.pipeline.store.transaction() as transaction:
        profile = kept_passwords.find(transaction, person.owner_id or "")
    found = devices.MFADevices if devices else []
    return visit.page(
        "signin/credentials.html",
        status=status,
        wrong=wrong,
        about=about,
        person=person,
        profile=profile,
        rules=rules_of(visit, person),
        devices=[(each, "u2f" if ":u2f/" in each.SerialNumber else "virtual") for each in found],
        most_devices=mfa.DEVICES_PER_OWNER,
        keys=[(each, _last_use(visit, each.AccessKeyId)) for each in (keys.AccessKeyMetadata if keys else [])],
        denied={"devices": not_devices, "keys": not_keys},
        usable=webauthn.can_be_used(visit.request),
    )


def _asked(visit: Visit, operation: str) -> tuple[Any, str]:
    """What a list of IAM has of her; or why she may not see it."""
    try:
        return visit.call("iam", operation), ""
    except AccessDenied as refused:
        return None, str(refused)


def _last_use(visit: Visit, key_id: str) -> Any:
    try:
        return visit.call("iam", "GetAccessKeyLastUsed", AccessKeyId=key_id).AccessKeyLastUsed
    except ApiError:
        return None


@pages.post("/signin/credentials/password")
def password(visit: Visit) -> Response:
    """Another password. Her other sessions end with the old one; this one goes on."""
    old, new = visit.form.get("old_password", ""), visit.form.get("new_password", "")
    person, present = _self(visit), visit.browser.present
    if new != visit.form.get("new_password_again", ""):
        return _show(visit, status=400, wrong="The two new passwords are not the same.", about="password")
    try:
        if person.is_root:
            wrong = change_of_root(visit, person, old, new)
            if wrong:
                return _show(visit, status=400, wrong=wrong, about="password")
        else:
            visit.call("iam", "ChangePassword", OldPassword=old, NewPassword=new)
    except ApiError as refused:
        return _show(visit, status=400, wrong=str(refused), about="password")
    if present is not None:
        with visit.site.pipeline.store.transaction(write=True) as transaction:
            web_sessions.keep_with_new_password(transaction, present.session)
    return visit.redirect(HOME, good="Your password was changed. Your other sessions have ended.")


# -- Devices --------------------------------------------------------------------------------------------------


@pages.post("/signin/credentials/app")
def new_app(visit: Visit) -> Response:
    """A virtual device: its QR code, to be read by an authenticator app, and a form for two codes of it."""
    name = visit.form.get("device", "").strip()
    try:
        made = visit.call("iam", "CreateVirtualMFADevice", VirtualMFADeviceName=name).VirtualMFADevice
    except ApiError as refused:
        return _show(visit, status=400, wrong=str(refused), about="devices")
    picture = base64.b64encode(made.QRCodePNG).decode("ascii")
    return visit.page(
        "signin/app.html",
        serial=made.SerialNumber,
        seed=made.Base32StringSeed.decode("ascii"),
        picture=picture,
        wrong="",
    )


@pages.post("/signin/credentials/app/enable")
def enable_app(visit: Visit) -> Response:
    """Two codes in a row show that the app has it."""
    serial = visit.form.get("serial", "")
    codes = ("".join(visit.form.get(name, "").split()) for name in ("code", "code2"))
    first, second = codes
    try:
        visit.call(
            "iam",
            "EnableMFADevice",
            SerialNumber=serial,
            AuthenticationCode1=first,
            AuthenticationCode2=second,
            UserName=_named(visit),
        )
    except ApiError as refused:
        return visit.page("signin/app.html", status=400, serial=serial, seed="", picture="", wrong=str(refused))
    return visit.redirect(HOME, good="The authenticator app is registered. You are asked for a code at sign-in.")


@pages.post("/signin/credentials/key")
def new_key(visit: Visit) -> Response:
    """The page on which the browser registers a passkey or security key."""
    name, person = visit.form.get("device", "").strip(), _self(visit)
    assert person.owner_id is not None, "a signed-in person is somebody"
    with visit.site.pipeline.store.transaction() as transaction:
        present = [each for each in mfa.devices_of(transaction, person.owner_id) if each.kind == mfa.FIDO]
    options, challenge = webauthn.to_register(visit, person.owner_id, person.name, present)
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        kept = Enrolment(person.owner_id, name, challenge)
        secret = web_sessions.put_step(transaction, visit.environment, kept, visit.now, _ENROL_SECONDS)
    visit.extra.append(cookies.write(visit.request, STEP, secret, seconds=_ENROL_SECONDS))
    return visit.page("signin/key.html", name=name, options=options)


@pages.post("/signin/credentials/key/enable")
def enable_key(visit: Visit) -> Response:
    """What the browser answers: kept as a device of hers, if she may enable one."""
    person, secret = _self(visit), cookies.read(visit.request, STEP) or ""
    store = visit.site.pipeline.store
    with store.transaction(write=True) as transaction:
        kept = web_sessions.step(transaction, visit.environment, secret, Enrolment, visit.now)
        taken = web_sessions.take_step(transaction, secret)
    visit.extra.append(cookies.write(visit.request, STEP, "", seconds=0))
    if kept is None or not taken or kept.owner_id != person.owner_id:
        return visit.redirect(HOME, bad="That took too long. Please begin again.")
    try:
        credential_id, public_key, count = webauthn.registered(
            visit, kept.challenge, visit.form.get("credential", "")
        )
    except webauthn.NotShown:
        return visit.redirect(HOME, bad="The passkey or security key could not be registered.")
    owner = "root" if person.is_root else f"user/{person.name}"
    random = base64.b32encode(visit.environment.entropy(16)).decode("ascii").rstrip("=")
    serial = f"arn:{visit.environment.partition}:iam::{person.account}:u2f/{owner}/{kept.name}-{random}"
    device = Device(
        serial,
        person.account or "",
        mfa.FIDO,
        created=float(int(visit.now)),
        owner_id=person.owner_id,
        enabled=float(int(visit.now)),
        credential_id=credential_id,
        public_key=public_key,
        sign_count=count,
    )
    try:
        _enable(visit, device)
    except ApiError as refused:
        return visit.redirect(HOME, bad=str(refused))
    return visit.redirect(HOME, good="The passkey or security key is registered. You are asked for it at sign-in.")


def _enable(visit: Visit, device: Device) -> None:
    """EnableMFADevice with a key that the browser has shown in the place of two codes. Raises ApiError."""

    def enable(call: Call, request: Any, record: Any) -> None:
        owner = device.owner_id or ""
        if len(mfa.devices_of(call.transaction, owner)) >= mfa.DEVICES_PER_OWNER:
            raise AccessDenied(f"A person has at most {mfa.DEVICES_PER_OWNER} MFA devices.")
        try:
            mfa.enrol_fido(call.transaction, device)
        except Duplicate:
            raise AccessDenied("This passkey or security key is registered already.") from None

    none = "000000"  # what the operation asks for; the browser has proven more than a code could
    visit.call_as(
        visit.caller,
        "iam",
        "EnableMFADevice",
        instead=enable,
        SerialNumber=device.serial,
        AuthenticationCode1=none,
        AuthenticationCode2=none,
        UserName=_named(visit),
    )


@pages.post("/signin/credentials/device")
def device(visit: Visit) -> Response:
    """A device is taken away, or brought into step."""
    serial, user = visit.form.get("serial", ""), _named(visit)
    try:
        if visit.form.get("act") == "resync":
            first, second = ("".join(visit.form.get(name, "").split()) for name in ("code", "code2"))
            visit.call(
                "iam",
                "ResyncMFADevice",
                SerialNumber=serial,
                AuthenticationCode1=first,
                AuthenticationCode2=second,
                UserName=user,
            )
            return visit.redirect(HOME, good="The device is in step again.")
        visit.call("iam", "DeactivateMFADevice", SerialNumber=serial, UserName=user)
        if ":mfa/" in serial:
            visit.call("iam", "DeleteVirtualMFADevice", SerialNumber=serial)
    except ApiError as refused:
        return _show(visit, status=400, wrong=str(refused), about="devices")
    return visit.redirect(HOME, good="The device is yours no more.")


# -- Access keys ----------------------------------------------------------------------------------------------


@pages.post("/signin/credentials/keys")
def create_key(visit: Visit) -> Response:
    """A new access key, whose secret is shown this once."""
    try:
        made = visit.call("iam", "CreateAccessKey").AccessKey
    except ApiError as refused:
        return _show(visit, status=400, wrong=str(refused), about="keys")
    return visit.page("signin/new_key.html", key=made)


@pages.post("/signin/credentials/keys/change")
def change_key(visit: Visit) -> Response:
    """A key is switched off or on, or deleted."""
    key, act = visit.form.get("key", ""), visit.form.get("act", "")
    try:
        if act == "delete":
            visit.call("iam", "DeleteAccessKey", AccessKeyId=key)
            return visit.redirect(HOME, good=f"The access key {key} is deleted.")
        status = "Active" if act == "activate" else "Inactive"
        visit.call("iam", "UpdateAccessKey", AccessKeyId=key, Status=status)
    except ApiError as refused:
        return _show(visit, status=400, wrong=str(refused), about="keys")
    return visit.redirect(
        HOME, good=f"The access key {key} is {'active' if status == 'Active' else 'switched off'}."
    )


def _has_credentials(visit: Visit) -> bool:
    present = visit.browser.present
    return present is not None and present.caller.kind in _HAVE_CREDENTIALS


def _self(visit: Visit) -> Person:
    """Who is signed in, as somebody with credentials of her own. Raises AccessDenied for roles."""
    if not _has_credentials(visit):
        raise AccessDenied("A role has no credentials of its own.")
    caller = visit.caller
    is_root = caller.kind is PrincipalKind.ROOT
    name = "root" if is_root else caller.name or ""
    return Person(caller.account, caller.principal.unique_id, name, is_root)


def _named(visit: Visit) -> str:
    """Whose devices are meant: EnableMFADevice and its siblings want a name, and root is called root."""
    return _self(visit).name

"""Passkeys and security keys: what the browser is asked, and what it must answer.

Source: W3C Web Authentication level 2, sections 7.1 and 7.2. They are bound to the name of the host that the
browser shows, so no page elsewhere can ask for them. An attestation is not asked for: any make is as good.
"""

from __future__ import annotations

import base64
import functools
import json
from typing import Any
from urllib.parse import urlsplit

from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticatorData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from bailiwick.core.message import Request
from bailiwick.directory.mfa import Device
from bailiwick.web.visit import Visit

_LONGEST = 65_536
_CHALLENGE_BYTES = 32

State = dict[str, Any]


class NotShown(Exception):
    """What the browser answered proves nothing."""


def to_register(visit: Visit, owner_id: str, name: str, present: list[Device]) -> tuple[str, State]:
    """What a browser is asked (JSON) so that a new device is registered for an owner, and what to keep for then."""
    user = PublicKeyCredentialUserEntity(id=owner_id.encode(), name=name, display_name=name)
    options, state = _server(visit.request).register_begin(
        user,
        _descriptors(present),
        resident_key_requirement=ResidentKeyRequirement.DISCOURAGED,
        user_verification=UserVerificationRequirement.PREFERRED,
        challenge=visit.environment.entropy(_CHALLENGE_BYTES),
    )
    return json.dumps(dict(options.public_key), default=_plain), _kept(state)


def registered(visit: Visit, state: State, answer: str) -> tuple[bytes, bytes, int]:
    """The id of the credential, its public key with it, and its count, from the browser's answer.

    Raises NotShown.
    """
    try:
        data: AuthenticatorData = _server(visit.request).register_complete(state, _read(answer))
        credential = data.credential_data
        if credential is None:
            raise NotShown("no credential")
        return credential.credential_id, bytes(credential), data.counter
    except NotShown:
        raise
    except Exception as error:  # whatever the library finds wrong with a stranger's bytes
        raise NotShown(str(error)) from None


def to_show(visit: Visit, devices: list[Device]) -> tuple[str, State]:
    """What a browser is asked (JSON) so that one of these devices is shown, and what to keep for then."""
    options, state = _server(visit.request).authenticate_begin(
        _descriptors(devices),
        user_verification=UserVerificationRequirement.PREFERRED,
        challenge=visit.environment.entropy(_CHALLENGE_BYTES),
    )
    return json.dumps(dict(options.public_key), default=_plain), _kept(state)


def shown(visit: Visit, state: State, devices: list[Device], answer: str) -> tuple[Device, int]:
    """Which device has signed, and its count. Raises NotShown."""
    known = [AttestedCredentialData(each.public_key) for each in devices if each.public_key]
    try:
        found = _read(answer)
        credential = _server(visit.request).authenticate_complete(state, known, found)
        data = AuthenticatorData(_decoded(found["response"]["authenticatorData"]))
        signed = next(each for each in devices if each.credential_id == credential.credential_id)
        return signed, data.counter
    except Exception as error:  # whatever the library finds wrong with a stranger's bytes
        raise NotShown(str(error)) from None


def can_be_used(request: Request) -> bool:
    """Whether browsers let a device be used here: they bind it to a name, which an address is not."""
    host = _host(request)
    return host == "localhost" or (not host.replace(".", "").isdigit() and ":" not in host)


def _server(request: Request) -> Fido2Server:
    host = _host(request)
    origin = f"{'https' if request.secure else 'http'}://{request.header('host') or ''}"
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=host, name="Bailiwick"), verify_origin=functools.partial(_is, origin)
    )


def _is(origin: str, said: str) -> bool:
    return origin.lower() == said.lower()


def _host(request: Request) -> str:
    return urlsplit(f"//{request.header('host') or ''}").hostname or ""


def _descriptors(devices: list[Device]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=each.credential_id)
        for each in devices
        if each.credential_id
    ]


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > _LONGEST:
        raise NotShown("the answer is too long")
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        raise NotShown("the answer is no JSON") from None
    if not isinstance(found, dict):
        raise NotShown("the answer is no object")
    return found


def _kept(state: Any) -> State:
    return {
        "challenge": str(state["challenge"]),
        "user_verification": str(state["user_verification"] or "preferred"),
    }


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).decode().rstrip("=")
    return dict(value)

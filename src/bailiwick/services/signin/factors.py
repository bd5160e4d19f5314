"""The second factor: a code of an app, or a passkey or security key. Any one of a person's will do."""

from __future__ import annotations

import msgspec

from bailiwick.core.message import Response
from bailiwick.directory import mfa
from bailiwick.directory.mfa import Device
from bailiwick.services.signin import passing, webauthn
from bailiwick.services.signin.passing import Passing, again, kept
from bailiwick.web.events import happened
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()

WRONG_CODE = "This code is not right, or it was used before. Wait for the next one, and try again."
WRONG_PAIR = "These are not two codes in a row of your device."
NOT_SHOWN = "The passkey or security key could not be verified. Please try again."


@pages.get("/signin/mfa", open=True)
def ask(visit: Visit) -> Response:
    """The page that asks for it."""
    found = kept(visit)
    return again(visit) if found is None or found.mfa is not None else _ask(visit, found)


def _ask(visit: Visit, found: Passing, wrong: str = "") -> Response:
    devices = passing.devices(visit, found.person)
    keys = [each for each in devices if each.kind == mfa.FIDO]
    options = ""
    if keys:
        options, challenge = webauthn.to_show(visit, keys)
        passing.keep(visit, msgspec.structs.replace(found, challenge=challenge))
    return visit.page(
        "signin/mfa.html",
        status=401 if wrong else 200,
        person=found.person,
        codes=[each for each in devices if each.kind == mfa.VIRTUAL],
        options=options,
        usable=webauthn.can_be_used(visit.request),
        wrong=wrong,
        resync="resync" in visit.query or "code2" in visit.form,
    )


@pages.post("/signin/mfa", open=True)
def show(visit: Visit) -> Response:
    """A code, two codes in a row, or what a passkey has signed."""
    found = kept(visit)
    if found is None or found.mfa is not None:
        return again(visit)
    answer = visit.form.get("credential")
    shown = _by_key(visit, found, answer) if answer else _by_code(visit, found)
    if isinstance(shown, str):
        passing.tell_failure(visit, found.person, name="CheckMfa")
        return _ask(visit, found, shown)
    if not passing.used_up(visit):
        return again(visit)
    kind = "Virtual MFA" if shown.kind == mfa.VIRTUAL else "WebAuthn"
    account, identity = found.person.account, _identity(found)
    happened(visit, "CheckMfa", account=account, identity=identity, additional={"MfaType": kind})
    passed = msgspec.structs.replace(found, mfa=int(visit.now), device=shown.serial, challenge=None)
    return passing.go_on(visit, passed)


def _by_code(visit: Visit, found: Passing) -> Device | str:
    """The device whose code, or next two codes, were given; else what to say."""
    assert found.person.owner_id is not None, "a password was right"
    code, second = _digits(visit.form.get("code", "")), _digits(visit.form.get("code2", ""))
    environment, now = visit.environment, visit.now
    for device in passing.devices(visit, found.person):
        if device.kind != mfa.VIRTUAL:
            continue
        with visit.site.pipeline.store.transaction(write=True) as transaction:
            if second:
                if environment.attempts.waits(device.serial, now):
                    continue
                if mfa.resync(transaction, environment, device, (code, second), now):
                    environment.attempts.succeeded(device.serial)
                    return device
                environment.attempts.failed(device.serial, now)
            elif mfa.check(transaction, environment, found.person.owner_id, device.serial, code, now) is not None:
                return device
    return WRONG_PAIR if second else WRONG_CODE


def _by_key(visit: Visit, found: Passing, answer: str) -> Device | str:
    """The passkey or security key that has signed; else what to say."""
    keys = [each for each in passing.devices(visit, found.person) if each.kind == mfa.FIDO]
    if found.challenge is None:
        return NOT_SHOWN
    try:
        device, count = webauthn.shown(visit, found.challenge, keys, answer)
    except webauthn.NotShown:
        return NOT_SHOWN
    with visit.site.pipeline.store.transaction(write=True) as transaction:
        return device if mfa.fido_used(transaction, device, count, visit.now) else NOT_SHOWN


def _digits(text: str) -> str:
    return "".join(text.split())[:16]


def _identity(found: Passing) -> dict[str, str]:
    person = found.person
    kind = {"type": "Root"} if person.is_root else {"type": "IAMUser", "userName": person.name}
    return {**kind, "principalId": person.owner_id or "", "accountId": person.account or ""}

"""UpdatePassword: with what a person signs in. An operation of our own; AWS has the action, and no API for it."""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import Call, Target
from bailiwick.directory import passwords
from bailiwick.directory.center import people
from bailiwick.directory.password_policy import broken_by_default
from bailiwick.services.identitystore import shapes, targets
from bailiwick.services.identitystore.service import identitystore
from bailiwick.services.identitystore.shapes import ValidationException
from bailiwick.services.identitystore.targets import Held

_ACTION = "sso-directory:UpdatePassword"


def _whose(call: Call, request: Any) -> Target:
    target = targets.user(call, request)
    also = tuple(msgspec.structs.replace(each, action=_ACTION) for each in target.also)
    return msgspec.structs.replace(target, action=_ACTION, also=also)


@identitystore.operation("UpdatePassword", on=_whose, writes=True)
def update_password(call: Call, request: shapes.UpdatePasswordRequest, held: Held) -> shapes.UpdatePasswordResponse:
    assert held.user is not None, "it was found"
    wrong = list(broken_by_default(request.Password, {held.user.name.lower()}))
    if wrong:
        raise ValidationException(". ".join(wrong))
    must_change = bool(request.PasswordResetRequired)
    transaction, found = call.transaction, passwords.find(call.transaction, held.user.owner)
    if found is None:
        account, environment = held.instance.account, call.environment
        passwords.create(
            *(transaction, environment, account, held.user.owner, request.Password, call.now),
            reset_required=must_change,
        )
    else:
        passwords.change(transaction, found, request.Password, call.now, reset_required=must_change)
    people.sign_out(transaction, held.user)
    return shapes.UpdatePasswordResponse()

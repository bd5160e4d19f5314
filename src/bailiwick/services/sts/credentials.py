"""Temporary credentials: made, sealed into their token, and shown. Nothing of them is stored."""

from __future__ import annotations

import msgspec

from bailiwick.api import AccessDenied, Call
from bailiwick.core import ids
from bailiwick.core.formats import Session, SessionKind, seal_session
from bailiwick.core.message import Request
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import mfa
from bailiwick.services.sts import shapes
from bailiwick.services.sts.shapes import PackedPolicyTooLargeException

LONGEST_TOKEN = 4096
_DEFAULT = 12 * 3600
_MAX_OF_ROOT = 3600
_HAVE_DEVICES = (PrincipalKind.USER, PrincipalKind.ROOT)


def issue(call: Call, session: Session) -> shapes.Credentials:
    """Credentials for `session`, whose key id and secret are made here.

    Raises PackedPolicyTooLarge for a session of which so much is said that its token would be too long.
    """
    if call.caller.session is not None and call.caller.session.via:
        # Else a service could keep for hours, and without a trace of itself, what it was lent for minutes.
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {call.operation.action}")
    entropy = call.environment.entropy
    made = msgspec.structs.replace(
        session,
        access_key_id=ids.access_key_id("ASIA", session.account, entropy),
        secret=ids.secret_access_key(entropy),
    )
    token = seal_session(call.environment.ring, made, entropy)
    if len(token) > LONGEST_TOKEN and not made.via:  # what a service is lent is a little longer
        raise PackedPolicyTooLargeException(
            f"The session token would have {len(token)} characters, and may have {LONGEST_TOKEN}: "
            "the policies, the tags and what the identity provider says are too long together."
        )
    return shapes.Credentials(
        AccessKeyId=made.access_key_id,
        SecretAccessKey=made.secret,
        SessionToken=token,
        Expiration=float(made.expires),
    )


def refuse_users_sessions(call: Call) -> None:
    """Refuse what is not for sessions of GetFederationToken and GetSessionToken. Raises AccessDenied.

    Source: facts/sts.md section 4.
    """
    session = call.caller.session
    if session is not None and session.kind in (SessionKind.FEDERATED, SessionKind.SESSION):
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {call.operation.action}")


def refuse_sessions(call: Call) -> None:
    """Refuse what is for long-term keys of users and root users alone. Raises AccessDenied, with AWS's text."""
    if call.caller.kind is PrincipalKind.SERVICE:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {call.operation.action}")
    if call.caller.session is not None:
        raise AccessDenied(f"Cannot call {call.operation.name} with session credentials")


def lasting(call: Call, seconds: int | None) -> int:
    """For how long a session of the calling user or root user lasts: 12 hours, and an hour for the root user."""
    if call.caller.kind is PrincipalKind.ROOT:
        return min(seconds or _MAX_OF_ROOT, _MAX_OF_ROOT)
    return seconds or _DEFAULT


def new_session(call: Call, kind: SessionKind, account: str, principal: str, seconds: int) -> Session:
    """A session that begins now. Its key comes with `issue`."""
    now = int(call.now)
    return Session(kind, account, principal, "", "", issued=now, expires=now + seconds)


def shows_no_code(request: Request) -> bool:
    """Whether a request has no TokenCode, and so nothing is written for it."""
    return b"TokenCode" not in request.body and "TokenCode" not in request.query


def check_mfa(call: Call, serial: str | None, code: str | None) -> int | None:
    """The time of the MFA check that SerialNumber and TokenCode ask for; None where neither is given.

    The device must be one of the calling user's or root user's. Raises AccessDenied with AWS's texts.
    """
    if serial is None and code is None:
        return None
    if serial is None or code is None:
        raise AccessDenied(
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
        )
    principal = call.caller.principal
    owned = mfa.devices_of(call.transaction, principal.unique_id)
    if principal.kind not in _HAVE_DEVICES or serial not in [device.serial for device in owned]:
        raise AccessDenied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial "
            "number is valid and associated with this user."
        )
    checked = mfa.check(call.transaction, call.environment, principal.unique_id, serial, code, call.now)
    if checked is None:
        raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    return checked

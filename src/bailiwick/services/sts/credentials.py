"""Temporary credentials: made, sealed into their token, and shown. Nothing of them is stored."""

from __future__ import annotations

import msgspec

from bailiwick.api import AccessDenied, Call
from bailiwick.core import ids
from bailiwick.core.formats import Session, SessionKind, seal_session
from bailiwick.services.sts import shapes


def issue(call: Call, session: Session) -> shapes.Credentials:
    """Credentials for `session`, whose key id and secret are made here."""
    entropy = call.environment.entropy
    made = msgspec.structs.replace(
        session,
        access_key_id=ids.access_key_id("ASIA", session.account, entropy),
        secret=ids.secret_access_key(entropy),
    )
    return shapes.Credentials(
        AccessKeyId=made.access_key_id,
        SecretAccessKey=made.secret,
        SessionToken=seal_session(call.environment.ring, made, entropy),
        Expiration=float(made.expires),
    )


def new_session(call: Call, kind: SessionKind, account: str, principal: str, seconds: int) -> Session:
    """A session that begins now. Its key comes with `issue`."""
    now = int(call.now)
    return Session(kind, account, principal, "", "", issued=now, expires=now + seconds)


def check_mfa(serial: str | None, code: str | None) -> None:
    """Check the MFA parameters of a request: nobody has a device yet, so none can be valid.

    Raises AccessDenied with AWS's text where either is given.
    """
    if serial is None and code is None:
        return
    if serial is None or code is None:
        raise AccessDenied(
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
        )
    raise AccessDenied(
        "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is "
        "valid and associated with this user."
    )

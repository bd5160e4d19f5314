"""GetSessionToken: the user herself, for a while."""

from __future__ import annotations

from bailiwick.api import AccessDenied, Call, anyone
from bailiwick.core.formats import SessionKind
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.services.sts import shapes
from bailiwick.services.sts.credentials import check_mfa, issue, new_session
from bailiwick.services.sts.service import sts

_DEFAULT = 12 * 3600
_MAX_OF_ROOT = 3600


@sts.operation("GetSessionToken", on=anyone, quick=True)
def get_session_token(
    call: Call, request: shapes.GetSessionTokenRequest, record: None
) -> shapes.GetSessionTokenResponse:
    caller = call.caller
    if caller.session is not None:
        raise AccessDenied("Cannot call GetSessionToken with session credentials")
    check_mfa(request.SerialNumber, request.TokenCode)
    seconds = request.DurationSeconds or _DEFAULT
    if caller.kind is PrincipalKind.ROOT:
        seconds = min(seconds, _MAX_OF_ROOT)
    session = new_session(call, SessionKind.SESSION, caller.account, caller.principal.unique_id, seconds)
    return shapes.GetSessionTokenResponse(Credentials=issue(call, session))

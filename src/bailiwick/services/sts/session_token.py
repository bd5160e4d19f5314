"""GetSessionToken: the user herself, for a while."""

from __future__ import annotations

import msgspec

from bailiwick.api import AccessDenied, Call, anyone
from bailiwick.core.formats import SessionKind
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.services.sts import shapes
from bailiwick.services.sts.credentials import check_mfa, issue, new_session, shows_no_code
from bailiwick.services.sts.service import sts

_DEFAULT = 12 * 3600
_MAX_OF_ROOT = 3600


@sts.operation("GetSessionToken", on=anyone, quick=shows_no_code, writes_with="TokenCode")
def get_session_token(
    call: Call, request: shapes.GetSessionTokenRequest, record: None
) -> shapes.GetSessionTokenResponse:
    caller = call.caller
    if caller.session is not None:
        raise AccessDenied("Cannot call GetSessionToken with session credentials")
    checked = check_mfa(call, request.SerialNumber, request.TokenCode)
    seconds = request.DurationSeconds or _DEFAULT
    if caller.kind is PrincipalKind.ROOT:
        seconds = min(seconds, _MAX_OF_ROOT)
    session = new_session(call, SessionKind.SESSION, caller.account, caller.principal.unique_id, seconds)
    return shapes.GetSessionTokenResponse(Credentials=issue(call, msgspec.structs.replace(session, mfa=checked)))

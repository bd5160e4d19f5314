"""GetSessionToken: the user herself, for a while."""

from __future__ import annotations

import msgspec

from bailiwick.api import Call, anyone
from bailiwick.core.formats import SessionKind
from bailiwick.services.sts import shapes
from bailiwick.services.sts.credentials import (
    check_mfa,
    issue,
    lasting,
    new_session,
    refuse_sessions,
    shows_no_code,
)
from bailiwick.services.sts.service import sts


@sts.operation("GetSessionToken", on=anyone, quick=shows_no_code, writes_with="TokenCode")
def get_session_token(
    call: Call, request: shapes.GetSessionTokenRequest, record: None
) -> shapes.GetSessionTokenResponse:
    caller = call.caller
    refuse_sessions(call)
    checked = check_mfa(call, request.SerialNumber, request.TokenCode)
    seconds = lasting(call, request.DurationSeconds)
    session = new_session(call, SessionKind.SESSION, caller.account, caller.principal.unique_id, seconds)
    return shapes.GetSessionTokenResponse(Credentials=issue(call, msgspec.structs.replace(session, mfa=checked)))

"""Why a request was refused, opened again for those who may see it. Source: facts/policy.md section 5.4."""

from __future__ import annotations

from bailiwick.api import Call
from bailiwick.core.errors import SealError
from bailiwick.core.formats import open_message
from bailiwick.services.sts import shapes
from bailiwick.services.sts.identity import of_no_users_session
from bailiwick.services.sts.service import sts


@sts.operation("DecodeAuthorizationMessage", on=of_no_users_session)
def decode_authorization_message(
    call: Call, request: shapes.DecodeAuthorizationMessageRequest, record: None
) -> shapes.DecodeAuthorizationMessageResponse:
    try:
        text = open_message(call.environment.ring, request.EncodedMessage, call.account, call.now)
    except SealError:
        raise shapes.InvalidAuthorizationMessageException(
            "The message is not one that was given to this account within the last day."
        ) from None
    return shapes.DecodeAuthorizationMessageResponse(DecodedMessage=text)

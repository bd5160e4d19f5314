"""Who am I, and whose key is this?"""

from __future__ import annotations

from bailiwick.api import Call, Target, ValidationError, anyone, nothing
from bailiwick.core import ids
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.services.sts import shapes
from bailiwick.services.sts.credentials import refuse_users_sessions
from bailiwick.services.sts.service import sts


@sts.operation("GetCallerIdentity", on=anyone, quick=True)
def get_caller_identity(
    call: Call, request: shapes.GetCallerIdentityRequest, record: None
) -> shapes.GetCallerIdentityResponse:
    caller = call.caller
    named = caller.arn
    if caller.kind is PrincipalKind.SERVICE:  # which AWS has no ARN for: as its managed policies are written
        named = f"arn:{call.partition}:iam::{caller.account}:service/{caller.arn}"
    return shapes.GetCallerIdentityResponse(UserId=caller.user_id, Account=caller.account, Arn=named)


def of_no_users_session(call: Call, request: object) -> Target:
    """No resource; and not for the sessions of users."""
    refuse_users_sessions(call)
    return nothing(call, request)


@sts.operation("GetAccessKeyInfo", on=of_no_users_session, quick=True)
def get_access_key_info(
    call: Call, request: shapes.GetAccessKeyInfoRequest, record: None
) -> shapes.GetAccessKeyInfoResponse:
    account = ids.account_of(request.AccessKeyId)
    if account is None:
        raise ValidationError(f"The access key id {request.AccessKeyId} carries no account.")
    return shapes.GetAccessKeyInfoResponse(Account=account)

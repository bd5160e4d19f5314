"""GetFederationToken: some of a user's permissions for someone whom the user's program vouches for.

Without a session policy such a session has only what resource policies grant to it by name. Source: facts/sts.md
section 9.
"""

from __future__ import annotations

import msgspec

from bailiwick.api import Call, Target
from bailiwick.core.formats import SessionKind
from bailiwick.services.sts import session_policies, session_tags, shapes
from bailiwick.services.sts.credentials import issue, lasting, new_session, refuse_sessions
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import GetFederationTokenRequest


def federated_user(call: Call, request: GetFederationTokenRequest) -> Target:
    """The federated user to be, and the same for the tags of the session."""
    passed = {tag.Key: tag.Value for tag in request.Tags or ()}
    target = Target(account=call.account, arn=_arn(call, request.Name), context=session_tags.context(passed))
    tagging = msgspec.structs.replace(target, action="sts:TagSession")
    return msgspec.structs.replace(target, also=(tagging,)) if passed else target


@sts.operation("GetFederationToken", on=federated_user)
def get_federation_token(
    call: Call, request: GetFederationTokenRequest, record: None
) -> shapes.GetFederationTokenResponse:
    refuse_sessions(call)
    caller = call.caller
    tags = session_tags.combined(caller, request.Tags)
    policies = session_policies.checked(call, caller.account, request.Policy, request.PolicyArns)
    packed = session_policies.packed_size(policies, tags)
    seconds = lasting(call, request.DurationSeconds)
    session = msgspec.structs.replace(
        new_session(call, SessionKind.FEDERATED, caller.account, caller.principal.unique_id, seconds),
        name=request.Name,
        policies=policies.texts,
        policy_arns=policies.arns,
        tags=tags.tags,
    )
    return shapes.GetFederationTokenResponse(
        Credentials=issue(call, session),
        FederatedUser=shapes.FederatedUser(
            FederatedUserId=f"{caller.account}:{request.Name}", Arn=_arn(call, request.Name)
        ),
        PackedPolicySize=packed or 0,
    )


def _arn(call: Call, name: str) -> str:
    return f"arn:{call.partition}:sts::{call.account}:federated-user/{name}"

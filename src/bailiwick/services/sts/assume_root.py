"""AssumeRoot: the root user of a member account, for one task, for those who manage the organization.

The organization stands for a resource policy: where it has root sessions enabled, a member's root user trusts the
management account and IAM's delegated administrators. Source: facts/sts.md section 8.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from bailiwick.api import AccessDenied, Call, Target, ValidationError
from bailiwick.core import arn
from bailiwick.core.formats import SessionKind
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import organization_tables as tables
from bailiwick.directory import organizations
from bailiwick.services.sts import shapes
from bailiwick.services.sts.credentials import issue, new_session, refuse_users_sessions
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import AssumeRootRequest

_MOST = 900
_FEATURE, _IAM = "RootSessions", "iam.amazonaws.com"
_TASKS = (
    "IAMAuditRootUserCredentials",
    "IAMCreateRootUserPassword",
    "IAMDeleteRootUserCredentials",
    "S3UnlockBucketPolicy",
    "SQSUnlockQueuePolicy",
)


def root_user(call: Call, request: AssumeRootRequest) -> Target:
    """The root user of the account that is named, with the caller's account trusted if it may be.

    The record is the account's id. Raises ValidationError for what names no root user or no task, AccessDenied for
    callers that may not call this at all.
    """
    account = _account(call, request.TargetPrincipal)
    task = request.TaskPolicyArn.arn
    if task not in [f"arn:{call.partition}:iam::aws:policy/root-task/{name}" for name in _TASKS]:
        raise ValidationError("The task policy must be one of AWS's policies for tasks of root users.")
    root = arn.root(call.partition, account)
    refuse_users_sessions(call)
    denied = AccessDenied(
        f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRoot on resource: {root}"
    )
    if call.caller.kind is PrincipalKind.ROOT:
        raise denied
    manages = _manages(call, account)
    return Target(
        account=account,
        arn=root,
        policy=_trust(call.account) if manages else Layer.EMPTY,
        context={"sts:taskpolicyarn": task},
        record=account,
        absent=None if manages else denied,
    )


@sts.operation("AssumeRoot", on=root_user)
def assume_root(call: Call, request: AssumeRootRequest, account: str) -> shapes.AssumeRootResponse:
    caller, task = call.caller, request.TaskPolicyArn.arn
    assert task is not None, "the finder has checked it"
    session = msgspec.structs.replace(
        new_session(call, SessionKind.ROOT, account, account, request.DurationSeconds or _MOST),
        policy_arns=(task,),
        source_identity=caller.session.source_identity if caller.session else "",
        chained=caller.session is not None,
    )
    return shapes.AssumeRootResponse(
        Credentials=issue(call, session), SourceIdentity=session.source_identity or None
    )


def _account(call: Call, named: str) -> str:
    account = named.removeprefix(f"arn:{call.partition}:iam::").removesuffix(":root")
    if not (len(account) == 12 and account.isascii() and account.isdigit()):
        raise ValidationError(f"{named} is invalid")
    if named not in (account, arn.root(call.partition, account)):
        raise ValidationError(f"{named} is invalid")
    return account


def _manages(call: Call, account: str) -> bool:
    """Whether the caller's account may act for the root users of the account's organization."""
    found = organizations.of_account(call.transaction, call.account)
    member = organizations.node(call.transaction, account)
    if found is None or member is None or member.organization != found.id or account == found.management:
        return False
    if _FEATURE not in found.root_features.split() or member.status != "ACTIVE":
        return False
    if call.account == found.management:
        return True
    columns = tables.delegation.c
    where = columns.organization == found.id, columns.account == call.account, columns.service == _IAM
    return call.transaction.one(select(columns.service).where(*where)) is not None


def _trust(account: str) -> Layer:
    text = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRoot","Resource":"*",'
        f'"Principal":{{"AWS":"{account}"}}}}}}'
    )
    return Layer([Attached(compile_policy(text), "central root access", None)])

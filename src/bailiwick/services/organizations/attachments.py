"""Which control policies are attached where: at most five service control policies to a node, and at least one."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, select

from bailiwick.api import Call, Target
from bailiwick.directory import accounts, membership, organizations
from bailiwick.directory import organization_tables as tables
from bailiwick.directory.entities import record as as_record
from bailiwick.directory.organizations import ACCOUNT, DEFAULTS, RCP, ControlPolicy, Node, Organization
from bailiwick.services.organizations import names, organization, paging, shapes
from bailiwick.services.organizations.policies import summary
from bailiwick.services.organizations.service import organizations as service
from bailiwick.services.organizations.shapes import (
    ConstraintViolationException,
    DuplicatePolicyAttachmentException,
    PolicyNotAttachedException,
    PolicyTypeNotEnabledException,
)
from bailiwick.services.organizations.targets import NO_TARGET, Who, node, node_of, policy, tags_of
from bailiwick.store import Duplicate

POLICIES_PER_TARGET = 5
_Attaching = tuple[Organization, ControlPolicy, Node]


def policy_and_place(call: Call, request: Any) -> Target:
    """The policy, and the node that it is for. The record is the organization, the policy and the node."""
    target = policy()(call, request)
    if target.record is None:
        return target
    within, found = target.record
    place = node_of(call, within, request.TargetId)
    also = Target(
        account=call.account,
        arn=names.node_arn(call, within, request.TargetId),
        context={"organizations:policytype": found.type, **tags_of(call, place.id if place else None)},
        absent=None if place else NO_TARGET[0](NO_TARGET[1]),
    )
    return msgspec.structs.replace(target, record=(within, found, place), also=(also,))


@service.operation("AttachPolicy", on=policy_and_place, writes=True)
def attach_policy(call: Call, request: shapes.AttachPolicyRequest, record: _Attaching) -> None:
    within, found, place = record
    _check_enabled(within, found)
    present = _of_type(call, place, found.type)
    if any(each.id == found.id for each in present):
        raise _attached_already()
    if len(present) >= POLICIES_PER_TARGET:
        raise ConstraintViolationException(
            "You have exceeded the number of policies of this type that can be attached to an entity.",
            Reason="MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
        )
    try:
        membership.attach(call.transaction, place.id, found.id, call.now)
    except Duplicate:
        raise _attached_already() from None
    organization.changed(call, within)


@service.operation("DetachPolicy", on=policy_and_place, writes=True)
def detach_policy(call: Call, request: shapes.DetachPolicyRequest, record: _Attaching) -> None:
    within, found, place = record
    _check_enabled(within, found)
    present = _of_type(call, place, found.type)
    if all(each.id != found.id for each in present):
        raise PolicyNotAttachedException("The policy isn't attached to the specified target in the specified root.")
    if len(present) == 1 or (found.type == RCP and found.is_aws):
        raise ConstraintViolationException(
            "You can't detach the last policy of this type from an entity."
            if len(present) == 1
            else f"You can't detach {DEFAULTS[RCP].name}.",
            Reason="MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
        )
    link = tables.attachment.c
    call.transaction.run(delete(tables.attachment).where(link.node == place.id, link.policy == found.id))
    organization.changed(call, within)


@service.operation("ListPoliciesForTarget", on=node("TargetId", NO_TARGET, Who.READER))
def list_policies_for_target(
    call: Call, request: shapes.ListPoliciesForTargetRequest, record: tuple[Organization, Node]
) -> shapes.ListPoliciesForTargetResponse:
    within, place = record
    numbered = list(enumerate(_of_type(call, place, request.Filter)))
    page, token = paging.page(call, request, numbered, lambda each: f"{each[0]:06}")
    return shapes.ListPoliciesForTargetResponse(
        Policies=[summary(call, within, each) for _, each in page], NextToken=token
    )


@service.operation("ListTargetsForPolicy", on=policy(Who.READER))
def list_targets_for_policy(
    call: Call, request: shapes.ListTargetsForPolicyRequest, record: tuple[Organization, ControlPolicy]
) -> shapes.ListTargetsForPolicyResponse:
    within, found = record
    link, columns = tables.attachment, tables.node.c
    rows = call.transaction.all(
        select(tables.node)
        .select_from(link.join(tables.node, columns.id == link.c.node))
        .where(link.c.policy == found.id, columns.organization == within.id)
        .order_by(columns.id)
    )
    page, token = paging.page(call, request, [as_record(Node, row) for row in rows], lambda each: each.id)
    return shapes.ListTargetsForPolicyResponse(
        Targets=[
            shapes.PolicyTargetSummary(
                TargetId=each.id,
                Arn=names.node_arn(call, within, each.id),
                Name=_name(call, each),
                Type=each.kind,
            )
            for each in page
        ],
        NextToken=token,
    )


def _attached_already() -> DuplicatePolicyAttachmentException:
    return DuplicatePolicyAttachmentException("The selected policy is already attached to the specified target.")


def _name(call: Call, place: Node) -> str:
    if place.kind != ACCOUNT:
        return place.name
    account = accounts.find(call.transaction, place.id)
    return account.name if account else place.id


def _of_type(call: Call, place: Node, kind: str) -> list[ControlPolicy]:
    return [each for each in organizations.attached(call.transaction, [place.id])[place.id] if each.type == kind]


def _check_enabled(within: Organization, found: ControlPolicy) -> None:
    if not within.has(found.type):
        raise PolicyTypeNotEnabledException("This operation can be performed only for enabled policy types.")

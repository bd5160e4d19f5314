"""Service and resource control policies: made, changed, shown."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, func, insert, select, update

from bailiwick.api import Call, Target
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_rcp, check_scp
from bailiwick.directory import organization_tables as tables
from bailiwick.directory.entities import record as as_record
from bailiwick.directory.organizations import DEFAULTS, RCP, SCP, ControlPolicy, Organization
from bailiwick.services.organizations import names, organization, paging, shapes, tags
from bailiwick.services.organizations.service import organizations as service
from bailiwick.services.organizations.shapes import (
    ConstraintViolationException,
    DuplicatePolicyException,
    EffectivePolicyNotFoundException,
    InvalidInputException,
    MalformedPolicyDocumentException,
    PolicyInUseException,
)
from bailiwick.services.organizations.targets import (
    NO_POLICY_TO_CHANGE,
    NO_TARGET,
    Who,
    node,
    policy,
    whole,
    within,
)
from bailiwick.store import Duplicate

MAX_SIZE = {SCP: 10_240, RCP: 5120}  # characters as typed
POLICIES_PER_TYPE = 1000
_CHECKS = {SCP: check_scp, RCP: check_rcp}
_Held = tuple[Organization, ControlPolicy]


def summary(call: Call, within: Organization, found: ControlPolicy) -> shapes.PolicySummary:
    """A policy as lists show it."""
    return shapes.PolicySummary(
        Id=found.id,
        Arn=found.arn(call.partition, within.management),
        Name=found.name,
        Description=found.description,
        Type=found.type,
        AwsManaged=found.is_aws,
    )


def _shown(call: Call, within: Organization, found: ControlPolicy) -> shapes.Policy:
    return shapes.Policy(PolicySummary=summary(call, within, found), Content=found.content)


def new_policy(call: Call, request: shapes.CreatePolicyRequest) -> Target:
    """The policy to be made, under every ARN that it may get; with tags, the caller must be allowed to set them."""
    target = whole(Who.MANAGEMENT)(call, request)
    if target.record is not None:
        kind = request.Type.lower()
        any_of_type = names.arn(call, target.record, f"policy/{target.record.id}/{kind}/*")
        target = msgspec.structs.replace(target, arn=any_of_type)
    return tags.with_tagging(target, request.Tags)


@service.operation("CreatePolicy", on=new_policy, writes=True)
def create_policy(
    call: Call, request: shapes.CreatePolicyRequest, within: Organization
) -> shapes.CreatePolicyResponse:
    if request.Type not in DEFAULTS:
        organization.unavailable(request.Type)
    _check_content(request.Type, request.Content)
    columns = tables.policy.c
    where = columns.organization == within.id, columns.type == request.Type
    row = call.transaction.one(select(func.count().label("rows")).select_from(tables.policy).where(*where))
    if row is not None and row.rows >= POLICIES_PER_TYPE:
        raise ConstraintViolationException(
            "You have exceeded the number of policies that you can have in an organization.",
            Reason="POLICY_NUMBER_LIMIT_EXCEEDED",
        )
    made = ControlPolicy(
        id=names.new(call, "p-", 10),
        organization=within.id,
        type=request.Type,
        name=request.Name,
        description=request.Description,
        content=request.Content,
        created=call.now,
    )
    if made.name == DEFAULTS[made.type].name:
        raise _duplicate()
    try:
        call.transaction.run(insert(tables.policy).values(**msgspec.structs.asdict(made)))
    except Duplicate:
        raise _duplicate() from None
    tags.put(call, made.id, request.Tags)
    return shapes.CreatePolicyResponse(Policy=_shown(call, within, made))


@service.operation("UpdatePolicy", on=policy(missing=NO_POLICY_TO_CHANGE), writes=True)
def update_policy(call: Call, request: shapes.UpdatePolicyRequest, record: _Held) -> shapes.UpdatePolicyResponse:
    within, found = record
    _check_own(found)
    if request.Content is not None:
        _check_content(found.type, request.Content)
    given = {"name": request.Name, "description": request.Description, "content": request.Content}
    values = {name: value for name, value in given.items() if value is not None}
    if values.get("name") == DEFAULTS[found.type].name:
        raise _duplicate()
    if values:
        try:
            call.transaction.run(update(tables.policy).where(tables.policy.c.id == found.id).values(**values))
        except Duplicate:
            raise _duplicate() from None
        organization.changed(call, within)
    return shapes.UpdatePolicyResponse(Policy=_shown(call, within, msgspec.structs.replace(found, **values)))


@service.operation("DeletePolicy", on=policy(missing=NO_POLICY_TO_CHANGE), writes=True)
def delete_policy(call: Call, request: shapes.DeletePolicyRequest, record: _Held) -> None:
    found = record[1]
    _check_own(found)
    link = tables.attachment.c
    if call.transaction.one(select(link.node).where(link.policy == found.id)) is not None:
        raise PolicyInUseException(
            "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts "
            "before performing this operation."
        )
    call.transaction.run(delete(tables.policy).where(tables.policy.c.id == found.id))
    tags.remove_all(call, found.id)


@service.operation("DescribePolicy", on=policy(Who.READER))
def describe_policy(
    call: Call, request: shapes.DescribePolicyRequest, record: _Held
) -> shapes.DescribePolicyResponse:
    return shapes.DescribePolicyResponse(Policy=_shown(call, *record))


@service.operation("ListPolicies", on=whole(Who.READER))
def list_policies(
    call: Call, request: shapes.ListPoliciesRequest, within: Organization
) -> shapes.ListPoliciesResponse:
    columns = tables.policy.c
    statement = select(tables.policy).where(columns.organization == within.id, columns.type == request.Filter)
    default = [DEFAULTS[request.Filter]] if request.Filter in DEFAULTS else []
    found = [*default, *(as_record(ControlPolicy, row) for row in call.transaction.all(statement))]
    found.sort(key=_made)
    page, token = paging.page(call, request, found, _made)
    return shapes.ListPoliciesResponse(Policies=[summary(call, within, each) for each in page], NextToken=token)


def what_is_in_force(call: Call, request: shapes.DescribeEffectivePolicyRequest) -> Target:
    """The account that TargetId names, or the caller's own."""
    if request.TargetId is None:
        return whole(Who.MEMBER)(call, request)
    found, _ = within(call, Who.MEMBER)
    own = found is not None and request.TargetId == call.account
    return node("TargetId", NO_TARGET, Who.MEMBER if own else Who.READER)(call, request)


@service.operation("DescribeEffectivePolicy", on=what_is_in_force)
def describe_effective_policy(
    call: Call, request: shapes.DescribeEffectivePolicyRequest, record: object
) -> shapes.DescribeEffectivePolicyResponse:
    """Only types of policy that Bailiwick does not have are merged into an effective one."""
    raise EffectivePolicyNotFoundException(f"There is no effective {request.PolicyType}: the type is not enabled.")


def _made(found: ControlPolicy) -> str:
    return paging.moment(found.created, found.id)


def _check_content(kind: str, text: str) -> None:
    if len(text) > MAX_SIZE[kind]:
        raise ConstraintViolationException(
            f"You have exceeded the maximum size of a policy: {MAX_SIZE[kind]} characters.",
            Reason="POLICY_CONTENT_LIMIT_EXCEEDED",
        )
    try:
        _CHECKS[kind](text)
    except PolicyError:
        raise MalformedPolicyDocumentException(
            "The provided policy document does not meet the requirements of the specified policy type."
        ) from None


def _check_own(found: ControlPolicy) -> None:
    if found.is_aws:
        raise InvalidInputException(
            "You can't change or delete a policy that AWS manages.", Reason="IMMUTABLE_POLICY"
        )


def _duplicate() -> DuplicatePolicyException:
    return DuplicatePolicyException("A policy with the same name already exists.")

"""How the operations of Organizations find what they act on, and who may ask.

An organization is managed from its management account. Delegated administrators may read; other members see the
organization they are in and can leave it. Whoever is allowed by policies but calls from a wrong account is told so
(`Target.absent`); whoever is not, learns nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from sqlalchemy import select

from bailiwick.api import ApiError, Call, Target, Transaction
from bailiwick.core.policy.question import Value
from bailiwick.directory import entities, organizations
from bailiwick.directory import organization_tables as tables
from bailiwick.directory.organizations import ControlPolicy, Node, Organization
from bailiwick.services.organizations import names, shapes


class Who(Enum):
    """From which accounts an operation may be called."""

    MANAGEMENT = "the management account"
    READER = "the management account and delegated administrators"
    MEMBER = "every account of the organization"


Missing = tuple[type[ApiError], str]

NO_ACCOUNT: Missing = (shapes.AccountNotFoundException, "You specified an account that doesn't exist.")
NO_CHILD: Missing = (shapes.ChildNotFoundException, "You specified a child that doesn't exist.")
NO_PARENT: Missing = (shapes.ParentNotFoundException, "You specified a parent that doesn't exist.")
NO_POLICY: Missing = (shapes.PolicyNotFoundException, "You specified a policy that doesn't exist.")
NO_POLICY_TO_CHANGE: Missing = (
    shapes.PolicyNotFoundException,
    "We can't find a policy with the PolicyId that you specified.",  # as the model describes the error
)
NO_ROOT: Missing = (shapes.RootNotFoundException, "You specified a root that doesn't exist.")
NO_TARGET: Missing = (shapes.TargetNotFoundException, "You specified a target that doesn't exist.")
NO_UNIT: Missing = (
    shapes.OrganizationalUnitNotFoundException,
    "You specified an organizational unit that doesn't exist.",
)

Finder = Callable[[Call, Any], Target]


def within(call: Call, who: Who) -> tuple[Organization | None, ApiError | None]:
    """The caller's organization, and what keeps its account from calling."""
    found = organizations.of_account(call.transaction, call.account)
    if found is None:
        return None, shapes.AWSOrganizationsNotInUseException("Your account is not a member of an organization.")
    if who is Who.MEMBER or found.management == call.account:
        return found, None
    if who is Who.READER and is_delegated(call.transaction, found.id, call.account):
        return found, None
    return found, shapes.AccessDeniedException("You don't have permissions to access this resource.")


def is_delegated(transaction: Transaction, organization_id: str, account: str) -> bool:
    """Whether an account is a delegated administrator, for whatever service."""
    columns = tables.delegation.c
    where = columns.organization == organization_id, columns.account == account
    return transaction.one(select(columns.service).where(*where)) is not None


def whole(who: Who) -> Finder:
    """A finder of the organization as a whole. The record is the Organization."""

    def find(call: Call, request: Any) -> Target:
        organization, refused = within(call, who)
        return Target(account=call.account, context=context(request), record=organization, absent=refused)

    return find


def node(member: str, missing: Missing, who: Who = Who.MANAGEMENT, kinds: Iterable[str] = ()) -> Finder:
    """A finder of the node that a member of the request names. The record is Organization and Node."""
    allowed = frozenset(kinds)

    def find(call: Call, request: Any) -> Target:
        named: str = getattr(request, member)
        organization, refused = within(call, who)
        if organization is None:
            return Target(account=call.account, context=context(request), absent=refused)
        found = node_of(call, organization, named)
        if found is not None and allowed and found.kind not in allowed:
            found = None
        return Target(
            account=call.account,
            arn=names.node_arn(call, organization, named),
            context=context(request) | tags_of(call, named if found else None),
            record=(organization, found),
            absent=refused or (None if found else missing[0](missing[1])),
        )

    return find


def node_of(call: Call, organization: Organization, node_id: str) -> Node | None:
    """The node with this id, if it is in this organization."""
    found = organizations.node(call.transaction, node_id)
    return found if found and found.organization == organization.id else None


def policy(who: Who = Who.MANAGEMENT, missing: Missing = NO_POLICY) -> Finder:
    """A finder of the policy that PolicyId names. The record is Organization and ControlPolicy."""

    def find(call: Call, request: Any) -> Target:
        organization, refused = within(call, who)
        if organization is None:
            return Target(account=call.account, absent=refused)
        found = organizations.policy(call.transaction, organization.id, request.PolicyId)
        return policy_target(call, organization, found, request, refused, missing)

    return find


def policy_target(
    call: Call,
    organization: Organization,
    found: ControlPolicy | None,
    request: Any,
    refused: ApiError | None,
    missing: Missing = NO_POLICY,
) -> Target:
    """A policy as a target; under an ARN that nothing has, if it is missing."""
    keys = context(request)
    if found is None:
        unknown = names.arn(call, organization, f"policy/{organization.id}/*")
        return Target(account=call.account, arn=unknown, context=keys, absent=refused or missing[0](missing[1]))
    keys["organizations:policytype"] = found.type
    return Target(
        account=call.account,
        arn=found.arn(call.partition, organization.management),
        context=keys | tags_of(call, found.id),
        record=(organization, found),
        absent=refused,
    )


def context(request: Any) -> dict[str, Value]:
    """The condition keys that a request gives: tags, the type of policy, the service."""
    tags = getattr(request, "Tags", None) or ()
    keys: dict[str, Value] = {f"aws:requesttag/{tag.Key.lower()}": tag.Value for tag in tags}
    named = [*(tag.Key for tag in tags), *(getattr(request, "TagKeys", None) or ())]
    if named:
        keys["aws:tagkeys"] = tuple(named)
    for member in ("PolicyType", "Type"):
        kind = getattr(request, member, None)
        if isinstance(kind, str):
            keys["organizations:policytype"] = kind
    kind = getattr(request, "Filter", None)
    if isinstance(kind, str):
        keys["organizations:policytype"] = kind
    service = getattr(request, "ServicePrincipal", None)
    if service is not None:
        keys["organizations:serviceprincipal"] = service
    return keys


def tag_owner(resource_id: str) -> str:
    """Under what the tags of something in an organization are kept."""
    return f"organizations/{resource_id}"


def tags_of(call: Call, resource_id: str | None) -> dict[str, Value]:
    """The condition keys of the tags that something carries."""
    if resource_id is None:
        return {}
    found = entities.tags(call.transaction, tag_owner(resource_id))
    return {f"aws:resourcetag/{key.lower()}": value for key, value in found.items()}

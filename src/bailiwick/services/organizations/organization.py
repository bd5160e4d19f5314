"""Organizations themselves: made, shown, ended; their root, and the types of policy that are enabled in it."""

from __future__ import annotations

from typing import NoReturn

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call, nothing
from bailiwick.directory import accounts, membership, organizations
from bailiwick.directory import organization_tables as tables
from bailiwick.directory.organizations import ACCOUNT, DEFAULTS, RCP, ROOT, SCP, Node, Organization
from bailiwick.services.organizations import names, paging, shapes, tags
from bailiwick.services.organizations.service import organizations as service
from bailiwick.services.organizations.shapes import (
    AlreadyInOrganizationException,
    MasterCannotLeaveOrganizationException,
    OrganizationNotEmptyException,
    PolicyTypeAlreadyEnabledException,
    PolicyTypeNotAvailableForOrganizationException,
    PolicyTypeNotEnabledException,
)
from bailiwick.services.organizations.targets import NO_ROOT, Who, node, whole
from bailiwick.store import Duplicate

ALL_FEATURES = "ALL"
_MEMBER_ALREADY = "The provided account is already a member of an organization."


def changed(call: Call, organization: Organization, *members: str) -> None:
    """Have what depends on the organization forgotten, and on the membership of these accounts."""
    membership.changed(call.transaction, organization, *members)


def remove_node(call: Call, node_id: str) -> None:
    """Take a node out of the tree, with its attachments and tags."""
    call.transaction.run(delete(tables.attachment).where(tables.attachment.c.node == node_id))
    call.transaction.run(delete(tables.node).where(tables.node.c.id == node_id))
    tags.remove_all(call, node_id)


def shown(call: Call, organization: Organization) -> shapes.Organization:
    """An organization as CreateOrganization and DescribeOrganization show it."""
    account = accounts.find(call.transaction, organization.management)
    return shapes.Organization(
        Id=organization.id,
        Arn=names.arn(call, organization, f"organization/{organization.id}"),
        FeatureSet=organization.feature_set,
        MasterAccountArn=names.node_arn(call, organization, organization.management),
        MasterAccountId=organization.management,
        MasterAccountEmail=account.email if account else "",
        AvailablePolicyTypes=[shapes.PolicyTypeSummary(Type=SCP, Status="ENABLED")],
    )


@service.operation("CreateOrganization", on=nothing, writes=True)
def create_organization(
    call: Call, request: shapes.CreateOrganizationRequest, record: None
) -> shapes.CreateOrganizationResponse:
    if organizations.node(call.transaction, call.account) is not None:
        raise AlreadyInOrganizationException(_MEMBER_ALREADY)
    now, made_id, root = round(call.now, 3), names.new(call, "o-", 10), names.new(call, "r-", 4)
    made = Organization(made_id, call.account, root, request.FeatureSet or ALL_FEATURES, "", "", now)
    try:
        call.transaction.run(insert(tables.organization).values(**msgspec.structs.asdict(made)))
        membership.add_node(call.transaction, made, Node(root, made.id, ROOT, "", "Root", "", "", now))
        membership.join(call.transaction, made, call.account, "INVITED", now)
    except Duplicate:
        raise AlreadyInOrganizationException(_MEMBER_ALREADY) from None
    return shapes.CreateOrganizationResponse(Organization=shown(call, made))


@service.operation("DescribeOrganization", on=whole(Who.MEMBER))
def describe_organization(
    call: Call, request: None, organization: Organization
) -> shapes.DescribeOrganizationResponse:
    return shapes.DescribeOrganizationResponse(Organization=shown(call, organization))


@service.operation("DeleteOrganization", on=whole(Who.MANAGEMENT), writes=True)
def delete_organization(call: Call, request: None, organization: Organization) -> None:
    nodes = call.transaction.all(select(tables.node).where(tables.node.c.organization == organization.id))
    if sum(row.kind == ACCOUNT for row in nodes) > 1:
        raise OrganizationNotEmptyException(
            "To delete an organization you must first remove all member accounts (except the master)."
        )
    for row in nodes:
        remove_node(call, row.id)
    policies = select(tables.policy.c.id).where(tables.policy.c.organization == organization.id)
    for row in call.transaction.all(policies):
        tags.remove_all(call, row.id)
    for table in (tables.policy, tables.creation, tables.service_access, tables.delegation, tables.handshake):
        call.transaction.run(delete(table).where(table.c.organization == organization.id))
    call.transaction.run(delete(tables.organization).where(tables.organization.c.id == organization.id))
    changed(call, organization, call.account)


# -- The root, and types of policy ------------------------------------------------------------------------


def root_shown(call: Call, organization: Organization) -> shapes.Root:
    """The root, with the types of policy that are enabled."""
    return shapes.Root(
        Id=organization.root,
        Arn=names.node_arn(call, organization, organization.root),
        Name="Root",
        PolicyTypes=[
            shapes.PolicyTypeSummary(Type=kind, Status="ENABLED") for kind in organization.policy_types.split()
        ],
    )


@service.operation("ListRoots", on=whole(Who.READER))
def list_roots(
    call: Call, request: shapes.ListRootsRequest, organization: Organization
) -> shapes.ListRootsResponse:
    shown, token = paging.page(call, request, [root_shown(call, organization)], lambda root: root.Id or "")
    return shapes.ListRootsResponse(Roots=shown, NextToken=token)


_root = node("RootId", NO_ROOT, kinds=(ROOT,))


@service.operation("EnablePolicyType", on=_root, writes=True)
def enable_policy_type(
    call: Call, request: shapes.EnablePolicyTypeRequest, record: tuple[Organization, Node]
) -> shapes.EnablePolicyTypeResponse:
    organization, kind = record[0], request.PolicyType
    if kind not in DEFAULTS:
        unavailable(kind)
    if organization.feature_set != ALL_FEATURES:
        raise PolicyTypeNotAvailableForOrganizationException(
            "You can't use the specified policy type with the feature set currently enabled for this organization."
        )
    if organization.has(kind):
        raise PolicyTypeAlreadyEnabledException("The specified policy type is already enabled.")
    nodes = call.transaction.all(select(tables.node.c.id).where(tables.node.c.organization == organization.id))
    default = DEFAULTS[kind].id
    have = call.transaction.all(select(tables.attachment.c.node).where(tables.attachment.c.policy == default))
    for row in sorted({row.id for row in nodes} - {row.node for row in have}):
        membership.attach(call.transaction, row, default, call.now)
    made = _with_types(call, organization, [*organization.policy_types.split(), kind])
    return shapes.EnablePolicyTypeResponse(Root=root_shown(call, made))


@service.operation("DisablePolicyType", on=_root, writes=True)
def disable_policy_type(
    call: Call, request: shapes.DisablePolicyTypeRequest, record: tuple[Organization, Node]
) -> shapes.DisablePolicyTypeResponse:
    """All policies of the type are detached everywhere; enabling it again begins with the default one alone."""
    organization, kind = record[0], request.PolicyType
    if not organization.has(kind):
        raise PolicyTypeNotEnabledException("This operation can be performed only for enabled policy types.")
    own = select(tables.policy.c.id).where(
        tables.policy.c.organization == organization.id, tables.policy.c.type == kind
    )
    nodes = select(tables.node.c.id).where(tables.node.c.organization == organization.id)
    link = tables.attachment.c
    call.transaction.run(delete(tables.attachment).where(link.policy.in_(own)))
    call.transaction.run(delete(tables.attachment).where(link.policy == DEFAULTS[kind].id, link.node.in_(nodes)))
    made = _with_types(call, organization, [each for each in organization.policy_types.split() if each != kind])
    return shapes.DisablePolicyTypeResponse(Root=root_shown(call, made))


def unavailable(kind: str) -> NoReturn:
    """Refuse a type of policy that Bailiwick does not have: nothing here would obey it."""
    raise PolicyTypeNotAvailableForOrganizationException(
        f"Bailiwick has policies of the types {SCP} and {RCP}; nothing here would obey a {kind}."
    )


def _with_types(call: Call, organization: Organization, kinds: list[str]) -> Organization:
    types = " ".join(kinds)
    columns = tables.organization.c
    call.transaction.run(
        update(tables.organization).where(columns.id == organization.id).values(policy_types=types)
    )
    changed(call, organization)
    return msgspec.structs.replace(organization, policy_types=types)


# -- Members go -------------------------------------------------------------------------------------------


def remove_account(call: Call, organization: Organization, account: str) -> None:
    """Make an account stand alone again. Raises MasterCannotLeaveOrganizationException."""
    if account == organization.management:
        raise MasterCannotLeaveOrganizationException(
            "You can't remove a management account from an organization. If you want the management account to "
            "become a member account in another organization, you must first delete the current organization of "
            "the management account."
        )
    columns = tables.delegation.c
    call.transaction.run(
        delete(tables.delegation).where(columns.organization == organization.id, columns.account == account)
    )
    remove_node(call, account)
    changed(call, organization, account)

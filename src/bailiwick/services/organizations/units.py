"""Organizational units: what accounts are kept in, at most five deep."""

from __future__ import annotations

import msgspec
from sqlalchemy import func, select, update

from bailiwick.api import Call, Target
from bailiwick.directory import membership, organizations
from bailiwick.directory import organization_tables as tables
from bailiwick.directory.entities import record as as_record
from bailiwick.directory.organizations import ROOT, UNIT, Node, Organization
from bailiwick.services.organizations import names, organization, paging, shapes, tags
from bailiwick.services.organizations.service import organizations as service
from bailiwick.services.organizations.shapes import (
    ConstraintViolationException,
    DuplicateOrganizationalUnitException,
    OrganizationalUnitNotEmptyException,
)
from bailiwick.services.organizations.targets import NO_CHILD, NO_PARENT, NO_UNIT, Who, node
from bailiwick.store import Duplicate

DEPTH = 5
UNITS_PER_ORGANIZATION = 2000
_Held = tuple[Organization, Node]
_named = node("OrganizationalUnitId", NO_UNIT, kinds=(UNIT,))


def _shown(call: Call, within: Organization, unit: Node) -> shapes.OrganizationalUnit:
    line = organizations.line(call.transaction, unit)
    return shapes.OrganizationalUnit(
        Id=unit.id,
        Arn=names.node_arn(call, within, unit.id),
        Name=unit.name,
        Path="".join(f"{each}/" for each in (within.id, *(each.id for each in line))),
    )


def new_unit(call: Call, request: shapes.CreateOrganizationalUnitRequest) -> Target:
    """The parent of the unit to be made; with tags, the caller must be allowed to set them too."""
    return tags.with_tagging(node("ParentId", NO_PARENT)(call, request), request.Tags)


@service.operation("CreateOrganizationalUnit", on=new_unit, writes=True)
def create_organizational_unit(
    call: Call, request: shapes.CreateOrganizationalUnitRequest, record: _Held
) -> shapes.CreateOrganizationalUnitResponse:
    within, parent = record
    _check_quotas(call, within, parent)
    unit_id = names.new(call, f"ou-{within.root.removeprefix('r-')}-", 8)
    made = Node(unit_id, within.id, UNIT, parent.id, request.Name, "", "", call.now)
    try:
        membership.add_node(call.transaction, within, made)
    except Duplicate:
        raise _duplicate() from None
    tags.put(call, unit_id, request.Tags)
    organization.changed(call, within)
    return shapes.CreateOrganizationalUnitResponse(OrganizationalUnit=_shown(call, within, made))


@service.operation("UpdateOrganizationalUnit", on=_named, writes=True)
def update_organizational_unit(
    call: Call, request: shapes.UpdateOrganizationalUnitRequest, record: _Held
) -> shapes.UpdateOrganizationalUnitResponse:
    within, unit = record
    if request.Name == unit.name:
        raise _duplicate()
    if request.Name is not None:
        unit = msgspec.structs.replace(unit, name=request.Name)
        try:
            call.transaction.run(
                update(tables.node)
                .where(tables.node.c.id == unit.id)
                .values(name=request.Name, folded=request.Name)
            )
        except Duplicate:
            raise _duplicate() from None
    return shapes.UpdateOrganizationalUnitResponse(OrganizationalUnit=_shown(call, within, unit))


@service.operation("DeleteOrganizationalUnit", on=_named, writes=True)
def delete_organizational_unit(call: Call, request: shapes.DeleteOrganizationalUnitRequest, record: _Held) -> None:
    within, unit = record
    if call.transaction.one(select(tables.node.c.id).where(tables.node.c.parent == unit.id)) is not None:
        raise OrganizationalUnitNotEmptyException(
            "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child "
            "OUs, and try the operation again."
        )
    organization.remove_node(call, unit.id)
    organization.changed(call, within)


@service.operation("DescribeOrganizationalUnit", on=node("OrganizationalUnitId", NO_UNIT, Who.READER, (UNIT,)))
def describe_organizational_unit(
    call: Call, request: shapes.DescribeOrganizationalUnitRequest, record: _Held
) -> shapes.DescribeOrganizationalUnitResponse:
    return shapes.DescribeOrganizationalUnitResponse(OrganizationalUnit=_shown(call, *record))


@service.operation("ListOrganizationalUnitsForParent", on=node("ParentId", NO_PARENT, Who.READER))
def list_organizational_units_for_parent(
    call: Call, request: shapes.ListOrganizationalUnitsForParentRequest, record: _Held
) -> shapes.ListOrganizationalUnitsForParentResponse:
    page, token = paging.page(call, request, _children(call, record[1], UNIT), _joined)
    return shapes.ListOrganizationalUnitsForParentResponse(
        OrganizationalUnits=[_shown(call, record[0], each) for each in page], NextToken=token
    )


@service.operation("ListChildren", on=node("ParentId", NO_PARENT, Who.READER))
def list_children(call: Call, request: shapes.ListChildrenRequest, record: _Held) -> shapes.ListChildrenResponse:
    page, token = paging.page(call, request, _children(call, record[1], request.ChildType), _joined)
    return shapes.ListChildrenResponse(
        Children=[shapes.Child(Id=each.id, Type=each.kind) for each in page], NextToken=token
    )


@service.operation("ListParents", on=node("ChildId", NO_CHILD, Who.READER))
def list_parents(call: Call, request: shapes.ListParentsRequest, record: _Held) -> shapes.ListParentsResponse:
    parent = record[1].parent
    return shapes.ListParentsResponse(
        Parents=[shapes.Parent(Id=parent, Type=names.kind_of(parent))] if parent else []
    )


def _children(call: Call, parent: Node, kind: str) -> list[Node]:
    columns = tables.node.c
    statement = select(tables.node).where(columns.parent == parent.id, columns.kind == kind)
    return [as_record(Node, row) for row in call.transaction.all(statement.order_by(columns.joined, columns.id))]


def _joined(each: Node) -> str:
    return paging.moment(each.joined, each.id)


def _check_quotas(call: Call, within: Organization, parent: Node) -> None:
    depth = sum(each.kind != ROOT for each in organizations.line(call.transaction, parent))
    if depth >= DEPTH:
        raise ConstraintViolationException(
            "You have exceeded the maximum nesting depth of organizational units.", Reason="OU_DEPTH_LIMIT_EXCEEDED"
        )
    where = tables.node.c.organization == within.id, tables.node.c.kind == UNIT
    row = call.transaction.one(select(func.count().label("rows")).select_from(tables.node).where(*where))
    if row is not None and row.rows >= UNITS_PER_ORGANIZATION:
        raise ConstraintViolationException(
            "You have exceeded the number of organizational units that an organization can have.",
            Reason="OU_NUMBER_LIMIT_EXCEEDED",
        )


def _duplicate() -> DuplicateOrganizationalUnitException:
    return DuplicateOrganizationalUnitException("An OU with the same name already exists.")

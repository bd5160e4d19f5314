"""Invitations: how an account that exists joins an organization. They end after 15 days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, func, insert, select, update

from bailiwick.api import Call, Target
from bailiwick.directory import accounts, membership, organizations
from bailiwick.directory import organization_tables as tables
from bailiwick.directory import tables as directory
from bailiwick.directory.entities import record as as_record
from bailiwick.directory.organizations import ACCOUNT, Organization
from bailiwick.services.organizations import names, paging, shapes, tags
from bailiwick.services.organizations.service import organizations as service
from bailiwick.services.organizations.shapes import (
    AccessDeniedException,
    DuplicateHandshakeException,
    HandshakeAlreadyInStateException,
    HandshakeConstraintViolationException,
    HandshakeNotFoundException,
    InvalidHandshakeTransitionException,
    InvalidInputException,
)
from bailiwick.services.organizations.targets import Who, whole
from bailiwick.store import Duplicate

_SECONDS = 15 * 86400
_INVITE = "INVITE"


class Handshake(msgspec.Struct, frozen=True):
    """An invitation of an organization to an account."""

    id: str
    organization: str
    account: str
    state: str
    notes: str | None
    requested: float
    expires: float


_Held = tuple[Organization, Handshake]


def _shown(call: Call, inviting: Organization, found: Handshake) -> shapes.Handshake:
    master = accounts.find(call.transaction, inviting.management)
    resource = shapes.HandshakeResource
    resources = [
        resource(
            Type="ORGANIZATION",
            Value=inviting.id,
            Resources=[
                resource(Type="MASTER_EMAIL", Value=master.email if master else ""),
                resource(Type="MASTER_NAME", Value=master.name if master else ""),
                resource(Type="ORGANIZATION_FEATURE_SET", Value=inviting.feature_set),
            ],
        ),
        resource(Type="ACCOUNT", Value=found.account),
    ]
    if found.notes is not None:
        resources.append(resource(Type="NOTES", Value=found.notes))
    return shapes.Handshake(
        Id=found.id,
        Arn=names.handshake_arn(call, inviting, found.id),
        Parties=[
            shapes.HandshakeParty(Id=inviting.id.removeprefix("o-"), Type="ORGANIZATION"),
            shapes.HandshakeParty(Id=found.account, Type="ACCOUNT"),
        ],
        State=_state(call, found),
        RequestedTimestamp=found.requested,
        ExpirationTimestamp=found.expires,
        Action=_INVITE,
        Resources=resources,
    )


def _state(call: Call, found: Handshake) -> str:
    return "EXPIRED" if found.state == "OPEN" and found.expires <= call.now else found.state


def invited(call: Call, request: shapes.InviteAccountToOrganizationRequest) -> Target:
    """The account to invite; with tags, the caller must be allowed to set them too."""
    target = whole(Who.MANAGEMENT)(call, request)
    if target.record is not None and request.Target.Type == ACCOUNT:
        account = names.node_arn(call, target.record, request.Target.Id)
        target = msgspec.structs.replace(target, arn=account)
    return tags.with_tagging(target, request.Tags)


@service.operation("InviteAccountToOrganization", on=invited, writes=True)
def invite_account(
    call: Call, request: shapes.InviteAccountToOrganizationRequest, inviting: Organization
) -> shapes.InviteAccountToOrganizationResponse:
    account = _account(call, request.Target)
    if organizations.node(call.transaction, account) is not None:
        raise _member_already()
    columns = tables.handshake.c
    open_ones = _found(call, columns.organization == inviting.id, columns.account == account)
    if any(_state(call, each) == "OPEN" for each in open_ones):
        raise DuplicateHandshakeException("A handshake with the same action and target already exists.")
    now = round(call.now, 3)
    made = Handshake(names.new(call, "h-", 8), inviting.id, account, "OPEN", request.Notes, now, now + _SECONDS)
    call.transaction.run(insert(tables.handshake).values(**msgspec.structs.asdict(made)))
    tags.put(call, account, request.Tags)
    return shapes.InviteAccountToOrganizationResponse(Handshake=_shown(call, inviting, made))


def _account(call: Call, party: shapes.HandshakeParty) -> str:
    """The account that an invitation is for, by its id or its e-mail address."""
    if party.Type == "ORGANIZATION":
        raise InvalidInputException("You can invite an account only.", Reason="INVALID_PARTY_TYPE_TARGET")
    columns = directory.account.c
    where = columns.id == party.Id if party.Type == ACCOUNT else func.lower(columns.email) == party.Id.lower()
    row = call.transaction.one(select(columns.id).where(where))
    if row is None:
        raise InvalidInputException(
            "You specified an account that doesn't exist.", Reason="INVALID_PARTY_TYPE_TARGET"
        )
    return str(row.id)


def _finder(*, invited: bool, inviting: bool) -> Any:
    """A finder of the invitation that HandshakeId names, for one of its sides. The record is it and who invites."""

    def find(call: Call, request: Any) -> Target:
        found = _found(call, tables.handshake.c.id == request.HandshakeId)
        home = organizations.find(call.transaction, found[0].organization) if found else None
        if home is None:
            unknown = f"arn:{call.partition}:organizations::{call.account}:handshake/*/invite/{request.HandshakeId}"
            missing = HandshakeNotFoundException("You specified a handshake that doesn't exist.")
            return Target(account=call.account, arn=unknown, absent=missing)
        mine = (invited and found[0].account == call.account) or (inviting and home.management == call.account)
        return Target(
            account=call.account,
            arn=names.handshake_arn(call, home, found[0].id),
            record=(home, found[0]),
            absent=None if mine else AccessDeniedException("You don't have permissions to access this resource."),
        )

    return find


@service.operation("AcceptHandshake", on=_finder(invited=True, inviting=False), writes=True)
def accept_handshake(
    call: Call, request: shapes.AcceptHandshakeRequest, record: _Held
) -> shapes.AcceptHandshakeResponse:
    inviting, found = record
    if organizations.node(call.transaction, found.account) is not None:
        raise _member_already()
    ended = _end(call, found, "ACCEPTED")
    try:
        membership.join(call.transaction, inviting, found.account, "INVITED", call.now)
    except Duplicate:
        raise _member_already() from None
    return shapes.AcceptHandshakeResponse(Handshake=_shown(call, inviting, ended))


@service.operation("DeclineHandshake", on=_finder(invited=True, inviting=False), writes=True)
def decline_handshake(
    call: Call, request: shapes.DeclineHandshakeRequest, record: _Held
) -> shapes.DeclineHandshakeResponse:
    return shapes.DeclineHandshakeResponse(Handshake=_shown(call, record[0], _end(call, record[1], "DECLINED")))


@service.operation("CancelHandshake", on=_finder(invited=False, inviting=True), writes=True)
def cancel_handshake(
    call: Call, request: shapes.CancelHandshakeRequest, record: _Held
) -> shapes.CancelHandshakeResponse:
    return shapes.CancelHandshakeResponse(Handshake=_shown(call, record[0], _end(call, record[1], "CANCELED")))


@service.operation("DescribeHandshake", on=_finder(invited=True, inviting=True))
def describe_handshake(
    call: Call, request: shapes.DescribeHandshakeRequest, record: _Held
) -> shapes.DescribeHandshakeResponse:
    return shapes.DescribeHandshakeResponse(Handshake=_shown(call, *record))


@service.operation("ListHandshakesForOrganization", on=whole(Who.READER))
def list_handshakes_for_organization(
    call: Call, request: shapes.ListHandshakesForOrganizationRequest, inviting: Organization
) -> shapes.ListHandshakesForOrganizationResponse:
    found = _found(call, tables.handshake.c.organization == inviting.id)
    page, token = _page(call, request, found)
    return shapes.ListHandshakesForOrganizationResponse(
        Handshakes=[_shown(call, inviting, each) for each in page], NextToken=token
    )


def every_own(call: Call, request: Any) -> Target:
    """The caller's own account, whether or not it is in an organization."""
    return Target(account=call.account)


@service.operation("ListHandshakesForAccount", on=every_own)
def list_handshakes_for_account(
    call: Call, request: shapes.ListHandshakesForAccountRequest, record: None
) -> shapes.ListHandshakesForAccountResponse:
    page, token = _page(call, request, _found(call, tables.handshake.c.account == call.account))
    homes = {each.organization: organizations.find(call.transaction, each.organization) for each in page}
    shown = [_shown(call, home, each) for each in page if (home := homes[each.organization]) is not None]
    return shapes.ListHandshakesForAccountResponse(Handshakes=shown, NextToken=token)


def _page(call: Call, request: Any, found: Sequence[Handshake]) -> tuple[list[Handshake], str | None]:
    wanted = request.Filter.ActionType if request.Filter else None
    kept = found if wanted in (None, _INVITE) else []
    return paging.page(call, request, kept, lambda each: paging.moment(each.requested, each.id))


def _found(call: Call, *where: Any) -> list[Handshake]:
    columns = tables.handshake.c
    rows: Sequence[Row[Any]] = call.transaction.all(
        select(tables.handshake).where(*where).order_by(columns.requested, columns.id)
    )
    return [as_record(Handshake, row) for row in rows]


def _end(call: Call, found: Handshake, state: str) -> Handshake:
    present = _state(call, found)
    if present == state:
        raise HandshakeAlreadyInStateException("The specified handshake is already in the requested state.")
    if present != "OPEN":
        raise InvalidHandshakeTransitionException(
            "You can't perform the operation on the handshake in its current state."
        )
    call.transaction.run(update(tables.handshake).where(tables.handshake.c.id == found.id).values(state=state))
    return msgspec.structs.replace(found, state=state)


def _member_already() -> HandshakeConstraintViolationException:
    return HandshakeConstraintViolationException(
        "The account is already a member of an organization.", Reason="ALREADY_IN_AN_ORGANIZATION"
    )

"""How the operations find what they act on: an instance, in it a permission set, and an account.

An instance is administered from its own account. The actions are those of `sso`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bailiwick.api import ApiError, Call, Target
from bailiwick.core.policy.question import Value
from bailiwick.directory import accounts, organizations
from bailiwick.directory.center import access, people
from bailiwick.directory.center.access import PermissionSet
from bailiwick.directory.center.people import Instance
from bailiwick.services.sso_admin.shapes import AccessDeniedException, ResourceNotFoundException

Finder = Callable[[Call, Any], Target]


class Held(msgspec.Struct, frozen=True):
    """What a handler is given: the instance, and the permission set if one was named."""

    instance: Instance
    permission_set: PermissionSet

    @property
    def id(self) -> str:
        """The permission set's id."""
        return self.permission_set.id


def action(call: Call) -> str:
    """The IAM action of the operation."""
    return f"sso:{call.operation.name}"


def nothing(call: Call, request: Any) -> Target:
    """No resource."""
    return Target(account=call.account, action=action(call))


def instance(call: Call, request: Any) -> Target:
    """The instance that InstanceArn names. The record is the Instance."""
    asked = request.InstanceArn.rpartition("/")[2]
    found = people.instance(call.transaction, id=asked)
    absent: ApiError | None = None if found else ResourceNotFoundException("Instance not found.")
    if found is not None and found.account != call.account:
        absent = AccessDeniedException("The instance belongs to another account.")
    return Target(
        account=call.account,
        arn=f"arn:{call.partition}:sso:::instance/{asked}",
        action=action(call),
        context=_context(found) | _passed(request),
        record=found,
        absent=absent,
    )


def permission_set(call: Call, request: Any) -> Target:
    """The permission set that PermissionSetArn names, in its instance. The record is Held."""
    target = instance(call, request)
    _, _, named = request.PermissionSetArn.partition(":permissionSet/")
    of_instance, _, set_id = named.partition("/")
    found = None
    if target.absent is None and target.record.id == of_instance:
        found = access.permission_set(call.transaction, of_instance, set_id)
    also = Target(
        account=call.account,
        arn=request.PermissionSetArn,
        action=action(call),
        context=target.context,
        absent=None if found else ResourceNotFoundException(f"Could not find PermissionSet with id {set_id}"),
    )
    record = Held(target.record, found) if found else None
    return msgspec.structs.replace(target, record=record, also=(also,))


def with_account(find: Finder, member: str) -> Finder:
    """The same, and the account that a member of the request names, if it names one."""

    def finder(call: Call, request: Any) -> Target:
        target = find(call, request)
        named = getattr(request, member)
        if named is None:
            return target
        account = Target(
            account=call.account,
            arn=f"arn:{call.partition}:sso:::account/{named}",
            action=action(call),
            context=target.context,
            absent=None if is_reached(call, named) else ResourceNotFoundException("Account not found."),
        )
        return msgspec.structs.replace(target, also=(*target.also, account))

    return finder


def is_reached(call: Call, account: str) -> bool:
    """Whether an account can be assigned to people: the instance's own, or another of its organization."""
    if accounts.find(call.transaction, account) is None:
        return False
    if account == call.account:
        return True
    own = organizations.of_account(call.transaction, call.account)
    other = organizations.of_account(call.transaction, account)
    return own is not None and other is not None and own.id == other.id and own.management == call.account


def _context(found: Instance | None) -> dict[str, Value]:
    return {"sso:primaryregion": found.region} if found else {}


def _passed(request: Any) -> dict[str, Value]:
    """The condition keys of tags that a request passes."""
    tags = getattr(request, "Tags", None) or ()
    context: dict[str, Value] = {f"aws:requesttag/{tag.Key.lower()}": tag.Value for tag in tags}
    named = [*(tag.Key for tag in tags), *(getattr(request, "TagKeys", None) or ())]
    return context | ({"aws:tagkeys": tuple(named)} if named else {})

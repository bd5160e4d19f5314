"""How the operations of IAM find what they act on.

What does not exist is a target like any other, under the ARN that it would have: only someone who may act on
that is told that it is missing.
"""

from __future__ import annotations

from typing import Any

from bailiwick.api import Call, Target, ValidationError
from bailiwick.core.policy.question import PrincipalKind, Value
from bailiwick.directory import entities
from bailiwick.directory.entities import ManagedPolicy, Role, User
from bailiwick.directory.providers import OidcProvider, SamlProvider
from bailiwick.services.iam import names, tags
from bailiwick.services.iam.shapes import NoSuchEntityException

_NOT_A_USER = "Must specify userName when calling with non-User credentials"


def user_named(call: Call, request: Any) -> Target:
    """The user that UserName names. The record is a User."""
    return _user(call, entities.user(call.transaction, call.account, request.UserName), request)


def user_or_self(call: Call, request: Any) -> Target:
    """The user that UserName names, or the caller if she is a user. The record is a User."""
    if request.UserName is not None:
        return user_named(call, request)
    if call.caller.kind is not PrincipalKind.USER:
        raise ValidationError(_NOT_A_USER)
    return _user(call, entities.user_by_id(call.transaction, call.caller.principal.unique_id), request)


def owner_or_self(call: Call, request: Any) -> Target:
    """Whose access keys are meant: a user's, or the root user's own. The record is a User, or None for root."""
    if request.UserName is None and call.caller.kind is PrincipalKind.ROOT:
        return Target(account=call.account, arn=call.caller.arn)
    return user_or_self(call, request)


def group_named(call: Call, request: Any) -> Target:
    """The group that GroupName names. The record is a Group."""
    found = entities.group(call.transaction, call.account, request.GroupName)
    name = found.name if found else request.GroupName
    return Target(
        account=call.account,
        arn=names.account_arn(call, "group", found.path if found else "/", name),
        record=found,
        label=f"group {name}",
        absent=None if found else no_group(name),
    )


def role_named(call: Call, request: Any) -> Target:
    """The role that RoleName names. The record is a Role."""
    found = entities.role(call.transaction, call.account, request.RoleName)
    name = found.name if found else request.RoleName
    context = _bounded(call, found, request)
    return Target(
        account=call.account,
        arn=names.account_arn(call, "role", found.path if found else "/", name),
        record=found,
        label=f"role {name}",
        context=context,
        absent=None if found else no_role(name),
    )


def policy_named(call: Call, request: Any) -> Target:
    """The managed policy that PolicyArn names, to be looked at or attached. The record is a ManagedPolicy."""
    return _policy(call, request, "does not exist or is not attachable.")


def policy_to_change(call: Call, request: Any) -> Target:
    """The managed policy that PolicyArn names, to be deleted or tagged. The record is a ManagedPolicy."""
    return _policy(call, request, "was not found.")


def _policy(call: Call, request: Any, missing: str) -> Target:
    arn = request.PolicyArn
    found = policy_of(call, arn)
    context = tags.of_both(call, request, found.id if found and not found.is_aws else None)
    return Target(
        account=call.account,
        arn=arn,
        record=found,
        label=f"policy {arn}",
        context=context,
        absent=None if found else NoSuchEntityException(f"Policy {arn} {missing}"),
    )


def provider(call: Call, request: Any, arn: str, found: OidcProvider | SamlProvider | None, missing: str) -> Target:
    """The provider with this ARN, as it was `found` and if it is the caller's account's; else it is `missing`."""
    record = found if found is not None and found.account == call.account else None
    return Target(
        account=call.account,
        arn=arn,
        record=record,
        context=tags.of_both(call, request, arn if record else None),
        absent=None if record else NoSuchEntityException(missing),
    )


def policy_of(call: Call, policy_arn: str) -> ManagedPolicy | None:
    """The managed policy with this ARN, if it is the caller's account's or AWS's.

    Raises ValidationError for what is not the ARN of a policy.
    """
    fields = policy_arn.split(":", 5)
    if len(fields) != 6 or fields[0] != "arn" or fields[2] != "iam" or not fields[5].startswith("policy/"):
        raise ValidationError(f"ARN {policy_arn} is not valid.")
    found = entities.policy(call.transaction, policy_arn)
    return found if found and found.account in (call.account, "aws") else None


def no_user(name: str) -> NoSuchEntityException:
    """The error for a user that does not exist."""
    return NoSuchEntityException(f"The user with name {name} cannot be found.")


def no_group(name: str) -> NoSuchEntityException:
    """The error for a group that does not exist."""
    return NoSuchEntityException(f"The group with name {name} cannot be found.")


def no_role(name: str) -> NoSuchEntityException:
    """The error for a role that does not exist."""
    return NoSuchEntityException(f"The role with name {name} cannot be found.")


def _user(call: Call, found: User | None, request: Any) -> Target:
    name = found.name if found else request.UserName
    return Target(
        account=call.account,
        arn=names.account_arn(call, "user", found.path if found else "/", name),
        record=found,
        label=f"user {name}",
        context=_bounded(call, found, request),
        absent=None if found else no_user(name),
    )


def _bounded(call: Call, found: User | Role | None, request: Any) -> dict[str, Value]:
    """The condition keys of a user or role: its tags, its boundary, and the tags in the request."""
    context = tags.of_both(call, request, found.id if found else None)
    if found is not None and found.boundary is not None:
        context["iam:permissionsboundary"] = found.boundary
    return context

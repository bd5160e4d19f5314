"""PassRole: may she hand this role to the service through which she calls? An operation of our own.

In AWS it is a permission, which each service checks where somebody gives it a role to use later. Here a service
does the same with the forward access session of that somebody. Source: facts/policy.md section 3.4.
"""

from __future__ import annotations

from bailiwick.api import Call, Target
from bailiwick.core import arn
from bailiwick.core.errors import ArnError
from bailiwick.core.policy.question import Value
from bailiwick.directory import entities
from bailiwick.services.iam import shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import InvalidInputException
from bailiwick.services.iam.targets import no_role

_DIRECT = "A role is passed to a service: the service asks this with its caller's forward access session."


def role_passed(call: Call, request: shapes.PassRoleRequest) -> Target:
    """The role, with the service that it is passed to. A role of another account cannot be passed."""
    session = call.caller.session
    context: dict[str, Value] = {}
    if session is not None and session.via:
        context["iam:passedtoservice"] = session.via[-1]
    if request.AssociatedResourceArn is not None:
        context["iam:associatedresourcearn"] = request.AssociatedResourceArn
    found = entities.role_by_arn(call.transaction, request.RoleArn)
    if found is not None and found.account != call.account:
        found = None
    return Target(
        account=call.account,
        arn=request.RoleArn,
        context=context,
        record=found,
        absent=None if found else no_role(_name(request.RoleArn)),
    )


@iam.operation("PassRole", on=role_passed)
def pass_role(call: Call, request: shapes.PassRoleRequest, found: entities.Role) -> None:
    if call.caller.session is None or not call.caller.session.via:
        raise InvalidInputException(_DIRECT)


def _name(role_arn: str) -> str:
    try:
        return arn.parse(role_arn).resource.rpartition("/")[2]
    except ArnError:
        return role_arn

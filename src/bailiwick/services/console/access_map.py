"""The access map: who of the account can do something with a resource, drawn as a graph and told as a list.

Every user and role is asked about by SimulatePrincipalPolicy, with the resource's own policy: so it is what would
really be decided for a request without further conditions. A thousand principals at most are asked.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import ApiError
from bailiwick.core.message import Response
from bailiwick.services.console.asking import Gap, attempt, every
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()

ACTIONS = {
    "kms": ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"),
    "iam": ("sts:AssumeRole", "iam:PassRole", "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:DeleteRole"),
}
_MOST = 300
_ROW, _LEFT, _RIGHT = 34, 250, 560


class Reach(msgspec.Struct, frozen=True):
    """A principal and what it may do. `y` is where it is drawn."""

    arn: str
    name: str
    kind: str
    actions: list[str]
    y: int


@pages.get("/console/map")
def access_map(visit: Visit) -> Response:
    """Who can reach a resource."""
    resource = visit.query.filled("resource") or ""
    service = resource.split(":")[2] if resource.count(":") >= 5 else ""
    asked = ACTIONS.get(service, ())
    chosen = [action for action in asked if visit.query.get("action", "") in ("", action)]
    reached: list[Reach] = []
    wrong = ""
    if chosen:
        try:
            reached = _reached(visit, resource, chosen)
        except ApiError as error:
            wrong = str(error)
    elif resource:
        wrong = "The map is drawn for KMS keys and IAM roles."
    return visit.page(
        "console/map.html",
        resource=resource,
        reached=reached,
        actions=asked,
        chosen=visit.query.get("action", ""),
        wrong=wrong,
        height=max(len(reached) * _ROW + 20, 80),
        left=_LEFT,
        right=_RIGHT,
        grants=_grants(visit, resource, service),
    )


def _reached(visit: Visit, resource: str, actions: list[str]) -> list[Reach]:
    policy = _policy_of(visit, resource)
    found: list[Reach] = []
    for kind, arn, name in _principals(visit):
        members: dict[str, Any] = {"PolicySourceArn": arn, "ActionNames": actions, "ResourceArns": [resource]}
        if policy is not None:
            members |= {"ResourcePolicy": policy, "CallerArn": arn}
        answer = visit.call("iam", "SimulatePrincipalPolicy", **members)
        allowed = [each.EvalActionName for each in answer.EvaluationResults or [] if each.EvalDecision == "allowed"]
        if allowed:
            found.append(Reach(arn, name, kind, allowed, 20 + len(found) * _ROW))
    return found


def _principals(visit: Visit) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for kind, operation, member, named in (
        ("user", "ListUsers", "Users", "UserName"),
        ("role", "ListRoles", "Roles", "RoleName"),
    ):

        def ask(
            marker: str | None, operation: str = operation, member: str = member
        ) -> tuple[list[Any], str | None]:
            page = visit.call("iam", operation, MaxItems=200, Marker=marker)
            return getattr(page, member), page.Marker if page.IsTruncated else None

        found += [(kind, each.Arn, getattr(each, named)) for each in every(ask, _MOST)]
    return found[:_MOST]


def _policy_of(visit: Visit, resource: str) -> str | None:
    """The resource's own policy: of a key; the trust policy of a role is no resource policy to the simulator."""
    if resource.split(":")[2] != "kms":
        return None
    region = resource.split(":")[3]
    found = attempt(visit, "kms", "GetKeyPolicy", region=region, KeyId=resource)
    return None if isinstance(found, Gap) else str(found.Policy)


def _grants(visit: Visit, resource: str, service: str) -> Any:
    """The grants on a key, which are another way to it."""
    if service != "kms":
        return Gap("")
    return attempt(visit, "kms", "ListGrants", region=resource.split(":")[3], KeyId=resource, Limit=100)

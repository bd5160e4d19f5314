"""Users, groups and roles: lists of them, and one of each with all that it has."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote

from bailiwick.api import ApiError
from bailiwick.core.message import Response
from bailiwick.services.console.asking import Gap, attempt, listed
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()


@pages.get("/console/iam/users")
def users(visit: Visit) -> Response:
    """A page of users."""
    return visit.page("console/users.html", found=listed(visit, "iam", "ListUsers", "Users"))


@pages.get("/console/iam/groups")
def groups(visit: Visit) -> Response:
    """A page of groups."""
    return visit.page("console/groups.html", found=listed(visit, "iam", "ListGroups", "Groups"))


@pages.get("/console/iam/roles")
def roles(visit: Visit) -> Response:
    """A page of roles."""
    return visit.page("console/roles.html", found=listed(visit, "iam", "ListRoles", "Roles"))


@pages.get("/console/iam/users/{name}")
def user(visit: Visit, name: str) -> Response:
    """One user."""
    found = visit.call("iam", "GetUser", UserName=name).User
    keys = attempt(visit, "iam", "ListAccessKeys", UserName=name)
    return visit.page(
        "console/user.html",
        user=found,
        attached=attempt(visit, "iam", "ListAttachedUserPolicies", UserName=name),
        inline=attempt(visit, "iam", "ListUserPolicies", UserName=name),
        groups=attempt(visit, "iam", "ListGroupsForUser", UserName=name),
        keys=keys,
        used=_used(visit, keys),
        devices=attempt(visit, "iam", "ListMFADevices", UserName=name),
        password=attempt(visit, "iam", "GetLoginProfile", UserName=name),
    )


def _used(visit: Visit, keys: Any) -> dict[str, Any]:
    """When each key was last used."""
    if isinstance(keys, Gap):
        return {}
    return {
        each.AccessKeyId: attempt(visit, "iam", "GetAccessKeyLastUsed", AccessKeyId=each.AccessKeyId)
        for each in keys.AccessKeyMetadata
    }


@pages.post("/console/iam/users/{name}/new-key")
def new_key(visit: Visit, name: str) -> Response:
    """Make an access key, whose secret this page alone shows."""
    try:
        made = visit.call("iam", "CreateAccessKey", UserName=name).AccessKey
    except ApiError as error:
        return visit.redirect(f"/console/iam/users/{name}", bad=str(error))
    table = f"User Name,Access key ID,Secret access key\r\n{name},{made.AccessKeyId},{made.SecretAccessKey}\r\n"
    profile = f"[default]\naws_access_key_id = {made.AccessKeyId}\naws_secret_access_key = {made.SecretAccessKey}\n"
    return visit.page("console/new_key.html", made=made, table=_data(table), profile=_data(profile))


def _data(text: str) -> str:
    return f"data:text/plain;base64,{base64.b64encode(text.encode()).decode()}"


@pages.get("/console/iam/groups/{name}")
def group(visit: Visit, name: str) -> Response:
    """One group."""
    return visit.page(
        "console/group.html",
        found=visit.call("iam", "GetGroup", GroupName=name),
        attached=attempt(visit, "iam", "ListAttachedGroupPolicies", GroupName=name),
        inline=attempt(visit, "iam", "ListGroupPolicies", GroupName=name),
    )


@pages.get("/console/iam/roles/{name}")
def role(visit: Visit, name: str) -> Response:
    """One role."""
    found = visit.call("iam", "GetRole", RoleName=name).Role
    return visit.page(
        "console/role.html",
        role=found,
        trust=unquote(found.AssumeRolePolicyDocument or ""),
        attached=attempt(visit, "iam", "ListAttachedRolePolicies", RoleName=name),
        inline=attempt(visit, "iam", "ListRolePolicies", RoleName=name),
    )


@pages.get("/console/iam/inline/{kind}/{name}/{policy}")
def inline(visit: Visit, kind: str, name: str, policy: str) -> Response:
    """An inline policy of a user, group or role."""
    owners = {"user": "UserName", "group": "GroupName", "role": "RoleName"}
    if kind not in owners:
        return visit.redirect("/console")
    member = owners[kind]
    found = visit.call("iam", f"Get{kind.capitalize()}Policy", **{member: name, "PolicyName": policy})
    return visit.page(
        "console/inline.html",
        kind=kind,
        name=name,
        member=member,
        policy=policy,
        document=unquote(found.PolicyDocument),
        path=f"/console/iam/{kind}s/{name}",
    )

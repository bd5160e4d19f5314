"""What can be done in IAM on a page of one form."""

from __future__ import annotations

from bailiwick.services.console.action import Action, Field, tags

USERS, GROUPS, ROLES, POLICIES = (f"/console/iam/{each}" for each in ("users", "groups", "roles", "policies"))
_LONGER = "She can do no more than this managed policy allows. Its ARN."

TRUST = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
      "Action": "sts:AssumeRole"
    }
  ]
}"""


def _user() -> Field:
    return Field("UserName", "User")


def _group() -> Field:
    return Field("GroupName", "Group")


def _role() -> Field:
    return Field("RoleName", "Role")


def _policy() -> Field:
    return Field("PolicyArn", "Policy", hint="Its ARN: arn:aws:iam::aws:policy/ReadOnlyAccess, or one of your own.")


def _inline(owner: Field, operation: str, home: str) -> Action:
    return Action(
        "Inline policy",
        "iam",
        operation,
        (owner, Field("PolicyName", "Name"), Field("PolicyDocument", "Policy", "json")),
        "The inline policy was saved.",
        home,
    )


def _pair(slug: str, what: str, owner: Field, home: str) -> dict[str, Action]:
    """Attaching and detaching a managed policy."""
    kind = what.capitalize()
    return {
        f"attach-{slug}-policy": Action(
            f"Attach a policy to a {what}",
            "iam",
            f"Attach{kind}Policy",
            (owner, _policy()),
            "The policy was attached.",
            home,
            "Attach",
        ),
        f"detach-{slug}-policy": Action(
            f"Detach a policy from a {what}",
            "iam",
            f"Detach{kind}Policy",
            (owner, _policy()),
            "The policy was detached.",
            home,
            "Detach",
            danger=True,
        ),
        f"put-{slug}-policy": _inline(owner, f"Put{kind}Policy", home),
        f"delete-{slug}-policy": Action(
            "Delete an inline policy",
            "iam",
            f"Delete{kind}Policy",
            (owner, Field("PolicyName", "Name")),
            "The inline policy was deleted.",
            home,
            "Delete",
            danger=True,
        ),
    }


IAM: dict[str, Action] = {
    "create-user": Action(
        "New user",
        "iam",
        "CreateUser",
        (
            Field("UserName", "Name"),
            Field("Path", "Path", required=False, hint="Begins and ends with a slash: /team/"),
            tags(),
        ),
        "The user was created.",
        USERS,
        "Create the user",
        text="A user can do nothing until a policy, or a group, says so.",
    ),
    "delete-user": Action(
        "Delete a user",
        "iam",
        "DeleteUser",
        (_user(),),
        "The user was deleted.",
        USERS,
        "Delete",
        danger=True,
        text="Her keys, policies, groups and devices must be taken away first.",
    ),
    "set-password": Action(
        "Give a password",
        "iam",
        "CreateLoginProfile",
        (
            _user(),
            Field("Password", "Password", "password"),
            Field(
                "PasswordResetRequired",
                "She must choose another at her first sign-in",
                "check",
                required=False,
                is_sent=True,
            ),
        ),
        "She can sign in now.",
        USERS,
    ),
    "change-password": Action(
        "Set another password",
        "iam",
        "UpdateLoginProfile",
        (
            _user(),
            Field("Password", "Password", "password"),
            Field(
                "PasswordResetRequired",
                "She must choose another at her next sign-in",
                "check",
                required=False,
                is_sent=True,
            ),
        ),
        "The password was set.",
        USERS,
    ),
    "delete-password": Action(
        "Take the password away",
        "iam",
        "DeleteLoginProfile",
        (_user(),),
        "She cannot sign in any more.",
        USERS,
        "Take it away",
        danger=True,
    ),
    "set-key-status": Action(
        "Access key",
        "iam",
        "UpdateAccessKey",
        (_user(), Field("AccessKeyId", "Key"), Field("Status", "Status", "choice", choices=("Active", "Inactive"))),
        "The key's status was changed.",
        USERS,
    ),
    "delete-access-key": Action(
        "Delete an access key",
        "iam",
        "DeleteAccessKey",
        (_user(), Field("AccessKeyId", "Key")),
        "The key was deleted.",
        USERS,
        "Delete",
        danger=True,
        text="Whatever uses it is refused at once.",
    ),
    "add-user-to-group": Action(
        "Add to a group",
        "iam",
        "AddUserToGroup",
        (_user(), _group()),
        "She is in the group.",
        USERS,
        "Add",
    ),
    "remove-user-from-group": Action(
        "Take out of a group",
        "iam",
        "RemoveUserFromGroup",
        (_user(), _group()),
        "She is out of the group.",
        USERS,
        "Take out",
        danger=True,
    ),
    "tag-user": Action("Tag a user", "iam", "TagUser", (_user(), tags()), "The tags were set.", USERS),
    "put-user-boundary": Action(
        "Permissions boundary",
        "iam",
        "PutUserPermissionsBoundary",
        (_user(), Field("PermissionsBoundary", "Policy", hint=_LONGER)),
        "The boundary was set.",
        USERS,
    ),
    "delete-user-boundary": Action(
        "Take the boundary away",
        "iam",
        "DeleteUserPermissionsBoundary",
        (_user(),),
        "The boundary is gone.",
        USERS,
        "Take it away",
        danger=True,
    ),
    "create-group": Action(
        "New group",
        "iam",
        "CreateGroup",
        (Field("GroupName", "Name"), Field("Path", "Path", required=False)),
        "The group was created.",
        GROUPS,
        "Create the group",
    ),
    "delete-group": Action(
        "Delete a group",
        "iam",
        "DeleteGroup",
        (_group(),),
        "The group was deleted.",
        GROUPS,
        "Delete",
        danger=True,
    ),
    "create-role": Action(
        "New role",
        "iam",
        "CreateRole",
        (
            Field("RoleName", "Name"),
            Field("AssumeRolePolicyDocument", "Trust policy", "json", "Who may take the role.", value=TRUST),
            Field("Description", "Description", required=False),
            Field("MaxSessionDuration", "Longest session, in seconds", "number", "3600 to 43200", False),
            tags(),
        ),
        "The role was created.",
        ROLES,
        "Create the role",
    ),
    "delete-role": Action(
        "Delete a role",
        "iam",
        "DeleteRole",
        (_role(),),
        "The role was deleted.",
        ROLES,
        "Delete",
        danger=True,
        text="Every session of it ends at once.",
    ),
    "update-trust": Action(
        "Trust policy",
        "iam",
        "UpdateAssumeRolePolicy",
        (_role(), Field("PolicyDocument", "Trust policy", "json")),
        "The trust policy was saved.",
        ROLES,
    ),
    "tag-role": Action("Tag a role", "iam", "TagRole", (_role(), tags()), "The tags were set.", ROLES),
    **_pair("user", "user", Field("UserName", "User"), USERS),
    **_pair("group", "group", Field("GroupName", "Group"), GROUPS),
    **_pair("role", "role", Field("RoleName", "Role"), ROLES),
    "delete-policy": Action(
        "Delete a policy",
        "iam",
        "DeletePolicy",
        (Field("PolicyArn", "Policy"),),
        "The policy was deleted.",
        POLICIES,
        "Delete",
        danger=True,
    ),
    "set-default-version": Action(
        "Default version",
        "iam",
        "SetDefaultPolicyVersion",
        (Field("PolicyArn", "Policy"), Field("VersionId", "Version")),
        "The version is the default now.",
        POLICIES,
        "Make it the default",
    ),
    "delete-policy-version": Action(
        "Delete a version",
        "iam",
        "DeletePolicyVersion",
        (Field("PolicyArn", "Policy"), Field("VersionId", "Version")),
        "The version was deleted.",
        POLICIES,
        "Delete",
        danger=True,
    ),
}

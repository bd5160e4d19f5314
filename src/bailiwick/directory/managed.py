"""AWS managed policies: those that people attach by name, written by us from what their names promise.

They live in the account `aws`, are the same in every deployment, and nobody can change them. Source of names,
paths and purposes: facts/iam.md section 7.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from typing import Any

import msgspec

_EPOCH = 1446508800.0  # all of them are older than any deployment: 2015-11-03

_ARN = re.compile(r"arn:(aws[a-z-]*):iam::aws:policy/(.+)")


class ManagedPolicy(msgspec.Struct, frozen=True):
    """A managed policy. `document` is set for those of AWS only; a customer's is kept by versions."""

    id: str
    account: str
    arn: str
    name: str
    path: str
    created: float
    updated: float
    default_version: int
    next_version: int
    description: str | None = None
    document: str | None = None

    @property
    def is_aws(self) -> bool:
        """Whether it is one of AWS's own."""
        return self.account == "aws"


def _allow(*actions: str, resource: str | list[str] = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


# path and name -> (description, statements)
_POLICIES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "/AdministratorAccess": ("Provides full access to services and resources.", [_allow("*")]),
    "/PowerUserAccess": (
        "Provides full access to services and resources, but not to the management of users and groups.",
        [
            {
                "Effect": "Allow",
                "NotAction": ["iam:*", "organizations:*", "account:*"],
                "Resource": "*",
            },
            _allow(
                "account:GetAccountInformation",
                "account:GetPrimaryEmail",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeEffectivePolicy",
                "organizations:DescribeOrganization",
            ),
        ],
    ),
    "/IAMFullAccess": (
        "Provides full access to IAM.",
        [
            _allow(
                "iam:*",
                "organizations:DescribeAccount",
                "organizations:DescribeOrganization",
                "organizations:DescribeOrganizationalUnit",
                "organizations:DescribePolicy",
                "organizations:ListChildren",
                "organizations:ListParents",
                "organizations:ListPolicies",
                "organizations:ListPoliciesForTarget",
                "organizations:ListRoots",
                "organizations:ListTargetsForPolicy",
            )
        ],
    ),
    "/IAMReadOnlyAccess": (
        "Provides read only access to IAM.",
        [
            _allow(
                "iam:GenerateCredentialReport",
                "iam:GenerateServiceLastAccessedDetails",
                "iam:Get*",
                "iam:List*",
                "iam:SimulateCustomPolicy",
                "iam:SimulatePrincipalPolicy",
            )
        ],
    ),
    "/IAMUserChangePassword": (
        "Provides the ability for an IAM user to change their own password.",
        [
            _allow(
                "iam:ChangePassword",
                resource=["arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::*:user/*/${aws:username}"],
            ),
            _allow("iam:GetAccountPasswordPolicy"),
        ],
    ),
    "/AWSDenyAll": (
        "Denies all access.",
        [{"Sid": "DenyAll", "Effect": "Deny", "Action": ["*"], "Resource": "*"}],
    ),
}


def find(policy_arn: str) -> ManagedPolicy | None:
    """The AWS managed policy with this ARN, or None."""
    match = _ARN.fullmatch(policy_arn)
    return _made(match[1], "/" + match[2]) if match else None


def every(partition: str) -> list[ManagedPolicy]:
    """Every AWS managed policy that is here, in the order of their names."""
    made = [_made(partition, full) for full in _POLICIES]
    return sorted((policy for policy in made if policy), key=lambda policy: policy.name.lower())


@cache
def _made(partition: str, full: str) -> ManagedPolicy | None:
    if full not in _POLICIES:
        return None
    description, statements = _POLICIES[full]
    path, _, name = full.rpartition("/")
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
    digest = base64.b32encode(hashlib.sha256(full.encode()).digest()).decode()
    return ManagedPolicy(
        id="ANPA" + digest[:17],
        account="aws",
        arn=f"arn:{partition}:iam::aws:policy{full}",
        name=name,
        path=path + "/",
        created=_EPOCH,
        updated=_EPOCH,
        default_version=1,
        next_version=2,
        description=description,
        document=text.replace("arn:aws:", f"arn:{partition}:"),
    )

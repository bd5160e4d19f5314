"""Lists that come from several tables, or are filtered: page by page they give what they give as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, trusts

AWS = "arn:aws:iam::aws:policy/PowerUserAccess"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/p"


@pytest.fixture
def peopled(iam: Any) -> Any:
    """Three users, roles and groups each, which use the policy `p` in every way; and policies that nobody uses."""
    iam.create_policy(PolicyName="p", PolicyDocument=document(allow("s3:*")))
    for name in ("a", "q", "z"):
        iam.create_policy(PolicyName=name, PolicyDocument=document(allow("s3:*")))
    for number in range(3):
        name = f"n{number}"
        iam.create_user(UserName=name)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusts({"AWS": ACCOUNT}))
        iam.create_group(GroupName=name)
        iam.attach_user_policy(UserName=name, PolicyArn=POLICY)
        iam.attach_group_policy(GroupName=name, PolicyArn=POLICY)
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=POLICY)
    iam.put_user_permissions_boundary(UserName="n1", PermissionsBoundary=AWS)
    return iam


def entities(iam: Any, size: int, **filters: str) -> list[str]:
    pages = iam.get_paginator("list_entities_for_policy").paginate(
        PolicyArn=POLICY, PaginationConfig={"PageSize": size}, **filters
    )
    found = []
    for page in pages:
        assert sum(len(page[kind]) for kind in ("PolicyGroups", "PolicyRoles", "PolicyUsers")) <= size
        found += [f"group/{each['GroupName']}" for each in page["PolicyGroups"]]
        found += [f"role/{each['RoleName']}" for each in page["PolicyRoles"]]
        found += [f"user/{each['UserName']}" for each in page["PolicyUsers"]]
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9, 100])
def test_the_entities_of_a_policy_in_pages(peopled: Any, size: int) -> None:
    everyone = {f"{kind}/n{number}" for kind in ("user", "role", "group") for number in range(3)}
    found = entities(peopled, size)
    assert (len(found), set(found)) == (9, everyone)
    assert set(entities(peopled, size, EntityFilter="Role")) == {"role/n0", "role/n1", "role/n2"}
    bounded = entities(peopled, size, PolicyUsageFilter="PermissionsBoundary")
    assert set(bounded) == {"role/n0", "role/n1", "role/n2"}
    assert len(entities(peopled, size, PolicyUsageFilter="PermissionsPolicy")) == 6


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"Scope": "Local"}, ["a", "p", "q", "z"]),
        ({"Scope": "Local", "OnlyAttached": True}, ["p"]),
        ({"OnlyAttached": True}, ["p", "PowerUserAccess"]),
        ({"PolicyUsageFilter": "PermissionsPolicy"}, ["p"]),
        ({"PolicyUsageFilter": "PermissionsBoundary"}, ["p", "PowerUserAccess"]),
        ({"PolicyUsageFilter": "PermissionsBoundary", "Scope": "AWS"}, ["PowerUserAccess"]),
    ],
)
def test_policies_that_are_used_in_pages(
    peopled: Any, filters: dict[str, Any], names: list[str], size: int
) -> None:
    pages = peopled.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": size}, **filters)
    assert [policy["PolicyName"] for page in pages for policy in page["Policies"]] == names

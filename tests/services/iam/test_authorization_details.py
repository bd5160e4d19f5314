"""GetAccountAuthorizationDetails: which members are there (recorded on AWS, 2026), filters, pages across the lists."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services_support import refusal

from world import ACCOUNT, World

POLICY = f"arn:aws:iam::{ACCOUNT}:policy"
AWS = "arn:aws:iam::aws:policy"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


def fill(iam: Any) -> None:
    """One bare entity of each kind, and one with everything that it can have."""
    text, tags = json.dumps(DOCUMENT), [{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}]
    iam.create_policy(PolicyName="p", PolicyDocument=text, Description="d")
    iam.create_policy_version(PolicyArn=f"{POLICY}/p", PolicyDocument=text, SetAsDefault=True)
    for name in ("bare", "whole"):
        iam.create_user(UserName=name)
        iam.create_group(GroupName=name)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Description="d")
    for kind in ("user", "group", "role"):
        member = {f"{kind.title()}Name": "whole"}
        getattr(iam, f"put_{kind}_policy")(**member, PolicyName="i", PolicyDocument=text)
        getattr(iam, f"attach_{kind}_policy")(**member, PolicyArn=f"{POLICY}/p")
    for kind in ("user", "role"):
        member = {f"{kind.title()}Name": "whole"}
        getattr(iam, f"tag_{kind}")(**member, Tags=tags)
        getattr(iam, f"put_{kind}_permissions_boundary")(**member, PermissionsBoundary=f"{AWS}/ReadOnlyAccess")
    iam.add_user_to_group(GroupName="whole", UserName="whole")
    iam.create_instance_profile(InstanceProfileName="ip", Path="/x/")
    iam.add_role_to_instance_profile(InstanceProfileName="ip", RoleName="whole")


@pytest.fixture(scope="module")
def filled() -> Any:
    iam = World().client("iam")
    fill(iam)
    return iam


def without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "some"
            if key.endswith(("Id", "Date")) and key != "VersionId" and key != "DefaultVersionId"
            else without_dates(each)
            for key, each in value.items()
        }
    return [without_dates(each) for each in value] if isinstance(value, list) else value


ATTACHED = [{"PolicyName": "p", "PolicyArn": f"{POLICY}/p"}]
INLINE = [{"PolicyName": "i", "PolicyDocument": DOCUMENT}]
TAGS = [{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}]
BOUNDARY = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": f"{AWS}/ReadOnlyAccess"}


def entity(kind: str, name: str) -> dict[str, Any]:
    return {
        "Path": "/",
        f"{kind}Name": name,
        f"{kind}Id": "some",
        "Arn": f"arn:aws:iam::{ACCOUNT}:{kind.lower()}/{name}",
        "CreateDate": "some",
    }


def test_users_show_what_aws_shows(filled: Any) -> None:
    found = filled.get_account_authorization_details(Filter=["User"])
    assert without_dates(found["UserDetailList"]) == [
        entity("User", "bare") | {"GroupList": [], "AttachedManagedPolicies": [], "Tags": []},
        entity("User", "whole")
        | {
            "UserPolicyList": INLINE,
            "GroupList": ["whole"],
            "AttachedManagedPolicies": ATTACHED,
            "PermissionsBoundary": BOUNDARY,
            "Tags": TAGS,
        },
    ]
    assert [found[name] for name in LISTS[1:]] == [[], [], []]


def test_groups_show_what_aws_shows(filled: Any) -> None:
    assert without_dates(filled.get_account_authorization_details(Filter=["Group"])["GroupDetailList"]) == [
        entity("Group", "bare") | {"GroupPolicyList": [], "AttachedManagedPolicies": []},
        entity("Group", "whole") | {"GroupPolicyList": INLINE, "AttachedManagedPolicies": ATTACHED},
    ]


def test_roles_show_what_aws_shows(filled: Any) -> None:
    trust = {"AssumeRolePolicyDocument": TRUST}
    assert without_dates(filled.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]) == [
        entity("Role", "bare")
        | trust
        | {
            "InstanceProfileList": [],
            "RolePolicyList": [],
            "AttachedManagedPolicies": [],
            "Tags": [],
            "RoleLastUsed": {},
        },
        entity("Role", "whole")
        | trust
        | {
            "InstanceProfileList": [
                {
                    "Path": "/x/",
                    "InstanceProfileName": "ip",
                    "InstanceProfileId": "some",
                    "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/x/ip",
                    "CreateDate": "some",
                    "Roles": [entity("Role", "whole") | trust],
                }
            ],
            "RolePolicyList": INLINE,
            "AttachedManagedPolicies": ATTACHED,
            "PermissionsBoundary": BOUNDARY,
            "Tags": TAGS,
            "RoleLastUsed": {},
        },
    ]


def test_policies_show_their_versions_and_no_description(filled: Any) -> None:
    (found,) = filled.get_account_authorization_details(Filter=["LocalManagedPolicy"])["Policies"]
    version = {"Document": DOCUMENT, "CreateDate": "some"}
    assert without_dates(found) == {
        "PolicyName": "p",
        "PolicyId": "some",
        "Arn": f"{POLICY}/p",
        "Path": "/",
        "DefaultVersionId": "v2",
        "AttachmentCount": 3,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": "some",
        "UpdateDate": "some",
        "PolicyVersionList": [
            version | {"VersionId": "v2", "IsDefaultVersion": True},
            version | {"VersionId": "v1", "IsDefaultVersion": False},
        ],
    }


def test_of_aws_s_policies_those_in_use_are_shown_unless_they_are_asked_for(filled: Any) -> None:
    unfiltered = [each["PolicyName"] for each in filled.get_account_authorization_details()["Policies"]]
    assert unfiltered == ["p", "ReadOnlyAccess"]
    pages = filled.get_paginator("get_account_authorization_details").paginate(Filter=["AWSManagedPolicy"])
    names = {each["PolicyName"] for page in pages for each in page["Policies"]}
    assert names > {"AmazonS3FullAccess", "AdministratorAccess", "ReadOnlyAccess"}


@settings(max_examples=20)
@given(
    size=st.integers(1, 9),
    kinds=st.none() | st.sets(st.sampled_from(["User", "Group", "Role", "LocalManagedPolicy"]), min_size=1),
)
def test_pages_of_any_size_make_the_whole(filled: Any, size: int, kinds: set[str] | None) -> None:
    chosen = {} if kinds is None else {"Filter": sorted(kinds)}
    whole = filled.get_account_authorization_details(**chosen)
    pages = list(
        filled.get_paginator("get_account_authorization_details").paginate(
            **chosen, PaginationConfig={"PageSize": size}
        )
    )
    for name in LISTS:
        assert [each for page in pages for each in page[name]] == whole[name]
    assert all(sum(len(page[name]) for name in LISTS) == size for page in pages[:-1])
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]


def test_a_marker_of_another_list_is_none(filled: Any) -> None:
    marker = filled.list_users(MaxItems=1)["Marker"]
    assert refusal(filled.get_account_authorization_details, Marker=marker) == (
        "ValidationError",
        "Invalid Marker.",
    )

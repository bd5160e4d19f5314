"""Service-linked roles, and what may not be done to them. Texts: facts/iam.md sections 5.2, 5.7 and 6."""

from __future__ import annotations

import re
from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal, trusts

from world import World

BATCH = "batch.amazonaws.com"
NAME = "AWSServiceRoleForBatch"
POLICY = "arn:aws:iam::aws:policy/aws-service-role/BatchServiceRolePolicy"


def test_a_role_as_its_service_wants_it(iam: Any) -> None:
    made = iam.create_service_linked_role(AWSServiceName=BATCH, Description="d")["Role"]
    assert made["RoleName"] == NAME
    assert made["Path"] == f"/aws-service-role/{BATCH}/"
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{BATCH}/{NAME}"
    assert made["AssumeRolePolicyDocument"]["Statement"] == [
        {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [BATCH]}}
    ]
    read = iam.get_role(RoleName=NAME)["Role"]
    assert read["AssumeRolePolicyDocument"]["Statement"] == [
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": BATCH}}
    ]
    assert (read["MaxSessionDuration"], read["Description"]) == (3600, "d")
    assert iam.list_role_policies(RoleName=NAME)["PolicyNames"] == []
    attached = iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]
    assert attached == [{"PolicyName": "BatchServiceRolePolicy", "PolicyArn": POLICY}]
    assert iam.list_attached_role_policies(RoleName=NAME, PathPrefix="/x/")["AttachedPolicies"] == []
    assert refusal(iam.create_service_linked_role, AWSServiceName=BATCH) == (
        "InvalidInput",
        f"Service role name {NAME} has been taken in this account, please try a different suffix.",
    )


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
        ("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS"),
        ("spot.amazonaws.com", "AWSServiceRoleForEC2Spot"),
        ("replication.ecr.amazonaws.com", "AWSServiceRoleForECRReplication"),
        (
            "custom-resource.application-autoscaling.amazonaws.com",
            "AWSServiceRoleForApplicationAutoScaling_CustomResource",
        ),
    ],
)
def test_names(iam: Any, service: str, name: str) -> None:
    assert iam.create_service_linked_role(AWSServiceName=service)["Role"]["RoleName"] == name


def test_suffixes(iam: Any) -> None:
    for suffix in ("one", "two"):
        made = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix=suffix)
        assert made["Role"]["RoleName"] == f"AWSServiceRoleForAutoScaling_{suffix}"
    assert refusal(iam.create_service_linked_role, AWSServiceName=BATCH, CustomSuffix="s") == (
        "InvalidInput",
        f"Custom suffix is not allowed for {BATCH}",
    )
    long = {"AWSServiceName": "autoscaling.amazonaws.com", "CustomSuffix": "s" * 64}
    assert refusal(iam.create_service_linked_role, **long)[0] == "InvalidInput"
    assert refusal(iam.create_service_linked_role, AWSServiceName="account.amazonaws.com") == (
        "AccessDenied",
        "Cannot find Service Linked Role template for account.amazonaws.com",
    )


def test_deletion_is_a_task(iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=BATCH)
    task = iam.delete_service_linked_role(RoleName=NAME)["DeletionTaskId"]
    assert re.fullmatch(rf"task/aws-service-role/{BATCH}/{NAME}/[0-9a-f-]{{36}}", task)
    status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
    assert (status["Status"], "Reason" in status) == ("SUCCEEDED", False)
    assert refusal(iam.get_role, RoleName=NAME)[0] == "NoSuchEntity"
    iam.create_service_linked_role(AWSServiceName=BATCH)
    assert refusal(iam.get_service_linked_role_deletion_status, DeletionTaskId=task[:-1])[0] == "NoSuchEntity"
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"Service": BATCH}))
    assert refusal(iam.delete_service_linked_role, RoleName="r") == (
        "NoSuchEntity",
        "The role with name r cannot be found.",
    )


def test_the_task_of_another_account_is_not_told(world: World, iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=BATCH)
    task = iam.delete_service_linked_role(RoleName=NAME)["DeletionTaskId"]
    stranger = world.client("iam", world.account("210987654321"))
    assert refusal(stranger.get_service_linked_role_deletion_status, DeletionTaskId=task)[0] == "NoSuchEntity"


def test_only_aws_changes_it(iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=BATCH)
    iam.create_policy(PolicyName="p", PolicyDocument=document(allow("s3:*")))
    iam.create_instance_profile(InstanceProfileName="ip")
    told = f"Cannot perform the operation on the protected role '{NAME}' - this role is only modifiable by AWS"
    policy = {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/p"}
    for operation, parameters in (
        (iam.delete_role, {}),
        (iam.attach_role_policy, policy),
        (iam.detach_role_policy, {"PolicyArn": POLICY}),
        (iam.put_role_policy, {"PolicyName": "i", "PolicyDocument": document(allow("s3:*"))}),
        (iam.delete_role_policy, {"PolicyName": "i"}),
        (iam.update_assume_role_policy, {"PolicyDocument": trusts({"AWS": "*"})}),
        (iam.update_role, {"MaxSessionDuration": 7200}),
        (iam.put_role_permissions_boundary, {"PermissionsBoundary": policy["PolicyArn"]}),
        (iam.delete_role_permissions_boundary, {}),
        (iam.add_role_to_instance_profile, {"InstanceProfileName": "ip"}),
    ):
        assert refusal(operation, RoleName=NAME, **parameters) == ("UnmodifiableEntity", told)
    iam.update_role(RoleName=NAME, Description="mine")
    iam.tag_role(RoleName=NAME, Tags=[{"Key": "k", "Value": "v"}])
    assert iam.get_role(RoleName=NAME)["Role"]["Description"] == "mine"
    assert (
        refusal(
            iam.create_role,
            RoleName="r",
            Path=f"/aws-service-role/{BATCH}/",
            AssumeRolePolicyDocument=trusts({"AWS": "*"}),
        )[0]
        == "InvalidInput"
    )


def test_the_right_to_make_one_can_be_bound_to_a_service(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    condition = {"StringLike": {"iam:AWSServiceName": "batch.*"}}
    making = allow("iam:CreateServiceLinkedRole", "arn:aws:iam::*:role/aws-service-role/*", Condition=condition)
    iam.put_user_policy(UserName="u", PolicyName="i", PolicyDocument=document(making))
    user = world.client("iam", world.keys_of("u"))
    assert refusal(user.create_service_linked_role, AWSServiceName="ecs.amazonaws.com")[0] == "AccessDenied"
    user.create_service_linked_role(AWSServiceName=BATCH)

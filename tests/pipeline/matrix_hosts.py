"""What the operations of EC2 and of the hosts are called with in test_matrix.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bailiwick.directory import instance_profiles, instances
from bailiwick.directory.instances import Association, Instance

if TYPE_CHECKING:
    from world import World

INSTANCE, ASSOCIATION = "i-0123456789abcdef0", "iip-assoc-0123456789abcdef0"
PROFILE = {"IamInstanceProfile": {"Name": "ip"}}

CALLS: dict[str, dict[str, Any]] = {
    "ec2:AssociateIamInstanceProfile": {"InstanceId": INSTANCE, **PROFILE},
    "ec2:CreateTags": {"Resources": [INSTANCE], "Tags": [{"Key": "k", "Value": "v"}]},
    "ec2:DeleteTags": {"Resources": [INSTANCE], "Tags": [{"Key": "k"}]},
    "ec2:DescribeIamInstanceProfileAssociations": {},
    "ec2:DescribeInstanceAttribute": {"InstanceId": INSTANCE, "Attribute": "userData"},
    "ec2:DescribeInstances": {},
    "ec2:DescribeTags": {},
    "ec2:DisassociateIamInstanceProfile": {"AssociationId": ASSOCIATION},
    "ec2:ModifyInstanceMetadataOptions": {"InstanceId": INSTANCE, "HttpTokens": "optional"},
    "ec2:ReplaceIamInstanceProfileAssociation": {"AssociationId": ASSOCIATION, **PROFILE},
    "ec2:RevokeInstanceCredentials": {"InstanceIds": [INSTANCE]},
    "ec2:TerminateInstances": {"InstanceIds": [INSTANCE]},
    "hosts:GetInstance": {},
    "hosts:GetInstanceCredentials": {},
    "hosts:GetInstanceDocument": {},
    "hosts:JoinInstance": {"PublicKey": b"x" * 32, "JoinToken": "bwj1_" + "x" * 43},
}


def put_instance(world: World) -> None:
    """One instance that has the profile `ip`."""
    with world.store.transaction(write=True) as transaction:
        account = world.client("sts").get_caller_identity()["Account"]
        made = Instance(
            id=INSTANCE,
            account=account,
            region="us-east-1",
            zone="us-east-1a",
            launched=1.0,
            seen=1.0,
            public_key="",
            address="127.0.0.1",
        )
        instances.create(transaction, made, {})
        profile = instance_profiles.find(transaction, account, "ip")
        assert profile is not None
        each = Association(ASSOCIATION, INSTANCE, account, profile.id, profile.arn("aws"), True, 1.0)
        instances.associate(transaction, each)

"""EKS Pod Identity: associations, and credentials for pods by the tokens of their service accounts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from bailiwick.testing_issuer import Issuer
from world import ACCOUNT, World

TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}
POD = {"namespace": "shop", "pod": {"name": "till-1", "uid": "11111111-2222-4333-8444-555555555555"}}


class Cluster(msgspec.Struct):
    """A world with a cluster `c`, its issuer, a role, and an association of shop/till with it."""

    world: World
    issuer: Issuer
    role: str
    association: str

    def token(self, account: str = "till", **claims: Any) -> str:
        about = {"sub": f"system:serviceaccount:shop:{account}", "aud": ["pods.eks.amazonaws.com"]}
        return self.issuer.token(**{**about, "kubernetes.io": POD, **claims})

    def assume(self, token: str, cluster: str = "c", keys: dict[str, str] | None = None) -> Any:
        client = self.world.client("eks-auth", keys)
        return client.assume_role_for_pod_identity(clusterName=cluster, token=token)

    def refused(self, token: str, cluster: str = "c") -> str:
        with pytest.raises(ClientError) as caught:
            self.assume(token, cluster)
        return str(caught.value.response["Error"]["Code"])


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as made:
        yield made


@pytest.fixture
def cluster(issuer: Issuer) -> Cluster:
    world = World()
    iam = world.client("iam")
    iam.create_open_id_connect_provider(
        Url=issuer.url, ClientIDList=["sts.amazonaws.com"], Tags=[{"Key": "eks-cluster-name", "Value": "c"}]
    )
    document = json.dumps({"Version": "2012-10-17", "Statement": TRUST})
    role = iam.create_role(RoleName="till", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    made = world.client("eks").create_pod_identity_association(
        clusterName="c", namespace="shop", serviceAccount="till", roleArn=role, tags={"team": "shop"}
    )["association"]
    return Cluster(world, issuer, role, made["associationId"])


def test_a_pod_gets_its_role(cluster: Cluster) -> None:
    answer = cluster.assume(cluster.token())
    assert answer["subject"] == {"namespace": "shop", "serviceAccount": "till"}
    assert answer["audience"] == "pods.eks.amazonaws.com"
    assert answer["podIdentityAssociation"]["associationId"] == cluster.association
    assert ":assumed-role/till/eks-c-till-1-" in answer["assumedRoleUser"]["arn"]
    given = answer["credentials"]
    keys = {
        "aws_access_key_id": given["accessKeyId"],
        "aws_secret_access_key": given["secretAccessKey"],
        "aws_session_token": given["sessionToken"],
    }
    assert cluster.world.client("sts", keys).get_caller_identity()["Arn"] == answer["assumedRoleUser"]["arn"]
    caller = cluster.world.events[-1].caller
    assert caller is not None
    assert caller.tags["kubernetes-namespace"] == "shop"
    assert caller.tags["eks-cluster-name"] == "c"


def test_tokens_that_do_not_hold(cluster: Cluster) -> None:
    with Issuer() as other:
        foreign = other.token(sub="system:serviceaccount:shop:till", aud=["pods.eks.amazonaws.com"])
    now = int(time.time())
    for token, code in (
        (foreign, "InvalidTokenException"),
        (cluster.token(aud=["sts.amazonaws.com"]), "InvalidTokenException"),
        (cluster.token(sub="alice"), "InvalidTokenException"),
        (cluster.token(exp=now - 10, iat=now - 100), "ExpiredTokenException"),
        (cluster.token()[:-8] + "AAAAAAAA", "InvalidTokenException"),
        (cluster.token("other"), "ResourceNotFoundException"),
    ):
        assert cluster.refused(token) == code
    assert cluster.refused(cluster.token(), "d") == "ResourceNotFoundException"


def test_the_role_and_the_node_must_agree(cluster: Cluster) -> None:
    iam = cluster.world.client("iam")
    iam.create_user(UserName="node")
    keys = cluster.world.keys_of("node")
    with pytest.raises(ClientError) as caught:
        cluster.assume(cluster.token(), keys=keys)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    arn = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/c"
    allow = {"Effect": "Allow", "Action": "eks-auth:AssumeRoleForPodIdentity", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allow})
    iam.put_user_policy(UserName="node", PolicyName="p", PolicyDocument=policy)
    assert cluster.assume(cluster.token(), keys=keys)["credentials"]
    other = TRUST | {"Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "bank"}}}
    document = json.dumps({"Version": "2012-10-17", "Statement": other})
    iam.update_assume_role_policy(RoleName="till", PolicyDocument=document)
    assert cluster.refused(cluster.token()) == "AccessDeniedException"


def test_a_policy_instead_of_tags(cluster: Cluster) -> None:
    eks, named = cluster.world.client("eks"), {"clusterName": "c", "associationId": cluster.association}
    only = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}}'
    with pytest.raises(eks.exceptions.InvalidParameterException):
        eks.update_pod_identity_association(**named, policy=only)
    eks.update_pod_identity_association(**named, policy=only, disableSessionTags=True)
    cluster.assume(cluster.token())
    event = next(e for e in cluster.world.events[::-1] if e.route and e.route.operation.name == "AssumeRole")
    assert event.request.Policy == only
    assert event.request.Tags is None


def test_associations(cluster: Cluster) -> None:
    eks, named = cluster.world.client("eks"), {"clusterName": "c", "associationId": cluster.association}
    again = {"clusterName": "c", "namespace": "shop", "serviceAccount": "till", "roleArn": cluster.role}
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.create_pod_identity_association(**again)
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.create_pod_identity_association(**{**again, "clusterName": "nowhere"})
    for wrong in ({"namespace": "UPPER"}, {"roleArn": cluster.role + "x"}, {"roleArn": "no ARN"}):
        with pytest.raises(eks.exceptions.InvalidParameterException):
            eks.create_pod_identity_association(**{**again, "serviceAccount": "other", **wrong})
    shown = eks.describe_pod_identity_association(**named)["association"]
    assert shown["tags"] == {"team": "shop"}
    for number in range(3):
        eks.create_pod_identity_association(**{**again, "serviceAccount": f"a{number}"})
    pages = list(eks.get_paginator("list_pod_identity_associations").paginate(clusterName="c", maxResults=3))
    assert [len(page["associations"]) for page in pages] == [3, 1]
    (found,) = eks.list_pod_identity_associations(clusterName="c", serviceAccount="a1")["associations"]
    assert found["serviceAccount"] == "a1"
    eks.delete_pod_identity_association(**named)
    assert cluster.refused(cluster.token()) == "ResourceNotFoundException"

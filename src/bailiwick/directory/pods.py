"""Which role the pods of a Kubernetes service account get: associations, as EKS Pod Identity has them.

A cluster is known by the OpenID Connect provider of the account that carries the tag `eks-cluster-name` with its
name: that provider's issuer signs the tokens of the cluster's service accounts.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Boolean, Column, Float, Table, Text, UniqueConstraint, select

from bailiwick.api import Transaction
from bailiwick.directory import tables as directory
from bailiwick.directory.entities import record
from bailiwick.directory.provider_tables import oidc_provider
from bailiwick.store.schema import metadata, string

CLUSTER_TAG = "eks-cluster-name"
AUDIENCE = "pods.eks.amazonaws.com"
SERVICE = "pods.eks.amazonaws.com"

table = Table(
    "eks_pod_identity",
    metadata,
    Column("id", string(32), primary_key=True),  # a-...
    Column("account", string(12), nullable=False),
    Column("region", string(32), nullable=False),
    Column("cluster", string(100), nullable=False),
    Column("namespace", string(63), nullable=False),
    Column("service_account", string(253), nullable=False),
    Column("role", string(2048), nullable=False),
    Column("tagless", Boolean, nullable=False),
    Column("policy", Text, nullable=True),
    Column("created", Float, nullable=False),
    Column("modified", Float, nullable=False),
    UniqueConstraint("account", "region", "cluster", "namespace", "service_account"),
)


class Association(msgspec.Struct, frozen=True):
    """That the pods of a service account get a role. A `tagless` one gives no session tags."""

    id: str
    account: str
    region: str
    cluster: str
    namespace: str
    service_account: str
    role: str
    tagless: bool
    policy: str | None
    created: float
    modified: float

    def arn(self, partition: str) -> str:
        """Its ARN."""
        place = f"podidentityassociation/{self.cluster}/{self.id}"
        return f"arn:{partition}:eks:{self.region}:{self.account}:{place}"


def cluster_arn(partition: str, region: str, account: str, cluster: str) -> str:
    """A cluster's ARN."""
    return f"arn:{partition}:eks:{region}:{account}:cluster/{cluster}"


def issuers(transaction: Transaction, account: str, cluster: str) -> list[str]:
    """The ARNs of the providers that an account has tagged as this cluster's."""
    tag = directory.tag.c
    rows = transaction.all(
        select(oidc_provider.c.arn)
        .join(directory.tag, tag.owner_id == oidc_provider.c.arn)
        .where(oidc_provider.c.account == account, tag.key == CLUSTER_TAG, tag.value == cluster)
        .order_by(oidc_provider.c.arn)
    )
    return [str(row.arn) for row in rows]


def find(transaction: Transaction, account: str, region: str, association_id: str) -> Association | None:
    """The association with this id."""
    where = table.c.account == account, table.c.region == region, table.c.id == association_id
    row = transaction.one(select(table).where(*where))
    return None if row is None else record(Association, row)


def of(
    transaction: Transaction, account: str, region: str, cluster: str, namespace: str, service_account: str
) -> Association | None:
    """The association of a service account."""
    columns = table.c
    where = (
        *(columns.account == account, columns.region == region, columns.cluster == cluster),
        *(columns.namespace == namespace, columns.service_account == service_account),
    )
    row = transaction.one(select(table).where(*where))
    return None if row is None else record(Association, row)

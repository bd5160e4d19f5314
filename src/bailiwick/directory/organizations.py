"""Organizations as records, and what the control policies of one mean for an account in it.

Source: facts/iam.md, Organizations; facts/policy.md section 4.1. Every change to an organization announces
`organization:ID`, and one to an account's membership `account:ID` as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import select

from bailiwick.api import Membership, Transaction
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.directory import organization_tables as tables
from bailiwick.directory.entities import record

SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
ROOT, UNIT, ACCOUNT = "ROOT", "ORGANIZATIONAL_UNIT", "ACCOUNT"

# The services whose resources are under resource control policies.
UNDER_RCPS = frozenset(
    (
        *("aoss", "appconfig", "appstream", "autoscaling", "budgets", "cloudfront", "codeartifact", "codebuild"),
        *("codecommit", "codepipeline", "cognito-identity", "cognito-idp", "dax", "dsql", "dynamodb", "ecr"),
        *("ecr-public", "events", "firehose", "fis", "kms", "logs", "memorydb", "rolesanywhere", "s3"),
        *("secretsmanager", "servicediscovery", "signin", "sqs", "sts", "swf", "transfer", "wafv2", "workspaces"),
        "xray",
    )
)


class Organization(msgspec.Struct, frozen=True):
    """An organization. `policy_types` are the types of policy that are enabled in its root."""

    id: str
    management: str
    root: str
    feature_set: str
    policy_types: str
    root_features: str
    created: float

    def has(self, policy_type: str) -> bool:
        """Whether a type of policy is enabled."""
        return policy_type in self.policy_types.split()


class Node(msgspec.Struct, frozen=True):
    """The root, a unit or an account in the tree of an organization."""

    id: str
    organization: str
    kind: str
    parent: str
    name: str
    status: str
    method: str
    joined: float


class ControlPolicy(msgspec.Struct, frozen=True):
    """A service or resource control policy; one of AWS's belongs to the organization `aws`."""

    id: str
    organization: str
    type: str
    name: str
    description: str
    content: str
    created: float = 0.0

    @property
    def is_aws(self) -> bool:
        """Whether it is one of AWS's."""
        return self.organization == "aws"

    def arn(self, partition: str, management: str) -> str:
        """The policy's ARN; `management` is the organization's management account."""
        kind = self.type.lower()
        if self.is_aws:
            return f"arn:{partition}:organizations::aws:policy/{kind}/{self.id}"
        return f"arn:{partition}:organizations::{management}:policy/{self.organization}/{kind}/{self.id}"


def _everything(policy_id: str, kind: str, name: str, description: str, principal: str) -> ControlPolicy:
    text = (
        '{\n  "Version": "2012-10-17",\n  "Statement": [\n    {\n      "Effect": "Allow",\n'
        f'{principal}      "Action": "*",\n      "Resource": "*"\n    }}\n  ]\n}}'
    )
    return ControlPolicy(policy_id, "aws", kind, name, description, text)


# Attached wherever their type is enabled; the second cannot be detached.
DEFAULTS = {
    SCP: _everything("p-FullAWSAccess", SCP, "FullAWSAccess", "Allows access to every operation", ""),
    RCP: _everything(
        "p-RCPFullAWSAccess",
        RCP,
        "RCPFullAWSAccess",
        "Allows access to every resource",
        '      "Principal": "*",\n',
    ),
}
_BY_ID = {policy.id: policy for policy in DEFAULTS.values()}


def find(transaction: Transaction, organization_id: str) -> Organization | None:
    """The organization with this id."""
    columns = tables.organization.c
    row = transaction.one(select(tables.organization).where(columns.id == organization_id))
    return None if row is None else record(Organization, row)


def node(transaction: Transaction, node_id: str) -> Node | None:
    """The root, unit or account with this id, in whatever organization."""
    row = transaction.one(select(tables.node).where(tables.node.c.id == node_id))
    return None if row is None else record(Node, row)


def of_account(transaction: Transaction, account: str) -> Organization | None:
    """The organization that an account is in."""
    found = node(transaction, account)
    return find(transaction, found.organization) if found else None


def line(transaction: Transaction, found: Node) -> list[Node]:
    """A node and all above it, from the root down."""
    nodes = [found]
    while nodes[-1].parent:
        above = node(transaction, nodes[-1].parent)
        assert above is not None, f"what {nodes[-1].id} lies in is there"
        nodes.append(above)
    return nodes[::-1]


def policy(transaction: Transaction, organization_id: str, policy_id: str) -> ControlPolicy | None:
    """The policy with this id: the organization's own, or one of AWS's."""
    if policy_id in _BY_ID:
        return _BY_ID[policy_id]
    columns = tables.policy.c
    row = transaction.one(
        select(tables.policy).where(columns.id == policy_id, columns.organization == organization_id)
    )
    return None if row is None else record(ControlPolicy, row)


def attached(transaction: Transaction, nodes: Sequence[str]) -> dict[str, list[ControlPolicy]]:
    """The policies attached to each of these nodes, the first attached first."""
    found: dict[str, list[ControlPolicy]] = {each: [] for each in nodes}
    link = tables.attachment
    rows = transaction.all(
        select(link.c.node, link.c.policy, *tables.policy.c)
        .select_from(link.outerjoin(tables.policy, tables.policy.c.id == link.c.policy))
        .where(link.c.node.in_(nodes))
        .order_by(link.c.attached, link.c.policy)
    )
    for row in rows:
        found[row.node].append(_BY_ID.get(row.policy) or record(ControlPolicy, row))
    return found


# -- What applies to an account ---------------------------------------------------------------------------


def membership(transaction: Transaction, partition: str, account: str) -> Membership | None:
    """Where an account is in its organization and what applies there, from memory while nothing of it changed."""
    return transaction.remember("membership", account, lambda tx: _membership(tx, partition, account))


def _membership(transaction: Transaction, partition: str, account: str) -> tuple[Membership | None, Iterable[str]]:
    found = node(transaction, account)
    if found is None:
        return None, (f"account:{account}",)
    organization = find(transaction, found.organization)
    assert organization is not None, "an account is in an organization that exists"
    nodes = line(transaction, found)
    path = "".join(f"{each}/" for each in (organization.id, *(each.id for each in nodes[:-1])))
    scps: tuple[Layer, ...] = ()
    rcps: tuple[Layer, ...] = ()
    if account != organization.management:
        by_node = attached(transaction, [each.id for each in nodes])
        levels = [by_node[each.id] for each in nodes]
        scps = _levels(levels, SCP, organization, partition)
        rcps = _levels(levels, RCP, organization, partition)
    place = Membership(organization.id, path, scps, rcps, active=found.status == "ACTIVE")
    return place, (f"account:{account}", f"organization:{organization.id}")


def _levels(
    levels: Iterable[Iterable[ControlPolicy]], kind: str, organization: Organization, partition: str
) -> tuple[Layer, ...]:
    """A layer for each level, from the root to the account; none at all where the type is not enabled."""
    if not organization.has(kind):
        return ()
    return tuple(
        Layer(
            Attached(compile_policy(each.content), each.name, each.arn(partition, organization.management))
            for each in level
            if each.type == kind
        )
        for level in levels
    )

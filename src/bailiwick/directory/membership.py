"""How an account comes to be in an organization: what an API call and the command line both do."""

from __future__ import annotations

import json

import msgspec
from sqlalchemy import insert

from bailiwick.api import Environment, Transaction
from bailiwick.core import arn, ids
from bailiwick.directory import organization_tables, tables
from bailiwick.directory.organizations import ACCOUNT, DEFAULTS, SCP, Node, Organization

ACCESS_ROLE = "OrganizationAccountAccessRole"


def add_node(transaction: Transaction, organization: Organization, made: Node) -> None:
    """Put a node into the tree, with what is attached to every node. Raises store.Duplicate."""
    folded = made.name if made.kind != ACCOUNT else made.id
    transaction.run(insert(organization_tables.node).values(**msgspec.structs.asdict(made), folded=folded))
    for kind, policy in DEFAULTS.items():
        if kind == SCP or organization.has(kind):
            attach(transaction, made.id, policy.id, made.joined)


def attach(transaction: Transaction, node_id: str, policy_id: str, now: float) -> None:
    """Attach a policy. Raises store.Duplicate if it is attached already."""
    transaction.run(insert(organization_tables.attachment).values(node=node_id, policy=policy_id, attached=now))


def join(transaction: Transaction, organization: Organization, account: str, method: str, now: float) -> None:
    """Make an account a member, right below the root; `method` is INVITED or CREATED. Raises store.Duplicate."""
    made = Node(account, organization.id, ACCOUNT, organization.root, "", "ACTIVE", method, now)
    add_node(transaction, organization, made)
    changed(transaction, organization, account)


def changed(transaction: Transaction, organization: Organization, *members: str) -> None:
    """Have what depends on the organization forgotten, and on the membership of these accounts."""
    transaction.changed(f"organization:{organization.id}", *(f"account:{each}" for each in members))


def add_access_role(
    transaction: Transaction,
    environment: Environment,
    organization: Organization,
    account: str,
    name: str,
    now: float,
) -> None:
    """Make the role through which the management account administers a new account."""
    partition = environment.partition
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": arn.root(partition, organization.management)},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role_id, made = ids.unique_id("AROA", account, environment.entropy), float(int(now))
    transaction.run(
        insert(tables.role).values(
            id=role_id,
            account=account,
            name=name,
            folded=name.lower(),
            path="/",
            created=made,
            max_session=3600,
            trust=json.dumps(trust),
            pins="{}",
        )
    )
    administrator = f"arn:{partition}:iam::aws:policy/AdministratorAccess"
    transaction.run(
        insert(tables.attachment).values(owner_id=role_id, policy_arn=administrator, account=account, attached=made)
    )
    transaction.changed(f"principal:{role_id}", f"role-arn:{arn.iam(partition, account, 'role', '/', name)}")

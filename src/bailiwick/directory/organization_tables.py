"""The tables of organizations: the tree of accounts, and the control policies attached to it.

A node is the root, an organizational unit or an account; the account's id is its own. `folded` keeps what must be
unique below one parent: the name of a unit, the id of an account.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Table, Text, UniqueConstraint

from bailiwick.store.schema import metadata, string

organization = Table(
    "org_organization",
    metadata,
    Column("id", string(34), primary_key=True),
    Column("management", string(12), nullable=False, unique=True),
    Column("root", string(34), nullable=False),
    Column("feature_set", string(32), nullable=False),
    Column("policy_types", Text, nullable=False),  # those that are enabled, with spaces between
    Column("root_features", Text, nullable=False),  # of IAM's central root access, likewise
    Column("created", Float, nullable=False),
)

node = Table(
    "org_node",
    metadata,
    Column("id", string(68), primary_key=True),
    Column("organization", string(34), nullable=False),
    Column("kind", string(24), nullable=False),  # ROOT, ORGANIZATIONAL_UNIT or ACCOUNT
    Column("parent", string(68), nullable=False),  # empty for the root
    Column("name", string(128), nullable=False),
    Column("folded", string(128), nullable=False),
    Column("status", string(24), nullable=False),  # of an account: ACTIVE or SUSPENDED
    Column("method", string(16), nullable=False),  # how an account joined: CREATED or INVITED
    Column("joined", Float, nullable=False),
    UniqueConstraint("parent", "folded"),
    Index("org_node_organization", "organization"),
)

policy = Table(
    "org_policy",
    metadata,
    Column("id", string(130), primary_key=True),
    Column("organization", string(34), nullable=False),
    Column("type", string(40), nullable=False),
    Column("name", string(128), nullable=False),
    Column("description", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created", Float, nullable=False),
    UniqueConstraint("organization", "type", "name"),
)

# The policies of AWS have no row in org_policy, and are attached under their own ids.
attachment = Table(
    "org_attachment",
    metadata,
    Column("node", string(68), primary_key=True),
    Column("policy", string(130), primary_key=True),
    Column("attached", Float, nullable=False),
    Index("org_attachment_policy", "policy"),
)

creation = Table(
    "org_creation",
    metadata,
    Column("id", string(36), primary_key=True),
    Column("organization", string(34), nullable=False),
    Column("name", string(64), nullable=False),
    Column("state", string(16), nullable=False),
    Column("account", string(12)),
    Column("failure", string(64)),
    Column("requested", Float, nullable=False),
    Column("completed", Float, nullable=False),
    Index("org_creation_organization", "organization"),
)

service_access = Table(
    "org_service_access",
    metadata,
    Column("organization", string(34), primary_key=True),
    Column("service", string(128), primary_key=True),
    Column("enabled", Float, nullable=False),
)

delegation = Table(
    "org_delegation",
    metadata,
    Column("organization", string(34), primary_key=True),
    Column("account", string(12), primary_key=True),
    Column("service", string(128), primary_key=True),
    Column("enabled", Float, nullable=False),
)

handshake = Table(
    "org_handshake",
    metadata,
    Column("id", string(34), primary_key=True),
    Column("organization", string(34), nullable=False),
    Column("account", string(12), nullable=False),  # who is invited
    Column("state", string(16), nullable=False),
    Column("notes", Text),
    Column("requested", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Index("org_handshake_organization", "organization"),
    Index("org_handshake_account", "account"),
)

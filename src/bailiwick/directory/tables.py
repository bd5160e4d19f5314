"""The tables of the directory: accounts, users, groups, roles, policies, access keys and tags.

Names are unique without regard to case and kept as given: `folded` is the name in lower case. Times are
epoch seconds. A policy document is stored as submitted; `pins` is a JSON object that maps each user or
role ARN in its Principal elements to the unique id it meant when it was saved.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from bailiwick.store.schema import metadata, string

account = Table(
    "account",
    metadata,
    Column("id", string(12), primary_key=True),
    Column("name", string(128), nullable=False),
    Column("email", string(128), nullable=False, default=""),
    Column("created", Float, nullable=False),
)

user = Table(
    "iam_user",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("name", string(128), nullable=False),
    Column("folded", string(128), nullable=False),
    Column("path", string(512), nullable=False),
    Column("created", Float, nullable=False),
    Column("boundary", string(2048)),
    Column("password_last_used", Float),
    UniqueConstraint("account", "folded"),
    Index("iam_user_boundary", "account", "boundary"),
)

group = Table(
    "iam_group",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("name", string(128), nullable=False),
    Column("folded", string(128), nullable=False),
    Column("path", string(512), nullable=False),
    Column("created", Float, nullable=False),
    UniqueConstraint("account", "folded"),
)

membership = Table(
    "iam_membership",
    metadata,
    Column("group_id", string(32), primary_key=True),
    Column("user_id", string(32), primary_key=True),
    Index("iam_membership_user", "user_id"),
)

role = Table(
    "iam_role",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("name", string(128), nullable=False),
    Column("folded", string(128), nullable=False),
    Column("path", string(512), nullable=False),
    Column("created", Float, nullable=False),
    Column("description", Text),
    Column("max_session", Integer, nullable=False),
    Column("trust", Text, nullable=False),
    Column("pins", Text, nullable=False, default="{}"),
    Column("boundary", string(2048)),
    Column("last_used", Float),
    Column("last_used_region", string(64)),
    UniqueConstraint("account", "folded"),
    Index("iam_role_boundary", "account", "boundary"),
)

policy = Table(
    "iam_policy",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("arn", string(2048), nullable=False, unique=True),
    Column("name", string(128), nullable=False),
    Column("folded", string(128), nullable=False),
    Column("path", string(512), nullable=False),
    Column("description", Text),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("default_version", Integer, nullable=False),
    Column("next_version", Integer, nullable=False),
    UniqueConstraint("account", "folded"),
    Index("iam_policy_list", "account", "arn"),
)

policy_version = Table(
    "iam_policy_version",
    metadata,
    Column("policy_id", string(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("created", Float, nullable=False),
)

inline_policy = Table(
    "iam_inline_policy",
    metadata,
    Column("owner_id", string(32), primary_key=True),  # of a user, group or role
    Column("name", string(128), primary_key=True),
    Column("document", Text, nullable=False),
)

attachment = Table(
    "iam_attachment",
    metadata,
    Column("owner_id", string(32), primary_key=True),  # of a user, group or role
    Column("policy_arn", string(2048), primary_key=True),  # AWS managed policies have no row of their own
    Column("account", string(12), nullable=False),
    Column("attached", Float, nullable=False),
    Index("iam_attachment_use", "account", "policy_arn"),
)

access_key = Table(
    "iam_access_key",
    metadata,
    Column("id", string(128), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("owner_id", string(32), nullable=False),  # a user's or service's id, or the account id for the root user
    Column("secret", LargeBinary, nullable=False),  # sealed for "access-key", bound to the key's id
    Column("status", string(16), nullable=False),  # Active or Inactive
    Column("created", Float, nullable=False),
    Column("last_used", Float),
    Column("last_used_service", string(128)),
    Column("last_used_region", string(64)),
    Index("iam_access_key_owner", "owner_id"),
    Index("iam_access_key_account", "account"),
)

tag = Table(
    "iam_tag",
    metadata,
    Column("owner_id", string(2048), primary_key=True),  # the unique id of what carries the tag
    Column("folded", string(128), primary_key=True),  # the key: in lower case where case does not matter
    Column("key", string(128), nullable=False),
    Column("value", string(256), nullable=False),
    Column("position", Integer, nullable=False),
)

service_principal = Table(
    "service_principal",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("name", string(128), nullable=False, unique=True),  # as Principal.Service has it
    Column("signing_name", string(64), nullable=False, unique=True),  # what requests to it are signed for
    Column("created", Float, nullable=False),
)

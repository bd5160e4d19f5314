"""The tables of IAM Identity Center. Times are epoch seconds."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, Table, Text, UniqueConstraint

from bailiwick.store.schema import metadata, string

instance = Table(
    "sso_instance",
    metadata,
    Column("id", string(32), primary_key=True),  # ssoins-...
    Column("account", string(12), nullable=False, unique=True),
    Column("store", string(36), nullable=False, unique=True),  # d-...
    Column("name", string(255), nullable=False),
    Column("region", string(32), nullable=False),
    Column("created", Float, nullable=False),
)

user = Table(
    "identitystore_user",
    metadata,
    Column("id", string(47), primary_key=True),
    Column("store", string(36), nullable=False),
    Column("folded", string(128), nullable=False),  # the user name in lower case
    Column("external", string(600), nullable=True),  # of another directory: its issuer and id, by SCIM
    Column("status", string(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON: the attributes, as the API names them
    UniqueConstraint("store", "folded"),
    UniqueConstraint("store", "external"),
)

group = Table(
    "identitystore_group",
    metadata,
    Column("id", string(47), primary_key=True),
    Column("store", string(36), nullable=False),
    Column("folded", string(1024), nullable=False),
    Column("external", string(600), nullable=True),
    Column("revision", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("store", "folded"),
    UniqueConstraint("store", "external"),
)

membership = Table(
    "identitystore_membership",
    metadata,
    Column("id", string(47), primary_key=True),
    Column("store", string(36), nullable=False),
    Column("group_id", string(47), nullable=False),
    Column("user_id", string(47), nullable=False),
    Column("created", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("group_id", "user_id"),
    Index("identitystore_membership_user", "user_id", "id"),
)

permission_set = Table(
    "sso_permission_set",
    metadata,
    Column("id", string(32), primary_key=True),  # ps-...
    Column("instance", string(32), nullable=False),
    Column("name", string(32), nullable=False),
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),  # what was provisioned before is out of date
    Column("body", Text, nullable=False),  # JSON: what it gives
    UniqueConstraint("instance", "name"),
)

assignment = Table(
    "sso_assignment",
    metadata,
    Column("principal", string(47), primary_key=True),  # a user's or group's id
    Column("account", string(12), primary_key=True),
    Column("permission_set", string(32), primary_key=True),
    Column("instance", string(32), nullable=False),
    Column("kind", string(8), nullable=False),  # USER or GROUP
    Column("created", Float, nullable=False),
    Index("sso_assignment_permission_set", "permission_set", "account"),
)

provisioned = Table(
    "sso_provisioned",
    metadata,
    Column("permission_set", string(32), primary_key=True),
    Column("account", string(12), primary_key=True),
    Column("role_id", string(32), nullable=False),
    Column("role_arn", string(2048), nullable=False),
    Column("done", Float, nullable=False),
    Index("sso_provisioned_account", "account"),
)

task = Table(
    "sso_task",
    metadata,
    Column("id", string(36), primary_key=True),
    Column("instance", string(32), nullable=False),
    Column("kind", string(16), nullable=False),  # what was asked for: creation, deletion, provisioning
    Column("created", Float, nullable=False),
    Column("body", Text, nullable=False),  # JSON: its status, as the API shows it
    Index("sso_task_instance", "instance", "kind", "created"),
    Index("sso_task_created", "created"),
)

sign_in = Table(
    "sso_sign_in",
    metadata,
    Column("id", string(64), primary_key=True),
    Column("user_id", string(47), nullable=False),
    Column("store", string(36), nullable=False),
    Column("client", string(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("turn", Integer, nullable=False),  # how often it was refreshed: only the newest refresh token is good
    Index("sso_sign_in_user", "user_id"),
    Index("sso_sign_in_expires", "expires"),
)

device = Table(
    "sso_device",
    metadata,
    Column("code", string(16), primary_key=True),  # what the person types
    Column("client", string(64), nullable=False),
    Column("name", string(256), nullable=False),  # of the client, for the page
    Column("expires", Float, nullable=False),
    Column("user_id", string(47), nullable=True),  # who let it in
    Column("denied", Integer, nullable=False),
    Index("sso_device_expires", "expires"),
)

scim_token = Table(
    "scim_token",
    metadata,
    Column("id", string(36), primary_key=True),
    Column("store", string(36), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Index("scim_token_store", "store"),
)

spent = Table(
    "sso_spent",
    metadata,
    Column("id", string(64), primary_key=True),  # an authorization code that was used
    Column("expires", Float, nullable=False),
    Index("sso_spent_expires", "expires"),
)

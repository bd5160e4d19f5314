"""The tables of KMS. A key's material is in a row of its own, sealed under the root key."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from bailiwick.store.schema import metadata, string

key = Table(
    "kms_key",
    metadata,
    Column("arn", string(256), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("region", string(32), nullable=False),
    Column("id", string(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("state", string(32), nullable=False),
    Column("spec", string(32), nullable=False),
    Column("usage", string(32), nullable=False),
    Column("origin", string(32), nullable=False),
    Column("created", Float, nullable=False),
    Column("deletion", Float),  # when it is gone, while the state is PendingDeletion
    Column("material", string(64), nullable=False),  # the id of the current one
    Column("policy", Text, nullable=False),
    Column("pins", Text, nullable=False),
    UniqueConstraint("account", "region", "id"),
)

material = Table(
    "kms_material",
    metadata,
    Column("key_arn", string(256), primary_key=True),
    Column("id", string(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", Float, nullable=False),
)

alias = Table(
    "kms_alias",
    metadata,
    Column("arn", string(400), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("region", string(32), nullable=False),
    Column("name", string(256), nullable=False),
    Column("key_arn", string(256), nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    UniqueConstraint("account", "region", "name"),
    Index("kms_alias_key", "key_arn"),
)

tag = Table(
    "kms_tag",
    metadata,
    Column("key_arn", string(256), primary_key=True),
    Column("key", string(128), primary_key=True),
    Column("value", string(256), nullable=False),
    Column("position", Integer, nullable=False),
)

grant = Table(
    "kms_grant",
    metadata,
    Column("key_arn", string(256), primary_key=True),
    Column("id", string(64), primary_key=True),
    Column("region", string(32), nullable=False),
    Column("name", string(256)),
    Column("grantee", string(256), nullable=False),  # an ARN, or the name of a service
    Column("retiring", string(256)),
    Column("pins", Text, nullable=False),  # which unique ids those ARNs meant
    Column("issuer", string(12), nullable=False),  # the account that issued it
    Column("operations", Text, nullable=False),  # a JSON array
    Column("constraints", Text, nullable=False),  # a JSON object
    Column("created", Float, nullable=False),
    Index("kms_grant_grantee", "key_arn", "grantee"),
    Index("kms_grant_retiring", "retiring", "region"),
)

"""The tables of KMS. A key's material is in a row of its own, sealed under the root key."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from bailiwick.store.schema import metadata

key = Table(
    "kms_key",
    metadata,
    Column("arn", String(256), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("id", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("state", String(32), nullable=False),
    Column("spec", String(32), nullable=False),
    Column("usage", String(32), nullable=False),
    Column("origin", String(32), nullable=False),
    Column("created", Float, nullable=False),
    Column("deletion", Float),  # when it is gone, while the state is PendingDeletion
    Column("material", String(64), nullable=False),  # the id of the current one
    Column("policy", Text, nullable=False),
    Column("pins", Text, nullable=False),
    UniqueConstraint("account", "region", "id"),
)

material = Table(
    "kms_material",
    metadata,
    Column("key_arn", String(256), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", Float, nullable=False),
)

alias = Table(
    "kms_alias",
    metadata,
    Column("arn", String(400), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(256), nullable=False),
    Column("key_arn", String(256), nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    UniqueConstraint("account", "region", "name"),
    Index("kms_alias_key", "key_arn"),
)

tag = Table(
    "kms_tag",
    metadata,
    Column("key_arn", String(256), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
    Column("position", Integer, nullable=False),
)

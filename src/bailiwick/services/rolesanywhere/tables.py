"""The tables of IAM Roles Anywhere. Times are epoch seconds."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Table, Text, UniqueConstraint

from bailiwick.store.schema import metadata, string

item = Table(
    "rolesanywhere_item",  # trust anchors, profiles and lists of revoked certificates
    metadata,
    Column("account", string(12), primary_key=True),
    Column("region", string(32), primary_key=True),
    Column("kind", string(16), primary_key=True),  # as in the ARN: trust-anchor, profile, crl
    Column("id", string(36), primary_key=True),
    Column("name", string(255), nullable=False),
    Column("alias", string(255), nullable=True),
    Column("enabled", Boolean, nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("body", Text, nullable=False),  # JSON: what only this kind has
    UniqueConstraint("account", "region", "kind", "alias"),
)

subject = Table(
    "rolesanywhere_subject",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("region", string(32), primary_key=True),
    Column("id", string(36), primary_key=True),
    Column("name", Text, nullable=False),  # the distinguished name, RFC 4514
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("body", Text, nullable=False),  # JSON: the certificates and the properties that it showed last
)

"""The tables of multi-Region keys that are shared with peers. What they mean, families.py says."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text

from bailiwick.store.schema import metadata, string

# What is the same for all keys of a multi-Region key, and by what the newer of two such states is told.
family = Table(
    "kms_family",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("id", string(64), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("primary_region", string(32), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("rotation_due", Float),
    Column("pending", string(64), nullable=False, server_default=""),  # material that waits for every replica
    Column("pending_how", string(16)),
    Column("pending_since", Float),
    Column("digests", LargeBinary, nullable=False),  # sealed: the key by which imported material is recognized
    Column("moved_by", Text),  # who had the primary moved where it is, by a call: a JSON object
    Column("moved_from", string(32)),  # the region here that laid the primary down, if that was the last move
)

# Its keys, by region: those in this deployment's store, and what is known of those at peers.
member = Table(
    "kms_member",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("id", string(64), primary_key=True),
    Column("region", string(32), primary_key=True),
    Column("here", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),  # of the family, as this key's deployment knows it
    Column("state", string(16), nullable=False),
    Column("holds", Text, nullable=False, server_default="[]"),  # the ids of its materials: a JSON array
    Column("wish", Text),  # how a key that is wanted is to be made: a JSON object
)

# Which peer is to be told of which family. `version` grows with each change, so that none is forgotten.
outbox = Table(
    "kms_outbox",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("id", string(64), primary_key=True),
    Column("peer", string(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index("kms_outbox_due", "due"),
)

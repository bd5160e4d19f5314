"""The tables of KMS. A key's material is in a row of its own, sealed under the root key."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

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
    Column("manager", string(16), nullable=False, server_default="CUSTOMER"),
    Column("created", Float, nullable=False),
    Column("deletion", Float),  # when it is gone, while the state is PendingDeletion
    Column("deletion_days", Integer),  # the waiting period of a primary that waits for its replicas to go
    Column("material", string(64), nullable=False),  # the id of the current one; empty while there is none
    Column("rotation_days", Integer),  # between rotations, if it rotates by itself
    Column("rotation_due", Float),
    Column("primary_region", string(32)),  # of a multi-Region key: where its primary is
    Column("policy", Text, nullable=False),
    Column("pins", Text, nullable=False),
    Column("store", string(64)),  # the custom key store that it is in
    Column("xks_key", string(128)),  # what the proxy of an external key store calls it
    UniqueConstraint("account", "region", "id"),
    Index("kms_key_store", "store", "xks_key"),
    Index("kms_key_deletion", "deletion"),
    Index("kms_key_rotation_due", "rotation_due"),
    Index("kms_key_account_id", "account", "id"),
)

material = Table(
    "kms_material",
    metadata,
    Column("key_arn", string(256), primary_key=True),
    Column("id", string(64), primary_key=True),
    Column("sealed", LargeBinary),  # none if it was imported and is gone
    Column("created", Float, nullable=False),
    Column("number", Integer, nullable=False, server_default="0"),  # in the order in which they came
    Column("state", string(48), nullable=False, server_default="CURRENT"),
    Column("rotated", Float),  # when it became the current one, but for the first
    Column("rotation", string(16)),  # AUTOMATIC or ON_DEMAND
    Column("description", string(256)),
    Column("expires", Float),
    Column("digest", LargeBinary),  # of imported material, keyed: the same may be imported again
    Index("kms_material_expires", "expires"),
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
    Column("narrow", string(32), nullable=False, server_default=""),  # what to look for: grant_index.py
    Index("kms_grant_grantee", "key_arn", "grantee", "narrow"),
    Index("kms_grant_name", "key_arn", "name"),
    Index("kms_grant_retiring", "retiring", "region", "key_arn", "id"),
)

# A place for keys outside: a token (AWS_CLOUDHSM) or a proxy (EXTERNAL_KEY_STORE).
store = Table(
    "kms_store",
    metadata,
    Column("id", string(64), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("region", string(32), nullable=False),
    Column("name", string(256), nullable=False),
    Column("kind", string(32), nullable=False),
    Column("state", string(16), nullable=False),
    Column("error", string(64)),  # why the state is FAILED
    Column("cluster", string(32)),  # the name of the token
    Column("anchor", Text),
    Column("endpoint", string(128)),
    Column("path", string(128)),
    Column("access_key_id", string(32)),
    Column("secret", LargeBinary, nullable=False),  # sealed: the password of the token, or the proxy's secret key
    Column("created", Float, nullable=False),
    UniqueConstraint("account", "region", "name"),
)

# Keys in tokens that are no KMS key's, not yet or no more: leftovers.py.
left = Table(
    "kms_left",
    metadata,
    Column("id", string(64), primary_key=True),  # its CKA_ID, in hexadecimal
    Column("arn", string(256), nullable=False),  # of the KMS key that it was made for
    Column("account", string(12), nullable=False),
    Column("region", string(32), nullable=False),
    Column("store", string(64), nullable=False),
    Column("cluster", string(32), nullable=False),  # the name of the token
    Column("state", string(16), nullable=False),
    Column("failed", Boolean, nullable=False),  # whether its token would not destroy it
    Column("since", Float, nullable=False),  # when the state began, or its destruction was last tried
    Index("kms_left_cluster", "cluster", "since"),
)

# When a key was last used, as GetKeyLastUsage tells it.
last_use = Table(
    "kms_last_use",
    metadata,
    Column("key_arn", string(256), primary_key=True),
    Column("operation", string(64), nullable=False),
    Column("time", Float, nullable=False),
    Column("request", string(64), nullable=False),
)

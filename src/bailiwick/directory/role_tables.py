"""The tables around roles: instance profiles, tasks that delete service-linked roles, and what was last used.

Times are epoch seconds. `folded` is a name in lower case: names are unique without regard to case.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Table, Text, UniqueConstraint

from bailiwick.store.schema import metadata, string

instance_profile = Table(
    "iam_instance_profile",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("name", string(128), nullable=False),
    Column("folded", string(128), nullable=False),
    Column("path", string(512), nullable=False),
    Column("created", Float, nullable=False),
    Column("role_id", string(32)),  # a profile holds one role at most
    UniqueConstraint("account", "folded"),
    Index("iam_instance_profile_role", "role_id"),
)

deletion_task = Table(
    "iam_deletion_task",
    metadata,
    Column("id", string(1000), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("status", string(16), nullable=False),  # SUCCEEDED, for deletion does not wait here
    Column("created", Float, nullable=False),
    Index("iam_deletion_task_account", "account", "created"),
)

# When a user or role last asked for an action, whether or not it was allowed.
last_access = Table(
    "iam_last_access",
    metadata,
    Column("principal_id", string(32), primary_key=True),
    Column("service", string(64), primary_key=True),  # its IAM prefix
    Column("action", string(128), primary_key=True),  # the operation's name
    Column("time", Float, nullable=False),
    Column("region", string(64), nullable=False),
)

access_job = Table(
    "iam_access_job",
    metadata,
    Column("id", string(36), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("arn", string(2048), nullable=False),
    Column("granularity", string(16), nullable=False),
    Column("created", Float, nullable=False),
    Column("result", Text, nullable=False),  # JSON: the services, as the response lists them
    Index("iam_access_job_account", "account", "created"),
)

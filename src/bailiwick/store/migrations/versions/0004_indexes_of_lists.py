"""Indexes of lists. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("iam_policy", schema=None) as batch_op:
        batch_op.create_index("iam_policy_list", ["account", "arn"], unique=False)

    with op.batch_alter_table("iam_role", schema=None) as batch_op:
        batch_op.create_index("iam_role_boundary", ["account", "boundary"], unique=False)

    with op.batch_alter_table("iam_user", schema=None) as batch_op:
        batch_op.create_index("iam_user_boundary", ["account", "boundary"], unique=False)

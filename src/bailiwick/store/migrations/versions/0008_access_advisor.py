"""Access advisor. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("iam_deletion_task", schema=None) as batch_op:
        batch_op.create_index("iam_deletion_task_account", ["account", "created"], unique=False)

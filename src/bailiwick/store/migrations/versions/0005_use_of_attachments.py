"""Use of attachments. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("iam_attachment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("iam_attachment_policy"))
        batch_op.create_index("iam_attachment_use", ["account", "policy_arn"], unique=False)

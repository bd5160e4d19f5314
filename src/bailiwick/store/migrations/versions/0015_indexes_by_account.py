"""Indexes by account. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    with op.batch_alter_table("iam_access_key", schema=None) as batch_op:
        batch_op.create_index("iam_access_key_account", ["account"], unique=False)

    with op.batch_alter_table("iam_mfa_device", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("iam_mfa_device_account"))
        batch_op.create_index("iam_mfa_device_of_account", ["account", "serial"], unique=False)

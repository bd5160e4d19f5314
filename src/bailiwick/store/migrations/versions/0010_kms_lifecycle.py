"""Kms lifecycle. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("kms_key", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deletion_days", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("rotation_days", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("rotation_due", sa.Float(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "primary_region",
                sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
                nullable=True,
            )
        )
        batch_op.create_index("kms_key_account_id", ["account", "id"], unique=False)
        batch_op.create_index("kms_key_deletion", ["deletion"], unique=False)
        batch_op.create_index("kms_key_rotation_due", ["rotation_due"], unique=False)

    with op.batch_alter_table("kms_material", schema=None) as batch_op:
        batch_op.add_column(sa.Column("number", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column(
                "state",
                sa.String(length=48).with_variant(sa.String(length=48, collation="C"), "postgresql"),
                server_default="CURRENT",
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("rotated", sa.Float(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "rotation",
                sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
                nullable=True,
            )
        )
        batch_op.add_column(
            sa.Column(
                "description",
                sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
                nullable=True,
            )
        )
        batch_op.add_column(sa.Column("expires", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("digest", sa.LargeBinary(), nullable=True))
        batch_op.alter_column("sealed", existing_type=sa.BLOB(), nullable=True)

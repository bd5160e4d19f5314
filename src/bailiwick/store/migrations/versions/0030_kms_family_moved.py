"""Kms family moved. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    with op.batch_alter_table("kms_family", schema=None) as batch_op:
        batch_op.add_column(sa.Column("moved_by", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "moved_from",
                sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
                nullable=True,
            )
        )

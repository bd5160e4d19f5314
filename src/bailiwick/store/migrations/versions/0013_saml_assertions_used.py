"""Saml assertions used. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "sts_redeemed",
        sa.Column(
            "id",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sts_redeemed_pk")),
    )
    with op.batch_alter_table("sts_redeemed", schema=None) as batch_op:
        batch_op.create_index("sts_redeemed_expires", ["expires"], unique=False)

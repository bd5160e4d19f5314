"""Guesses. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "guess",
        sa.Column(
            "name",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("guess_pk")),
    )
    with op.batch_alter_table("guess", schema=None) as batch_op:
        batch_op.create_index("guess_last", ["last"], unique=False)

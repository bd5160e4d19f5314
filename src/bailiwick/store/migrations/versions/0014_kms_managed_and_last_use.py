"""Kms managed and last use. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "kms_last_use",
        sa.Column(
            "key_arn",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "operation",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column(
            "request",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("key_arn", name=op.f("kms_last_use_pk")),
    )
    with op.batch_alter_table("kms_key", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "manager",
                sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
                server_default="CUSTOMER",
                nullable=False,
            )
        )
    # What older keys were used for before nobody wrote down.
    since = sa.table("setting", sa.column("name"), sa.column("value"))
    op.execute(since.insert().values(name="kms.uses-since", value=str(round(time.time(), 3))))

"""Join lists. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.create_table(
        "ec2_host_certificate",
        sa.Column(
            "instance_id",
            sa.String(length=19).with_variant(sa.String(length=19, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "authority",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "issuer",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "serial",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("is_key", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("ec2_host_certificate_pk")),
    )
    with op.batch_alter_table("ec2_host_certificate", schema=None) as batch_op:
        batch_op.create_index("ec2_host_certificate_issuer", ["authority", "issuer"], unique=False)

    op.create_table(
        "ec2_join_list",
        sa.Column(
            "authority",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "id",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "issuer",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "number",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("begun", sa.Float(), nullable=False),
        sa.Column("ends", sa.Float(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("authority", "id", name=op.f("ec2_join_list_pk")),
    )

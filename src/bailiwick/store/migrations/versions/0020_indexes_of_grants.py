"""Indexes of grants. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    with op.batch_alter_table("kms_grant", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "narrow",
                sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
                server_default="",
                nullable=False,
            )
        )
        batch_op.drop_index(batch_op.f("kms_grant_grantee"))
        batch_op.create_index("kms_grant_grantee", ["key_arn", "grantee", "narrow"], unique=False)
        batch_op.drop_index(batch_op.f("kms_grant_retiring"))
        batch_op.create_index("kms_grant_retiring", ["retiring", "region", "key_arn", "id"], unique=False)
        batch_op.create_index("kms_grant_name", ["key_arn", "name"], unique=False)

    with op.batch_alter_table("kms_material", schema=None) as batch_op:
        batch_op.create_index("kms_material_expires", ["expires"], unique=False)

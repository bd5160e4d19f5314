"""Identity center. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "identitystore_group",
        sa.Column(
            "id",
            sa.String(length=47).with_variant(sa.String(length=47, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "store",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "folded",
            sa.String(length=1024).with_variant(sa.String(length=1024, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "external",
            sa.String(length=600).with_variant(sa.String(length=600, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("updated", sa.Float(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("identitystore_group_pk")),
        sa.UniqueConstraint("store", "external", name=op.f("identitystore_group_store_external_unique")),
        sa.UniqueConstraint("store", "folded", name=op.f("identitystore_group_store_folded_unique")),
    )
    op.create_table(
        "identitystore_membership",
        sa.Column(
            "id",
            sa.String(length=47).with_variant(sa.String(length=47, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "store",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "group_id",
            sa.String(length=47).with_variant(sa.String(length=47, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "user_id",
            sa.String(length=47).with_variant(sa.String(length=47, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("identitystore_membership_pk")),
        sa.UniqueConstraint("group_id", "user_id", name=op.f("identitystore_membership_group_id_user_id_unique")),
    )
    with op.batch_alter_table("identitystore_membership", schema=None) as batch_op:
        batch_op.create_index("identitystore_membership_user", ["user_id", "id"], unique=False)

    op.create_table(
        "identitystore_user",
        sa.Column(
            "id",
            sa.String(length=47).with_variant(sa.String(length=47, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "store",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "folded",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "external",
            sa.String(length=600).with_variant(sa.String(length=600, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column(
            "status",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("updated", sa.Float(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("identitystore_user_pk")),
        sa.UniqueConstraint("store", "external", name=op.f("identitystore_user_store_external_unique")),
        sa.UniqueConstraint("store", "folded", name=op.f("identitystore_user_store_folded_unique")),
    )
    op.create_table(
        "sso_assignment",
        sa.Column(
            "principal",
            sa.String(length=47).with_variant(sa.String(length=47, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "permission_set",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "instance",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "kind",
            sa.String(length=8).with_variant(sa.String(length=8, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "account", "permission_set", name=op.f("sso_assignment_pk")),
    )
    with op.batch_alter_table("sso_assignment", schema=None) as batch_op:
        batch_op.create_index("sso_assignment_permission_set", ["permission_set", "account"], unique=False)

    op.create_table(
        "sso_device",
        sa.Column(
            "code",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "client",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.Column(
            "user_id",
            sa.String(length=47).with_variant(sa.String(length=47, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("denied", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("sso_device_pk")),
    )
    with op.batch_alter_table("sso_device", schema=None) as batch_op:
        batch_op.create_index("sso_device_expires", ["expires"], unique=False)

    op.create_table(
        "sso_instance",
        sa.Column(
            "id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "store",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "name",
            sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "region",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sso_instance_pk")),
        sa.UniqueConstraint("account", name=op.f("sso_instance_account_unique")),
        sa.UniqueConstraint("store", name=op.f("sso_instance_store_unique")),
    )
    op.create_table(
        "sso_permission_set",
        sa.Column(
            "id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "instance",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "name",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("changed", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sso_permission_set_pk")),
        sa.UniqueConstraint("instance", "name", name=op.f("sso_permission_set_instance_name_unique")),
    )
    op.create_table(
        "sso_provisioned",
        sa.Column(
            "permission_set",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "role_id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "role_arn",
            sa.String(length=2048).with_variant(sa.String(length=2048, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("done", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("permission_set", "account", name=op.f("sso_provisioned_pk")),
    )
    with op.batch_alter_table("sso_provisioned", schema=None) as batch_op:
        batch_op.create_index("sso_provisioned_account", ["account"], unique=False)

    op.create_table(
        "sso_sign_in",
        sa.Column(
            "id",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "user_id",
            sa.String(length=47).with_variant(sa.String(length=47, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "store",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "client",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sso_sign_in_pk")),
    )
    with op.batch_alter_table("sso_sign_in", schema=None) as batch_op:
        batch_op.create_index("sso_sign_in_expires", ["expires"], unique=False)
        batch_op.create_index("sso_sign_in_user", ["user_id"], unique=False)

    op.create_table(
        "sso_spent",
        sa.Column(
            "id",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sso_spent_pk")),
    )
    with op.batch_alter_table("sso_spent", schema=None) as batch_op:
        batch_op.create_index("sso_spent_expires", ["expires"], unique=False)

    op.create_table(
        "sso_task",
        sa.Column(
            "id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "instance",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "kind",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sso_task_pk")),
    )
    with op.batch_alter_table("sso_task", schema=None) as batch_op:
        batch_op.create_index("sso_task_created", ["created"], unique=False)
        batch_op.create_index("sso_task_instance", ["instance", "kind", "created"], unique=False)

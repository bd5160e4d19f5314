"""Organizations. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "org_attachment",
        sa.Column(
            "node",
            sa.String(length=68).with_variant(sa.String(length=68, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "policy",
            sa.String(length=130).with_variant(sa.String(length=130, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("attached", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("node", "policy", name=op.f("org_attachment_pk")),
    )
    with op.batch_alter_table("org_attachment", schema=None) as batch_op:
        batch_op.create_index("org_attachment_policy", ["policy"], unique=False)

    op.create_table(
        "org_creation",
        sa.Column(
            "id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "organization",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "name",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column(
            "failure",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("requested", sa.Float(), nullable=False),
        sa.Column("completed", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("org_creation_pk")),
    )
    with op.batch_alter_table("org_creation", schema=None) as batch_op:
        batch_op.create_index("org_creation_organization", ["organization"], unique=False)

    op.create_table(
        "org_delegation",
        sa.Column(
            "organization",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "service",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("enabled", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "account", "service", name=op.f("org_delegation_pk")),
    )
    op.create_table(
        "org_handshake",
        sa.Column(
            "id",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "organization",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("requested", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("org_handshake_pk")),
    )
    with op.batch_alter_table("org_handshake", schema=None) as batch_op:
        batch_op.create_index("org_handshake_account", ["account"], unique=False)
        batch_op.create_index("org_handshake_organization", ["organization"], unique=False)

    op.create_table(
        "org_node",
        sa.Column(
            "id",
            sa.String(length=68).with_variant(sa.String(length=68, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "organization",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "kind",
            sa.String(length=24).with_variant(sa.String(length=24, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "parent",
            sa.String(length=68).with_variant(sa.String(length=68, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "name",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "folded",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.String(length=24).with_variant(sa.String(length=24, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "method",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("joined", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("org_node_pk")),
        sa.UniqueConstraint("parent", "folded", name=op.f("org_node_parent_folded_unique")),
    )
    with op.batch_alter_table("org_node", schema=None) as batch_op:
        batch_op.create_index("org_node_organization", ["organization"], unique=False)

    op.create_table(
        "org_organization",
        sa.Column(
            "id",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "management",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "root",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "feature_set",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("policy_types", sa.Text(), nullable=False),
        sa.Column("root_features", sa.Text(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("org_organization_pk")),
        sa.UniqueConstraint("management", name=op.f("org_organization_management_unique")),
    )
    op.create_table(
        "org_policy",
        sa.Column(
            "id",
            sa.String(length=130).with_variant(sa.String(length=130, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "organization",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "type",
            sa.String(length=40).with_variant(sa.String(length=40, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "name",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("org_policy_pk")),
        sa.UniqueConstraint("organization", "type", "name", name=op.f("org_policy_organization_type_name_unique")),
    )
    op.create_table(
        "org_service_access",
        sa.Column(
            "organization",
            sa.String(length=34).with_variant(sa.String(length=34, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "service",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("enabled", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "service", name=op.f("org_service_access_pk")),
    )

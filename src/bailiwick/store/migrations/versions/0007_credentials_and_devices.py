"""Credentials and devices. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "iam_account_alias",
        sa.Column(
            "alias",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("alias", name=op.f("iam_account_alias_pk")),
        sa.UniqueConstraint("account", name=op.f("iam_account_alias_account_unique")),
    )
    op.create_table(
        "iam_account_property",
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "name",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "value",
            sa.String(length=1024).with_variant(sa.String(length=1024, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("iam_account_property_pk")),
    )
    op.create_table(
        "iam_credential_report",
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("generated", sa.Float(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("iam_credential_report_pk")),
    )
    op.create_table(
        "iam_former_password",
        sa.Column(
            "owner_id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "hash",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("owner_id", "number", name=op.f("iam_former_password_pk")),
    )
    op.create_table(
        "iam_login_profile",
        sa.Column(
            "owner_id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "hash",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("changed", sa.Float(), nullable=False),
        sa.Column("reset_required", sa.Boolean(), nullable=False),
        sa.Column("last_used", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("iam_login_profile_pk")),
    )
    with op.batch_alter_table("iam_login_profile", schema=None) as batch_op:
        batch_op.create_index("iam_login_profile_account", ["account"], unique=False)

    op.create_table(
        "iam_mfa_device",
        sa.Column(
            "serial",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "kind",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "owner_id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("enabled", sa.Float(), nullable=True),
        sa.Column("seed", sa.LargeBinary(), nullable=True),
        sa.Column("drift", sa.Integer(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("credential_id", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("sign_count", sa.BigInteger(), nullable=True),
        sa.Column("certifications", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("serial", name=op.f("iam_mfa_device_pk")),
    )
    with op.batch_alter_table("iam_mfa_device", schema=None) as batch_op:
        batch_op.create_index("iam_mfa_device_account", ["account"], unique=False)
        batch_op.create_index("iam_mfa_device_owner", ["owner_id"], unique=False)

    op.create_table(
        "iam_oidc_provider",
        sa.Column(
            "arn",
            sa.String(length=512).with_variant(sa.String(length=512, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "url",
            sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("client_ids", sa.Text(), nullable=False),
        sa.Column("thumbprints", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("arn", name=op.f("iam_oidc_provider_pk")),
    )
    with op.batch_alter_table("iam_oidc_provider", schema=None) as batch_op:
        batch_op.create_index("iam_oidc_provider_account", ["account"], unique=False)

    op.create_table(
        "iam_outbound_federation",
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "issuer_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("iam_outbound_federation_pk")),
    )
    op.create_table(
        "iam_password_policy",
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("minimum_length", sa.Integer(), nullable=False),
        sa.Column("symbols", sa.Boolean(), nullable=False),
        sa.Column("numbers", sa.Boolean(), nullable=False),
        sa.Column("uppercase", sa.Boolean(), nullable=False),
        sa.Column("lowercase", sa.Boolean(), nullable=False),
        sa.Column("users_may_change", sa.Boolean(), nullable=False),
        sa.Column("max_age", sa.Integer(), nullable=True),
        sa.Column("reuse_prevention", sa.Integer(), nullable=True),
        sa.Column("hard_expiry", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("account", name=op.f("iam_password_policy_pk")),
    )
    op.create_table(
        "iam_saml_private_key",
        sa.Column(
            "id",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "provider_arn",
            sa.String(length=512).with_variant(sa.String(length=512, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("iam_saml_private_key_pk")),
    )
    with op.batch_alter_table("iam_saml_private_key", schema=None) as batch_op:
        batch_op.create_index("iam_saml_private_key_provider", ["provider_arn"], unique=False)

    op.create_table(
        "iam_saml_provider",
        sa.Column(
            "arn",
            sa.String(length=512).with_variant(sa.String(length=512, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
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
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column(
            "uuid",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.Float(), nullable=False),
        sa.Column(
            "encryption",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "entity_id",
            sa.String(length=1024).with_variant(sa.String(length=1024, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("certificates", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("arn", name=op.f("iam_saml_provider_pk")),
        sa.UniqueConstraint("account", "folded", name=op.f("iam_saml_provider_account_folded_unique")),
    )
    op.create_table(
        "iam_server_certificate",
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
            "path",
            sa.String(length=512).with_variant(sa.String(length=512, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=True),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("uploaded", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("iam_server_certificate_pk")),
        sa.UniqueConstraint("account", "folded", name=op.f("iam_server_certificate_account_folded_unique")),
    )
    op.create_table(
        "iam_service_credential",
        sa.Column(
            "id",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "owner_id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "service",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "service_user_name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("is_key", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column(
            "status",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("iam_service_credential_pk")),
    )
    with op.batch_alter_table("iam_service_credential", schema=None) as batch_op:
        batch_op.create_index("iam_service_credential_account", ["account"], unique=False)
        batch_op.create_index("iam_service_credential_owner", ["owner_id"], unique=False)

    op.create_table(
        "iam_signing_certificate",
        sa.Column(
            "id",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "owner_id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "fingerprint",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("uploaded", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("iam_signing_certificate_pk")),
        sa.UniqueConstraint(
            "account", "fingerprint", name=op.f("iam_signing_certificate_account_fingerprint_unique")
        ),
    )
    with op.batch_alter_table("iam_signing_certificate", schema=None) as batch_op:
        batch_op.create_index("iam_signing_certificate_owner", ["owner_id"], unique=False)

    op.create_table(
        "iam_ssh_public_key",
        sa.Column(
            "id",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "owner_id",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "fingerprint",
            sa.String(length=48).with_variant(sa.String(length=48, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("uploaded", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("iam_ssh_public_key_pk")),
        sa.UniqueConstraint("owner_id", "fingerprint", name=op.f("iam_ssh_public_key_owner_id_fingerprint_unique")),
    )
    op.create_table(
        "iam_token_preference",
        sa.Column(
            "account",
            sa.String(length=12).with_variant(sa.String(length=12, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("iam_token_preference_pk")),
    )

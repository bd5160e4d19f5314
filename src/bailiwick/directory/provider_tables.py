"""The tables of identity providers: OpenID Connect, SAML, and this deployment's own tokens for the outside.

Times are epoch seconds. What STS needs of a SAML provider's metadata is kept beside the document, parsed.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, LargeBinary, Table, Text, UniqueConstraint

from bailiwick.store.schema import metadata, string

oidc_provider = Table(
    "iam_oidc_provider",
    metadata,
    Column("arn", string(512), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("url", string(255), nullable=False),  # with its scheme, as given: the issuer
    Column("created", Float, nullable=False),
    Column("client_ids", Text, nullable=False),  # a JSON list
    Column("thumbprints", Text, nullable=False),  # a JSON list of 40 hexadecimal digits each
    Index("iam_oidc_provider_account", "account"),
)

saml_provider = Table(
    "iam_saml_provider",
    metadata,
    Column("arn", string(512), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("name", string(128), nullable=False),
    Column("folded", string(128), nullable=False),
    Column("created", Float, nullable=False),
    Column("uuid", string(64), nullable=False),
    Column("metadata", Text, nullable=False),
    Column("valid_until", Float, nullable=False),
    Column("encryption", string(16), nullable=False),  # of assertions: Required or Allowed
    Column("entity_id", string(1024), nullable=False),
    Column("certificates", Text, nullable=False),  # a JSON list of base64 DER: those that sign
    UniqueConstraint("account", "folded"),
)

saml_private_key = Table(
    "iam_saml_private_key",
    metadata,
    Column("id", string(64), primary_key=True),
    Column("provider_arn", string(512), nullable=False),
    Column("created", Float, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # PEM, sealed for "saml-private-key", bound to its id
    Index("iam_saml_private_key_provider", "provider_arn"),
)

outbound_federation = Table(
    "iam_outbound_federation",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("issuer_id", string(36), nullable=False),  # a UUID that stays the account's when it is disabled
    Column("enabled", Boolean, nullable=False),
)

outbound_key = Table(
    "sts_outbound_key",
    metadata,
    Column("id", string(64), primary_key=True),
    Column("algorithm", string(8), nullable=False),
    Column("created", Float, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # PEM, sealed for "outbound-signing-key", bound to its id
    Column("public", Text, nullable=False),  # the other half, a JWK
)

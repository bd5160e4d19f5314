"""The tables of instances: hosts that joined, the profiles they have, and by what others may join.

Times are epoch seconds. Tags of instances are in `iam_tag`, under the instance's id.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text

from bailiwick.store.schema import metadata, string

instance = Table(
    "ec2_instance",
    metadata,
    Column("id", string(19), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("region", string(64), nullable=False),
    Column("zone", string(64), nullable=False),
    Column("state", string(16), nullable=False),  # running, or terminated: then it is shown for a while
    Column("launched", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("ended", Float),
    Column("refused_until", BigInteger, nullable=False),  # sessions that began until then are refused
    Column("public_key", Text, nullable=False),  # base64 of a SubjectPublicKeyInfo
    Column("certificate", string(64)),  # SHA-256 of the certificate that it joined with
    Column("address", string(45), nullable=False),
    Column("hostname", string(253), nullable=False),
    Column("architecture", string(16), nullable=False),
    Column("type", string(64), nullable=False),
    Column("image", string(64), nullable=False),
    Column("vpc", string(64), nullable=False),  # empty where the operator named none
    Column("user_data", Text, nullable=False),  # base64, as the API has it; empty for none
    Column("http_tokens", string(16), nullable=False),
    Column("http_endpoint", string(16), nullable=False),
    Column("http_ipv6", string(16), nullable=False),
    Column("hop_limit", Integer, nullable=False),
    Column("metadata_tags", string(16), nullable=False),
    Index("ec2_instance_account", "account", "region", "id"),
    Index("ec2_instance_certificate", "certificate", unique=True),
    Index("ec2_instance_ended", "ended"),
)

association = Table(
    "ec2_association",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("instance_id", string(19), nullable=False),
    Column("account", string(12), nullable=False),
    Column("profile_id", string(32), nullable=False),
    Column("profile_arn", string(1024), nullable=False),  # as it was when it was associated
    Column("is_main", Boolean, nullable=False),  # what the metadata service gives to every program
    Column("created", Float, nullable=False),
    Index("ec2_association_instance", "instance_id", "profile_id", unique=True),
    Index("ec2_association_account", "account", "id"),
)

join_token = Table(
    "ec2_join_token",
    metadata,
    Column("hash", string(64), primary_key=True),  # SHA-256 of the token
    Column("account", string(12), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("grants", Text, nullable=False),  # JSON: what the instance will be
    Index("ec2_join_token_expires", "expires"),
)

join_authority = Table(
    "ec2_join_authority",
    metadata,
    Column("name", string(64), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("created", Float, nullable=False),
    Column("certificates", Text, nullable=False),  # PEM: the authorities whose certificates let hosts join
    Column("grants", Text, nullable=False),
)

# Lists of certificates that an authority has revoked: of each issuer and scope the newest.
join_list = Table(
    "ec2_join_list",
    metadata,
    Column("authority", string(64), primary_key=True),
    Column("id", string(64), primary_key=True),  # SHA-256 of issuer, signing key and scope
    Column("issuer", string(64), nullable=False),  # SHA-256 of the issuer's name (DER)
    Column("number", string(64)),  # its CRL number, in decimal digits
    Column("begun", Float, nullable=False),  # thisUpdate
    Column("ends", Float),  # nextUpdate
    Column("data", LargeBinary, nullable=False),  # DER
)

# The certificates that instances joined with, so that one that is revoked later is found.
host_certificate = Table(
    "ec2_host_certificate",
    metadata,
    Column("instance_id", string(19), primary_key=True),
    Column("authority", string(64), nullable=False),
    Column("issuer", string(64), nullable=False),  # as in ec2_join_list
    Column("serial", string(64), nullable=False),  # hexadecimal
    Column("is_key", Boolean, nullable=False),  # whether the host signs with the certificate's own key
    Index("ec2_host_certificate_issuer", "authority", "issuer"),
)

# Nonces of requests, so that each is good once.
host_nonce = Table(
    "ec2_host_nonce",
    metadata,
    Column("id", string(64), primary_key=True),  # SHA-256 of instance and nonce
    Column("expires", Float, nullable=False),
    Index("ec2_host_nonce_expires", "expires"),
)

document_key = Table(
    "ec2_document_key",
    metadata,
    Column("id", string(64), primary_key=True),
    Column("created", Float, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # DER, sealed for "identity-document-key", bound to its id
    Column("certificate", Text, nullable=False),  # PEM
)

"""The tables of credentials and devices: passwords, MFA devices, keys, certificates, and facts of the account.

An owner is a user, by unique id, or a root user, by account id. Times are epoch seconds. What must be recovered is
sealed, each purpose bound to its row's key; what need only be recognized is hashed.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from bailiwick.store.schema import metadata, string

login_profile = Table(
    "iam_login_profile",
    metadata,
    Column("owner_id", string(32), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("hash", string(256), nullable=False),  # Argon2id in its own text form, which names its parameters
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),
    Column("reset_required", Boolean, nullable=False),
    Column("last_used", Float),
    Index("iam_login_profile_account", "account"),
)

# Passwords that an owner had before, the present one among them; as many as reuse prevention can ask for.
former_password = Table(
    "iam_former_password",
    metadata,
    Column("owner_id", string(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("hash", string(256), nullable=False),
)

password_policy = Table(
    "iam_password_policy",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("minimum_length", Integer, nullable=False),
    Column("symbols", Boolean, nullable=False),
    Column("numbers", Boolean, nullable=False),
    Column("uppercase", Boolean, nullable=False),
    Column("lowercase", Boolean, nullable=False),
    Column("users_may_change", Boolean, nullable=False),
    Column("max_age", Integer),  # days
    Column("reuse_prevention", Integer),
    Column("hard_expiry", Boolean),
)

mfa_device = Table(
    "iam_mfa_device",
    metadata,
    Column("serial", string(256), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("kind", string(16), nullable=False),  # virtual or fido
    Column("owner_id", string(32)),  # None while nobody uses it
    Column("created", Float, nullable=False),
    Column("enabled", Float),
    Column("seed", LargeBinary),  # of a virtual one: sealed for "mfa-seed", bound to the serial number
    Column("drift", Integer, nullable=False, default=0),  # by how many steps its clock is ahead of ours
    Column("last_step", BigInteger),  # the step of the last code that was accepted: none is accepted twice
    Column("credential_id", LargeBinary),  # of a FIDO one, with its public key (COSE) and count of signatures
    Column("public_key", LargeBinary),
    Column("sign_count", BigInteger),
    Column("certifications", Text),  # a JSON object, as GetMFADevice shows it
    Index("iam_mfa_device_owner", "owner_id"),
    Index("iam_mfa_device_of_account", "account", "serial"),
)

ssh_public_key = Table(
    "iam_ssh_public_key",
    metadata,
    Column("id", string(128), primary_key=True),
    Column("owner_id", string(32), nullable=False),
    Column("body", Text, nullable=False),  # as uploaded
    Column("fingerprint", string(48), nullable=False),
    Column("status", string(16), nullable=False),
    Column("uploaded", Float, nullable=False),
    UniqueConstraint("owner_id", "fingerprint"),
)

signing_certificate = Table(
    "iam_signing_certificate",
    metadata,
    Column("id", string(128), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("owner_id", string(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("fingerprint", string(64), nullable=False),  # SHA-256 of the certificate
    Column("status", string(16), nullable=False),
    Column("uploaded", Float, nullable=False),
    UniqueConstraint("account", "fingerprint"),
    Index("iam_signing_certificate_owner", "owner_id"),
)

server_certificate = Table(
    "iam_server_certificate",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("name", string(128), nullable=False),
    Column("folded", string(128), nullable=False),
    Column("path", string(512), nullable=False),
    Column("body", Text, nullable=False),
    Column("chain", Text),
    Column("private_key", LargeBinary, nullable=False),  # sealed for "server-certificate", bound to the id
    Column("uploaded", Float, nullable=False),
    Column("expires", Float, nullable=False),
    UniqueConstraint("account", "folded"),
)

service_credential = Table(
    "iam_service_credential",
    metadata,
    Column("id", string(128), primary_key=True),
    Column("account", string(12), nullable=False),
    Column("owner_id", string(32), nullable=False),
    Column("service", string(128), nullable=False),
    Column("service_user_name", string(256), nullable=False),  # keeps the name that the user had
    Column("is_key", Boolean, nullable=False),  # an API key, shown as alias and secret
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of a secret of 256 random bits or more
    Column("status", string(16), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float),
    Index("iam_service_credential_owner", "owner_id"),
    Index("iam_service_credential_account", "account"),
)

# Who is signed in to the pages. A session's id is the SHA-256 of the secret in the browser's cookie; its token is
# what a session of AWS's API has, and says all of who it is and what it may do.
web_session = Table(
    "web_session",
    metadata,
    Column("id", string(64), primary_key=True),
    Column("kind", string(16), nullable=False),  # how it was begun: web_sessions.Kind
    Column("account", string(12), nullable=False),
    Column("owner_id", string(32), nullable=False),  # the user, root user or role
    Column("access_key_id", string(32), nullable=False),
    Column("token", Text, nullable=False),
    Column("password_changed", Float),  # of the password that she signed in with: another one ends the session
    Column("parent", string(64)),  # the session that switched to this role, without which it ends
    Column("created", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("source", string(64), nullable=False),
    Column("user_agent", string(256), nullable=False),
    Column("name", string(256), nullable=False),  # what the person calls it: a switched role's display name
    Column("color", string(6), nullable=False),
    Column("issuer", string(2048), nullable=False),  # where to go when it has ended, or nothing
    Index("web_session_owner", "owner_id"),
    Index("web_session_parent", "parent"),
    Index("web_session_expires", "expires"),
)

# A sign-in between its steps: the password was right, the second factor is awaited. Taken out when it is used.
web_step = Table(
    "web_step",
    metadata,
    Column("id", string(64), primary_key=True),
    Column("expires", Float, nullable=False),
    Column("content", LargeBinary, nullable=False),  # sealed for "web-step", bound to the id
    Index("web_step_expires", "expires"),
)

# Failed guesses at passwords and codes, by a digest of whose they were or where they came from (guesses.py).
guess = Table(
    "guess",
    metadata,
    Column("name", string(32), primary_key=True),
    Column("failures", Integer, nullable=False),  # 0 after a success, until everybody has read it
    Column("last", Float, nullable=False),
    Index("guess_last", "last"),
)

account_alias = Table(
    "iam_account_alias",
    metadata,
    Column("alias", string(64), primary_key=True),  # unique in the whole deployment
    Column("account", string(12), nullable=False, unique=True),
)

account_property = Table(
    "iam_account_property",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("name", string(64), primary_key=True),
    Column("value", string(1024), nullable=False),
)

# What SetSecurityTokenServicePreferences sets; an account without a row has what new ones have.
token_preference = Table(
    "iam_token_preference",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("version", Integer, nullable=False),
)

credential_report = Table(
    "iam_credential_report",
    metadata,
    Column("account", string(12), primary_key=True),
    Column("generated", Float, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

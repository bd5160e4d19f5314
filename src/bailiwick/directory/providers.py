"""Identity providers that an account trusts: OpenID Connect issuers and SAML providers, for IAM and for STS."""

from __future__ import annotations

import base64
import json
from typing import NamedTuple

import msgspec
from sqlalchemy import select

from bailiwick.api import Transaction
from bailiwick.core.errors import SealError
from bailiwick.core.seal import KeyRing
from bailiwick.directory import provider_tables as tables
from bailiwick.directory.entities import record

PRIVATE_KEY = "saml-private-key"
"""The purpose under which the private keys of SAML providers are sealed."""


class OidcProvider(msgspec.Struct, frozen=True):
    """An OpenID Connect provider. `url` is the issuer with its scheme, as it was given."""

    arn: str
    account: str
    url: str
    created: float
    client_ids: list[str]
    thumbprints: list[str]

    @property
    def name(self) -> str:
        """The issuer without its scheme: what ARNs, GetOpenIDConnectProvider and condition keys show."""
        return self.url.partition("://")[2]


class SamlProvider(msgspec.Struct, frozen=True):
    """A SAML provider. `certificates` are those that sign, as DER; `encryption` is Required or Allowed."""

    arn: str
    account: str
    name: str
    created: float
    uuid: str
    metadata: str
    valid_until: float
    encryption: str
    entity_id: str
    certificates: tuple[bytes, ...]


class SamlKey(msgspec.Struct, frozen=True):
    """A private key with which assertions are decrypted, still sealed."""

    id: str
    created: float
    sealed: bytes

    def __repr__(self) -> str:
        return f"SamlKey({self.id})"


def oidc(transaction: Transaction, provider_arn: str) -> OidcProvider | None:
    """The OpenID Connect provider with this ARN."""
    table = tables.oidc_provider
    row = transaction.one(select(table).where(table.c.arn == provider_arn))
    if row is None:
        return None
    values = dict(row._mapping)
    lists = {name: json.loads(values[name]) for name in ("client_ids", "thumbprints")}
    return OidcProvider(**(values | lists))


def oidc_of_issuer(transaction: Transaction, partition: str, account: str, issuer: str) -> OidcProvider | None:
    """The provider of an account whose tokens say `iss` is this issuer; a slash at the end matters."""
    found = oidc(transaction, oidc_arn(partition, account, issuer))
    return found if found and found.url == issuer else None


def oidc_arn(partition: str, account: str, url: str) -> str:
    """The ARN that a provider with this URL has, or would have: the URL without its scheme."""
    return f"arn:{partition}:iam::{account}:oidc-provider/{url.partition('://')[2]}"


def saml(transaction: Transaction, provider_arn: str) -> SamlProvider | None:
    """The SAML provider with this ARN."""
    table = tables.saml_provider
    row = transaction.one(select(table).where(table.c.arn == provider_arn))
    if row is None:
        return None
    values = {name: value for name, value in row._mapping.items() if name != "folded"}
    values["certificates"] = tuple(base64.b64decode(each) for each in json.loads(values["certificates"]))
    return SamlProvider(**values)


def saml_of(transaction: Transaction, entity_id: str, limit: int = 10) -> list[SamlProvider]:
    """SAML providers, of any account, whose metadata names this entity."""
    column = tables.saml_provider.c
    rows = transaction.all(
        select(column.arn).where(column.entity_id == entity_id).order_by(column.created, column.arn).limit(limit)
    )
    found = [saml(transaction, row.arn) for row in rows]
    return [each for each in found if each is not None]


def saml_numbered(transaction: Transaction, uuid: str) -> SamlProvider | None:
    """The SAML provider with this id, which its own address has."""
    column = tables.saml_provider.c
    row = transaction.one(select(column.arn).where(column.uuid == uuid))
    return None if row is None else saml(transaction, row.arn)


def saml_keys(transaction: Transaction, provider_arn: str) -> list[SamlKey]:
    """The private keys of a SAML provider, the oldest first."""
    table = tables.saml_private_key
    rows = transaction.all(
        select(table).where(table.c.provider_arn == provider_arn).order_by(table.c.created, table.c.id)
    )
    return [record(SamlKey, row) for row in rows]


def open_key(ring: KeyRing, key: SamlKey) -> bytes | None:
    """A private key as PEM, or None if it was sealed by another deployment."""
    try:
        return ring.open(PRIVATE_KEY, key.sealed, key.id.encode())
    except SealError:
        return None


class Outbound(NamedTuple):
    """An account as an issuer of tokens for the outside: its id as one, and whether it may issue now."""

    issuer_id: str
    enabled: bool


def outbound(transaction: Transaction, account: str) -> Outbound | None:
    """What an account has set up to issue tokens for the outside, None if it never did."""
    table = tables.outbound_federation
    row = transaction.one(select(table).where(table.c.account == account))
    return None if row is None else Outbound(row.issuer_id, bool(row.enabled))


def outbound_issuer(public_url: str, issuer_id: str) -> str:
    """The issuer of an account's tokens: an address of this deployment."""
    return f"{public_url}/tokens/{issuer_id}"

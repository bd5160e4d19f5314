"""SAML providers: identity providers whose assertions AssumeRoleWithSAML accepts."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call, Target, nothing
from bailiwick.core import saml_metadata
from bailiwick.core.errors import MetadataError
from bailiwick.directory import providers
from bailiwick.directory.provider_tables import saml_private_key, saml_provider
from bailiwick.directory.providers import SamlProvider
from bailiwick.services.iam import names, shapes, tags, targets
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
)
from bailiwick.store import Duplicate

PROVIDERS_PER_ACCOUNT = 100
MAX_KEYS = 2
_FOREVER = 100 * 365.25 * 86400  # what AWS shows for metadata that never ends, about
_ALLOWED, _REQUIRED = "Allowed", "Required"

_columns, _keys = saml_provider.c, saml_private_key.c


def provider_named(call: Call, request: Any) -> Target:
    """The provider with the ARN in the request. The record is a SamlProvider."""
    arn = request.SAMLProviderArn
    found = providers.saml(call.transaction, arn)
    return targets.provider(call, request, arn, found, f"Manifest not found for arn {arn}")


def new_provider(call: Call, request: shapes.CreateSAMLProviderRequest) -> Target:
    """The provider to be made; with tags, the caller must be allowed to set them too."""
    arn = names.account_arn(call, "saml-provider", "/", request.Name)
    return tags.new(call, arn, request.Tags, "iam:TagSAMLProvider")


@iam.operation("CreateSAMLProvider", on=new_provider, writes=True)
def create_provider(
    call: Call, request: shapes.CreateSAMLProviderRequest, record: None
) -> shapes.CreateSAMLProviderResponse:
    created = names.seconds(call.now)
    parsed = _parsed(request.SAMLMetadataDocument, created)
    encryption = request.AssertionEncryptionMode or _ALLOWED
    _check_encryption(encryption, keys=int(request.AddPrivateKey is not None))
    present = names.count(call.transaction, _columns.account == call.account)
    names.check_quota(present, PROVIDERS_PER_ACCOUNT, "SAMLProvidersPerAccount")
    arn = names.account_arn(call, "saml-provider", "/", request.Name)
    try:
        call.transaction.run(
            insert(saml_provider).values(
                arn=arn,
                account=call.account,
                name=request.Name,
                folded=request.Name.lower(),
                created=created,
                uuid=_identifier(call),
                encryption=encryption,
                **parsed,
            )
        )
    except Duplicate:
        raise EntityAlreadyExistsException(f"SAMLProvider {request.Name} already exists.") from None
    if request.AddPrivateKey is not None:
        _add_key(call, arn, request.AddPrivateKey)
    tags.put(call.transaction, arn, request.Tags, fold=False)
    _changed(call, arn)
    return shapes.CreateSAMLProviderResponse(SAMLProviderArn=arn, Tags=tags.shown(call.transaction, arn))


@iam.operation("GetSAMLProvider", on=provider_named)
def get_provider(
    call: Call, request: shapes.GetSAMLProviderRequest, provider: SamlProvider
) -> shapes.GetSAMLProviderResponse:
    keys = [
        shapes.SAMLPrivateKey(KeyId=key.id, Timestamp=key.created)
        for key in providers.saml_keys(call.transaction, provider.arn)
    ]
    return shapes.GetSAMLProviderResponse(
        SAMLProviderUUID=provider.uuid,
        SAMLMetadataDocument=provider.metadata,
        CreateDate=provider.created,
        ValidUntil=provider.valid_until,
        Tags=tags.listed(call.transaction, provider.arn),
        AssertionEncryptionMode=provider.encryption,
        PrivateKeyList=keys,
    )


@iam.operation("UpdateSAMLProvider", on=provider_named, writes=True)
def update_provider(
    call: Call, request: shapes.UpdateSAMLProviderRequest, provider: SamlProvider
) -> shapes.UpdateSAMLProviderResponse:
    values: dict[str, Any] = {"encryption": request.AssertionEncryptionMode or provider.encryption}
    if request.SAMLMetadataDocument is not None:
        values |= _parsed(request.SAMLMetadataDocument, names.seconds(call.now))
    if request.RemovePrivateKey is not None:
        _remove_key(call, provider.arn, request.RemovePrivateKey)
    if request.AddPrivateKey is not None:
        _add_key(call, provider.arn, request.AddPrivateKey)
    _check_encryption(values["encryption"], keys=len(providers.saml_keys(call.transaction, provider.arn)))
    call.transaction.run(update(saml_provider).where(_columns.arn == provider.arn).values(**values))
    _changed(call, provider.arn)
    return shapes.UpdateSAMLProviderResponse(SAMLProviderArn=provider.arn)


@iam.operation("DeleteSAMLProvider", on=provider_named, writes=True)
def delete_provider(call: Call, request: shapes.DeleteSAMLProviderRequest, provider: SamlProvider) -> None:
    tags.remove_all(call.transaction, provider.arn)
    call.transaction.run(delete(saml_private_key).where(_keys.provider_arn == provider.arn))
    call.transaction.run(delete(saml_provider).where(_columns.arn == provider.arn))
    _changed(call, provider.arn)


@iam.operation("ListSAMLProviders", on=nothing)
def list_providers(
    call: Call, request: shapes.ListSAMLProvidersRequest, record: None
) -> shapes.ListSAMLProvidersResponse:
    rows = call.transaction.all(
        select(_columns.arn, _columns.valid_until, _columns.created)
        .where(_columns.account == call.account)
        .order_by(_columns.folded)
    )
    entries = [
        shapes.SAMLProviderListEntry(Arn=row.arn, ValidUntil=row.valid_until, CreateDate=row.created)
        for row in rows
    ]
    return shapes.ListSAMLProvidersResponse(SAMLProviderList=entries)


@iam.operation("TagSAMLProvider", on=provider_named, writes=True)
def tag_provider(call: Call, request: shapes.TagSAMLProviderRequest, provider: SamlProvider) -> None:
    tags.put(call.transaction, provider.arn, request.Tags, fold=False)


@iam.operation("UntagSAMLProvider", on=provider_named, writes=True)
def untag_provider(call: Call, request: shapes.UntagSAMLProviderRequest, provider: SamlProvider) -> None:
    tags.remove(call.transaction, provider.arn, request.TagKeys, fold=False)


@iam.operation("ListSAMLProviderTags", on=provider_named)
def list_provider_tags(
    call: Call, request: shapes.ListSAMLProviderTagsRequest, provider: SamlProvider
) -> shapes.ListSAMLProviderTagsResponse:
    page, truncated, marker = tags.page_listed(call, provider.arn, request.Marker, request.MaxItems)
    return shapes.ListSAMLProviderTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)


def _parsed(document: str, now: float) -> dict[str, Any]:
    """The columns that come from a metadata document. Raises InvalidInput."""
    try:
        found = saml_metadata.read(document)
    except MetadataError as error:
        raise InvalidInputException(f"Could not parse metadata: {error}") from None
    return {
        "metadata": document,
        "entity_id": found.entity_id,
        "certificates": json.dumps([base64.b64encode(each).decode() for each in found.certificates]),
        "valid_until": now + _FOREVER if found.valid_until is None else found.valid_until,
    }


def _check_encryption(mode: str, *, keys: int) -> None:
    if mode == _REQUIRED and not keys:
        raise InvalidInputException("AssertionEncryptionMode Required needs a private key.")


def _add_key(call: Call, arn: str, pem: str) -> None:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidInputException("The private key is not an unencrypted key in PEM.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise InvalidInputException("The private key is not an RSA key.")
    if names.count(call.transaction, _keys.provider_arn == arn) >= MAX_KEYS:
        raise LimitExceededException(f"Cannot exceed quota for PrivateKeysPerSAMLProvider: {MAX_KEYS}")
    key_id = _identifier(call)
    ring, entropy = call.environment.ring, call.environment.entropy
    sealed = ring.seal(providers.PRIVATE_KEY, pem.encode(), entropy, key_id.encode())
    call.transaction.run(
        insert(saml_private_key).values(id=key_id, provider_arn=arn, created=names.seconds(call.now), sealed=sealed)
    )


def _remove_key(call: Call, arn: str, key_id: str) -> None:
    found = delete(saml_private_key).where(_keys.provider_arn == arn, _keys.id == key_id)
    if not call.transaction.run(found):
        raise NoSuchEntityException(f"The private key with id {key_id} cannot be found.")


def _identifier(call: Call) -> str:
    """An id of 26 letters and digits, as providers and their private keys have."""
    return base64.b32encode(call.environment.entropy(20)).decode()[:26]


def _changed(call: Call, arn: str) -> None:
    call.transaction.changed(f"provider:{arn}")

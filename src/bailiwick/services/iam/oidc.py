"""OpenID Connect providers: issuers whose tokens AssumeRoleWithWebIdentity accepts.

Nothing is fetched when a provider is made; its keys are fetched when a token of it comes (docs/deviations.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, insert, select, update

from bailiwick.api import Call, Target, ValidationError, nothing
from bailiwick.directory import providers
from bailiwick.directory.provider_tables import oidc_provider
from bailiwick.directory.providers import OidcProvider
from bailiwick.services.iam import names, shapes, tags, targets
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
)
from bailiwick.store import Duplicate

PROVIDERS_PER_ACCOUNT = 100
CLIENT_IDS_PER_PROVIDER = 100
MAX_THUMBPRINTS = 5

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@%/-]*", re.ASCII)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_THUMBPRINT = re.compile("[0-9A-Fa-f]{40}", re.ASCII)

_columns = oidc_provider.c


def _provider(call: Call, request: Any, missing: str) -> Target:
    arn = request.OpenIDConnectProviderArn
    return targets.provider(call, request, arn, providers.oidc(call.transaction, arn), missing.format(arn=arn))


def provider_named(call: Call, request: Any) -> Target:
    """The provider with the ARN in the request. The record is an OidcProvider."""
    return _provider(call, request, "OpenIDConnect Provider not found for arn {arn}")


def provider_to_delete(call: Call, request: Any) -> Target:
    """The same, missing in other words."""
    return _provider(call, request, "OpenId connect Provider {arn} cannot be found.")


def new_provider(call: Call, request: shapes.CreateOpenIDConnectProviderRequest) -> Target:
    """The provider to be made; with tags, the caller must be allowed to set them too."""
    arn = providers.oidc_arn(call.partition, call.account, request.Url)
    return tags.new(call, arn, request.Tags, "iam:TagOpenIDConnectProvider")


@iam.operation("CreateOpenIDConnectProvider", on=new_provider, writes=True)
def create_provider(
    call: Call, request: shapes.CreateOpenIDConnectProviderRequest, record: None
) -> shapes.CreateOpenIDConnectProviderResponse:
    _check_url(request.Url)
    client_ids = _client_ids(request.ClientIDList or [])
    thumbprints = _thumbprints(request.ThumbprintList or [])
    present = names.count(call.transaction, _columns.account == call.account)
    names.check_quota(present, PROVIDERS_PER_ACCOUNT, "OpenIdConnectProvidersPerAccount")
    arn = providers.oidc_arn(call.partition, call.account, request.Url)
    try:
        call.transaction.run(
            insert(oidc_provider).values(
                arn=arn,
                account=call.account,
                url=request.Url,
                created=names.seconds(call.now),
                client_ids=json.dumps(client_ids),
                thumbprints=json.dumps(thumbprints),
            )
        )
    except Duplicate:
        raise EntityAlreadyExistsException(f"Provider with url {request.Url} already exists.") from None
    tags.put(call.transaction, arn, request.Tags, fold=False)
    _changed(call, arn)
    return shapes.CreateOpenIDConnectProviderResponse(
        OpenIDConnectProviderArn=arn, Tags=tags.shown(call.transaction, arn)
    )


@iam.operation("GetOpenIDConnectProvider", on=provider_named)
def get_provider(
    call: Call, request: shapes.GetOpenIDConnectProviderRequest, provider: OidcProvider
) -> shapes.GetOpenIDConnectProviderResponse:
    return shapes.GetOpenIDConnectProviderResponse(
        Url=provider.name,
        ClientIDList=provider.client_ids,
        ThumbprintList=provider.thumbprints,
        CreateDate=provider.created,
        Tags=tags.listed(call.transaction, provider.arn),
    )


@iam.operation("DeleteOpenIDConnectProvider", on=provider_to_delete, writes=True)
def delete_provider(call: Call, request: shapes.DeleteOpenIDConnectProviderRequest, provider: OidcProvider) -> None:
    tags.remove_all(call.transaction, provider.arn)
    call.transaction.run(delete(oidc_provider).where(_columns.arn == provider.arn))
    _changed(call, provider.arn)


@iam.operation("ListOpenIDConnectProviders", on=nothing)
def list_providers(
    call: Call, request: shapes.ListOpenIDConnectProvidersRequest, record: None
) -> shapes.ListOpenIDConnectProvidersResponse:
    rows = call.transaction.all(select(_columns.arn).where(_columns.account == call.account).order_by(_columns.arn))
    entries = [shapes.OpenIDConnectProviderListEntry(Arn=row.arn) for row in rows]
    return shapes.ListOpenIDConnectProvidersResponse(OpenIDConnectProviderList=entries)


@iam.operation("AddClientIDToOpenIDConnectProvider", on=provider_named, writes=True)
def add_client_id(
    call: Call, request: shapes.AddClientIDToOpenIDConnectProviderRequest, provider: OidcProvider
) -> None:
    found = _client_ids([*provider.client_ids, request.ClientID])
    _update(call, provider, client_ids=json.dumps(found))


@iam.operation("RemoveClientIDFromOpenIDConnectProvider", on=provider_named, writes=True)
def remove_client_id(
    call: Call, request: shapes.RemoveClientIDFromOpenIDConnectProviderRequest, provider: OidcProvider
) -> None:
    left = [each for each in provider.client_ids if each != request.ClientID]  # one that is not there is no error
    _update(call, provider, client_ids=json.dumps(left))


@iam.operation("UpdateOpenIDConnectProviderThumbprint", on=provider_named, writes=True)
def update_thumbprints(
    call: Call, request: shapes.UpdateOpenIDConnectProviderThumbprintRequest, provider: OidcProvider
) -> None:
    _update(call, provider, thumbprints=json.dumps(_thumbprints(request.ThumbprintList)))


@iam.operation("TagOpenIDConnectProvider", on=provider_named, writes=True)
def tag_provider(call: Call, request: shapes.TagOpenIDConnectProviderRequest, provider: OidcProvider) -> None:
    tags.put(call.transaction, provider.arn, request.Tags, fold=False)


@iam.operation("UntagOpenIDConnectProvider", on=provider_named, writes=True)
def untag_provider(call: Call, request: shapes.UntagOpenIDConnectProviderRequest, provider: OidcProvider) -> None:
    tags.remove(call.transaction, provider.arn, request.TagKeys, fold=False)


@iam.operation("ListOpenIDConnectProviderTags", on=provider_named)
def list_provider_tags(
    call: Call, request: shapes.ListOpenIDConnectProviderTagsRequest, provider: OidcProvider
) -> shapes.ListOpenIDConnectProviderTagsResponse:
    page, truncated, marker = tags.page_listed(call, provider.arn, request.Marker, request.MaxItems)
    return shapes.ListOpenIDConnectProviderTagsResponse(Tags=page, IsTruncated=truncated, Marker=marker)


def _check_url(url: str) -> None:
    """Refuse what is no issuer: https with a host and a path, nothing else; http for this machine alone."""
    try:
        parts = urlsplit(url)
        host, port = parts.netloc, parts.port
    except ValueError:
        raise ValidationError("Invalid Open ID Connect Provider URL") from None
    if port is not None:
        host = host.rpartition(":")[0]
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}" == url  # no user, query or fragment
    if not (secure and plain and _HOST.fullmatch(host) and _PATH.fullmatch(parts.path)):
        raise ValidationError("Invalid Open ID Connect Provider URL")


def _client_ids(given: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(given))
    if len(found) > CLIENT_IDS_PER_PROVIDER:
        raise LimitExceededException(
            f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENT_IDS_PER_PROVIDER}"
        )
    return found


def _thumbprints(given: Sequence[str]) -> list[str]:
    if len(given) > MAX_THUMBPRINTS:  # 5 are allowed, whatever the text says (recorded)
        raise InvalidInputException("Thumbprint list must contain fewer than 5 entries.")
    matches: Callable[[str], object] = _THUMBPRINT.fullmatch
    if not all(map(matches, given)):
        raise InvalidInputException("A thumbprint is 40 hexadecimal digits.")
    return list(given)


def _update(call: Call, provider: OidcProvider, **values: str) -> None:
    call.transaction.run(update(oidc_provider).where(_columns.arn == provider.arn).values(**values))
    _changed(call, provider.arn)


def _changed(call: Call, arn: str) -> None:
    call.transaction.changed(f"provider:{arn}")

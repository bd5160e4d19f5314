"""Tokens for SCIM: an extension, for AWS has them in its console only, under the actions of sso-directory."""

from __future__ import annotations

from typing import Any

import msgspec

from bailiwick.api import Call, Target
from bailiwick.directory.center import scim_tokens
from bailiwick.services.identitystore import shapes, targets
from bailiwick.services.identitystore.service import identitystore
from bailiwick.services.identitystore.shapes import ServiceQuotaExceededException
from bailiwick.services.identitystore.targets import Held


def _store(call: Call, request: Any) -> Target:
    target = targets.store(call, request)
    return msgspec.structs.replace(target, action=f"sso-directory:{call.operation.name}")


@identitystore.operation("CreateBearerToken", on=_store, writes=True)
def create_bearer_token(
    call: Call, request: shapes.CreateBearerTokenRequest, held: Held
) -> shapes.CreateBearerTokenResponse:
    store = held.instance.store
    if len(scim_tokens.of_store(call.transaction, store)) >= scim_tokens.MOST:
        raise ServiceQuotaExceededException(f"A store has at most {scim_tokens.MOST} bearer tokens.")
    made, text = scim_tokens.create(call.transaction, call.environment, store, call.now)
    return shapes.CreateBearerTokenResponse(
        TokenId=made.id,
        CreatedAt=made.created,
        ExpiresAt=made.expires,
        BearerToken=text,
        Endpoint=f"{call.environment.public_url}/scim/{store}/v2/",
    )


@identitystore.operation("ListBearerTokens", on=_store)
def list_bearer_tokens(
    call: Call, request: shapes.ListBearerTokensRequest, held: Held
) -> shapes.ListBearerTokensResponse:
    found = scim_tokens.of_store(call.transaction, held.instance.store)
    return shapes.ListBearerTokensResponse(
        BearerTokens=[
            shapes.ScimTokenInfo(TokenId=each.id, CreatedAt=each.created, ExpiresAt=each.expires) for each in found
        ]
    )


@identitystore.operation("DeleteBearerToken", on=_store, writes=True)
def delete_bearer_token(
    call: Call, request: shapes.DeleteBearerTokenRequest, held: Held
) -> shapes.DeleteBearerTokenResponse:
    if not scim_tokens.remove(call.transaction, held.instance.store, request.TokenId):
        raise targets.missing("IDENTITY_STORE", request.TokenId)
    return shapes.DeleteBearerTokenResponse()

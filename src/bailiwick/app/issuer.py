"""This deployment as an issuer of tokens: discovery document and keys for each account that has switched it on.

Source: OpenID Connect Discovery 1.0 section 3; facts/sts.md section 11. Anyone may read them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select

from bailiwick.api import Environment
from bailiwick.app.edge import BELOW
from bailiwick.app.probes import plain
from bailiwick.core.message import Header, Request, Response
from bailiwick.directory import outbound_keys, providers
from bailiwick.directory.provider_tables import outbound_federation
from bailiwick.store import Store, StoreError

PATH = BELOW

_ASKED = re.compile(r"/tokens/([0-9a-f-]{36})/\.well-known/(openid-configuration|jwks\.json)", re.ASCII)
_SECONDS = 300  # for which the answer may be kept


class Issuer:
    """Answers to GET below /tokens/."""

    def __init__(self, environment: Environment, store: Store) -> None:
        self._environment = environment
        self._store = store

    def __call__(self, request: Request) -> Response:
        """The document, or 404 for an issuer that there is not, or that was switched off."""
        asked = _ASKED.fullmatch(request.path)
        if asked is None:
            return plain(404, "not found\n")
        issuer_id, name = asked.groups()
        try:
            self._store.refresh()
            with self._store.transaction() as transaction:
                column = outbound_federation.c
                row = transaction.one(select(column.enabled).where(column.issuer_id == issuer_id))
                if row is None or not row.enabled:
                    return plain(404, "not found\n")
                if name == "jwks.json":
                    return _json({"keys": outbound_keys.published(transaction, self._environment.now())})
        except StoreError:
            return plain(503, "the database is unavailable\n")
        return _json(_discovery(providers.outbound_issuer(self._environment.public_url, issuer_id)))


def _discovery(issuer: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES384"],
        "claims_supported": ["iss", "aud", "sub", "iat", "exp", "jti", "https://sts.amazonaws.com/"],
    }


def _json(document: Mapping[str, Any]) -> Response:
    headers = (Header("content-type", "application/json"), Header("cache-control", f"max-age={_SECONDS}"))
    return Response(200, headers, msgspec.json.encode(document))

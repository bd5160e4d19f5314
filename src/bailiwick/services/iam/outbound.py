"""Outbound web identity federation: whether an account's principals may get tokens that others trust.

Each account is an issuer of its own: an address of this deployment with an id that stays the account's. STS issues
the tokens and serves the issuer's documents.
"""

from __future__ import annotations

import uuid

from sqlalchemy import insert, update

from bailiwick.api import Call, nothing
from bailiwick.directory import providers
from bailiwick.directory.provider_tables import outbound_federation
from bailiwick.services.iam import shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import FeatureDisabledException, FeatureEnabledException

_DISABLED = "Outbound web identity federation is not enabled for this account."

_columns = outbound_federation.c


@iam.operation("EnableOutboundWebIdentityFederation", on=nothing, writes=True)
def enable(call: Call, request: None, record: None) -> shapes.EnableOutboundWebIdentityFederationResponse:
    found = providers.outbound(call.transaction, call.account)
    if found is not None and found.enabled:
        raise FeatureEnabledException("Outbound web identity federation is already enabled for this account.")
    if found is None:
        issuer_id = str(uuid.UUID(bytes=call.environment.entropy(16), version=4))
        values = {"account": call.account, "issuer_id": issuer_id, "enabled": True}
        call.transaction.run(insert(outbound_federation).values(**values))
    else:
        issuer_id = found.issuer_id
        _set(call, enabled=True)
    return shapes.EnableOutboundWebIdentityFederationResponse(IssuerIdentifier=_issuer(call, issuer_id))


@iam.operation("DisableOutboundWebIdentityFederation", on=nothing, writes=True)
def disable(call: Call, request: None, record: None) -> None:
    found = providers.outbound(call.transaction, call.account)
    if found is None or not found.enabled:
        raise FeatureDisabledException(_DISABLED)
    _set(call, enabled=False)


@iam.operation("GetOutboundWebIdentityFederationInfo", on=nothing)
def get_info(call: Call, request: None, record: None) -> shapes.GetOutboundWebIdentityFederationInfoResponse:
    found = providers.outbound(call.transaction, call.account)
    if found is None or not found.enabled:
        raise FeatureDisabledException(_DISABLED)
    return shapes.GetOutboundWebIdentityFederationInfoResponse(
        IssuerIdentifier=_issuer(call, found.issuer_id), JwtVendingEnabled=True
    )


def _set(call: Call, *, enabled: bool) -> None:
    changed = update(outbound_federation).where(_columns.account == call.account).values(enabled=enabled)
    call.transaction.run(changed)


def _issuer(call: Call, issuer_id: str) -> str:
    return providers.outbound_issuer(call.environment.public_url, issuer_id)

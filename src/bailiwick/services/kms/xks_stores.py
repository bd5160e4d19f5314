"""External key stores: what is written of them, and what their proxies' troubles are called where."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bailiwick.api import ApiError, Call, Throttling, ValidationError
from bailiwick.services.kms import shapes, tables, xks
from bailiwick.services.kms.shapes import (
    CustomKeyStoreInvalidStateException,
    DependencyTimeoutException,
    KMSInvalidStateException,
    XksKeyInvalidConfigurationException,
    XksKeyNotFoundException,
    XksProxyIncorrectAuthenticationCredentialException,
    XksProxyInvalidConfigurationException,
    XksProxyInvalidResponseException,
    XksProxyUriInUseException,
    XksProxyUriUnreachableException,
    XksProxyVpcEndpointServiceNotFoundException,
)
from bailiwick.services.kms.stores import KeyStore
from bailiwick.services.kms.xks import Proxy, Trouble

_CREATION: dict[str, type[ApiError]] = {
    xks.DENIED: XksProxyIncorrectAuthenticationCredentialException,
    xks.RESPONSE: XksProxyInvalidResponseException,
    xks.TLS: XksProxyInvalidConfigurationException,
}
_TOLD = {
    xks.UNREACHABLE: "the external key store proxy cannot be reached",
    xks.TIMED_OUT: "the external key store proxy did not answer in time",
    xks.TLS: "the external key store proxy has no certificate that holds",
    xks.RESPONSE: "the external key store proxy does not answer as it should",
    xks.DENIED: "the external key store proxy denies it",
    xks.CONFIGURATION: "the external key store proxy is not at this path, or does not have this key",
}


def values(call: Call, request: shapes.CreateCustomKeyStoreRequest) -> dict[str, Any]:
    """What is written of a new external key store, whose proxy has answered."""
    _check_public(request)
    credential = request.XksProxyAuthenticationCredential
    assert credential is not None, "checked before"
    found = {
        "endpoint": request.XksProxyUriEndpoint,
        "path": request.XksProxyUriPath,
        "access_key_id": credential.AccessKeyId,
        "secret": credential.RawSecretAccessKey,
    }
    _check_health(call, Proxy(*found.values()))  # type: ignore[arg-type]  # they are required
    return found


def changed(call: Call, request: shapes.UpdateCustomKeyStoreRequest, store: KeyStore) -> dict[str, Any]:
    """What a change writes of an external key store: its proxy has answered at the new place."""
    _check_public(request)
    found: dict[str, Any] = {}
    if request.XksProxyUriEndpoint is not None:
        found["endpoint"] = request.XksProxyUriEndpoint
    if request.XksProxyUriPath is not None:
        found["path"] = request.XksProxyUriPath
    if request.XksProxyAuthenticationCredential is not None:
        found["access_key_id"] = request.XksProxyAuthenticationCredential.AccessKeyId
        found["secret"] = request.XksProxyAuthenticationCredential.RawSecretAccessKey
    if found:
        proxy = proxy_of(store)
        _check_health(call, proxy._replace(**found))
    return found


def trouble(call: Call, store: KeyStore) -> str | None:
    """Why a store cannot be connected, as ConnectionErrorCode has it."""
    try:
        xks.check_health(call, proxy_of(store))
    except Trouble as error:
        return error.code
    return None


def check_unused(call: Call, values: dict[str, Any], store: KeyStore | None = None) -> None:
    """A proxy, which is an endpoint and a path, is in one external key store of a Region only."""
    column = tables.store.c
    endpoint = values.get("endpoint") or (store.endpoint if store else None)
    path = values.get("path") or (store.path if store else None)
    same = column.region == call.region, column.endpoint == endpoint, column.path == path
    others = call.transaction.all(select(column.id).where(*same))
    if any(row.id != (store.id if store else None) for row in others):
        raise XksProxyUriInUseException("Another external key store has this proxy.")


def check_key(call: Call, store: KeyStore, key: str) -> None:
    """Nothing, if the external key can be used. Raises XksKeyNotFoundException and its like."""
    try:
        if not xks.is_fit(call, proxy_of(store), key):
            raise XksKeyInvalidConfigurationException(
                f"The external key {key} is not an enabled AES-256 key that encrypts and decrypts."
            )
    except Trouble as error:
        if error.name == "KeyNotFoundException":
            raise XksKeyNotFoundException(f"The proxy of {store.id} has no external key {key}.") from None
        if error.name == xks.THROTTLES:
            raise Throttling(f"The proxy of {store.id} throttles.") from None
        if error.code == xks.TIMED_OUT:
            raise DependencyTimeoutException(f"{_TOLD[error.code].capitalize()}.") from None
        raise CustomKeyStoreInvalidStateException(f"{store.id}: {_TOLD[error.code]}.") from None


def proxy_of(store: KeyStore) -> Proxy:
    """The proxy of an external key store."""
    return Proxy(store.endpoint or "", store.path or "", store.access_key_id or "", store.secret)


def refusal(arn: str, error: Trouble) -> ApiError:
    """How a cryptographic operation with a key tells what its proxy did."""
    if error.name == xks.THROTTLES:
        return Throttling(f"{arn}: the external key store proxy throttles.")
    named = f" ({error.name})" if error.name.isidentifier() else ""
    return KMSInvalidStateException(f"{arn}: {_TOLD[error.code]}{named}.")


def _check_health(call: Call, proxy: Proxy) -> None:
    try:
        xks.check_health(call, proxy)
    except Trouble as error:
        kind = _CREATION.get(error.code, XksProxyUriUnreachableException)
        raise kind(f"{_TOLD[error.code].capitalize()}.") from None


def _check_public(request: shapes.CreateCustomKeyStoreRequest | shapes.UpdateCustomKeyStoreRequest) -> None:
    if request.XksProxyConnectivity == "VPC_ENDPOINT_SERVICE" or request.XksProxyVpcEndpointServiceName:
        raise XksProxyVpcEndpointServiceNotFoundException("There are no VPC endpoint services here.")
    path = request.XksProxyUriPath
    if path is not None and not path.endswith("/kms/xks/v1"):
        raise ValidationError("XksProxyUriPath must end with /kms/xks/v1.")

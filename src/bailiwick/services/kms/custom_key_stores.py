"""Custom key stores: made, connected, changed, described and given up (facts/kms.md section 16).

A CloudHSM key store is a PKCS#11 token that the operator configured: CloudHsmClusterId is its name,
KeyStorePassword the PIN of its user, which whoever connects the store must know. What AWS does in minutes is done
here before the answer leaves, so CONNECTING and DISCONNECTING are never seen.
"""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import delete, insert, select

from bailiwick.api import Call, Target, ValidationError, nothing
from bailiwick.core.errors import HsmUnavailable
from bailiwick.outside import Token
from bailiwick.services.kms import key_stores, paging, shapes, stores, tables, xks_stores
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import (
    CloudHsmClusterInUseException,
    CloudHsmClusterNotActiveException,
    CloudHsmClusterNotFoundException,
    CloudHsmClusterNotRelatedException,
    CustomKeyStoreHasCMKsException,
    CustomKeyStoreInvalidStateException,
    CustomKeyStoreNameInUseException,
    CustomKeyStoreNotFoundException,
    IncorrectTrustAnchorException,
    LimitExceededException,
)
from bailiwick.services.kms.stores import (
    AWS_CLOUDHSM,
    CONNECTED,
    DISCONNECTED,
    EXTERNAL_KEY_STORE,
    FAILED,
    KeyStore,
)
from bailiwick.store import waiting

log = structlog.get_logger()

STORES = 10
"""So many custom key stores has an account in a region at most."""

_INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
_OF_HSM = ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword")
_OF_XKS = ("XksProxyUriEndpoint", "XksProxyUriPath", "XksProxyAuthenticationCredential", "XksProxyConnectivity")


def what_is_asked(call: Call, request: Any) -> Target:
    """No resource. The token or proxy is waited for where nobody else waits."""
    waiting.leave()
    return nothing(call, request)


@kms.operation("CreateCustomKeyStore", on=what_is_asked, writes=True, asks_first=True)
def create_custom_key_store(
    call: Call, request: shapes.CreateCustomKeyStoreRequest, record: None
) -> shapes.CreateCustomKeyStoreResponse:
    kind = request.CustomKeyStoreType or AWS_CLOUDHSM
    _check_members(request, kind)
    store_id = f"cks-{call.environment.entropy(9).hex()[:17]}"
    in_token = kind == AWS_CLOUDHSM
    values = _token_values(call, request) if in_token else xks_stores.values(call, request)
    call.transaction.begin_writing()
    _check_room(call)
    _check_name(call, request.CustomKeyStoreName)
    (_check_place if in_token else xks_stores.check_unused)(call, values)
    secret = stores.sealed(call.environment, store_id, values.pop("secret"))
    call.transaction.run(
        insert(tables.store).values(
            id=store_id,
            account=call.account,
            region=call.region,
            name=request.CustomKeyStoreName,
            kind=kind,
            state=DISCONNECTED,
            created=round(call.now, 3),
            secret=secret,
            **values,
        )
    )
    call.transaction.changed(stores.topic(store_id))
    return shapes.CreateCustomKeyStoreResponse(CustomKeyStoreId=store_id)


@kms.operation("ConnectCustomKeyStore", on=what_is_asked, writes=True, asks_first=True)
def connect_custom_key_store(
    call: Call, request: shapes.ConnectCustomKeyStoreRequest, record: None
) -> shapes.ConnectCustomKeyStoreResponse:
    store = _named(call, request.CustomKeyStoreId)
    if store.state == FAILED:
        raise _wrong_state(store, "it has to be disconnected first")
    error = (_trouble if store.kind == AWS_CLOUDHSM else xks_stores.trouble)(call, store)
    call.transaction.begin_writing()
    _check_same(call, store)
    stores.change(call, store.id, state=CONNECTED if error is None else FAILED, error=error)
    return shapes.ConnectCustomKeyStoreResponse()


@kms.operation("DisconnectCustomKeyStore", on=nothing, writes=True)
def disconnect_custom_key_store(
    call: Call, request: shapes.DisconnectCustomKeyStoreRequest, record: None
) -> shapes.DisconnectCustomKeyStoreResponse:
    store = _named(call, request.CustomKeyStoreId)
    if store.state == DISCONNECTED:
        raise _wrong_state(store, "it is disconnected already")
    stores.change(call, store.id, state=DISCONNECTED, error=None)
    return shapes.DisconnectCustomKeyStoreResponse()


@kms.operation("DeleteCustomKeyStore", on=nothing, writes=True)
def delete_custom_key_store(
    call: Call, request: shapes.DeleteCustomKeyStoreRequest, record: None
) -> shapes.DeleteCustomKeyStoreResponse:
    store = _named(call, request.CustomKeyStoreId)
    _check_disconnected(store)
    if key_stores.has_keys(call.transaction, store.id):
        raise CustomKeyStoreHasCMKsException(f"There are keys in the custom key store {store.id}.")
    call.transaction.run(delete(tables.store).where(tables.store.c.id == store.id))
    call.transaction.changed(stores.topic(store.id))
    return shapes.DeleteCustomKeyStoreResponse()


@kms.operation("UpdateCustomKeyStore", on=what_is_asked, writes=True, asks_first=True)
def update_custom_key_store(
    call: Call, request: shapes.UpdateCustomKeyStoreRequest, record: None
) -> shapes.UpdateCustomKeyStoreResponse:
    store = _named(call, request.CustomKeyStoreId)
    others = _OF_XKS if store.kind == AWS_CLOUDHSM else _OF_HSM
    for member in others:
        if getattr(request, member, None) is not None:
            raise ValidationError(f"{member} cannot be used with a custom key store of the type {store.kind}.")
    if request.XksProxyUriEndpoint is not None:
        _check_disconnected(store)
    values = (_changed_token if store.kind == AWS_CLOUDHSM else xks_stores.changed)(call, request, store)
    call.transaction.begin_writing()
    _check_same(call, store)
    if store.kind == EXTERNAL_KEY_STORE:
        xks_stores.check_unused(call, values, store)
    if "cluster" in values:
        _check_place(call, values)
    if request.NewCustomKeyStoreName not in (None, store.name):
        _check_name(call, request.NewCustomKeyStoreName or "")
        values["name"] = request.NewCustomKeyStoreName
    if "secret" in values:
        values["secret"] = stores.sealed(call.environment, store.id, values["secret"])
    if values:
        stores.change(call, store.id, **values)
    return shapes.UpdateCustomKeyStoreResponse()


@kms.operation("DescribeCustomKeyStores", on=nothing)
def describe_custom_key_stores(
    call: Call, request: shapes.DescribeCustomKeyStoresRequest, record: None
) -> shapes.DescribeCustomKeyStoresResponse:
    column, limit = tables.store.c, request.Limit or STORES
    wanted = [column.account == call.account, column.region == call.region]
    wanted.append(column.id > paging.after(call, request.Marker))
    if request.CustomKeyStoreId is not None and request.CustomKeyStoreName is not None:
        raise ValidationError("Please specify either CustomKeyStoreId or CustomKeyStoreName, not both.")
    if request.CustomKeyStoreId is not None:
        wanted.append(column.id == request.CustomKeyStoreId)
    if request.CustomKeyStoreName is not None:
        wanted.append(column.name == request.CustomKeyStoreName)
    rows = call.transaction.all(select(tables.store).where(*wanted).order_by(column.id).limit(limit + 1))
    if not rows and (request.CustomKeyStoreId or request.CustomKeyStoreName):
        raise _missing(request.CustomKeyStoreId or request.CustomKeyStoreName or "")
    page, truncated, marker = paging.page(call, rows, limit, lambda row: str(row.id))
    return shapes.DescribeCustomKeyStoresResponse(
        CustomKeyStores=[_entry(row) for row in page], NextMarker=marker, Truncated=truncated
    )


def _entry(row: Any) -> shapes.CustomKeyStoresListEntry:
    proxy = None
    if row.kind == EXTERNAL_KEY_STORE:
        proxy = shapes.XksProxyConfigurationType(
            Connectivity="PUBLIC_ENDPOINT",
            AccessKeyId=row.access_key_id,
            UriEndpoint=row.endpoint,
            UriPath=row.path,
        )
    return shapes.CustomKeyStoresListEntry(
        CustomKeyStoreId=row.id,
        CustomKeyStoreName=row.name,
        CloudHsmClusterId=row.cluster,
        TrustAnchorCertificate=row.anchor,
        ConnectionState=row.state,
        ConnectionErrorCode=row.error,
        CreationDate=row.created,
        CustomKeyStoreType=row.kind,
        XksProxyConfiguration=proxy,
    )


# -- Tokens -------------------------------------------------------------------------------------------------


def _token_values(call: Call, request: shapes.CreateCustomKeyStoreRequest) -> dict[str, Any]:
    """What is written of a CloudHSM key store. The password is not tried before the store is connected."""
    cluster, anchor = request.CloudHsmClusterId or "", request.TrustAnchorCertificate or ""
    _check_token(_token(call, cluster), anchor, cluster)
    return {"cluster": cluster, "anchor": anchor, "secret": request.KeyStorePassword or ""}


def _changed_token(call: Call, request: shapes.UpdateCustomKeyStoreRequest, store: KeyStore) -> dict[str, Any]:
    if request.KeyStorePassword is None and request.CloudHsmClusterId is None:
        return {}
    _check_disconnected(store)
    values: dict[str, Any] = {}
    if request.KeyStorePassword is not None:
        values["secret"] = request.KeyStorePassword
    cluster = request.CloudHsmClusterId
    if cluster is not None and cluster != store.cluster:
        held = key_stores.materials(call.transaction, store.id)
        token = _token(call, cluster)
        _check_token(token, store.anchor or "", cluster)
        _check_holds(token, held, cluster)
        values["cluster"] = cluster
    return values


def _token(call: Call, cluster: str) -> Token:
    call.transaction.rest()  # it is about to be asked
    token = call.environment.hsms.get(cluster)
    if token is None:
        raise CloudHsmClusterNotFoundException(f"There is no HSM {cluster}.")
    return token


def _check_token(token: Token, anchor: str, cluster: str) -> None:
    try:
        token.check()
    except HsmUnavailable as error:
        raise _not_active(cluster, error) from None
    if not token.trusts(anchor):
        raise IncorrectTrustAnchorException("The trust anchor certificate is not that of the HSM.")


def _check_holds(token: Token, keys: list[str], cluster: str) -> None:
    try:
        holds_all = all(token.holds(bytes.fromhex(each)) for each in keys)
    except HsmUnavailable as error:
        raise _not_active(cluster, error) from None
    if not holds_all:
        raise CloudHsmClusterNotRelatedException(f"{cluster} does not have the keys of the custom key store.")


def _not_active(cluster: str, error: HsmUnavailable) -> CloudHsmClusterNotActiveException:
    """What a caller is told; why is the operator's to know."""
    log.error("an HSM cannot be asked", hsm=cluster, reason=str(error))
    return CloudHsmClusterNotActiveException(f"The HSM {cluster} cannot be asked.")


def _trouble(call: Call, store: KeyStore) -> str | None:
    """Why a store cannot be connected, as ConnectionErrorCode has it."""
    token = _token(call, store.cluster or "")
    try:
        token.check()
    except HsmUnavailable as error:
        raise _not_active(store.cluster or "", error) from None
    return None if token.admits(store.secret) else _INVALID_CREDENTIALS


# -- What may not be ----------------------------------------------------------------------------------------


def _check_members(request: shapes.CreateCustomKeyStoreRequest, kind: str) -> None:
    needed, others = (_OF_HSM, _OF_XKS) if kind == AWS_CLOUDHSM else (_OF_XKS, _OF_HSM)
    for member in needed:
        if getattr(request, member) is None:
            raise ValidationError(f"{member} is required for a custom key store of the type {kind}.")
    for member in others:
        if getattr(request, member) is not None:
            raise ValidationError(f"{member} cannot be used with a custom key store of the type {kind}.")


def _check_room(call: Call) -> None:
    column = tables.store.c
    here = column.account == call.account, column.region == call.region
    if len(call.transaction.all(select(column.id).where(*here))) >= STORES:
        raise LimitExceededException(f"An account has at most {STORES} custom key stores in a Region.")


def _check_name(call: Call, name: str) -> None:
    column = tables.store.c
    taken = column.account == call.account, column.region == call.region, column.name == name
    if call.transaction.one(select(column.id).where(*taken)) is not None:
        raise CustomKeyStoreNameInUseException(f"There is a custom key store {name} already.")


def _check_place(call: Call, values: dict[str, Any]) -> None:
    """A token is in one custom key store only, of all accounts and regions."""
    column = tables.store.c
    if call.transaction.one(select(column.id).where(column.cluster == values["cluster"])) is not None:
        raise CloudHsmClusterInUseException(f"The HSM {values['cluster']} is in a custom key store already.")


def _check_same(call: Call, store: KeyStore) -> None:
    """See that what was learned outside is still about this store, before it is written."""
    held = _named(call, store.id)
    if held != store:
        raise _wrong_state(held, "it has been changed meanwhile")


def _check_disconnected(store: KeyStore) -> None:
    if store.state != DISCONNECTED:
        raise _wrong_state(store, "it has to be disconnected first")


def _wrong_state(store: KeyStore, why: str) -> CustomKeyStoreInvalidStateException:
    return CustomKeyStoreInvalidStateException(
        f"This operation is not valid for the custom key store {store.id}, which is {store.state}: {why}."
    )


def _named(call: Call, store_id: str) -> KeyStore:
    store = stores.of_call(call, store_id)
    if store is None:
        raise _missing(store_id)
    return store


def _missing(name: str) -> CustomKeyStoreNotFoundException:
    return CustomKeyStoreNotFoundException(f"There is no custom key store {name}.")

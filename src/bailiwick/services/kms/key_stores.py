"""Keys of custom key stores: what CreateKey asks of the store, and what becomes of the key in the token."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Row, select

from bailiwick.api import Call, Transaction, ValidationError
from bailiwick.core.errors import HsmUnavailable
from bailiwick.services.kms import leftovers, shapes, specs, stores, tables, xks_stores
from bailiwick.services.kms.records import AWS_CLOUDHSM, AWS_KMS, EXTERNAL, EXTERNAL_KEY_STORE, Key
from bailiwick.services.kms.shapes import (
    CloudHsmClusterInvalidConfigurationException,
    CustomKeyStoreInvalidStateException,
    CustomKeyStoreNotFoundException,
    DependencyTimeoutException,
    UnsupportedOperationException,
    XksKeyAlreadyInUseException,
)
from bailiwick.services.kms.stores import KeyStore

log = structlog.get_logger()

_IN_STORES = (AWS_CLOUDHSM, EXTERNAL_KEY_STORE)


def check(request: shapes.CreateKeyRequest, spec: str) -> None:
    """Refuse what of a request for a key in a custom key store cannot be. Raises ValidationError and others."""
    origin = request.Origin or AWS_KMS
    if origin not in _IN_STORES:
        if request.CustomKeyStoreId is not None:
            raise ValidationError(f"CustomKeyStoreId cannot be used with the origin {origin}.")
        if request.XksKeyId is not None:
            raise ValidationError(f"XksKeyId cannot be used with the origin {origin}.")
        if origin not in (AWS_KMS, EXTERNAL):
            raise ValidationError(f"There is no origin {origin}.")
        return
    if request.CustomKeyStoreId is None:
        raise ValidationError(f"CustomKeyStoreId is required with the origin {origin}.")
    if (origin == EXTERNAL_KEY_STORE) != (request.XksKeyId is not None):
        raise ValidationError("XksKeyId is required with the origin EXTERNAL_KEY_STORE, and with no other.")
    if spec != specs.SYMMETRIC_DEFAULT or request.MultiRegion:
        raise UnsupportedOperationException(
            "Keys in custom key stores are symmetric encryption keys of a single Region."
        )


def home_of(call: Call, request: shapes.CreateKeyRequest) -> KeyStore | None:
    """The custom key store that a new key is to be in, if it is to be in one.

    Raises CustomKeyStoreNotFoundException, CustomKeyStoreInvalidStateException, XksKeyAlreadyInUseException.
    """
    if request.CustomKeyStoreId is None:
        return None
    store = stores.of_call(call, request.CustomKeyStoreId)
    if store is None:
        raise CustomKeyStoreNotFoundException(f"There is no custom key store {request.CustomKeyStoreId}.")
    if store.kind != request.Origin:
        raise ValidationError(f"The origin {request.Origin} is not that of the custom key store {store.id}.")
    if not store.connected:
        raise CustomKeyStoreInvalidStateException(f"The custom key store {store.id} is not connected.")
    if request.XksKeyId is not None:
        _check_unused(call.transaction, store, request.XksKeyId)
        xks_stores.check_key(call, store, request.XksKeyId)
    return store


def make(call: Call, store: KeyStore, arn: str, material: str) -> None:
    """Make a key in the token of its store; `take_in` has it be a KMS key's. Nobody else waits for the token.

    Raises CloudHsmClusterInvalidConfigurationException.
    """
    token = call.environment.hsms.get(store.cluster or "")
    try:
        if token is None:
            raise HsmUnavailable(f"{store.cluster} is not configured")
        leftovers.announce(call, store, arn, material)
        token.make(bytes.fromhex(material), f"bailiwick {arn}")
    except HsmUnavailable as error:
        log.error("an HSM cannot be asked for a new key", key=arn, reason=str(error))
        raise CloudHsmClusterInvalidConfigurationException(
            f"The HSM of the custom key store {store.id} cannot be asked."
        ) from None


def take_in(call: Call, store: KeyStore, arn: str, material: str, xks_key: str | None) -> None:
    """See that its store still takes a key, in the transaction that writes it."""
    held = stores.load(call.transaction, call.environment, store.id)
    if held is None or not held.connected or held.cluster != store.cluster:
        raise CustomKeyStoreInvalidStateException(f"The custom key store {store.id} is not connected.")
    if xks_key is not None:
        _check_unused(call.transaction, store, xks_key, but=arn)
    elif not leftovers.take(call.transaction, material):
        raise DependencyTimeoutException(f"The HSM of the custom key store {store.id} took too long.")


def let_go(transaction: Transaction, row: Row[Any], now: float) -> bool:
    """Have the token of a key destroy it, if it is in one, once this transaction has deleted the KMS key."""
    if row.origin != AWS_CLOUDHSM:
        return False
    store = transaction.one(select(tables.store.c.cluster).where(tables.store.c.id == row.store))
    leftovers.leave(transaction, row, store.cluster if store else "", now)
    return True


def metadata(key: Key) -> dict[str, Any]:
    """The members of KeyMetadata that only keys in custom key stores have."""
    if key.store is None:
        return {}
    found: dict[str, Any] = {"CustomKeyStoreId": key.store.id, "CloudHsmClusterId": key.store.cluster}
    if key.xks_key is not None:
        found["XksKeyConfiguration"] = shapes.XksKeyConfigurationType(Id=key.xks_key)
    return found


def has_keys(transaction: Transaction, store_id: str) -> bool:
    """Whether there are keys in a store, those that wait for their deletion included."""
    return transaction.one(select(tables.key.c.arn).where(tables.key.c.store == store_id).limit(1)) is not None


def materials(transaction: Transaction, store_id: str) -> list[str]:
    """The ids of the materials of the keys in a store."""
    column = tables.key.c
    return [row.material for row in transaction.all(select(column.material).where(column.store == store_id))]


def _check_unused(transaction: Transaction, store: KeyStore, xks_key: str, but: str = "") -> None:
    column = tables.key.c
    same = column.store == store.id, column.xks_key == xks_key, column.arn != but
    if transaction.one(select(column.arn).where(*same)) is not None:
        raise XksKeyAlreadyInUseException(f"The external key {xks_key} is in use by another key of {store.id}.")

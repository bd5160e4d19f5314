"""Encryption with a key that is not here: in a token (AWS_CLOUDHSM), or behind a proxy (EXTERNAL_KEY_STORE).

The form of such a ciphertext is that of ciphertext.py up to the nonce, with another number for its algorithm, and
a salt of zeros. In algorithm 2 what follows is the token's: nonce, ciphertext and tag of AES-GCM under a key that
has the material's id as its CKA_ID. Authenticated: what comes before the nonce, and the encryption context.

In algorithm 3 the plaintext is encrypted twice, first as ciphertext.py does, with material that is here, and the
whole of that by the external key: length (1) and metadata, length (1) and nonce, tag (16), ciphertext of the proxy.
The proxy learns of the encryption context no more than a digest.
"""

from __future__ import annotations

import hashlib

from bailiwick.api import Call
from bailiwick.core.errors import HsmUnavailable, SealError
from bailiwick.outside import Token
from bailiwick.services.kms import ciphertext, stores, xks, xks_stores
from bailiwick.services.kms.ciphertext import PROXY, TOKEN, BadCiphertext, Origin
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.shapes import (
    CustomKeyStoreInvalidStateException,
    CustomKeyStoreNotFoundException,
    KMSInvalidStateException,
    UnsupportedOperationException,
)
from bailiwick.services.kms.stores import AWS_CLOUDHSM, KeyStore
from bailiwick.store import waiting

Context = ciphertext.Context
_HEADER, _TAG = 77, 16


def leave_for(*keys: Key | None) -> None:
    """To be called before a call is counted that uses these keys. Raises store.waiting.Leaves."""
    for key in keys:
        if key is not None and key.store is not None:
            waiting.leave()


def seal(call: Call, key: Key, plaintext: bytes, context: Context) -> bytes:
    """A ciphertext under a key in a custom key store.

    Raises KMSInvalidStateException where its store cannot be asked, ValueError for a context too large.
    """
    waiting.leave()
    call.transaction.rest()
    store, origin = _store(key), Origin(key.account, key.id, key.material)
    if store.kind != AWS_CLOUDHSM:
        return _seal_twice(call, key, store, plaintext, context)
    head = ciphertext.header(TOKEN, origin)
    try:
        return head + _token(call, key, store).seal(_id(key), plaintext, head + ciphertext.canonical(context))
    except HsmUnavailable as error:
        raise _away(key) from error


def open_blob(call: Call, key: Key, blob: bytes, context: Context) -> bytes:
    """What `seal` sealed with this key and context. Raises BadCiphertext, KMSInvalidStateException."""
    waiting.leave()
    call.transaction.rest()
    origin, store = ciphertext.read(blob), _store(key)
    by = TOKEN if store.kind == AWS_CLOUDHSM else PROXY
    if origin != Origin(key.account, key.id, key.material) or ciphertext.algorithm_of(blob) != by:
        raise BadCiphertext
    if by == PROXY:
        return _open_twice(call, key, store, blob, context)
    try:
        associated = blob[:_HEADER] + ciphertext.canonical(context)
        return _token(call, key, store).open(_id(key), blob[_HEADER:], associated)
    except HsmUnavailable as error:
        raise _away(key) from error
    except (SealError, ValueError):
        raise BadCiphertext from None


def _seal_twice(call: Call, key: Key, store: KeyStore, plaintext: bytes, context: Context) -> bytes:
    assert key.sealing is not None, "it has material here"
    assert key.xks_key is not None, "and a key there"
    inner = key.sealing.seal(plaintext, context, call.environment.noise)
    head = ciphertext.header(PROXY, Origin(key.account, key.id, key.material))
    proxy = xks_stores.proxy_of(store)
    try:
        made = xks.encrypt(call, proxy, key.xks_key, key.arn, inner, _digest(head, context))
    except xks.Trouble as error:
        raise xks_stores.refusal(key.arn, error) from error
    metadata, nonce = made.ciphertextMetadata, made.initializationVector
    lengths = bytes((len(metadata),)), bytes((len(nonce),))
    parts = (head, lengths[0], metadata, lengths[1], nonce, made.authenticationTag, made.ciphertext)
    return b"".join(parts)


def _open_twice(call: Call, key: Key, store: KeyStore, blob: bytes, context: Context) -> bytes:
    assert key.xks_key is not None, "a key of such a store has one"
    head, rest = blob[:_HEADER], blob[_HEADER:]
    metadata, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    if not rest:
        raise BadCiphertext
    nonce, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    sealed = xks.Encrypted(rest[_TAG:], nonce, rest[:_TAG], metadata)
    if not sealed.is_sound:
        raise BadCiphertext
    try:
        associated = _digest(head, context)
        inner = xks.decrypt(call, xks_stores.proxy_of(store), key.xks_key, key.arn, sealed, associated)
    except xks.Trouble as error:
        if error.name == "InvalidCiphertextException":
            raise BadCiphertext from None
        raise xks_stores.refusal(key.arn, error) from error
    except ValueError:
        raise BadCiphertext from None
    if ciphertext.read(inner) != ciphertext.read(blob):
        raise BadCiphertext
    return ciphertext.open_blob(key.materials[key.material], inner, context)


def _digest(head: bytes, context: Context) -> bytes:
    return hashlib.sha256(head + ciphertext.canonical(context)).digest()


def random(call: Call, store_id: str, size: int) -> bytes:
    """Random bytes of a token.

    Raises CustomKeyStoreNotFoundException, CustomKeyStoreInvalidStateException, UnsupportedOperationException.
    """
    waiting.leave()
    store = stores.of_call(call, store_id)
    if store is None:
        raise CustomKeyStoreNotFoundException(f"There is no custom key store {store_id}.")
    if store.kind != AWS_CLOUDHSM:
        raise UnsupportedOperationException(f"The external key store {store_id} makes no random bytes.")
    token = call.environment.hsms.get(store.cluster or "")
    if not store.connected or token is None:
        raise CustomKeyStoreInvalidStateException(f"The custom key store {store_id} is not connected.")
    call.transaction.rest()
    try:
        return token.random(size)
    except HsmUnavailable:
        raise CustomKeyStoreInvalidStateException(f"The custom key store {store_id} cannot be asked.") from None


def _store(key: Key) -> KeyStore:
    assert key.store is not None, "only what is in a custom key store comes here"
    return key.store


def _token(call: Call, key: Key, store: KeyStore) -> Token:
    token = call.environment.hsms.get(store.cluster or "")
    if token is None:
        raise _away(key)
    return token


def _id(key: Key) -> bytes:
    return bytes.fromhex(key.material)


def _away(key: Key) -> KMSInvalidStateException:
    return KMSInvalidStateException(f"{key.arn}: the HSM of its custom key store cannot be asked.")

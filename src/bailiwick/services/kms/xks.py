"""Asking the proxy of an external key store: AWS's XKS proxy API, version 1 (facts/kms.md section 16).

Requests are signed with Signature Version 4 for the service `kms-xks-proxy`. What a proxy answers is not trusted:
its sizes are those of the specification, and its digest over what it made is compared.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from bailiwick.api import Call
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4.sign import sign
from bailiwick.federation.breaker import Busy
from bailiwick.federation.fetch import FetchError

T = TypeVar("T", bound=msgspec.Struct)
SERVICE = "kms-xks-proxy"
UNREACHABLE, TIMED_OUT = "XKS_PROXY_NOT_REACHABLE", "XKS_PROXY_TIMED_OUT"
TLS, RESPONSE = "XKS_PROXY_INVALID_TLS_CONFIGURATION", "XKS_PROXY_INVALID_RESPONSE"
THROTTLES = "ThrottlingException"
DENIED, CONFIGURATION = "XKS_PROXY_ACCESS_DENIED", "XKS_PROXY_INVALID_CONFIGURATION"
_METADATA, _TAG, _IVS = 20, 16, (12, 16)
_OF_STATUS = {401: DENIED, 403: DENIED, 404: CONFIGURATION}


class Trouble(Exception):
    """A proxy did not do what was asked. `code` is a ConnectionErrorCode, `name` the error that the proxy named."""

    def __init__(self, code: str, name: str = "") -> None:
        super().__init__(name or code)
        self.code, self.name = code, name


class Proxy(NamedTuple):
    """Where a proxy is, and with what requests to it are signed."""

    endpoint: str
    path: str
    access_key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"Proxy({self.endpoint}{self.path})"


class Encrypted(msgspec.Struct, frozen=True):
    """What a proxy made of a plaintext."""

    ciphertext: bytes
    initializationVector: bytes  # noqa: N815  (the names are the specification's)
    authenticationTag: bytes  # noqa: N815
    ciphertextMetadata: bytes = b""  # noqa: N815
    ciphertextDataIntegrityValue: bytes = b""  # noqa: N815

    @property
    def is_sound(self) -> bool:
        """Whether its parts have the sizes that they must have."""
        return (
            len(self.initializationVector) in _IVS
            and len(self.authenticationTag) == _TAG
            and len(self.ciphertextMetadata) <= _METADATA
        )


class _Decrypted(msgspec.Struct, frozen=True):
    plaintext: bytes


class _Metadata(msgspec.Struct, frozen=True):
    keySpec: str  # noqa: N815
    keyUsage: list[str]  # noqa: N815
    keyStatus: str  # noqa: N815


class _Manager(msgspec.Struct, frozen=True):
    healthStatus: str  # noqa: N815


class _Health(msgspec.Struct, frozen=True):
    xksProxyFleetSize: int  # noqa: N815
    xksProxyVendor: str  # noqa: N815
    xksProxyModel: str  # noqa: N815
    ekmVendor: str  # noqa: N815
    ekmFleetDetails: list[_Manager]  # noqa: N815


class _Refusal(msgspec.Struct, frozen=True):
    errorName: Annotated[str, Meta(max_length=64)]  # noqa: N815  (a client is told of it)


def check_health(call: Call, proxy: Proxy) -> None:
    """Nothing, if the proxy and a key manager behind it answer. Raises Trouble."""
    found = _ask(call, proxy, "/health", {"requestMetadata": _for_whom(call, None, short=True)}, _Health)
    if not any(each.healthStatus in ("ACTIVE", "DEGRADED") for each in found.ekmFleetDetails):
        raise Trouble(UNREACHABLE)


def is_fit(call: Call, proxy: Proxy, key: str) -> bool:
    """Whether the external key is one for AES-256 that is enabled and does both. Raises Trouble."""
    found = _ask(call, proxy, f"/keys/{key}/metadata", {"requestMetadata": _for_whom(call, None)}, _Metadata)
    does_both = {"ENCRYPT", "DECRYPT"} <= set(found.keyUsage)
    return found.keySpec == "AES_256" and found.keyStatus == "ENABLED" and does_both


def encrypt(call: Call, proxy: Proxy, key: str, arn: str, plaintext: bytes, associated: bytes) -> Encrypted:
    """The plaintext under the external key. `arn` is that of our own key. Raises Trouble."""
    document = {
        "requestMetadata": _for_whom(call, arn),
        "plaintext": plaintext,
        "encryptionAlgorithm": "AES_GCM",
        "additionalAuthenticatedData": associated,
        "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
    }
    made = _ask(call, proxy, f"/keys/{key}/encrypt", document, Encrypted)
    parts = (
        associated,
        made.ciphertextMetadata,
        made.initializationVector,
        made.ciphertext,
        made.authenticationTag,
    )
    digest = hashlib.sha256(b"".join(parts)).digest()
    is_whole = hmac.compare_digest(digest, made.ciphertextDataIntegrityValue)
    if not made.is_sound or len(made.ciphertext) != len(plaintext) or not is_whole:
        raise Trouble(RESPONSE)
    return made


def decrypt(call: Call, proxy: Proxy, key: str, arn: str, sealed: Encrypted, associated: bytes) -> bytes:
    """What `encrypt` made. Raises Trouble, whose name is InvalidCiphertextException for anything else."""
    document: dict[str, Any] = {
        "requestMetadata": _for_whom(call, arn),
        "ciphertext": sealed.ciphertext,
        "encryptionAlgorithm": "AES_GCM",
        "additionalAuthenticatedData": associated,
        "initializationVector": sealed.initializationVector,
        "authenticationTag": sealed.authenticationTag,
    }
    if sealed.ciphertextMetadata:
        document["ciphertextMetadata"] = sealed.ciphertextMetadata
    return _ask(call, proxy, f"/keys/{key}/decrypt", document, _Decrypted).plaintext


def _for_whom(call: Call, arn: str | None, *, short: bool = False) -> dict[str, str]:
    """The member requestMetadata. The proxy may log it, and may decide by it."""
    told = {"kmsOperation": call.operation.name, "kmsRequestId": call.request_id}
    if short:
        return told
    told["awsPrincipalArn"] = call.caller.arn
    return told if arn is None else {**told, "kmsKeyArn": arn}


def _ask(call: Call, proxy: Proxy, operation: str, document: Any, kind: type[T]) -> T:
    ways = call.environment.key_proxies
    if ways is None:
        raise Trouble(UNREACHABLE)
    call.transaction.rest()
    headers = Header("host", urlsplit(proxy.endpoint).netloc), Header("content-type", "application/json")
    signed = sign(
        Request("POST", proxy.path + operation, "", headers, msgspec.json.encode(document)),
        access_key_id=proxy.access_key_id,
        secret=proxy.secret,
        token=None,
        region=call.region,
        service=SERVICE,
        now=call.now,
    )
    try:
        status, body = ways.post(proxy.endpoint, proxy.path, operation, dict(signed.headers), signed.body)
    except Busy as error:
        raise Trouble(UNREACHABLE, THROTTLES) from error
    except FetchError as error:
        raise Trouble(_reason(error)) from error
    try:
        if status != 200:
            name = msgspec.json.decode(body, type=_Refusal).errorName
            raise Trouble(_OF_STATUS.get(status, RESPONSE), name)
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Trouble(RESPONSE if status == 200 else _OF_STATUS.get(status, RESPONSE)) from None


def _reason(error: FetchError) -> str:
    told = str(error)
    if told.startswith("TimeoutError"):
        return TIMED_OUT
    return TLS if told.startswith("TLS") else RESPONSE if error.reached else UNREACHABLE

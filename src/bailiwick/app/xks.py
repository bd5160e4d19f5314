"""The XKS proxy API, version 1: AWS's KMS, or another Bailiwick, uses keys of this one as its external keys.

Source: AWS KMS External Key Store (XKS) Proxy API Specification; facts/kms.md section 16. The setting `xks` names
a file (TOML) of clients, each with a credential of its own, an account and a region whose keys it may use.
What the key policy says decides, and the audit trail has it: everything goes through the pipeline.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta
from sqlalchemy import literal, select

from bailiwick.api import ApiError, Caller, Operation
from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.core import arn, ids
from bailiwick.core.errors import ArnError, SignatureError
from bailiwick.core.message import Header, Request, Response
from bailiwick.core.sigv4 import verify
from bailiwick.core.sigv4.claim import read as read_claim
from bailiwick.directory import service_principals
from bailiwick.pipeline import Pipeline, Received
from bailiwick.store import StoreError

log = structlog.get_logger()

_SERVICE = "kms-xks-proxy"
_PATH = re.compile(
    r"((?:/[A-Za-z0-9_-]+)*)/kms/xks/v1/(?:(health)|keys/([A-Za-z0-9_.-]{1,128})/(metadata|encrypt|decrypt))", re.A
)
_SECRET = re.compile(r"[A-Za-z0-9/+=]{43,64}", re.A)
_NOT_FOR_OTHERS = 0o037
_PLAINTEXT, _ASSOCIATED = 6144, 8192
# By the name of our own refusal.
_NAMES: dict[str, tuple[int, str]] = {
    "AccessDenied": (403, "AccessDeniedException"),
    "ValidationError": (400, "ValidationException"),
    "NotFoundException": (404, "KeyNotFoundException"),
    "DisabledException": (400, "InvalidStateException"),
    "KMSInvalidStateException": (400, "InvalidStateException"),
    "InvalidCiphertextException": (400, "InvalidCiphertextException"),
    "InvalidKeyUsageException": (400, "InvalidKeyUsageException"),
    "Throttling": (429, "ThrottlingException"),
    "ServiceUnavailable": (503, "DependencyTimeoutException"),
    "UnsupportedOperationException": (501, "UnsupportedOperationException"),
}

Bytes = Annotated[bytes, Meta(max_length=_PLAINTEXT)]
Text = Annotated[str, Meta(max_length=2048)]


class XksError(Exception):
    """The file of clients cannot be used; the text says why."""


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may ask: its credential, below which path, and for the keys of which account and region."""

    access_key_id: Annotated[str, Meta(pattern=r"\A[A-Z2-7]{20,30}\Z")]
    secret_file: str
    account: Annotated[str, Meta(pattern=r"\A[0-9]{12}\Z")]
    region: str
    prefix: Annotated[str, Meta(pattern=r"\A(/[A-Za-z0-9_-]+)*\Z")] = ""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: who may ask here; where other proxies are asked, by their endpoint, and for how many seconds."""

    clients: list[Client] = []
    proxies: dict[
        Annotated[str, Meta(pattern=r"\Ahttps://[^/]+\Z")], Annotated[str, Meta(pattern=r"\Ahttps?://")]
    ] = {}
    timeout: Annotated[float, Meta(gt=0, le=10)] = 1.0


class _Asked(msgspec.Struct, frozen=True):
    kmsOperation: Text  # noqa: N815  (the names are the specification's)
    kmsRequestId: Text  # noqa: N815
    awsPrincipalArn: Text = ""  # noqa: N815
    kmsKeyArn: Text = ""  # noqa: N815
    kmsViaService: Text = ""  # noqa: N815


class _Body(msgspec.Struct, frozen=True):
    requestMetadata: _Asked  # noqa: N815
    plaintext: Bytes | None = None
    ciphertext: Bytes | None = None
    encryptionAlgorithm: str = ""  # noqa: N815
    additionalAuthenticatedData: Annotated[bytes, Meta(max_length=_ASSOCIATED)] = b""  # noqa: N815
    ciphertextDataIntegrityValueAlgorithm: str | None = None  # noqa: N815
    ciphertextMetadata: Annotated[bytes, Meta(max_length=20)] = b""  # noqa: N815
    initializationVector: Annotated[bytes, Meta(max_length=16)] = b""  # noqa: N815
    authenticationTag: Annotated[bytes, Meta(max_length=16)] = b""  # noqa: N815


def read(path: Path) -> File:
    """The file. Raises XksError."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), File)
    except OSError as error:
        raise XksError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise XksError(f"{path}: {error}") from None


def clients(file: File) -> dict[str, tuple[Client, str]]:
    """Its clients with their secrets, by access key id. Raises XksError."""
    found = {}
    for client in file.clients:
        try:
            secret = read_private(Path(client.secret_file), _NOT_FOR_OTHERS).decode("ascii").strip()
        except OSError as error:
            raise XksError(f"cannot read {client.secret_file}: {error.strerror}") from None
        except (UnicodeDecodeError, UnsafeFile) as error:
            raise XksError(f"{client.secret_file}: {error}") from None
        if client.access_key_id in found:
            raise XksError(f"two clients have the access key id {client.access_key_id}")
        if not _SECRET.fullmatch(secret):
            raise XksError(f"{client.secret_file} is no secret: 43 to 64 letters, digits, and / + =")
        found[client.access_key_id] = client, secret
    return found


class Refused(Exception):
    """An answer of the specification's that is an error."""

    def __init__(self, status: int, name: str) -> None:
        super().__init__(name)
        self.status, self.name = status, name


class XksProxy:
    """Answers to what is below /kms/xks/v1/."""

    def __init__(self, pipeline: Pipeline, clients: Mapping[str, tuple[Client, str]]) -> None:
        self._pipeline = pipeline
        self._clients = clients

    def __call__(self, request: Request) -> Response:
        """The answer, whatever is asked."""
        request_id = ids.request_id(self._pipeline.environment.noise)
        try:
            return _json(200, self._answer(request, request_id))
        except Refused as refused:
            return _json(refused.status, {"errorName": refused.name})
        except ApiError as error:
            status, name = _NAMES.get(type(error).__name__, (500, "InternalException"))
            return _json(status, {"errorName": name})
        except StoreError:
            return _json(503, {"errorName": "DependencyTimeoutException"})
        except Exception as error:
            log.error("the XKS proxy failed", request_id=request_id, exc_info=error)
            return _json(500, {"errorName": "InternalException"})

    def _answer(self, request: Request, request_id: str) -> dict[str, Any]:
        asked = _PATH.fullmatch(request.path)
        if asked is None:
            raise Refused(404, "InvalidUriPathException")
        if request.method != "POST":
            raise Refused(405, "ValidationException")
        prefix, is_health, key, operation = asked.groups()
        client = self._authenticated(request, prefix)
        try:
            body = msgspec.json.decode(request.body, type=_Body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Refused(400, "ValidationException") from None
        if is_health:
            return self._health()
        return self._used(request, request_id, client, key, operation, body)

    def _authenticated(self, request: Request, prefix: str) -> Client:
        """The client that signed. Raises Refused."""
        try:
            claim = read_claim(request)
            verify.check_scope(claim, service=_SERVICE, now=self._pipeline.environment.now())
            known = self._clients.get(claim.access_key_id)
            if claim.presigned or known is None or known[0].prefix != prefix:
                verify.waste(request, claim)
                raise Refused(401, "AuthenticationFailedException")
            verify.verify(request, claim, known[1])
            return known[0]
        except SignatureError:
            raise Refused(401, "AuthenticationFailedException") from None

    def _health(self) -> dict[str, Any]:
        with self._pipeline.store.transaction() as transaction:
            transaction.one(select(literal(1)))
        manager = {"id": "bailiwick", "model": "Bailiwick", "healthStatus": "ACTIVE"}
        told = {"xksProxyVendor": "Bailiwick", "xksProxyModel": "Bailiwick", "ekmVendor": "Bailiwick"}
        return {"xksProxyFleetSize": 1, **told, "ekmFleetDetails": [manager]}

    def _used(
        self, request: Request, request_id: str, client: Client, key: str, operation: str, body: _Body
    ) -> dict[str, Any]:
        from bailiwick.services.kms import external, xks

        partition, associated = self._pipeline.environment.partition, body.additionalAuthenticatedData
        key_arn = f"arn:{partition}:kms:{client.region}:{client.account}:key/{key}"
        if operation == "metadata":
            described: dict[str, Any] = self._invoke(request, request_id, client, body, external.DESCRIBE, key_arn)
            return described
        if body.encryptionAlgorithm != "AES_GCM":
            raise Refused(400, "ValidationException")
        if operation == "encrypt":
            if body.plaintext is None or body.ciphertextDataIntegrityValueAlgorithm not in (None, "SHA_256"):
                raise Refused(400, "ValidationException")
            work = external.Work(key_arn, associated, body.plaintext)
            made = self._invoke(request, request_id, client, body, external.ENCRYPT, work)
            return _made(made, associated, wants_digest=body.ciphertextDataIntegrityValueAlgorithm is not None)
        if body.ciphertext is None:
            raise Refused(400, "ValidationException")
        sealed = xks.Encrypted(
            body.ciphertext, body.initializationVector, body.authenticationTag, body.ciphertextMetadata
        )
        if not sealed.is_sound:
            raise Refused(400, "InvalidCiphertextException")
        work = external.Work(key_arn, associated, sealed=sealed)
        opened = self._invoke(request, request_id, client, body, external.DECRYPT, work)
        return {"plaintext": _text(opened)}

    def _invoke(
        self, request: Request, request_id: str, client: Client, body: _Body, operation: Operation, work: Any
    ) -> Any:
        """Do it through the pipeline, as the service of the other KMS that acts for its key."""
        from bailiwick.services.kms import external

        pipeline, asked = self._pipeline, body.requestMetadata
        if not asked.awsPrincipalArn or (not asked.kmsKeyArn and operation is not external.DESCRIBE):
            raise Refused(400, "ValidationException")
        route = pipeline.route("kms", operation.name)
        assert route is not None, "KMS has it"
        pipeline.store.refresh()
        caller = self._caller(client, asked)
        received = Received(request, request_id, pipeline.environment.now(), None, route)
        call = msgspec.structs.replace(
            pipeline.call(received, route, caller, None), operation=operation, region=client.region
        )
        return pipeline.invoke(call, external.Work(work) if isinstance(work, str) else work)

    def _caller(self, client: Client, asked: _Asked) -> Caller:
        from bailiwick.services.kms import external

        try:
            account = arn.parse(asked.kmsKeyArn).account if asked.kmsKeyArn else None
        except ArnError:
            raise Refused(400, "ValidationException") from None
        told = {name: value for name, value in msgspec.structs.asdict(asked).items() if value}
        with self._pipeline.store.transaction() as transaction:
            acting = service_principals.of_house(
                transaction,
                self._pipeline.environment.partition,
                external.PRINCIPAL,
                source_arn=asked.kmsKeyArn or None,
                account=account,
                evidence=told,
            )
        return msgspec.structs.replace(acting, access_key_id=client.access_key_id)


def _made(made: Any, associated: bytes, *, wants_digest: bool) -> dict[str, Any]:
    found = {
        "ciphertext": _text(made.ciphertext),
        "ciphertextMetadata": _text(made.ciphertextMetadata),
        "initializationVector": _text(made.initializationVector),
        "authenticationTag": _text(made.authenticationTag),
    }
    if wants_digest:
        parts = (made.ciphertextMetadata, made.initializationVector, made.ciphertext, made.authenticationTag)
        found["ciphertextDataIntegrityValue"] = _text(hashlib.sha256(associated + b"".join(parts)).digest())
    return found


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(status: int, document: Mapping[str, Any]) -> Response:
    return Response(status, (Header("content-type", "application/json"),), msgspec.json.encode(document))

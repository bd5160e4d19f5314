"""The test vectors in docs/kms/format.md of keys that are elsewhere: in a token, or behind the proxy of another house.

Each is made and opened by the code, with a token and a proxy that the test plays, and opened once more by what the
page says alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailiwick.core.noted import Noted
from bailiwick.services.kms import backing
from bailiwick.services.kms.ciphertext import Ciphers, Origin, Sealing
from bailiwick.services.kms.external import DECRYPT, ENCRYPT, Work
from bailiwick.services.kms.shapes import InvalidCiphertextException
from bailiwick.services.kms.stores import AWS_CLOUDHSM, EXTERNAL_KEY_STORE
from bailiwick.services.kms.xks import Encrypted

PAGE = Path(__file__).parents[3] / "docs" / "kms" / "format.md"
BLOCKS: list[list[dict[str, Any]]] = [
    json.loads(block) for block in re.findall("```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
]
NO_BYTES = ("requestMetadata", "encryptionAlgorithm", "ciphertextDataIntegrityValueAlgorithm")
IN_TOKEN, BEHIND_PROXY = BLOCKS[1], BLOCKS[2]


def name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def test_there_are_some() -> None:
    assert min(map(len, BLOCKS)) >= 2


# -- As the code has it -------------------------------------------------------------------------------------


class Token:
    """A token with one key, whose nonce the test chooses."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self._id, self._nonce = bytes.fromhex(vector["materialId"]), bytes.fromhex(vector["nonce"])
        self._key = AESGCM(bytes.fromhex(vector["tokenKey"]))

    def seal(self, key: bytes, plaintext: bytes, associated: bytes) -> bytes:
        assert key == self._id
        return self._nonce + self._key.encrypt(self._nonce, plaintext, associated)

    def open(self, key: bytes, sealed: bytes, associated: bytes) -> bytes:
        assert key == self._id
        return self._key.decrypt(sealed[:12], sealed[12:], associated)


class Proxy:
    """That of another house, at work on the vector's external key, without the pipeline."""

    def __init__(self, vector: dict[str, Any]) -> None:
        held = vector["external"]
        random = iter([bytes.fromhex(held["salt"]), bytes.fromhex(held["nonce"])])
        self._key: Any = SimpleNamespace(
            arn=held["arn"],
            spec="SYMMETRIC_DEFAULT",
            usage="ENCRYPT_DECRYPT",
            state="Enabled",
            origin="AWS_KMS",
            store=None,
            material=held["materialId"],
            materials={held["materialId"]: bytes.fromhex(held["material"])},
        )
        self._call: Any = SimpleNamespace(
            environment=SimpleNamespace(noise=lambda size: next(random), key_uses=Noted()),
            operation=ENCRYPT,
            now=0.0,
            request_id="r",
        )

    def post(self, endpoint: str, path: str, operation: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        asked = json.loads(body)
        parts = {part: base64.b64decode(value) for part, value in asked.items() if part not in NO_BYTES}
        associated = parts["additionalAuthenticatedData"]
        told: dict[str, bytes]
        if operation.endswith("/encrypt"):
            work = Work(self._key.arn, associated, parts["plaintext"])
            made = ENCRYPT.handler(self._call, work, self._key)
            told = {each: getattr(made, each) for each in made.__struct_fields__}
            whole = (made.ciphertextMetadata, made.initializationVector, made.ciphertext, made.authenticationTag)
            told["ciphertextDataIntegrityValue"] = hashlib.sha256(associated + b"".join(whole)).digest()
        else:
            fields = ("ciphertext", "initializationVector", "authenticationTag", "ciphertextMetadata")
            work = Work(self._key.arn, associated, sealed=Encrypted(*(parts[field] for field in fields)))
            told = {"plaintext": DECRYPT.handler(self._call, work, self._key)}
        return 200, json.dumps({each: base64.b64encode(value).decode() for each, value in told.items()}).encode()


def in_hand(vector: dict[str, Any], kind: str, **environment: Any) -> tuple[Any, Any]:
    """A call and a key for what the vector says."""
    store = SimpleNamespace(
        kind=kind, cluster="cluster-a", endpoint="https://e", path="/p", access_key_id="A" * 20, secret="s"
    )
    key = SimpleNamespace(
        arn=f"arn:aws:kms:us-east-1:{vector['account']}:key/{vector['key']}",
        account=vector["account"],
        id=vector["key"],
        material=vector["materialId"],
        store=store,
        xks_key="there",
    )
    if "material" in vector:
        material = bytes.fromhex(vector["material"])
        key.materials = {key.material: material}
        key.sealing = Sealing(material, Origin(key.account, key.id, key.material))
        key.ciphers = Ciphers(2)
    call = SimpleNamespace(
        environment=SimpleNamespace(**environment),
        transaction=SimpleNamespace(rest=lambda: None),
        operation=ENCRYPT,
        request_id="r",
        caller=SimpleNamespace(arn="arn:aws:iam::123456789012:root"),
        region="us-east-1",
        now=1_790_000_000.0,
    )
    return call, key


@pytest.mark.parametrize("vector", IN_TOKEN, ids=name)
def test_one_of_a_token_is_made_and_opened(vector: dict[str, Any]) -> None:
    call, key = in_hand(vector, AWS_CLOUDHSM, hsms={"cluster-a": Token(vector)})
    plaintext, blob = bytes.fromhex(vector["plaintext"]), bytes.fromhex(vector["ciphertext"])
    assert backing.seal(call, key, plaintext, vector["context"]) == blob
    assert backing.open_blob(call, key, blob, vector["context"]) == plaintext


@pytest.mark.parametrize("vector", BEHIND_PROXY, ids=name)
def test_one_behind_a_proxy_is_made_and_opened(vector: dict[str, Any]) -> None:
    random = {16: bytes.fromhex(vector["salt"]), 12: bytes.fromhex(vector["nonce"])}
    call, key = in_hand(vector, EXTERNAL_KEY_STORE, key_proxies=Proxy(vector), noise=random.__getitem__)
    plaintext, blob = bytes.fromhex(vector["plaintext"]), bytes.fromhex(vector["ciphertext"])
    assert backing.seal(call, key, plaintext, vector["context"]) == blob
    assert backing.open_blob(call, key, blob, vector["context"]) == plaintext


# -- As the page has it -------------------------------------------------------------------------------------


def canonical(context: dict[str, str]) -> bytes:
    pairs = sorted((k.encode(), v.encode()) for k, v in context.items())
    found = len(pairs).to_bytes(2, "big")
    for pair in pairs:
        found += b"".join(len(part).to_bytes(4, "big") + part for part in pair)
    return found


def check_head(vector: dict[str, Any], blob: bytes, algorithm: int) -> None:
    is_multi = vector["key"].startswith("mrk-")
    assert (blob[:4], blob[4], blob[5], blob[6]) == (b"BWKC", 1, algorithm, int(is_multi))
    assert int.from_bytes(blob[7:13], "big") == int(vector["account"])
    assert blob[13:29].hex() == vector["key"].removeprefix("mrk-").replace("-", "")
    assert blob[29:61].hex() == vector["materialId"]


def message_key(material: str, label: bytes, rest: bytes) -> AESGCM:
    fixed = bytes.fromhex("00000001") + label + b"\0" + rest + bytes.fromhex("00000100")
    return AESGCM(hmac.digest(bytes.fromhex(material), fixed, "sha256"))


@pytest.mark.parametrize("vector", IN_TOKEN, ids=name)
def test_one_of_a_token_opens_by_what_the_page_says(vector: dict[str, Any]) -> None:
    blob = bytes.fromhex(vector["ciphertext"])
    check_head(vector, blob, 2)
    assert blob[61:77] == bytes(16)
    token = AESGCM(bytes.fromhex(vector["tokenKey"]))
    opened = token.decrypt(blob[77:89], blob[89:], blob[:77] + canonical(vector["context"]))
    assert opened == bytes.fromhex(vector["plaintext"])


@pytest.mark.parametrize("vector", BEHIND_PROXY, ids=name)
def test_one_behind_a_proxy_opens_by_what_the_page_says(vector: dict[str, Any]) -> None:
    blob, context, held = bytes.fromhex(vector["ciphertext"]), canonical(vector["context"]), vector["external"]
    check_head(vector, blob, 3)
    assert blob[61:77] == bytes(16)
    rest = blob[77:]
    metadata, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    nonce, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    tag, sealed = rest[:16], rest[16:]

    assert metadata[:8].hex() == "01" + held["materialId"][:14]
    there = message_key(held["material"], b"bailiwick/kms/xks/v1", metadata + held["arn"].encode())
    bound = hashlib.sha256(blob[:77] + context).digest()
    associated = len(bound).to_bytes(2, "big") + bound + bytes((len(metadata),)) + metadata
    inner = there.decrypt(nonce, sealed + tag, associated)

    check_head(vector, inner, 1)
    here = message_key(vector["material"], b"bailiwick/kms/v1", inner[61:77] + inner[13:29] + inner[29:61])
    opened = here.decrypt(inner[77:89], inner[89:], inner[:89] + context)
    assert opened == bytes.fromhex(vector["plaintext"])


# -- And nothing else opens ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("vector", "kind"), [(IN_TOKEN[:1], AWS_CLOUDHSM), (BEHIND_PROXY[:1], EXTERNAL_KEY_STORE)])
def test_another_context_does_not_open(vector: list[dict[str, Any]], kind: str) -> None:
    (chosen,) = vector
    where: dict[str, Callable[[], Any]] = {
        AWS_CLOUDHSM: lambda: {"hsms": {"cluster-a": Token(chosen)}},
        EXTERNAL_KEY_STORE: lambda: {"key_proxies": Proxy(chosen)},
    }
    call, key = in_hand(chosen, kind, **where[kind]())
    with pytest.raises((InvalidTag, InvalidCiphertextException)):  # as the token and the proxy of this test say it
        backing.open_blob(call, key, bytes.fromhex(chosen["ciphertext"]), {"other": "context"})

"""After a day that ends badly, nothing that a server wrote (log, audit trail, database, files) holds a secret in the clear."""

from __future__ import annotations

import base64
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from clients_support import ServerProcess
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from sqlalchemy import select

from bailiwick.app import home, keyring
from bailiwick.app.settings import Settings
from bailiwick.services.kms import records, tables
from bailiwick.store import Store

pytestmark = pytest.mark.clients
MINE = {keyring.FILE, home.ROOT_CREDENTIALS}
"""The two files whose purpose is to hold one."""


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it could have been written: raw, hexadecimal, base64 (at each of its three offsets), a repr."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(offset) + secret)[4 if offset else 0 :].rstrip(b"=")[:-1]
    yield repr(secret)[2:-1].encode()


def materials(data: Path) -> list[bytes]:
    """What the materials of all keys are, opened with the root key."""
    found = home.open_home(data, Settings(data=data), {})
    column = tables.material.c
    with closing(Store(data)) as store, store.transaction() as transaction:
        rows = transaction.all(select(column.key_arn, column.id, column.sealed))
        return [records.open_material(found.ring, row.key_arn, row.id, row.sealed) for row in rows if row.sealed]


@pytest.fixture
def talkative(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path / "data", arguments=("--log-level", "debug", "--access-log")).start()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.kill()


def imported(kms: Any, material: bytes) -> str:
    key = str(kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"])
    asked = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    wrapping: Any = serialization.load_der_public_key(asked["PublicKey"])
    sha = hashes.SHA256()
    given = {"KeyId": key, "ImportToken": asked["ImportToken"], "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    oaep = padding.OAEP(padding.MGF1(sha), sha, None)
    wrong = wrapping.encrypt(material[:-1], oaep)
    assert refused(kms.import_key_material, **given, EncryptedKeyMaterial=wrong) == "IncorrectKeyMaterialException"
    kms.import_key_material(**given, EncryptedKeyMaterial=wrapping.encrypt(material, oaep))
    return key


def spoil(data: Path, key: str) -> None:
    """Give the material of a key another's sealed bytes, as a broken tool would."""
    with closing(sqlite3.connect(data / home.DATABASE)) as database, database:
        database.execute(
            "update kms_material set sealed = (select sealed from kms_material where key_arn not like ?) "
            "where key_arn like ?",
            (f"%{key}", f"%{key}"),
        )


def test_no_secret_is_written_down(talkative: ServerProcess) -> None:
    server, given = talkative, os.urandom(32)
    kms, iam = server.client("kms"), server.client("iam")
    iam.create_user(UserName="eve")
    key_of_eve = iam.create_access_key(UserName="eve")["AccessKey"]
    password = "Correct-Horse-7-Battery"
    iam.create_login_profile(UserName="eve", Password=password)
    seed = iam.create_virtual_mfa_device(VirtualMFADeviceName="eve")["VirtualMFADevice"]["Base32StringSeed"]
    wrong = {"aws_access_key_id": key_of_eve["AccessKeyId"], "aws_secret_access_key": "w" * 40}
    assert refused(server.client("kms", wrong).list_keys) == "InvalidSignatureException"
    external, own = imported(kms, given), kms.create_key()["KeyMetadata"]["KeyId"]
    for spec, usage in (("RSA_2048", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
        kms.create_key(KeySpec=spec, KeyUsage=usage)
    plaintext = os.urandom(48)
    blob = kms.encrypt(KeyId=external, Plaintext=plaintext)["CiphertextBlob"]
    data_key = kms.generate_data_key(KeyId=own, KeySpec="AES_256")["Plaintext"]
    pair = kms.generate_data_key_pair(KeyId=own, KeyPairSpec="ECC_NIST_P256")["PrivateKeyPlaintext"]
    denied = {
        "aws_access_key_id": key_of_eve["AccessKeyId"],
        "aws_secret_access_key": key_of_eve["SecretAccessKey"],
    }
    assert refused(server.client("kms", denied).decrypt, CiphertextBlob=blob) == "AccessDeniedException"
    changed = blob[:-1] + bytes((blob[-1] ^ 1,))
    assert refused(kms.decrypt, CiphertextBlob=changed) == "InvalidCiphertextException"
    opened = materials(server.data)
    assert given in opened
    assert len(opened) == 4
    assert server.stop() == 0
    spoil(server.data, external)
    server.start()
    assert refused(server.client("kms").decrypt, CiphertextBlob=blob) in ("InternalFailure", "KMSInternalException")
    server.kill()

    log = (server.data.parent / "server.log").read_bytes()
    assert b"Traceback" in log, "the scenario ends with a failure that is logged in full"
    root = base64.b64decode((server.data / keyring.FILE).read_bytes())
    texts = (password, seed.decode(), key_of_eve["SecretAccessKey"], server.root()["aws_secret_access_key"])
    secrets = [root, plaintext, data_key, pair, *opened, *(text.encode() for text in texts)]
    files = [each for each in server.data.rglob("*") if each.is_file() and each.name not in MINE]
    written = {"server.log": log, **{each.name: each.read_bytes() for each in files}}
    assert {home.DATABASE, "server.log"} <= set(written)
    assert any(name.endswith(".jsonl") for name in written)
    for number, secret in enumerate(secrets):
        needles = re.compile(b"|".join(re.escape(form) for form in forms(secret)))
        for name, content in written.items():
            assert needles.search(content) is None, f"secret {number} is in {name}"


def test_what_is_looked_for_would_be_found() -> None:
    secret = os.urandom(32)
    for before in range(4):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = b"x" + encode(b"y" * before + secret + b"z" * before)
            assert any(form in text for form in forms(secret)), (before, encode)
    assert any(form in f"material={secret!r}".encode() for form in forms(secret))

"""The test vectors in docs/kms/format.md are what the code makes and opens, and an independent reading agrees."""

from __future__ import annotations

import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailiwick.services.kms.ciphertext import Origin, Sealing, open_blob, read

PAGE = Path(__file__).parents[3] / "docs" / "kms" / "format.md"
VECTORS: list[dict[str, Any]] = json.loads(
    (re.search("```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL) or [""] * 2)[1]
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_a_vector_is_made_and_opened(vector: dict[str, Any]) -> None:
    material, blob = bytes.fromhex(vector["material"]), bytes.fromhex(vector["ciphertext"])
    plaintext, context = bytes.fromhex(vector["plaintext"]), vector["context"]
    origin = Origin(vector["account"], vector["key"], vector["materialId"])
    random = {16: bytes.fromhex(vector["salt"]), 12: bytes.fromhex(vector["nonce"])}
    assert Sealing(material, origin).seal(plaintext, context, random.__getitem__) == blob
    assert read(blob) == origin
    assert open_blob(material, blob, context) == plaintext


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_a_vector_opens_by_what_the_page_says(vector: dict[str, Any]) -> None:
    blob = bytes.fromhex(vector["ciphertext"])
    fixed = bytes.fromhex("00000001") + b"bailiwick/kms/v1\0" + blob[61:77] + blob[13:29] + blob[29:61]
    key = hmac.digest(bytes.fromhex(vector["material"]), fixed + bytes.fromhex("00000100"), "sha256")
    pairs = sorted((k.encode(), v.encode()) for k, v in vector["context"].items())
    context = len(pairs).to_bytes(2, "big")
    for pair in pairs:
        context += b"".join(len(part).to_bytes(4, "big") + part for part in pair)
    opened = AESGCM(key).decrypt(blob[77:89], blob[89:], blob[:89] + context)
    assert opened == bytes.fromhex(vector["plaintext"])
    assert len(blob) == 105 + len(opened)

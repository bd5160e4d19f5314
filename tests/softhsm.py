"""A real PKCS#11 token of one's own: SoftHSM 2, with its tokens in a folder; and one that is made of memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailiwick.core.errors import HsmUnavailable, SealError

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "correct-horse-7"
LABELS = ("first", "second", "third")

needed = pytest.mark.skipif(not MODULE.exists(), reason="SoftHSM is not installed (apt-get install softhsm2)")


@cache
def folder() -> Path:
    """Where this process has its tokens, those of LABELS. The module looks at them once, so all are made at once."""
    made = Path(tempfile.mkdtemp(prefix="softhsm-"))
    (made / "tokens").mkdir()
    configuration = made / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {made}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    for label in LABELS:
        made_token = [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            "12345678",
            "--pin",
            PIN,
        ]
        subprocess.run(made_token, check=True, capture_output=True)
    return made


class MemoryToken:
    """What outside.Token says, in memory. `away` makes it one that cannot be asked."""

    def __init__(self, password: str = PIN, anchor: str | None = None) -> None:
        self.keys: dict[bytes, bytes] = {}
        self.password, self.anchor, self.away = password, anchor, False

    def _answers(self) -> None:
        if self.away:
            raise HsmUnavailable("it is away")

    def admits(self, password: str) -> bool:
        return password == self.password

    def trusts(self, certificate: str) -> bool:
        return self.anchor in (None, certificate)

    def check(self) -> None:
        self._answers()

    def random(self, size: int) -> bytes:
        self._answers()
        return os.urandom(size)

    def make(self, key: bytes, label: str) -> None:
        self._answers()
        self.keys[key] = os.urandom(32)

    def holds(self, key: bytes) -> bool:
        self._answers()
        return key in self.keys

    def destroy(self, key: bytes) -> None:
        self._answers()
        self.keys.pop(key, None)

    def seal(self, key: bytes, plaintext: bytes, associated: bytes) -> bytes:
        self._answers()
        nonce = os.urandom(12)
        return nonce + AESGCM(self.keys[key]).encrypt(nonce, plaintext, associated)

    def open(self, key: bytes, sealed: bytes, associated: bytes) -> bytes:
        self._answers()
        try:
            return AESGCM(self.keys[key]).decrypt(sealed[:12], sealed[12:], associated)
        except InvalidTag:
            raise SealError("no") from None

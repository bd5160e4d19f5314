"""Session tokens of the metadata service: nothing is stored, so any number of them costs nothing.

A token is 40 bytes, in base64 as long as AWS's: version (1), expiry in epoch seconds (5), random (12), and the
first 22 bytes of an HMAC-SHA256 under a secret of this host over all of that and the instance's id.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os

LONGEST = 21600
_VERSION = b"\x01"
_SIGNED, _WHOLE = 18, 40
_LETTERS = 56


class Tokens:
    """The tokens of one instance."""

    def __init__(self, secret: bytes, instance: str) -> None:
        self._secret, self._instance = secret, instance.encode()

    def make(self, seconds: int, now: float) -> str:
        """A token that is good for so many seconds."""
        head = _VERSION + int(now + seconds).to_bytes(5, "big") + os.urandom(12)
        return base64.b64encode(head + self._mac(head)).decode("ascii")

    def remaining(self, token: str, now: float) -> int | None:
        """For how many seconds a token is good; None for one that is not."""
        if len(token) != _LETTERS:
            return None
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return None
        if base64.b64encode(raw).decode("ascii") != token:
            return None  # unused bits of the last letter were set
        head, mac = raw[:_SIGNED], raw[_SIGNED:]
        if len(raw) != _WHOLE or not hmac.compare_digest(mac, self._mac(head)) or head[:1] != _VERSION:
            return None
        left = int.from_bytes(head[1:6], "big") - int(now)
        return left if 0 < left <= LONGEST else None

    def _mac(self, head: bytes) -> bytes:
        return hmac.digest(self._secret, head + self._instance, "sha256")[: _WHOLE - _SIGNED]


def seconds_of(header: str | None) -> int | None:
    """The seconds that a request for a token wants; None for what is missing or out of bounds."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 6:
        return None
    seconds = int(header)
    return seconds if 1 <= seconds <= LONGEST else None

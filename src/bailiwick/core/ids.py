"""Identifiers as AWS makes them: a prefix that tells the kind, then base32 that carries the account id.

Layout (facts/iam.md section 1): after the four-letter prefix, base32 of six bytes `z` big-endian, where
bit 47 is set, bits 7 to 46 hold the account, and the rest is random; more random letters follow.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

Entropy = Callable[[int], bytes]
"""A source of randomness: takes a number of bytes, gives that many."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SECRET_BYTES = 30
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_ACCOUNT_MASK = 0x7FFFFFFFFF80


def access_key_id(prefix: str, account: str, entropy: Entropy) -> str:
    """A new 20-letter access key id; `prefix` is `AKIA` for a long-term key, `ASIA` for a session's."""
    return prefix + _body(account, 16, entropy)


def unique_id(prefix: str, account: str, entropy: Entropy) -> str:
    """A new 21-letter unique id of an IAM entity; `prefix` is `AIDA` (user), `AROA` (role), ..."""
    return prefix + _body(account, 17, entropy)


def secret_access_key(entropy: Entropy) -> str:
    """A new secret access key: 40 characters of the base64 alphabet, 240 random bits."""
    return base64.b64encode(entropy(_SECRET_BYTES)).decode("ascii")


def account_of(identifier: str) -> str | None:
    """The account id inside an access key id or unique id, or None where it carries none."""
    body = identifier[4:14]
    if len(identifier) < 16 or len(body) != 10 or any(letter not in _ALPHABET for letter in body):
        return None
    value = int.from_bytes(base64.b32decode(body + "======")[:6], "big")
    if not value >> 47:
        return None  # made before 2019: the first letter is below Q and no account is inside
    account = (value & _ACCOUNT_MASK) >> 7
    return f"{account:012d}" if account < 10**12 else None


def request_id(entropy: Entropy) -> str:
    """A random UUID (RFC 9562, version 4) in its text form."""
    digits = entropy(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"


def _body(account: str, length: int, entropy: Entropy) -> str:
    noise = entropy(length)
    head = (1 << 47) | (int(account) << 7) | (noise[0] & 0x7F)
    letters = base64.b32encode(head.to_bytes(6, "big"))[:9].decode("ascii")
    # The tenth letter holds the last 3 of the 48 bits and two that nobody reads.
    last = _ALPHABET[((head & 0x07) << 2) | (noise[1] & 0x03)]
    return letters + last + "".join(_ALPHABET[byte & 31] for byte in noise[2 : length - 8])

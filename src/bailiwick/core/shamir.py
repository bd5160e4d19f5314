"""A secret in shares, of which any `threshold` give it back and fewer say nothing (Shamir, "How to share a secret",
1979), byte by byte over GF(256) with the polynomial of AES.

The arithmetic has neither tables nor branches that depend on a secret. A share as text is base32 in groups, without
regard to case, spaces or hyphens; it carries its set, its number, the threshold, and a checksum against slips.
Layout before base32: version (1) | set (4) | threshold (1) | number (1) | value | checksum (4, of SHA-256).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable

import msgspec

from bailiwick.core.errors import ShareError
from bailiwick.core.ids import Entropy

MOST = 255
"""Shares of one secret: a share's number is an element of the field, and not 0."""

_VERSION = 1
_HEADER_BYTES, _CHECKSUM_BYTES, _GROUP = 7, 4, 5
_MAX_TEXT = 4096


class Share(msgspec.Struct, frozen=True):
    """One share. Its repr does not show its value."""

    set: str
    threshold: int
    number: int
    value: bytes

    def __repr__(self) -> str:
        return f"Share({self.set}, {self.number})"


def split(secret: bytes, shares: int, threshold: int, entropy: Entropy) -> list[Share]:
    """`shares` shares, any `threshold` of which give `secret` back. Raises ShareError for odd numbers of them."""
    if not 2 <= threshold <= shares <= MOST:
        raise ShareError(f"a secret has 2 to {MOST} shares, and at least 2 and at most all of them are needed")
    name = entropy(4).hex()
    # Of each byte's polynomial: the coefficients of x, x^2 ..., the constant being the byte.
    coefficients = [entropy(len(secret)) for _ in range(threshold - 1)]
    return [Share(name, threshold, x, _value(secret, coefficients, x)) for x in range(1, shares + 1)]


def combine(shares: Iterable[Share]) -> bytes:
    """The secret of these shares. Raises ShareError if they are too few or do not belong together."""
    known: dict[int, Share] = {}
    for share in shares:
        if known.setdefault(share.number, share) != share:
            raise ShareError("two shares have one number and different values")
    if len({(share.set, share.threshold, len(share.value)) for share in known.values()}) != 1:
        raise ShareError("the shares are not of one set")
    used = list(known.values())
    if len(used) < used[0].threshold:
        raise ShareError(f"{used[0].threshold} shares are needed; these are {len(used)}")
    used = used[: used[0].threshold]
    secret = bytearray(len(used[0].value))
    for share in used:
        factor = 1  # of Lagrange's interpolation at 0: the product of x_j / (x_j - x_i)
        for other in used:
            if other is not share:
                factor = _times(factor, _times(other.number, _inverse(other.number ^ share.number)))
        for place, byte in enumerate(share.value):
            secret[place] ^= _times(byte, factor)
    return bytes(secret)


def digest(share: Share) -> bytes:
    """What tells a right share from a wrong one without saying anything of it: 32 bytes."""
    return hashlib.sha256(b"bailiwick/share/1" + _raw(share)).digest()


def text(share: Share) -> str:
    """A share to be written down: letters and digits in groups of five."""
    raw = _raw(share)
    whole = base64.b32encode(raw + hashlib.sha256(raw).digest()[:_CHECKSUM_BYTES]).decode().rstrip("=").lower()
    return "-".join(whole[start : start + _GROUP] for start in range(0, len(whole), _GROUP))


def read(typed: str) -> Share:
    """The share in a text, its number perhaps before it (`3: ...`). Raises ShareError, which does not show it."""
    number, colon, rest = typed.partition(":")
    share = _read(rest if colon else typed)
    if colon and number.strip() != str(share.number):
        raise ShareError("this share has another number than is written before it")
    return share


def _read(typed: str) -> Share:
    plain = "".join(typed.split()).replace("-", "").upper()
    try:
        if len(typed) > _MAX_TEXT:
            raise ValueError
        whole = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except (binascii.Error, ValueError):
        raise ShareError("this is no share: a share is letters a to z and digits 2 to 7") from None
    raw, checksum = whole[:-_CHECKSUM_BYTES], whole[-_CHECKSUM_BYTES:]
    if len(raw) <= _HEADER_BYTES or hashlib.sha256(raw).digest()[:_CHECKSUM_BYTES] != checksum:
        raise ShareError("this share was not typed as it was written: its checksum is another")
    if raw[0] != _VERSION or raw[5] < 2 or not raw[6]:
        raise ShareError("this share is of a form that this version does not know")
    return Share(raw[1:5].hex(), raw[5], raw[6], raw[_HEADER_BYTES:])


def _raw(share: Share) -> bytes:
    return bytes((_VERSION,)) + bytes.fromhex(share.set) + bytes((share.threshold, share.number)) + share.value


def _value(secret: bytes, coefficients: list[bytes], x: int) -> bytes:
    value = bytearray(len(secret))
    for each in reversed(coefficients):  # Horner's rule
        value = bytearray(_times(byte ^ more, x) for byte, more in zip(value, each, strict=True))
    return bytes(byte ^ constant for byte, constant in zip(value, secret, strict=True))


def _times(a: int, b: int) -> int:
    """The product in GF(256)."""
    product = 0
    for _ in range(8):
        product ^= a & -(b & 1)
        b >>= 1
        a = (a << 1) ^ (0x11B & -(a >> 7))
    return product


def _inverse(a: int) -> int:
    """1 / a in GF(256): a to the power of 254; 0 for 0."""
    result = 1
    for _ in range(7):
        a = _times(a, a)
        result = _times(result, a)
    return result

"""The checksums that a trailer may carry, as S3's clients compute them (facts/sigv4.md section 6).

CRC32 and the SHAs are the library's. CRC32C (RFC 3720) and CRC64NVME have no implementation in it: tables, a byte
at a time, about 10 MB/s.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Protocol


class Checksum(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes) -> None:
        """Take more data."""

    def digest(self) -> bytes:
        """The checksum of all data so far, big-endian."""


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _TableCrc:
    """A reflected CRC of 32 or 64 bits, inverted at both ends."""

    def __init__(self, polynomial: int, size: int) -> None:
        self._table = _table(polynomial)
        self._size = size
        self._mask = (1 << 8 * size) - 1
        self._value = self._mask

    def update(self, data: bytes) -> None:
        table, value = self._table, self._value
        for byte in data:
            value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ self._mask).to_bytes(self._size, "big")


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        found.append(value)
    return tuple(found)


ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "x-amz-checksum-crc32": _Crc32,
    "x-amz-checksum-crc32c": lambda: _TableCrc(0x82F63B78, 4),
    "x-amz-checksum-crc64nvme": lambda: _TableCrc(0x9A6C9329AC4BC9B5, 8),
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-sha256": hashlib.sha256,
}
"""Makers of checksums, by the name of the header or trailer that carries them."""


def encoded(checksum: Checksum) -> str:
    """A checksum as the header carries it: base64."""
    return base64.b64encode(checksum.digest()).decode("ascii")

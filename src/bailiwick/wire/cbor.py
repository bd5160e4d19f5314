"""CBOR (RFC 8949), as much of it as rpc-v2-cbor has: no tag but the epoch time, text keys only, bounded depth.

A general CBOR library decodes tags into regular expressions, shared references and big numbers; what a
stranger sends should not be able to ask for those.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from bailiwick.api import MalformedInput

_MAX_DEPTH = 64
_LENGTHS = {24: 1, 25: 2, 26: 4, 27: 8}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_INDEFINITE = 31
_BREAK = object()


class Time(float):
    """Epoch seconds that are written with the tag of a time."""


def loads(data: bytes) -> Any:
    """The one item in `data`. Raises MalformedInput."""
    reader = _Reader(data)
    value = reader.item(0)
    if value is _BREAK or reader.at != len(data):
        raise MalformedInput("The request body is not one CBOR item.")
    return value


def dumps(value: Any) -> bytes:
    """A value of None, booleans, numbers, text, bytes, lists, dictionaries and Times as CBOR."""
    out = bytearray()
    _write(value, out)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise MalformedInput("The CBOR ends too early.")
        found = self.data[self.at : end]
        self.at = end
        return found

    def item(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise MalformedInput("The CBOR is too deep.")
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return self.simple(info)
        if info == _INDEFINITE and major in (2, 3, 4, 5):
            return self.indefinite(major, depth)
        argument = self.argument(info)
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major == 2:
            return self.take(argument)
        if major == 3:
            return self.text(self.take(argument))
        if major == 4:
            return [self.inner(depth) for _ in range(self.within(argument))]
        if major == 5:
            return self.pairs(argument, depth)
        return self.tagged(argument, depth)

    def argument(self, info: int) -> int:
        if info < 24:
            return info
        if info not in _LENGTHS:
            raise MalformedInput("The CBOR has a reserved length.")
        return int.from_bytes(self.take(_LENGTHS[info]), "big")

    def within(self, count: int) -> int:
        if count > len(self.data) - self.at:  # every entry takes a byte at least
            raise MalformedInput("The CBOR ends too early.")
        return count

    def text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedInput("The CBOR has text that is not UTF-8.") from None

    def inner(self, depth: int) -> Any:
        value = self.item(depth + 1)
        if value is _BREAK:
            raise MalformedInput("The CBOR has a break out of place.")
        return value

    def pairs(self, count: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(self.within(count)):
            self.pair(found, self.inner(depth), depth)
        return found

    def pair(self, found: dict[str, Any], key: Any, depth: int) -> None:
        if not isinstance(key, str) or key in found:
            raise MalformedInput("A key of a CBOR map is not text, or is there twice.")
        found[key] = self.inner(depth)

    def indefinite(self, major: int, depth: int) -> Any:
        entries: list[Any] = []
        found: dict[str, Any] = {}
        while (value := self.item(depth + 1)) is not _BREAK:
            if major == 5:
                self.pair(found, value, depth)
            elif major == 4 or isinstance(value, bytes if major == 2 else str):
                entries.append(value)
            else:
                raise MalformedInput("A piece of a CBOR string is of another type.")
        if major == 5:
            return found
        return entries if major == 4 else (b"" if major == 2 else "").join(entries)

    def tagged(self, tag: int, depth: int) -> Time:
        value = self.inner(depth)
        if tag != 1 or isinstance(value, bool) or not isinstance(value, (int, float)):
            raise MalformedInput("The CBOR has a tag that is not a time's.")
        return Time(value)

    def simple(self, info: int) -> Any:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info in _FLOATS:
            return struct.unpack(_FLOATS[info], self.take(_LENGTHS[info]))[0]
        if info == _INDEFINITE:
            return _BREAK
        raise MalformedInput("The CBOR has an unknown simple value.")


def _head(major: int, argument: int, out: bytearray) -> None:
    if argument < 24:
        out.append(major << 5 | argument)
        return
    for info, length in _LENGTHS.items():
        if argument < 1 << (8 * length):
            out.append(major << 5 | info)
            out += argument.to_bytes(length, "big")
            return
    raise ValueError("an integer of more than 64 bits")


def _write(value: Any, out: bytearray) -> None:
    if value is None or isinstance(value, bool):
        out.append({None: 0xF6, True: 0xF5, False: 0xF4}[value])
    elif isinstance(value, Time):
        out.append(0xC1)
        _write(float(value), out)
    elif isinstance(value, int):
        _head(0 if value >= 0 else 1, value if value >= 0 else -1 - value, out)
    elif isinstance(value, float):
        out += b"\xfb" + struct.pack(">d", value) if not math.isnan(value) else b"\xf9\x7e\x00"
    elif isinstance(value, (bytes, bytearray)):
        _head(2, len(value), out)
        out += value
    elif isinstance(value, str):
        raw = value.encode("utf-8")
        _head(3, len(raw), out)
        out += raw
    elif isinstance(value, dict):
        _head(5, len(value), out)
        for key, each in value.items():
            _write(key, out)
            _write(each, out)
    else:
        _head(4, len(value), out)
        for each in value:
            _write(each, out)

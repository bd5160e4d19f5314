"""Texts as the values that typed condition operators compare: numbers, instants, addresses, truths, bytes.

Each function gives None for a text that is not of its type, and never raises. Source: IAM User Guide,
"Condition operators"; W3C, "Date and Time Formats"; facts/policy.md section 2.4.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from decimal import Decimal
from functools import lru_cache

import msgspec

_LONGEST = 128  # characters of a number, date or address; longer text is of no type

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_EPOCH = re.compile(r"[+-]?[0-9]{1,19}")
_DATE = re.compile(
    r"(?P<year>[+-]?[0-9]{1,9})(?:-(?P<month>[0-9]{1,2})(?:-(?P<day>[0-9]{1,2}))?)?"
    r"(?:[Tt](?:(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{1,2})"
    r"(?::(?P<second>[0-9]{1,2})(?:\.(?P<fraction>[0-9]{1,9}))?)?)?)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?::?(?P<zone_minute>[0-9]{2}))?)?)?"
)
_PREFIX_LENGTH = re.compile(r"[0-9]{1,3}")
_NANOSECONDS = 10**9
_EARLIEST_YEAR, _LATEST_YEAR = -292_275_054, 292_278_993  # what 64 bits of milliseconds can hold


def number(text: str) -> Decimal | None:
    """A decimal number: an optional sign, digits, an optional fraction; no exponent."""
    return _number(text) if len(text) <= _LONGEST else None


def instant(text: str) -> int | None:
    """An instant as nanoseconds since 1970, from ISO 8601 or epoch seconds.

    A missing zone means UTC. Four digits are a year, any other digits alone are epoch seconds.
    """
    return _instant(text) if len(text) <= _LONGEST else None


class Network(msgspec.Struct, frozen=True):
    """A range of addresses of one IP version; `bits` is how many low bits of an address are free."""

    version: int
    prefix: int
    bits: int

    def holds(self, found: tuple[int, int]) -> bool:
        """Whether an address, given as (version, number), is in the range."""
        return found[0] == self.version and found[1] >> self.bits == self.prefix


def network(text: str) -> Network | None:
    """A range in CIDR notation; host bits below the mask are ignored, a bare address is a range of one."""
    base, slash, length = text.partition("/")
    found = address(base, mapped=False)
    if found is None or (slash and not _PREFIX_LENGTH.fullmatch(length)):
        return None
    version, value = found
    bits = (32 if version == 4 else 128) - (int(length) if slash else (32 if version == 4 else 128))
    return Network(version, value >> bits, bits) if bits >= 0 else None


def address(text: str, *, mapped: bool = True) -> tuple[int, int] | None:
    """An IP address as (version, number).

    With `mapped`, an IPv4 address in IPv6 clothes (::ffff:192.0.2.1, as a dual-stack socket shows it) is
    the IPv4 address, so that it cannot slip past a range of those.
    """
    return _address(text, mapped) if len(text) <= _LONGEST else None


def truth(text: str) -> bool | None:
    """`true` or `false` in any case."""
    return {"true": True, "false": False}.get(text.lower())


def binary(text: str) -> bytes | None:
    """The bytes of a text in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=1024)
def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


@lru_cache(maxsize=1024)
def _address(text: str, mapped: bool) -> tuple[int, int] | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if mapped and isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.version, int(found)


@lru_cache(maxsize=1024)
def _instant(text: str) -> int | None:
    if _EPOCH.fullmatch(text) and not (len(text) == 4 and text.isdigit()):
        seconds = int(text)
        return seconds * _NANOSECONDS if -(2**63) <= seconds < 2**63 else None
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, zone_hour, zone_minute = (
        int(found[name] or default)
        for name, default in (
            ("year", 0),
            ("month", 1),
            ("day", 1),
            ("hour", 0),
            ("minute", 0),
            ("second", 0),
            ("zone_hour", 0),
            ("zone_minute", 0),
        )
    )
    if not (
        _EARLIEST_YEAR <= year <= _LATEST_YEAR
        and 1 <= month <= 12
        and 1 <= day <= _days_in(year, month)
        and (hour <= 23 or (hour == 24 and minute == second == 0))
        and minute <= 59
        and second <= 60
        and zone_hour <= 23
        and zone_minute <= 59
    ):
        return None
    zone = (zone_hour * 60 + zone_minute) * (-60 if found["sign"] == "-" else 60)
    seconds = _days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone
    return seconds * _NANOSECONDS + int((found["fraction"] or "0").ljust(9, "0"))


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _days_since_1970(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the proleptic Gregorian calendar, for any year: `datetime` ends at 9999."""
    before = year - 1
    leap_days = before // 4 - before // 100 + before // 400
    days_before_month = sum(_days_in(year, earlier) for earlier in range(1, month))
    return before * 365 + leap_days + days_before_month + day - 1 - 719_162

"""Values without members as text, in forms, URLs, headers and XML; times in each of AWS's three formats."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from bailiwick.api import MalformedInput

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_NOT_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}

_FIRST_SECOND, _AFTER_LAST = -62_135_596_800, 253_402_300_800  # 0001-01-01 and 10000-01-01

ISO, HTTP_DATE, EPOCH = "iso8601", "rfc822", "unixTimestamp"


def read(kind: str, text: str, time_format: str = ISO) -> Any:
    """The value of a kind that a text stands for. Raises MalformedInput."""
    if kind == "string":
        return text
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind in ("integer", "long") and _INTEGER.fullmatch(text):
        return int(text)
    if kind in ("float", "double") and (text in _NOT_NUMBERS or _NUMBER.fullmatch(text)):
        return _NOT_NUMBERS.get(text) or float(text)
    try:
        if kind == "blob":
            return base64.b64decode(text, validate=True)
        if kind == "timestamp":
            return time(text, time_format)
    except (binascii.Error, ValueError, TypeError, OverflowError, IndexError):
        pass
    raise MalformedInput(f"A value is not of type {kind}.")


def write(kind: str, value: Any, time_format: str = ISO) -> str:
    """The text that stands for a value of a kind."""
    if kind == "string":
        return str(value)
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "blob":
        return base64.b64encode(value).decode("ascii")
    if kind == "timestamp":
        return written_time(value, time_format)
    if kind in ("float", "double"):
        return next((name for name, each in _NOT_NUMBERS.items() if repr(each) == repr(value)), repr(value))
    return str(value)


def is_time(seconds: float) -> bool:
    """Whether these epoch seconds are a time that a calendar has: of the years 1 to 9999."""
    return _FIRST_SECOND <= seconds < _AFTER_LAST


def time(text: str, time_format: str) -> float:
    """Epoch seconds of a time in one of the formats. Raises ValueError."""
    if time_format == EPOCH:
        if not _NUMBER.fullmatch(text) or not is_time(float(text)):
            raise ValueError(text)
        return float(text)
    if time_format == HTTP_DATE:
        return parsedate_to_datetime(text).timestamp()
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def written_time(value: float, time_format: str) -> str:
    """A time in one of the formats; ISO 8601 and HTTP dates have whole seconds."""
    if time_format == EPOCH:
        return str(int(value)) if value == int(value) else repr(float(value))
    when = datetime.fromtimestamp(int(value), UTC)
    return format_datetime(when, usegmt=True) if time_format == HTTP_DATE else when.strftime("%Y-%m-%dT%H:%M:%SZ")

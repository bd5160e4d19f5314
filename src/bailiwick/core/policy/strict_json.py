"""JSON as a policy must be written: RFC 8259, each key once in an object, shallow, within IAM's size."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NoReturn

import msgspec

MAX_CHARACTERS = 131_072  # the longest PolicyDocument that IAM's service model lets through
MAX_DEPTH = 16  # a policy needs six levels

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class Number(msgspec.Struct, frozen=True):
    """A JSON number, kept as it was written: conditions compare numbers through their text."""

    text: str


def read(text: str) -> object:
    """The value of a JSON text; numbers become `Number`.

    Raises ValueError for anything else: bad syntax, NaN, a key given twice, a lone surrogate, more than
    131,072 characters, more than 16 levels.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError("the text is too long")
    _refuse_depth(text)
    value: object = json.loads(
        text,
        object_pairs_hook=_object,
        parse_int=Number,
        parse_float=Number,
        parse_constant=_refuse_constant,
    )
    for string in _strings(value):
        string.encode("utf-8")  # UnicodeEncodeError is a ValueError: half of a surrogate pair
    return value


def _refuse_depth(text: str) -> None:
    depth = 0
    for mark in _BRACKETS.findall(text):
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError("the text is nested too deeply")
        elif mark in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)

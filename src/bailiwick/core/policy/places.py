"""Where in the text of a policy its elements stand: for findings, for explanations, for the simulator.

The text is JSON that was read before; nothing is checked here.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)

Path = tuple[str | int, ...]
"""The way to a value from the outside in: keys of objects and, from 0, places in lists."""


class Place(NamedTuple):
    """The characters of a value, from `start` up to `end`, and where the key before it stands, if it has one."""

    start: int
    end: int
    key_start: int | None = None
    key_end: int | None = None


class Position(NamedTuple):
    """A place for people: the line, from 1, and in it the column, from 1."""

    line: int
    column: int


def places(text: str) -> dict[Path, Place]:
    """The place of every value in a JSON text. Of a key given twice, the last value is told."""
    found: dict[Path, Place] = {}
    tokens = _TOKEN.finditer(text)
    first = next(tokens, None)
    if first is not None:
        _value(first, tokens, (), None, found)
    return found


def positions(text: str, *offsets: int) -> list[Position]:
    """The lines and columns of these characters of a text."""
    begins = [0, *(newline.end() for newline in re.finditer(r"\r\n|\n|\r", text))]
    lines = [bisect_right(begins, offset) for offset in offsets]
    return [Position(line, offset - begins[line - 1] + 1) for line, offset in zip(lines, offsets, strict=True)]


@lru_cache(maxsize=256)
def statements(text: str) -> tuple[Place, ...]:
    """The places of the statements of a policy, in their order."""
    found = places(text)
    several = [path for path in found if len(path) == 2 and path[0] == "Statement" and isinstance(path[1], int)]
    return tuple(found[path] for path in several) or tuple(
        place for path, place in found.items() if path == ("Statement",)
    )


def _value(
    token: re.Match[str],
    tokens: Iterator[re.Match[str]],
    path: Path,
    key: re.Match[str] | None,
    found: dict[Path, Place],
) -> int:
    """Note the value that begins with `token`, and all in it; returns where it ends."""
    start, end = token.span()
    found[path] = Place(start, end)  # an object comes before what is in it
    if token.group() == "{":
        end = _members(tokens, path, found, end)
    elif token.group() == "[":
        end = _items(tokens, path, found, end)
    found[path] = Place(start, end, *(key.span() if key else (None, None)))
    return end


def _members(tokens: Iterator[re.Match[str]], path: Path, found: dict[Path, Place], end: int) -> int:
    for key in tokens:
        if key.group() == "}":
            return key.end()
        if key.group() == ",":
            continue
        next(tokens, None)  # the colon
        token = next(tokens, None)
        if token is None:
            break
        end = _value(token, tokens, (*path, json.loads(key.group())), key, found)
    return end


def _items(tokens: Iterator[re.Match[str]], path: Path, found: dict[Path, Place], end: int) -> int:
    index = 0
    for token in tokens:
        if token.group() == "]":
            return token.end()
        if token.group() != ",":
            end = _value(token, tokens, (*path, index), None, found)
            index += 1
    return end

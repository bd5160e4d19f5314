"""Patterns with `*` and `?`, matched in linear time: whole texts, actions, and ARNs field by field.

A pattern is cut at its stars. The first run is anchored at the start, the last at the end, and each one
between is found leftmost after the one before: no choice is ever taken back, so that a hostile pattern
costs no more than a friendly one. A run that holds `?` is found by Shift-And (Baeza-Yates and Gonnet,
"A new approach to text searching", 1992), one step per character whatever the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, TypeVar


class Wildcard(Enum):
    """The two wildcards of the policy language."""

    ANY = "*"  # any number of characters, `/` and `:` included
    ONE = "?"  # one character


Piece = str | Wildcard
"""A part of a pattern: literal text, or a wildcard."""

P = TypeVar("P")

Matcher = Callable[[str], bool]
"""Tells whether a text, as a whole, is what a pattern describes."""

_WILDCARDS = re.compile(r"([*?])")


def pieces(text: str) -> tuple[Piece, ...]:
    """A pattern's text in its parts."""
    return tuple(Wildcard(part) if part in "*?" else part for part in _WILDCARDS.split(text) if part)


def literal_prefix(text: str) -> str:
    """What comes before a pattern's first wildcard."""
    return _WILDCARDS.split(text, maxsplit=1)[0]


def glob(parts: Iterable[Piece]) -> Matcher:
    """The matcher of a pattern given in parts. Literal parts are literal, whatever characters they hold."""
    runs = [run(each) for each in between_stars(parts)]
    texts = [each.text for each in runs if isinstance(each, _Literal)]
    if len(runs) == 1:
        return _whole(runs[0])
    if len(runs) == len(texts) == 2:
        return _around(*texts)
    if len(runs) == len(texts) == 3 and not texts[0] and not texts[2]:
        return lambda text: texts[1] in text
    shortest = sum(each.length for each in runs)
    return lambda text: len(text) >= shortest and matches_runs(runs, text)


def matches_runs(runs: Sequence[Run], text: str) -> bool:
    """Whether these runs, with a star between each two, describe the whole text."""
    first, last = runs[0], runs[-1]
    if len(runs) == 1:
        return len(text) == first.length and first.at(text, 0)
    position, end = first.length, len(text) - last.length
    if position > end or not first.at(text, 0) or not last.at(text, end):
        return False
    for each in runs[1:-1]:
        position = each.find(text, position, end)
        if position < 0:
            return False
        position += each.length
    return True


def between_stars(parts: Iterable[P]) -> list[list[P]]:
    """The parts of a pattern, cut at its stars; of stars side by side, one counts."""
    runs: list[list[P]] = [[]]
    for part in parts:
        if part is not Wildcard.ANY:
            runs[-1].append(part)
        elif runs[-1] or len(runs) == 1:
            runs.append([])
    return runs


def run(parts: Sequence[Piece]) -> Run:
    """A run of a pattern between two stars, ready to be found in a text."""
    return _Holed(parts) if Wildcard.ONE in parts else _Literal("".join(map(str, parts)))


def _whole(run: Run) -> Matcher:
    if isinstance(run, _Literal):
        expected = run.text
        return lambda text: text == expected
    return lambda text: len(text) == run.length and run.at(text, 0)


def _around(prefix: str, suffix: str) -> Matcher:
    if not suffix:
        return lambda text: text.startswith(prefix)
    shortest = len(prefix) + len(suffix)
    return lambda text: len(text) >= shortest and text.startswith(prefix) and text.endswith(suffix)


class _Literal:
    """A run of a pattern that holds no wildcard."""

    __slots__ = ("length", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.length = len(text)

    def at(self, text: str, position: int) -> bool:
        return text.startswith(self.text, position)

    def find(self, text: str, start: int, end: int) -> int:
        return text.find(self.text, start, end)


class _Holed:
    """A run of a pattern that holds `?`.

    Bit i of `masks[letter]` says that the i-th place of the run accepts that letter; `holes` has the bits
    of the places that accept every letter.
    """

    __slots__ = ("accept", "holes", "length", "literals", "masks")

    def __init__(self, parts: Sequence[Piece]) -> None:
        self.literals: list[tuple[int, str]] = []
        self.masks: dict[str, int] = {}
        self.holes = 0
        self.length = 0
        for part in parts:
            if isinstance(part, Wildcard):
                self.holes |= 1 << self.length
                self.length += 1
                continue
            self.literals.append((self.length, part))
            for letter in part:
                self.masks[letter] = self.masks.get(letter, 0) | 1 << self.length
                self.length += 1
        self.masks = {letter: mask | self.holes for letter, mask in self.masks.items()}
        self.accept = 1 << (self.length - 1)

    def at(self, text: str, position: int) -> bool:
        return position + self.length <= len(text) and all(
            text.startswith(literal, position + offset) for offset, literal in self.literals
        )

    def find(self, text: str, start: int, end: int) -> int:
        if not self.literals:
            return start if start + self.length <= end else -1
        masks, holes, accept = self.masks, self.holes, self.accept
        state = 0  # bit i: the last i + 1 characters are what the run begins with
        for position in range(start, end):
            state = (state << 1 | 1) & masks.get(text[position], holes)
            if state & accept:
                return position - self.length + 1
        return -1


Run = _Literal | _Holed
"""A part of a pattern without a star."""


# --- actions


def actions(patterns: Iterable[str]) -> Matcher:
    """Whether an action, in lower case, is one of these: `*`, or `prefix:name` with wildcards in the name.

    A pattern of another form, and one whose name is empty or holds a blank, matches nothing
    (facts/policy.md section 1.4).
    """
    exact: set[str] = set()
    globs: list[Matcher] = []
    for pattern in patterns:
        if pattern == "*":
            return lambda action: True
        prefix, colon, name = pattern.lower().partition(":")
        if not colon or not name or ":" in name or any(letter.isspace() for letter in name):
            continue
        if _WILDCARDS.search(name):
            globs.append(glob((prefix + ":", *pieces(name))))
        else:
            exact.add(f"{prefix}:{name}")
    if not globs:
        return exact.__contains__
    return lambda action: action in exact or any(matches(action) for matches in globs)


# --- ARNs

HEAD_FIELDS = 5


class ResourceName(NamedTuple):
    """What a question is about, in the form that patterns are matched with.

    `fields` are the first five fields of an ARN in lower case, None where the text is no ARN (such as
    `*`); `head` is the same as one text, `tail` the sixth field as it is, `key` head and tail together.
    """

    head: str
    fields: tuple[str, ...] | None
    tail: str
    key: str


@lru_cache(maxsize=2048)
def resource_name(text: str) -> ResourceName:
    """Split the resource of a question."""
    fields = text.split(":", HEAD_FIELDS)
    if len(fields) <= HEAD_FIELDS or fields[0] != "arn":
        return ResourceName("", None, text, "")
    first = tuple(field.lower() for field in fields[:HEAD_FIELDS])
    head = ":".join(first)
    return ResourceName(head, first, fields[HEAD_FIELDS], f"{head}:{fields[HEAD_FIELDS]}")


def arn_fields(text: str) -> list[str]:
    """The six fields of a pattern for ARNs; those that it lacks are `*`."""
    fields = text.split(":", HEAD_FIELDS)
    return fields + ["*"] * (HEAD_FIELDS + 1 - len(fields))


def arn_head(fields: Sequence[str]) -> Callable[[ResourceName], bool]:
    """Whether the first five fields of a resource are what these five patterns describe, ignoring case."""
    head = plain_head(fields)
    if head is not None:
        return lambda name: name.head == head
    matchers = [glob(pieces(field.lower())) for field in fields]

    def matches(name: ResourceName) -> bool:
        return name.fields is not None and all(
            matcher(field) for matcher, field in zip(matchers, name.fields, strict=True)
        )

    return matches


def plain_head(fields: Sequence[str]) -> str | None:
    """The `head` of the resources that these five patterns describe, if there is no wildcard in them."""
    head = ":".join(fields).lower()
    return None if _WILDCARDS.search(head) else head

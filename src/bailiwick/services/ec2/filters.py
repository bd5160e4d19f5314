"""Filters of lists: name and values, where `*` and `?` stand for anything, and pages of what they leave."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from bailiwick import lists
from bailiwick.api import Call
from bailiwick.core.policy.patterns import Matcher, Wildcard, glob
from bailiwick.services.ec2 import shapes
from bailiwick.services.ec2.errors import InvalidNextToken, InvalidParameterValue

T = TypeVar("T")

Values = Callable[[T], Iterable[str]]
"""What an entry has under the name of a filter."""

_SPECIAL = re.compile(r"(\\.|[*?])", re.DOTALL)
_AT_ONCE = 500
_SHORTEST_PAGE, _LONGEST_PAGE = 5, 1000
_MOST_FILTERS, _MOST_VALUES = 50, 200


def passing(
    filters: Sequence[shapes.Filter] | None,
    known: Mapping[str, Values[T]],
    tags: Callable[[T], Mapping[str, str]] | None = None,
) -> Callable[[T], bool]:
    """What tells whether an entry passes every filter. Raises InvalidParameterValue for one that is not known."""
    wanted: list[tuple[Values[T], list[Matcher]]] = []
    for each in (filters or ())[: _MOST_FILTERS + 1]:
        name, values = each.Name or "", each.Values or []
        if len(wanted) == _MOST_FILTERS or len(values) > _MOST_VALUES:
            raise InvalidParameterValue("There are too many filters, or too many values in one of them.")
        found = known.get(name) or (_of_tag(name[4:], tags) if tags and name.startswith("tag:") else None)
        if found is None:
            raise InvalidParameterValue(f"The filter '{name}' is invalid")
        wanted.append((found, [_pattern(value) for value in values]))
    return lambda entry: all(
        any(matches(text) for text in values(entry) for matches in patterns) for values, patterns in wanted
    )


def page(
    call: Call,
    request: shapes.DescribeInstancesRequest
    | shapes.DescribeTagsRequest
    | shapes.DescribeIamInstanceProfileAssociationsRequest,
    read: Callable[[str, int], Sequence[T]],
    key: Callable[[T], str],
    passes: Callable[[T], bool],
) -> tuple[list[T], str | None]:
    """A page of what passes, and the token of what follows. `read` gives entries after a key, in order.

    Raises InvalidParameterValue, InvalidNextToken.
    """
    most = _LONGEST_PAGE if request.MaxResults is None else min(request.MaxResults, _LONGEST_PAGE)
    if most < _SHORTEST_PAGE:
        raise InvalidParameterValue(
            f"Value ( {most} ) for parameter maxResults is invalid. Expecting a value of at least {_SHORTEST_PAGE}."
        )
    after = lists.after(call, _scope(call), request.NextToken or None, InvalidNextToken("The token is invalid."))
    found: list[T] = []
    while len(found) <= most:
        some = read(after, _AT_ONCE)
        found += [each for each in some if passes(each)]
        if len(some) < _AT_ONCE:
            break
        after = key(some[-1])
    return lists.cut(call, _scope(call), found, most, key)


def _scope(call: Call) -> str:
    return f"{call.account}/{call.region}/{call.operation.action}"


def _of_tag(key: str, tags: Callable[[T], Mapping[str, str]]) -> Values[T]:
    return lambda entry: (value for name, value in tags(entry).items() if name == key)


@lru_cache(maxsize=256)
def _pattern(value: str) -> Matcher:
    """A value of a filter, matched in linear time: `*` and `?` are special unless a backslash is before them."""
    parts = _SPECIAL.split(value)
    return glob(Wildcard(part) if part in ("*", "?") else _plain(part) for part in parts if part)


def _plain(part: str) -> str:
    return part[1:] if len(part) == 2 and part[0] == "\\" else part

"""Random valid values of a service model's shapes, for hypothesis, in botocore's own Python forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from bailiwick.wire.patterns import python_pattern

# Texts that some pattern of AWS's models wants. What no candidate fits is drawn from the pattern itself.
_CANDIDATES = [
    *("a", "A1", "x" * 24, "/", "/a/b/", "v1", "1", "123456", "123456789012", "us-east-1", "alias/a", "default"),
    *("arn:aws:iam::123456789012:role/a", "https://a.example", "a@b.cd", "0" * 64, "ab" * 20, "A" * 20, "a" * 64),
    *("Team blue", "größe", "=+-@_.:/", "{}", '{"a": "b"}'),
]
text = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cs", "Cc"]), max_size=12)


def value(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Valid values of a botocore shape; optional members are left out now and then."""
    kind = shape.type_name
    if kind == "structure":
        return structure(shape, depth)
    if kind == "list":
        low = shape.metadata.get("min", 0)
        return st.lists(value(shape.member, depth + 1), min_size=low, max_size=max(low, 2))
    if kind == "map":
        low = shape.metadata.get("min", 0)
        return st.dictionaries(value(shape.key), value(shape.value, depth + 1), min_size=low, max_size=max(low, 2))
    return scalar(shape)


def structure(shape: Any, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Valid structures: every required member, some of the others."""
    required = set(shape.required_members)
    members = {name: value(member, depth + 1) for name, member in shape.members.items() if name in required}
    optional = {
        name: value(member, depth + 1)
        for name, member in shape.members.items()
        if name not in required and depth < 4
    }
    return st.fixed_dictionaries(members, optional=optional)


def scalar(shape: Any) -> st.SearchStrategy[Any]:
    """Valid values of a shape that has no members."""
    kind, meta = shape.type_name, shape.metadata
    if kind == "string":
        return string(shape)
    if kind == "blob":
        low = meta.get("min", 0)
        return st.binary(min_size=low, max_size=max(low, 30))
    if kind in ("integer", "long"):
        low = meta.get("min", 0)
        return st.integers(low, meta.get("max", low + 1000))
    if kind == "boolean":
        return st.booleans()
    if kind == "timestamp":
        return st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
    return st.floats(-1e6, 1e6).map(lambda number: round(number, 3))


def string(shape: Any) -> st.SearchStrategy[str]:
    """Valid texts: of the enumeration, of the pattern, within the lengths."""
    meta = shape.metadata
    if getattr(shape, "enum", None):
        return st.sampled_from(shape.enum)
    low, high = meta.get("min", 0), meta.get("max", 10**6)
    if "pattern" not in meta:
        return text.map(lambda found: found.ljust(low, "x")[:high])
    pattern = python_pattern(meta["pattern"])
    fitting = [c for c in _CANDIDATES if low <= len(c) <= high and re.search(pattern, c)]
    if fitting:
        return st.sampled_from(fitting)
    return st.from_regex(pattern).filter(lambda found: low <= len(found) <= high)

"""Where the elements of a policy stand in its text."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.policy.places import Position, places, positions, statements

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON, st.sampled_from([None, 1, 3]), st.booleans())
def test_every_value_is_found_where_it_stands(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    for path, place in places(text).items():
        inner = value
        for step in path:
            inner = inner[step]  # type: ignore[index]
        assert json.loads(text[place.start : place.end]) == inner
        if path and isinstance(path[-1], str):
            assert json.loads(text[place.key_start : place.key_end]) == path[-1]
    assert () in places(text)


def test_statements_alone_or_in_a_list() -> None:
    for text in ('{"Statement": {"Effect": "Allow"}}', '{"Statement": [{"Effect": "Allow"}]}'):
        assert [text[place.start : place.end] for place in statements(text)] == ['{"Effect": "Allow"}']


def test_lines_and_columns_count_from_one() -> None:
    assert positions("ab\nc\r\nd", 0, 1, 3, 6) == [(1, 1), (1, 2), (2, 1), Position(3, 1)]

"""Lists in pages: every entry once and in order, and no marker but one that was given out for the list."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick import lists
from bailiwick.api import ValidationError
from bailiwick.core.seal import KeyRing

CALL: Any = SimpleNamespace(environment=SimpleNamespace(ring=KeyRing(bytes(range(32)))))
REFUSED = ValidationError("no marker of this list")


@given(st.lists(st.text(min_size=1, max_size=8), unique=True).map(sorted), st.integers(1, 5))
def test_pages_hold_every_entry_once_and_in_order(entries: list[str], most: int) -> None:
    seen, marker = [], None
    while True:
        shown, marker = lists.page(CALL, "a/list", marker, REFUSED, entries, most, str)
        seen += shown
        assert len(shown) <= most
        if marker is None:
            break
        assert len(shown) == most
    assert seen == entries


@pytest.mark.parametrize(
    "change", [lambda marker: marker[4:], lambda marker: "x" + marker, lambda marker: "", lambda marker: "é"]
)
def test_another_marker_is_refused(change: Any) -> None:
    _, marker = lists.cut(CALL, "a/list", ["a", "b"], 1, str)
    assert marker is not None
    assert lists.after(CALL, "a/list", marker, REFUSED) == "a"
    for scope, text in (("a/list", change(marker)), ("another/list", marker)):
        with pytest.raises(ValidationError) as refused:
            lists.after(CALL, scope, text, REFUSED)
        assert refused.value is REFUSED

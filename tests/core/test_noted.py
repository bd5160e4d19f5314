"""Uses noted in memory: which are due, and that none is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.noted import AGAIN, Noted, Use


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 100), st.sampled_from("ab"), st.booleans()), max_size=30))
def test_what_was_written_is_behind_by_a_minute_at_most(steps: list[tuple[int, float, str, bool]]) -> None:
    noted: Noted[int, str] = Noted()
    last: dict[int, Use[str]] = {}
    written: dict[int, Use[str]] = {}
    now = 1000.0
    for thing, seconds, kind, fails in steps:
        now += seconds
        noted.uses[thing] = last[thing] = (now, kind, "")
        try:
            with noted.due(now) as due:
                if fails:
                    raise OSError
                written |= due
        except OSError:
            continue
        for each, use in last.items():
            assert written[each][1] == use[1]
            assert now - written[each][0] < AGAIN or written[each] == use
    with noted.due() as due:
        written |= due
    assert written == last
    assert noted.uses == {}


def test_a_use_like_the_one_that_was_written_is_not_due() -> None:
    noted: Noted[str, str] = Noted()
    for time, kind, is_due in ((0.0, "a", True), (1.0, "a", False), (2.0, "b", True), (61.9, "b", False)):
        noted.uses["thing"] = (time, kind, "")
        with noted.due(time) as due:
            assert bool(due) is is_due
    with noted.due(62.0) as due:
        assert due == {"thing": (61.9, "b", "")}


def test_a_newer_use_is_not_given_back_over() -> None:
    noted: Noted[str, str] = Noted()
    noted.uses["thing"] = (1.0, "a", "")
    with pytest.raises(OSError, match="full"), noted.due(2.0):
        noted.uses["thing"] = (2.0, "a", "")
        raise OSError("full")
    assert noted.uses == {"thing": (2.0, "a", "")}

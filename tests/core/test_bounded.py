"""The bounded memory: never over its bound, never wrong, and what is used stays."""

from __future__ import annotations

import threading
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.bounded import Bounded, Use, counted


@given(st.integers(2, 12), st.lists(st.tuples(st.booleans(), st.integers(0, 30))))
def test_it_gives_what_was_put_last_or_nothing(limit: int, steps: list[tuple[bool, int]]) -> None:
    memory: Bounded[int, int] = Bounded(limit)
    last: dict[int, int] = {}
    for number, (puts, key) in enumerate(steps):
        if puts:
            memory.put(key, number)
            last[key] = number
            assert memory.get(key) == number
        else:
            assert memory.get(key) in (None, last.get(key))
        assert len(memory) <= limit


@given(st.integers(2, 12), st.lists(st.integers(0, 30), min_size=1))
def test_what_was_used_within_half_the_bound_is_there(limit: int, keys: list[int]) -> None:
    memory: Bounded[int, int] = Bounded(limit)
    for key in keys:
        if memory.get(key) is None:
            memory.put(key, key)
    recent = dict.fromkeys(reversed(keys))
    assert all(memory.get(key) == key for key in list(recent)[: limit // 2])


def test_a_flood_does_not_drop_what_is_in_use() -> None:
    memory: Bounded[object, str] = Bounded(100)
    memory.put("used", "value")
    for number in range(10_000):
        memory.put(number, "flood")
        assert memory.get("used") == "value"


def test_use_is_counted() -> None:
    memory: Bounded[str, int] = Bounded(10)
    memory.put("a", 1)
    assert (memory.get("a"), memory.get("b"), memory.get("b", 7)) == (1, None, 7)
    assert memory.use == Use(size=1, limit=10, hits=1, misses=2)
    memory.clear()
    assert (memory.get("a"), len(memory)) == (None, 0)


def test_counting_loses_nothing_between_threads() -> None:
    memory: Bounded[int, int] = Bounded(64)

    def use() -> None:
        for number in range(5000):
            if memory.get(number % 80) is None:
                memory.put(number % 80, number % 80)
            assert memory.get(number % 80, number % 80) == number % 80

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.use.hits + memory.use.misses == 4 * 5000 * 2
    assert len(memory) <= 64 + 4


def test_reading_a_counter_does_not_move_it() -> None:
    counter = count()
    assert [counted(counter), next(counter), counted(counter), counted(counter)] == [0, 0, 1, 1]


def test_a_bound_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="two values"):
        Bounded(1)


class Part:
    """Something large."""

    def __init__(self, weight: int) -> None:
        self.weight = weight


def held(memory: Bounded[int, tuple[Part, ...]]) -> int:
    """The weight of what a memory keeps alive."""
    halves = (memory._young, memory._old)
    return sum({id(part): part.weight for half in halves for parts in half.values() for part in parts}.values())


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=6), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)))
)
def test_what_it_keeps_alive_weighs_no_more_than_it_may(weights: list[int], steps: list[tuple[int, int]]) -> None:
    parts = [Part(weight) for weight in weights]
    memory: Bounded[int, tuple[Part, ...]] = Bounded(
        100, most=100, parts=lambda _, value: [(part, part.weight) for part in value]
    )
    for key, which in steps:
        memory.put(key, (parts[which % len(parts)],))
        assert memory.get(key) is not None
        assert held(memory) <= 100


def test_a_part_that_many_values_share_is_weighed_once() -> None:
    memory: Bounded[int, Part] = Bounded(1000, most=100, parts=lambda _, value: [(value, value.weight)])
    shared = Part(50)
    for key in range(400):
        memory.put(key, shared)
    assert all(memory.get(key) is shared for key in range(400))
    memory.put(400, Part(500))  # too large, and kept until the next
    memory.put(401, Part(1))
    memory.put(402, Part(50))
    assert (memory.get(400), memory.get(0)) == (None, None)

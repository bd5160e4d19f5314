"""The memory of what was read: bounded in number and in weight, the least recently used first."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.store.cache import BYTES, MISSING, Cache
from world import World


class Heavy(msgspec.Struct, frozen=True):
    weight: int


def put(cache: Cache, key: object, value: Any = "value") -> None:
    cache.put("kind", key, value, (f"topic:{key}", "all"), cache.generation)


@given(st.lists(st.tuples(st.sampled_from("pgf"), st.integers(0, 9), st.integers(1, 60))))
def test_neither_bound_is_ever_passed_and_the_sums_are_right(steps: list[tuple[str, int, int]]) -> None:
    cache = Cache(5, most=100)
    for step, key, weight in steps:
        if step == "p":
            put(cache, key, Heavy(weight))
        elif step == "g":
            cache.get("kind", key)
        else:
            cache.forget([f"topic:{key}"])
        held = [cache.get("kind", each) for each in range(10)]
        weights = [value.weight for value in held if value is not MISSING]
        assert (cache.weight, len(cache)) == (sum(weights), len(weights))
        assert len(cache) <= 5
        assert cache.weight <= 100
    cache.forget(["all"])
    assert (cache.weight, len(cache), cache._dependents) == (0, 0, {})


def test_what_was_used_last_stays() -> None:
    cache = Cache(3)
    for key in "abc":
        put(cache, key)
    cache.get("kind", "a")
    put(cache, "d")
    assert [cache.get("kind", key) is MISSING for key in "abcd"] == [False, True, False, False]
    assert cache.weight == 3 * BYTES
    assert (cache.hits, cache.misses) == (4, 1)


def test_what_is_too_heavy_is_not_kept_and_drives_out_nothing() -> None:
    cache = Cache(10, most=100)
    put(cache, "light", Heavy(10))
    put(cache, "heavy", Heavy(101))
    assert cache.get("kind", "heavy") is MISSING
    assert cache.get("kind", "light") == Heavy(10)
    cache.clear()
    assert (cache.weight, len(cache)) == (0, 0)


def test_keys_and_sessions_of_one_principal_share_what_it_may_do() -> None:
    world = World()
    iam = world.client("iam")
    iam.create_user(UserName="alice")
    iam.put_user_policy(
        UserName="alice",
        PolicyName="p",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}',
    )
    keys = [world.keys_of("alice"), world.keys_of("alice")]
    for key in keys:
        world.client("iam", key).list_users()
        world.client("sts", key).get_session_token()
    callers = [event.caller for event in world.events if event.caller and event.caller.name == "alice"]
    assert len({caller.access_key_id for caller in callers}) == 2
    assert len({id(caller.identity) for caller in callers}) == 1
    iam.delete_user_policy(UserName="alice", PolicyName="p")
    for key in keys:  # and both lose it at once
        with pytest.raises(botocore.exceptions.ClientError, match="not authorized to perform: iam:ListUsers"):
            world.client("iam", key).list_users()

"""Rates: what may come at once, what comes back with time, and who shares what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.rates import Quota, Rates

HERE = ("123456789012", "us-east-1")
QUOTA = Quota({"fast": 200.0, "slow": 5.0}, {"fast": {"eu-west-1": 400.0}})


def taken(rates: Rates, kind: str, now: float, most: int = 1000, place: tuple[str, str] = HERE) -> int:
    """How many calls of a class go through at one moment."""
    return next(
        n for n in range(most + 1) if n == most or not rates.take_all("kms", ((kind, 1.0),), QUOTA, place, now)
    )


def test_a_second_of_calls_goes_through_at_once_and_fifty_of_what_is_slow() -> None:
    rates = Rates()
    assert taken(rates, "fast", 100.0) == 200
    assert taken(rates, "fast", 100.5) == 100
    assert taken(rates, "slow", 100.0) == 50
    assert taken(rates, "slow", 102.0) == 10
    assert taken(rates, "slow", 1000.0) == 50
    assert rates.refused == {("kms", "fast"): 2, ("kms", "slow"): 3}


def test_accounts_and_regions_have_rates_of_their_own() -> None:
    rates = Rates()
    assert taken(rates, "fast", 1.0) == 200
    assert taken(rates, "fast", 1.0, place=("210987654321", "us-east-1")) == 200
    assert taken(rates, "fast", 1.0, place=("123456789012", "eu-west-1")) == 400


def test_a_rate_that_is_given_holds_and_one_that_is_lifted_does_not() -> None:
    rates = Rates({("kms", "fast"): 1000.0, ("kms", "slow"): None, ("sts", "*"): 60.0})
    assert taken(rates, "fast", 1.0, 2000) == 1000
    assert taken(rates, "slow", 1.0, 2000) == 2000
    assert sum(rates.take_all("sts", (("GetCallerIdentity", 1.0),), Quota(), HERE, 1.0) for _ in range(100)) == 60
    assert all(rates.take_all("iam", (("ListUsers", 1.0),), Quota(), HERE, 1.0) for _ in range(1000))


def test_without_a_services_own_rates_only_what_is_given_holds() -> None:
    rates = Rates({("kms", "slow"): 100.0}, own=False)
    assert taken(rates, "fast", 1.0, 2000) == 2000
    assert taken(rates, "slow", 1.0, 2000) == 100


def test_each_of_several_processes_has_its_share() -> None:
    rates = Rates(share=0.25)
    assert (taken(rates, "fast", 1.0), taken(rates, "slow", 1.0)) == (50, 12)


def test_a_call_may_count_for_several_classes_and_more_than_once() -> None:
    rates = Rates()
    charges = (("fast", 1.0), ("slow", 10.0))
    assert sum(rates.take_all("kms", charges, QUOTA, HERE, 1.0) for _ in range(20)) == 5


def test_a_clock_that_is_set_back_holds_nobody_up() -> None:
    rates = Rates()
    assert taken(rates, "slow", 10_000.0) == 50
    assert taken(rates, "slow", 10.0) == 50


@given(st.lists(st.floats(0.0, 3.0), max_size=300))
def test_over_any_time_no_more_go_through_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    rates, now, times = Rates(), 1000.0, list[float]()
    for pause in pauses:
        now += pause
        times += [now] * taken(rates, "slow", now, 30)
    for place, first in enumerate(times):
        assert all(
            number - place + 1 <= 50 + 5 * (times[number] - first) + 1e-3 for number in range(place, len(times), 7)
        )

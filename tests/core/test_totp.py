"""One-time passwords and the patience with those who guess them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core import totp
from bailiwick.core.attempts import Attempts

SEED = b"12345678901234567890"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238_appendix_b(now: int, expected: str) -> None:
    assert totp.code(SEED, totp.step_at(now), digits=8) == expected


@pytest.mark.parametrize(
    ("counter", "expected"),
    [
        *((0, "755224"), (1, "287082"), (2, "359152"), (3, "969429"), (4, "338314")),
        *((5, "254676"), (6, "287922"), (7, "162583"), (8, "399871"), (9, "520489")),
    ],
)
def test_the_vectors_of_rfc_4226_appendix_d(counter: int, expected: str) -> None:
    assert totp.code(SEED, counter) == expected


@given(st.binary(min_size=20, max_size=40), st.integers(50, 2**40), st.integers(-20, 20))
def test_two_consecutive_codes_are_found_where_they_are(seed: bytes, step: int, off: int) -> None:
    codes = (totp.code(seed, step + off), totp.code(seed, step + off + 1))
    found = totp.find(seed, codes, range(step - 20, step + 21))
    assert found is not None
    assert (totp.code(seed, found), totp.code(seed, found + 1)) == codes


def test_codes_in_the_wrong_order_are_not_found() -> None:
    codes = (totp.code(SEED, 101), totp.code(SEED, 100))
    assert totp.find(SEED, codes, range(80, 121)) is None


def test_a_guesser_waits_ever_longer_and_is_forgiven_in_the_end() -> None:
    attempts, now, tried = Attempts(), 0.0, 0
    while now < 86_400.0:
        if not attempts.waits("k", now):
            attempts.failed("k", now)
            tried += 1
        now += 1.0
    assert tried < 50
    assert attempts.waits("k", now)
    assert not attempts.waits("other", now)
    assert not attempts.waits("k", now + 3600.0)


def test_success_ends_the_count() -> None:
    attempts = Attempts()
    for _ in range(5):
        attempts.failed("k", 1.0)
    assert attempts.waits("k", 2.0)
    attempts.succeeded("k")
    assert not attempts.waits("k", 2.0)


def test_what_is_remembered_is_bounded() -> None:
    attempts = Attempts()
    for number in range(20_100):
        attempts.failed(str(number), 1.0)
    assert len(attempts._counts) == 20_000
    assert len(attempts.take_news()) <= 20_100
    assert attempts.take_news() == {}


def test_failures_that_were_begun_at_once_count_no_more_than_are_free() -> None:
    attempts = Attempts()
    for _ in range(100):
        attempts.failed("k", 1.0, 10)
    assert attempts.waits("k", 30.0, 10)
    assert not attempts.waits("k", 31.0, 10)


def test_what_is_kept_does_not_show_the_key() -> None:
    kept = []
    for secret in (b"one", b"two"):
        attempts = Attempts(secret)
        attempts.failed("Correct-Horse-1", 1.0)
        kept += list(attempts.take_news())
    assert kept[0] != kept[1]
    assert "Horse" not in "".join(kept)

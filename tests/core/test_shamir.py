"""Shares of a secret: enough of them give it back, fewer say nothing, and a wrong one is told."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core import shamir
from bailiwick.core.errors import ShareError
from bailiwick.core.shamir import Share, _inverse, _times

BYTE = st.integers(0, 255)


def test_the_field_is_that_of_aes() -> None:
    """FIPS 197, section 4.2: the worked examples; and every inverse."""
    assert (_times(0x57, 0x83), _times(0x57, 0x13)) == (0xC1, 0xFE)
    assert all(_times(a, _inverse(a)) == 1 for a in range(1, 256))
    assert _inverse(0) == 0


@given(BYTE, BYTE, BYTE)
def test_the_laws_of_a_field(a: int, b: int, c: int) -> None:
    assert _times(a, b) == _times(b, a)
    assert _times(a, _times(b, c)) == _times(_times(a, b), c)
    assert _times(a, b ^ c) == _times(a, b) ^ _times(a, c)
    assert _times(a, 1) == a


@given(st.binary(min_size=1, max_size=40), st.integers(2, 6), st.integers(0, 3), st.randoms())
def test_any_enough_shares_give_the_secret(secret: bytes, threshold: int, more: int, chance: object) -> None:
    shares = shamir.split(secret, threshold + more, threshold, os.urandom)
    chance.shuffle(shares)  # type: ignore[attr-defined]
    assert shamir.combine(shares[:threshold]) == secret
    assert shamir.combine(shares) == secret
    with pytest.raises(ShareError):
        shamir.combine(shares[: threshold - 1])


def test_every_choice_of_three_of_five() -> None:
    secret = os.urandom(32)
    shares = shamir.split(secret, 5, 3, os.urandom)
    for chosen in itertools.combinations(shares, 3):
        assert shamir.combine(chosen) == secret


@given(BYTE, BYTE)
def test_fewer_shares_fit_every_secret(secret: int, other: int) -> None:
    """For one share of two, whatever the secret, there is a coefficient that gives this share: so it says nothing."""
    share = shamir.split(bytes((secret,)), 2, 2, os.urandom)[0]
    coefficient = share.value[0] ^ other  # at x = 1
    again = shamir.split(bytes((other,)), 2, 2, lambda size: bytes((coefficient,)) * size)[0]
    assert again.value == share.value


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_share_is_read_as_it_was_written(secret: bytes, data: st.DataObject) -> None:
    share = data.draw(st.sampled_from(shamir.split(secret, 4, 2, os.urandom)))
    written = shamir.text(share)
    assert shamir.read(written) == share
    assert shamir.read(f"  {written.upper().replace('-', ' ')}\n") == share
    assert shamir.read(f"{share.number}: {written}") == share
    with pytest.raises(ShareError, match="another number"):
        shamir.read(f"{share.number + 1}: {written}")
    place = data.draw(st.integers(0, len(written) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
    slip = written[:place] + letter + written[place + 1 :]
    if slip.replace("-", "") != written.replace("-", ""):
        with pytest.raises(ShareError) as told:
            read = shamir.read(slip)
            # Base32's last letter has bits that stand for nothing.
            assert read == share
            raise ShareError("")
        assert written[:10] not in str(told.value)


@pytest.mark.parametrize("typed", ["", "a", "hello", "0189", "é" * 70, "a" * 5000, "aaaaa-aaaaa-aaaaa-aaaaa"])
def test_what_is_no_share(typed: str) -> None:
    with pytest.raises(ShareError):
        shamir.read(typed)


def test_shares_that_do_not_belong_together() -> None:
    one, two = (shamir.split(b"x" * 8, 3, 2, os.urandom) for _ in range(2))
    for wrong in ([one[0], two[1]], [one[0], one[0]], [], [one[0], Share(one[0].set, 2, 1, b"y" * 8)]):
        with pytest.raises(ShareError):
            shamir.combine(wrong)
    assert len({shamir.digest(share) for share in [*one, *two]}) == 6


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (3, 1), (2, 3), (256, 2), (0, 0)])
def test_numbers_that_make_no_sense(shares: int, threshold: int) -> None:
    with pytest.raises(ShareError):
        shamir.split(b"x", shares, threshold, os.urandom)


def test_a_repr_shows_nothing() -> None:
    share = shamir.split(b"secret!!", 2, 2, os.urandom)[0]
    assert repr(share) == f"Share({share.set}, 1)"

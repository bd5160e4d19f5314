"""Identifiers and ARNs. The check values are in facts/iam.md section 1."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core import arn, ids
from bailiwick.core.errors import ArnError

accounts = st.integers(0, 10**12 - 1).map(lambda number: f"{number:012d}")


@given(accounts, st.binary(min_size=64, max_size=64))
def test_an_identifier_carries_its_account(account: str, noise: bytes) -> None:
    key = ids.access_key_id("AKIA", account, lambda size: noise[:size])
    unique = ids.unique_id("AROA", account, lambda size: noise[:size])
    assert re.fullmatch("AKIA[Q-Z2-7][A-Z2-7]{15}", key)
    assert re.fullmatch("AROA[Q-Z2-7][A-Z2-7]{16}", unique)
    assert ids.account_of(key) == ids.account_of(unique) == account


@pytest.mark.parametrize(
    ("account", "begins"),
    [
        ("123456789012", "AKIARZPUZDIK"),
        ("111122223333", "AKIARTX3GSDS"),
        ("000000000000", "AKIAQAAAAAAA"),
        ("999999999999", "AKIA6RVFFB77"),
    ],
)
def test_known_beginnings(account: str, begins: str) -> None:
    assert ids.access_key_id("AKIA", account, os.urandom).startswith(begins)


@pytest.mark.parametrize(
    "text", ["", "AKIA", "AKIAIOSFODNN7EXAMPLE", "AKIA!!!!!!!!!!!!!!!!", "ASIAqnzgkiqy56jq7wml"]
)
def test_what_carries_no_account(text: str) -> None:
    assert ids.account_of(text) is None


def test_a_known_account() -> None:
    assert ids.account_of("ASIAQNZGKIQY56JQ7WML") == "029608264753"


def test_secrets_and_request_ids() -> None:
    assert re.fullmatch("[A-Za-z0-9/+]{40}", ids.secret_access_key(os.urandom))
    uuid4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert all(re.fullmatch(uuid4, ids.request_id(os.urandom)) for _ in range(50))


@pytest.mark.parametrize(
    "text", ["", "arn", "arn:aws:iam::1", "arn::iam::1:x", "arn:aws:::1:x", "arn:aws:iam::1:", "urn:aws:iam::1:x"]
)
def test_what_is_no_arn(text: str) -> None:
    with pytest.raises(ArnError):
        arn.parse(text)


@given(st.text())
def test_whatever_arrives_is_an_arn_or_an_arn_error(text: str) -> None:
    try:
        parsed = arn.parse(text)
    except ArnError:
        return
    assert str(parsed) == text


def test_a_resource_may_hold_colons() -> None:
    assert arn.parse("arn:aws:logs:r:1:log-group:a:*").resource == "log-group:a:*"


@pytest.mark.parametrize(
    ("region", "partition", "foreign"),
    [
        ("us-east-1", "aws", False),
        ("cn-north-1", "aws", True),
        ("cn-north-1", "aws-cn", False),
        ("us-gov-west-1", "aws-cn", True),
        ("us-gov-west-1", "aws-us-gov", False),
        ("cellar-1", "aws-cn", False),
    ],
)
def test_regions_of_other_partitions(region: str, partition: str, foreign: bool) -> None:
    assert arn.is_foreign(region, partition) is foreign

"""Patterns: what they match, and that nobody can make them slow."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.policy import patterns
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.patterns import Wildcard, glob, pieces, resource_name


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "a/b:c", True),
        ("**", "", True),
        ("?", "", False),
        ("?", "a", True),
        ("??*", "a", False),
        ("??*", "ab", True),
        ("a*b", "ab", True),
        ("a*b", "aXYb", True),
        ("a*a", "a", False),
        ("*a?c*", "xxabcxx", True),
        ("*a?c*", "xxabxx", False),
        ("a?c", "abc", True),
        ("a?c", "abcd", False),
        ("*.txt", "a.txt", True),
        ("*.txt", "a.txt.gz", False),
        ("Team*", "team1", False),
        ("a\nb*", "a\nbc", True),
        ("[ab]", "a", False),
    ],
)
def test_glob(pattern: str, text: str, expected: bool) -> None:
    assert glob(pieces(pattern))(text) is expected


def test_literal_parts_are_literal_whatever_they_hold() -> None:
    assert glob(("a*?",))("a*?")
    assert not glob(("a*?",))("abc")


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=14))
def test_glob_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(letter, letter) for letter in pattern)
    assert glob(pieces(pattern))(text) is (re.fullmatch(expression, text) is not None)


class Counting(str):
    """Text that counts how often one of its characters is looked at."""

    looks = 0

    def __getitem__(self, index: object) -> str:
        Counting.looks += 1
        return super().__getitem__(index)  # type: ignore[index]


@pytest.mark.parametrize(
    "pattern",
    [
        "*a?" * 300 + "*b?*",
        "*" + "?a" * 300 + "b*",
        "*?" * 900,
        "*a" * 900 + "b",
        "*" + "a?" * 500 + "*c*",
        "*a*?b" * 300 + "*",
    ],
)
def test_a_hostile_pattern_looks_at_each_character_once(pattern: str) -> None:
    text = Counting("a" * 2048)
    Counting.looks = 0
    assert glob(pieces(pattern))(text) in (True, False)
    assert Counting.looks <= len(text)


def test_a_pattern_longer_than_the_text_is_refused_at_once() -> None:
    text = Counting("a" * 2048)
    Counting.looks = 0
    assert not glob(pieces("*?" * 3072))(text)
    assert Counting.looks == 0


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("*", "kms:Encrypt", True),
        ("kms:*", "kms:Encrypt", True),
        ("KMS:encrypt", "kms:Encrypt", True),
        ("kms:Enc*t", "kms:Encrypt", True),
        ("kms:?ncrypt", "kms:Encrypt", True),
        ("kms:Encrypt", "kms:EncryptX", False),
        ("km*:Encrypt", "kms:Encrypt", False),
        ("*:*", "kms:Encrypt", False),
        ("kms:", "kms:Encrypt", False),
        ("kms:", "kms:", False),
        ("kms: Enc*", "kms: Encrypt", False),
        ("kms:a:b", "kms:a:b", False),
        ("kms:Encrypt,kms:Decrypt", "kms:Encrypt", False),
        ("kms", "kms", False),
        ("", "kms:Encrypt", False),
    ],
)
def test_actions(pattern: str, action: str, expected: bool) -> None:
    assert patterns.actions([pattern])(action.lower()) is expected
    assert patterns.actions(["x:Y", "z:*Z", pattern])(action.lower()) is expected


def test_resource_name_keeps_only_the_case_of_the_sixth_field() -> None:
    name = resource_name("arn:AWS:S3:::Bucket:a/B")
    assert name == ("arn:aws:s3::", ("arn", "aws", "s3", "", ""), "Bucket:a/B", "arn:aws:s3:::Bucket:a/B")
    assert resource_name("*").fields is None
    assert resource_name("arn:aws:s3").fields is None
    assert resource_name("arn:aws:s3:us-east-1:1").fields is None


def test_wildcards_are_named_by_their_character() -> None:
    assert pieces("a*b?") == ("a", Wildcard.ANY, "b", Wildcard.ONE)


@pytest.mark.parametrize("version", ["2008-10-17", "2012-10-17"])
@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 3000,
        "*a" * 1000 + "*b",
        "?*" * 3000,
        "*?a" * 680 + "*b",
        "*ab" * 600 + "*",
        "${aws:username}*" * 340 + "b",
    ],
)
def test_a_hostile_pattern_takes_a_bounded_number_of_steps(pattern: str, version: str) -> None:
    # No time is asserted: a backtracking matcher would not end here before the test's timeout.
    resource = f"arn:aws:s3:::{'a' * 2034}"
    text = json.dumps(
        {"Version": version, "Statement": {"Effect": "Allow", "Action": "*", "Resource": f"arn:aws:s3:::{pattern}"}}
    )
    (statement,) = compile_policy(text).statements
    assert statement.covers is not None
    for _ in range(50):
        statement.covers(resource_name(resource), {"aws:username": "a"})

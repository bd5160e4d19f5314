"""Policies are read back as submitted, with today's names of those they name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.policy.render import render

ARN = "arn:aws:iam::111111111111:user/alice"
OTHER = "arn:aws:iam::111111111111:role/r"
RENAMED = "arn:aws:iam::111111111111:user/alicia"
PINS = {ARN: "AIDA1", OTHER: "AROA1"}

TEXT = (
    '{ "Version":"2012-10-17","Id":"ARN",\n "Statement" :[ {"Sid":"AWS","Effect":"Allow",'
    '"Principal":{"AWS":[ "ARN" , "OTHER"],"Service":"ARN"},"Action":"ARN"},\n'
    '{"Effect":"Deny","NotPrincipal" : {"AWS":"ARN"},"Action":["a:AWS","ARN"],"Resource":"ARN",'
    '"Condition":{"ArnEquals":{"AWS":["ARN"],"aws:PrincipalArn":"ARN"},"Principal":{"AWS":"ARN"}}}] }'
)


def filled(text: str, arn: str = ARN, other: str = OTHER) -> str:
    return text.replace("ARN", arn).replace("OTHER", other)


@pytest.mark.parametrize("gone", [False, True])
def test_only_principals_are_rewritten(gone: bool) -> None:
    current = {"AIDA1": None if gone else RENAMED, "AROA1": OTHER}.get
    now = "AIDA1" if gone else RENAMED
    text = filled(TEXT.replace("PrincipalArn", "principalarn"))
    expected = text.replace(f'[ "{ARN}" ,', f'[ "{now}" ,').replace(
        f'"NotPrincipal" : {{"AWS":"{ARN}"}}', f'"NotPrincipal" : {{"AWS":"{now}"}}'
    )
    assert expected.count(now) == 2
    assert render(text, PINS, current) == expected


def test_a_single_statement_and_an_escaped_arn() -> None:
    text = '{"Statement":{"Principal":{"AWS":"' + ARN.replace("/", "\\/") + '"}}}'
    assert render(text, PINS, {"AIDA1": RENAMED, "AROA1": OTHER}.get) == filled(
        '{"Statement":{"Principal":{"AWS":"ARN"}}}', RENAMED
    )


def test_nothing_changes_while_everyone_is_there() -> None:
    text = filled(TEXT)
    assert render(text, PINS, {"AIDA1": ARN, "AROA1": OTHER}.get) is text
    assert render(text, {}, {}.get) is text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from([ARN, "AWS", "x"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["Statement", "Principal", "AWS", "x"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_rendering_keeps_everything_else(value: object) -> None:
    def rewritten(value: object, path: tuple[str, ...]) -> object:
        if isinstance(value, dict):
            return {key: rewritten(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [rewritten(item, path) for item in value]
        return "AIDA1" if value == ARN and path == ("Statement", "Principal", "AWS") else value

    text = json.dumps(value)
    assert json.loads(render(text, PINS, lambda unique_id: None)) == rewritten(value, ())

"""JSON Web Tokens: what is read, which keys are taken, and that nothing else is ever believed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.core.assertion import jwt
from bailiwick.core.errors import TokenRefused

sys.path.insert(0, str(Path(__file__).parents[2] / "federation"))
from issuer import base64url, curve_key, public, rsa_key, signed

NOW = 1_790_000_000
CLAIMS = {"iss": "https://issuer.example", "sub": "s", "aud": "a", "iat": NOW, "exp": NOW + 600}


def keys(*listed: dict[str, Any]) -> tuple[jwt.Key, ...]:
    return jwt.keys_of(json.dumps({"keys": listed}).encode())


def test_a_token_is_what_was_signed() -> None:
    token = jwt.read(signed(CLAIMS, rsa_key()))
    assert (token.issuer, token.subject, token.audiences, token.key_id) == (CLAIMS["iss"], "s", ("a",), "one")
    jwt.verify(token, keys(public(rsa_key("other")), public(rsa_key())))
    assert "issuer.example" not in repr(token)


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_no_altered_token_is_believed(place: int, change: int) -> None:
    text = signed(CLAIMS, rsa_key())
    place %= len(text)
    letter = chr((ord(text[place]) ^ change) & 0x7F)
    altered = text[:place] + letter + text[place + 1 :]
    if altered == text:
        return
    with pytest.raises(TokenRefused):
        jwt.verify(jwt.read(altered), keys(public(rsa_key())))


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_it(text: str) -> None:
    for made in (text, f"{text}.{text}.{text}", f"{base64url(text)}.{base64url(text)}.AAAA"):
        with pytest.raises(TokenRefused):
            jwt.read(made)


@pytest.mark.parametrize(
    "payload",
    [
        "[]",
        "7",
        "null",
        "",
        "{",
        "[" * 9000,
        '{"a":' * 2000,
        json.dumps(CLAIMS)[:-1] + ', "x": NaN}',
        '{"iss":"a","iss":"b"}',
    ],
)
def test_payloads_that_are_none(payload: str) -> None:
    with pytest.raises(TokenRefused):
        jwt.read(f"{base64url({'alg': 'RS256'})}.{base64url(payload)}.AAAA")


@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "NONE", "HS256", "HS384", "HS512", "PS256", "EdDSA", "ES256K", "", 7, None, ["RS256"]],
)
def test_algorithms_that_are_not_on_the_list(algorithm: Any) -> None:
    head, body = base64url({"alg": algorithm}), base64url(CLAIMS)
    with pytest.raises(TokenRefused) as refused:
        jwt.read(f"{head}.{body}.AAAA")
    assert refused.value.check == "algorithm"


def test_keys_that_are_passed_over() -> None:
    good = public(rsa_key())
    strangers: list[dict[str, Any]] = [
        {**good, "use": "enc"},
        {**good, "key_ops": ["encrypt"]},
        {**good, "alg": "PS256"},
        {**good, "e": "!!"},
        {**good, "n": good["n"][:100]},
        {"kty": "oct", "k": "AAAA", "kid": "one"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"},
        {"kty": ["RSA"]},
        {},
    ]
    assert keys(*strangers) == ()
    (only,) = keys(*strangers, good)
    assert only.algorithms == ("RS256", "RS384", "RS512")
    (narrow,) = keys({**good, "alg": "RS384"})
    assert narrow.algorithms == ("RS384",)
    with pytest.raises(TokenRefused, match="no such key"):
        jwt.verify(jwt.read(signed(CLAIMS, rsa_key())), [narrow])


def test_a_curve_is_for_its_algorithm() -> None:
    key = curve_key("c", "P-384")
    (found,) = keys(public(key))
    jwt.verify(jwt.read(signed(CLAIMS, key, "ES384")), [found])
    with pytest.raises(TokenRefused, match="no such key"):
        jwt.verify(jwt.read(signed(CLAIMS, curve_key("c"), "ES256")), [found])


def test_clocks_that_are_a_little_off() -> None:
    ahead = {**CLAIMS, "iat": NOW + jwt.SKEW, "nbf": NOW + jwt.SKEW, "exp": NOW + 900}
    jwt.check_times(jwt.read(signed(ahead, rsa_key())), NOW)
    old = {**CLAIMS, "iat": NOW - jwt.MAX_AGE}
    jwt.check_times(jwt.read(signed(old, rsa_key())), NOW)
    with pytest.raises(TokenRefused, match=f"^Token too old: {jwt.MAX_AGE + jwt.SKEW + 1}$"):
        jwt.check_times(jwt.read(signed({**CLAIMS, "iat": NOW - jwt.MAX_AGE - jwt.SKEW - 1}, rsa_key())), NOW)


def test_what_this_deployment_signs_it_can_verify() -> None:
    for algorithm in ("RS256", "ES384"):
        secret, shown = jwt.new_key(algorithm, "k1")
        assert set(shown) & {"d", "p", "q"} == set()
        text = jwt.sign(json.dumps(CLAIMS).encode(), jwt.signing_key(secret, "k1", algorithm))
        jwt.verify(jwt.read(text), keys(shown))

"""Sealed values: what was altered, foreign or meant for something else never opens, and nothing shows a secret."""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.errors import SealError
from bailiwick.core.formats import Session, SessionKind, make_marker, open_session, read_marker, seal_session
from bailiwick.core.seal import KeyRing

ROOT = bytes(range(32))
RING = KeyRing(ROOT)


@given(st.binary(max_size=300), st.binary(max_size=30), st.text(max_size=20))
def test_what_is_sealed_opens(plaintext: bytes, associated: bytes, purpose: str) -> None:
    sealed = RING.seal(purpose, plaintext, os.urandom, associated)
    assert RING.open(purpose, sealed, associated) == plaintext
    assert plaintext not in sealed or len(plaintext) < 4


@given(st.data())
def test_a_changed_bit_does_not_open(data: st.DataObject) -> None:
    sealed = RING.seal("p", b"plaintext", os.urandom, b"a")
    position = data.draw(st.integers(0, len(sealed) - 1))
    changed = (
        sealed[:position]
        + bytes((sealed[position] ^ (1 << data.draw(st.integers(0, 7))),))
        + sealed[position + 1 :]
    )
    with pytest.raises(SealError):
        RING.open("p", changed, b"a")


@pytest.mark.parametrize(
    ("ring", "purpose", "associated", "cut"),
    [
        (RING, "q", b"a", 0),
        (RING, "p", b"b", 0),
        (RING, "p", b"a", 1),
        (RING, "p", b"a", 60),
        (KeyRing(bytes(32)), "p", b"a", 0),
    ],
)
def test_another_purpose_binding_length_or_ring(ring: KeyRing, purpose: str, associated: bytes, cut: int) -> None:
    sealed = RING.seal("p", b"plaintext", os.urandom, b"a")
    with pytest.raises(SealError, match="^the sealed value does not open$"):
        ring.open(purpose, sealed[: len(sealed) - cut], associated)


@given(st.binary(max_size=200))
def test_whatever_arrives_opens_or_is_refused(sealed: bytes) -> None:
    with pytest.raises(SealError):
        RING.open("p", sealed)


def test_a_new_root_seals_and_the_old_one_still_opens() -> None:
    old = RING.seal("p", b"x", os.urandom)
    rotated = KeyRing(bytes(32), ROOT)
    assert rotated.open("p", old) == b"x"
    assert rotated.primary != RING.primary
    with pytest.raises(SealError):
        RING.open("p", rotated.seal("p", b"x", os.urandom))


@pytest.mark.parametrize("roots", [(), (b"short",), (bytes(32), bytes(31))])
def test_a_ring_of_no_keys(roots: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="root key"):
        KeyRing(*roots)


SESSION = Session(
    SessionKind.ROLE,
    "123456789012",
    "AROAX",
    "ASIAX",
    "the-secret",
    1,
    2,
    name="n",
    policies=("{}",),
    tags={"k": "v"},
    transitive=("k",),
    source_identity="me",
    chained=True,
)


def test_nothing_shows_a_secret() -> None:
    assert ROOT.hex() not in repr(RING)
    assert "the-secret" not in repr(SESSION)
    assert "the-secret" not in seal_session(RING, SESSION, os.urandom)


def test_a_session_survives_its_token() -> None:
    assert open_session(RING, seal_session(RING, SESSION, os.urandom)) == SESSION


def test_a_token_of_version_one_opens_for_ever() -> None:
    """Tokens outlive an upgrade: fields may be added at the end of Session, never moved."""
    assert SESSION.__struct_fields__[:7] == (
        *("kind", "account", "principal", "access_key_id", "secret", "issued", "expires"),
    )
    assert msgspec.msgpack.encode(SESSION)[:1] == msgspec.msgpack.encode([0] * 16)[:1]


@given(st.data())
def test_a_changed_letter_of_a_token_is_refused(data: st.DataObject) -> None:
    token = seal_session(RING, SESSION, os.urandom)
    position = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda c: c != token[position]))
    with pytest.raises(SealError):
        open_session(RING, token[:position] + letter + token[position + 1 :])


@given(st.one_of(st.text(max_size=100), st.text(max_size=100).map(lambda text: "BWK1" + text)))
def test_whatever_arrives_is_a_session_or_refused(token: str) -> None:
    with pytest.raises(SealError):
        open_session(RING, token)


@given(st.text(max_size=40), st.text(max_size=20))
def test_a_marker_belongs_to_its_list(key: str, scope: str) -> None:
    marker = make_marker(RING, scope, key)
    assert read_marker(RING, scope, marker) == key
    for other in (scope + "x", ""):
        if other != scope:
            with pytest.raises(SealError):
                read_marker(RING, other, marker)


@given(st.text(max_size=60))
def test_whatever_arrives_is_no_marker(marker: str) -> None:
    with pytest.raises(SealError):
        read_marker(RING, "scope", marker)

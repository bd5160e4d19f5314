"""The ciphertext format: a vector, the KDF against another implementation, and properties."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.services.kms import ciphertext
from bailiwick.services.kms.ciphertext import BadCiphertext, Ciphers, Origin, Sealing

ORIGIN = Origin("123456789012", "12345678-1234-4234-8234-123456789012", "ab" * 32)
MATERIAL, RANDOM = bytes(range(32)), bytes(range(100, 128))
contexts = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4)


def seal(
    material: bytes, origin: Origin, plaintext: bytes, context: Mapping[str, str] | None, random: bytes
) -> bytes:
    """One ciphertext, with a salt and a nonce of these bytes."""
    pieces = iter((random[:16], random[16:]))
    return Sealing(material, origin).seal(plaintext, context, lambda size: next(pieces))


def test_a_vector_of_version_one() -> None:
    """Data encrypted today opens in ten years: this must never change."""
    blob = seal(MATERIAL, ORIGIN, b"attack at dawn", {"a": "b"}, RANDOM)
    assert blob.hex() == (
        "42574b43010100001cbe991a1412345678123442348234123456789012"
        + "ab" * 32
        + "6465666768696a6b6c6d6e6f70717273"
        + "7475767778797a7b7c7d7e7f"
        + VECTOR_TAIL
    )
    assert ciphertext.open_blob(MATERIAL, blob, {"a": "b"}) == b"attack at dawn"


VECTOR_TAIL = "4f8fe3d51db5f8e5d2857140507756bc5f6bb8f2b0b031911b6bf88845e2"


def test_the_message_key_is_that_of_sp_800_108() -> None:
    header = seal(MATERIAL, ORIGIN, b"", None, RANDOM)[:89]
    other = KBKDFHMAC(
        algorithm=SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=b"bailiwick/kms/v1",
        context=header[61:77] + header[13:61],
        fixed=None,
    )
    assert ciphertext._message_key(MATERIAL, header) == other.derive(MATERIAL)


@given(plaintext=st.binary(max_size=200), context=contexts, random=st.binary(min_size=28, max_size=28))
def test_round_trip(plaintext: bytes, context: dict[str, str], random: bytes) -> None:
    blob = seal(MATERIAL, ORIGIN, plaintext, context, random)
    assert ciphertext.read(blob) == ORIGIN
    assert ciphertext.open_blob(MATERIAL, blob, dict(reversed(context.items()))) == plaintext
    assert len(blob) == len(plaintext) + 105


@given(data=st.data(), context=contexts)
def test_a_changed_bit_or_context_or_material_is_refused(data: st.DataObject, context: dict[str, str]) -> None:
    blob = seal(MATERIAL, ORIGIN, b"plaintext", context, RANDOM)
    position = data.draw(st.integers(0, len(blob) - 1))
    changed = (
        blob[:position] + bytes((blob[position] ^ (1 << data.draw(st.integers(0, 7))),)) + blob[position + 1 :]
    )
    for attempt in (
        (MATERIAL, changed, context),
        (bytes(32), blob, context),
        (MATERIAL, blob, {**context, "+": ""}),
    ):
        with pytest.raises(BadCiphertext):
            ciphertext.open_blob(*attempt)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4), contexts)
def test_different_contexts_are_different_bytes(one: dict[str, str], two: dict[str, str]) -> None:
    assert (ciphertext.canonical(one) == ciphertext.canonical(two)) == (one == two)


@given(st.binary(max_size=200))
def test_whatever_arrives_is_read_or_refused(blob: bytes) -> None:
    try:
        ciphertext.read(blob)
    except BadCiphertext:
        return
    with pytest.raises(BadCiphertext):
        ciphertext.open_blob(MATERIAL, blob, None)


def test_a_message_key_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ciphertext, "MESSAGES", 3)
    sealing = Sealing(MATERIAL, ORIGIN)
    blobs = [sealing.seal(b"x", None, os.urandom) for _ in range(8)]
    salts, nonces = [blob[61:77] for blob in blobs], {blob[77:89] for blob in blobs}
    assert [salts.count(salt) for salt in dict.fromkeys(salts)] == [3, 3, 2]
    assert len(nonces) == 8
    assert {ciphertext.open_blob(MATERIAL, blob, None) for blob in blobs} == {b"x"}


def test_a_message_key_that_was_just_used_is_not_derived_again(monkeypatch: pytest.MonkeyPatch) -> None:
    derive, derived = ciphertext._message_key, list[bytes]()

    def counted(material: bytes, header: bytes) -> bytes:
        derived.append(header[61:77])
        return derive(material, header)

    first, second, *others = (
        seal(MATERIAL, ORIGIN, b"x", {"a": "b"}, bytes((number,)) * 28) for number in range(100)
    )
    monkeypatch.setattr(ciphertext, "_message_key", counted)
    recent = Ciphers(8)
    for blob in (first, second, first, first, second):
        assert ciphertext.open_blob(MATERIAL, blob, {"a": "b"}, recent) == b"x"
        with pytest.raises(BadCiphertext):
            ciphertext.open_blob(MATERIAL, blob, {"a": "c"}, recent)
    assert derived == [first[61:77], second[61:77]]

    for blob in others:
        with pytest.raises(BadCiphertext):
            ciphertext.open_blob(MATERIAL, blob, {"a": "c"}, recent)
    derived.clear()
    ciphertext.open_blob(MATERIAL, first, {"a": "b"}, recent)
    assert not derived, "what does not open pushes nothing out"

    for blob in others:
        ciphertext.open_blob(MATERIAL, blob, {"a": "b"}, recent)
    assert len(recent) <= 8
    ciphertext.open_blob(MATERIAL, first, {"a": "b"}, recent)
    assert derived[-1] == first[61:77], "they are bounded"


def test_other_material_of_the_same_salt_has_a_message_key_of_its_own() -> None:
    recent, other = Ciphers(8), Origin(ORIGIN.account, ORIGIN.key_id, "cd" * 32)
    old, new = seal(MATERIAL, ORIGIN, b"old", None, RANDOM), seal(bytes(32), other, b"new", None, RANDOM)
    for _ in range(2):
        assert ciphertext.open_blob(MATERIAL, old, None, recent) == b"old"
        assert ciphertext.open_blob(bytes(32), new, None, recent) == b"new"

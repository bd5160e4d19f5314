"""Times that no calendar has are refused in every protocol, before anybody reckons with them."""

from __future__ import annotations

import json
import re
import struct

import pytest

from bailiwick.api import MalformedInput
from bailiwick.wire import cbor, models, scalars
from bailiwick.wire.cbor_values import CBOR_VALUES
from bailiwick.wire.json_values import JSON_VALUES
from bailiwick.wire.scalars import EPOCH

KMS = models.service("kms")
IMPORT = KMS.operations["ImportKeyMaterial"].input
FIRST, LAST = -62_135_596_800.0, 253_402_300_799.0


@pytest.mark.parametrize("text", ["1e18", "-1e18", "253402300800", "-62135596801", "1e400"])
def test_as_text_and_in_json(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        scalars.time(text, EPOCH)
    if "400" not in text:
        with pytest.raises(MalformedInput):
            JSON_VALUES.read_structure(KMS, IMPORT, {"ValidTo": json.loads(text)})
    with pytest.raises(MalformedInput):
        JSON_VALUES.read_structure(KMS, IMPORT, {"ValidTo": text})


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf"), 1e18, LAST + 1, FIRST - 1])
def test_in_cbor(seconds: float) -> None:
    body = b"\xa1\x67ValidTo\xc1\xfb" + struct.pack(">d", seconds)
    with pytest.raises(MalformedInput):
        CBOR_VALUES.read_structure(KMS, IMPORT, cbor.loads(body))


@pytest.mark.parametrize("seconds", [FIRST, LAST, 0.0, 1.5])
def test_the_outermost_are_taken(seconds: float) -> None:
    assert scalars.time(repr(seconds), EPOCH) == seconds
    assert JSON_VALUES.read_structure(KMS, IMPORT, {"ValidTo": seconds}) == {"ValidTo": seconds}
    assert CBOR_VALUES.read_structure(KMS, IMPORT, {"ValidTo": cbor.Time(seconds)}) == {"ValidTo": seconds}

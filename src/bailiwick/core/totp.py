"""Time-based one-time passwords: RFC 6238 over HOTP (RFC 4226) with HMAC-SHA-1, as every authenticator has them.

A step is 30 seconds; its number is the counter of HOTP.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

SECONDS = 30
DIGITS = 6


def step_at(now: float) -> int:
    """The number of the step at a time in epoch seconds (RFC 6238 section 4.2, T0 = 0)."""
    return int(now) // SECONDS


def code(seed: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of one step: so many decimal digits (RFC 4226 section 5.3)."""
    digest = hmac.digest(seed, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"


def find(seed: bytes, codes: tuple[str, ...], steps: Iterable[int]) -> int | None:
    """The first of `steps` from which on consecutive steps have these codes; None if there is none.

    Every step is tried, so that the time taken does not tell which one it was.
    """
    found = None
    for step in steps:
        matches = [hmac.compare_digest(code(seed, step + n), given) for n, given in enumerate(codes)]
        if all(matches) and found is None:
            found = step
    return found


def uri(seed: str, issuer: str, label: str) -> str:
    """The `otpauth` URI that an authenticator reads from a QR code; `seed` is base32, the rest percent-encoded."""
    return f"otpauth://totp/{issuer}:{label}?secret={seed}&issuer={issuer}"

"""SigV4A: an ECDSA key over P-256, derived from the secret access key, so that one signature holds in many regions.

Derivation: NIST SP 800-108 in counter mode with HMAC-SHA256 (facts/sigv4.md section 7). A verifier that knows the
secret derives the same key and uses its public half.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from bailiwick.core.sigv4.claim import SIGV4A

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_KEYS_REMEMBERED = 1024


@lru_cache(maxsize=_KEYS_REMEMBERED)
def derived_key(access_key_id: str, secret: str) -> ec.EllipticCurvePrivateKey:
    """The key of an access key. Kept, for it is the same in every region and on every day."""
    return ec.derive_private_key(private_number(access_key_id, secret), ec.SECP256R1())


def private_number(access_key_id: str, secret: str) -> int:
    """The private number: the first candidate of the KDF that is below the order of the curve, plus one."""
    for counter in range(1, 255):
        fixed = SIGV4A.encode() + b"\x00" + access_key_id.encode() + bytes((counter,)) + (256).to_bytes(4, "big")
        block = hmac.digest(b"AWS4A" + secret.encode(), (1).to_bytes(4, "big") + fixed, "sha256")
        candidate = int.from_bytes(block, "big")
        if candidate <= _ORDER - 2:
            return candidate + 1
    raise AssertionError("254 hashes in a row were above the order of P-256")


def sign(access_key_id: str, secret: str, text: str) -> str:
    """The signature of a string to sign, in hexadecimal DER. ECDSA is randomised: no two are alike."""
    return derived_key(access_key_id, secret).sign(text.encode("latin-1"), ec.ECDSA(SHA256())).hex()


def holds(access_key_id: str, secret: str, signature: str, text: str) -> bool:
    """Whether a signature in hexadecimal DER is that of the access key under the string to sign."""
    try:
        public = derived_key(access_key_id, secret).public_key()
        public.verify(bytes.fromhex(signature), text.encode("latin-1"), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def covers(region_set: tuple[str, ...], region: str) -> bool:
    """Whether a region set, of names and patterns with `*`, names a region."""
    patterns = (".*".join(map(re.escape, re.sub(r"\*+", "*", name).split("*"))) for name in region_set)
    return any(re.fullmatch(pattern, region) for pattern in patterns)

"""Key material: made anew, in the form in which it is stored, and as an object that works.

Stored is: for symmetric keys and HMAC keys the bytes themselves, for the others PKCS#8 in DER (ML-DSA and ML-KEM as
their seed, which is the shortest of their forms).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from bailiwick.core.ids import Entropy
from bailiwick.services.kms import specs

SYMMETRIC_BYTES = 32
_LONGEST_HMAC = 128

MlDsa = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
MlKem = mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | MlDsa | MlKem

CURVES: dict[str, ec.EllipticCurve] = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
_OTHERS: dict[str, Callable[[], Private]] = {
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey.generate,
    "ML_DSA_44": mldsa.MLDSA44PrivateKey.generate,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey.generate,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey.generate,
    "ML_KEM_768": mlkem.MLKEM768PrivateKey.generate,
    "ML_KEM_1024": mlkem.MLKEM1024PrivateKey.generate,
}
_CLASSES: dict[str, type] = {
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey,
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
    "ML_KEM_768": mlkem.MLKEM768PrivateKey,
    "ML_KEM_1024": mlkem.MLKEM1024PrivateKey,
}


def generate(spec: str, entropy: Entropy) -> bytes:
    """New material of a spec, as stored.

    Of key pairs the library draws the randomness itself: it takes none from outside. RSA takes 0.1 s and more.
    """
    if specs.is_symmetric(spec):
        return entropy(SYMMETRIC_BYTES)
    if specs.is_hmac(spec):
        return entropy(int(spec.removeprefix("HMAC_")) // 8)
    return stored(_new_pair(spec))


def fits(spec: str, given: bytes) -> bool:
    """Whether this is, as stored, material of this spec. All of a private key is checked."""
    if specs.is_symmetric(spec):
        return len(given) == SYMMETRIC_BYTES
    if specs.is_hmac(spec):
        return int(spec.removeprefix("HMAC_")) // 8 <= len(given) <= _LONGEST_HMAC
    found = checked(given)
    if isinstance(found, rsa.RSAPrivateKey):
        return spec == f"RSA_{found.key_size}"
    if isinstance(found, ec.EllipticCurvePrivateKey):
        return spec in CURVES and found.curve.name == CURVES[spec].name
    return spec in _OTHERS and isinstance(found, _CLASSES[spec])


def stored(private: Private) -> bytes:
    """A private key in PKCS#8."""
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _new_pair(spec: str) -> Private:
    if spec.startswith("RSA_"):
        return rsa.generate_private_key(65537, int(spec.removeprefix("RSA_")))
    if spec in CURVES:
        return ec.generate_private_key(CURVES[spec])
    return _OTHERS[spec]()


def private(material: bytes) -> Private:
    """The private key in stored material. It was checked when it came in: reading it again need not."""
    return cast(Private, load_der_private_key(material, None, unsafe_skip_rsa_key_validation=True))


def checked(material: bytes) -> Private | None:
    """The private key in material from outside, all of it checked; None for what is none, or is not stored so."""
    try:
        found = cast(Private, load_der_private_key(material, None))
        return found if isinstance(found, Private) else None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def public_der(of: Private) -> bytes:
    """The public half: SubjectPublicKeyInfo in DER (RFC 5280)."""
    return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

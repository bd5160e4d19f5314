"""The kinds of key: what each may be used for, and by which algorithms (facts/kms.md section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping

from bailiwick.services.kms.shapes import InvalidKeyUsageException, UnsupportedOperationException

SYMMETRIC_DEFAULT = "SYMMETRIC_DEFAULT"

ENCRYPT = "ENCRYPT_DECRYPT"
SIGN = "SIGN_VERIFY"
MAC = "GENERATE_VERIFY_MAC"
AGREE = "KEY_AGREEMENT"
ENCAPSULATE = "ENCAPSULATE_DECAPSULATE"

_OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_RSA_SIGNATURES = tuple(
    f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)
)
_RSA = {ENCRYPT: _OAEP, SIGN: _RSA_SIGNATURES}
_ECDH = ("ECDH",)

SPECS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    SYMMETRIC_DEFAULT: {ENCRYPT: (SYMMETRIC_DEFAULT,)},
    "RSA_2048": _RSA,
    "RSA_3072": _RSA,
    "RSA_4096": _RSA,
    "ECC_NIST_P256": {SIGN: ("ECDSA_SHA_256",), AGREE: _ECDH},
    "ECC_NIST_P384": {SIGN: ("ECDSA_SHA_384",), AGREE: _ECDH},
    "ECC_NIST_P521": {SIGN: ("ECDSA_SHA_512",), AGREE: _ECDH},
    "ECC_SECG_P256K1": {SIGN: ("ECDSA_SHA_256",)},
    "ECC_NIST_EDWARDS25519": {SIGN: ("ED25519_SHA_512", "ED25519_PH_SHA_512")},
    "HMAC_224": {MAC: ("HMAC_SHA_224",)},
    "HMAC_256": {MAC: ("HMAC_SHA_256",)},
    "HMAC_384": {MAC: ("HMAC_SHA_384",)},
    "HMAC_512": {MAC: ("HMAC_SHA_512",)},
    "ML_DSA_44": {SIGN: ("ML_DSA_SHAKE_256",)},
    "ML_DSA_65": {SIGN: ("ML_DSA_SHAKE_256",)},
    "ML_DSA_87": {SIGN: ("ML_DSA_SHAKE_256",)},
    "ML_KEM_768": {ENCAPSULATE: ("ML_KEM",)},
    "ML_KEM_1024": {ENCAPSULATE: ("ML_KEM",)},
}
"""The algorithms of each spec by usage."""

UNSUPPORTED: Mapping[str, str] = {
    "SM2": "SM2 exists in AWS's regions in China only",
    "ML_KEM_512": "the cryptographic library has no ML-KEM-512",
}
"""Specs of the model that this server makes no keys of, and why; docs/deviations.md has it too."""


def algorithms(spec: str, usage: str) -> tuple[str, ...]:
    """What a key of this spec and usage can do."""
    return SPECS[spec][usage]


def is_symmetric(spec: str) -> bool:
    """Whether a key of this spec encrypts under AES, and so with an encryption context."""
    return spec == SYMMETRIC_DEFAULT


def is_hmac(spec: str) -> bool:
    """Whether a key of this spec makes message authentication codes."""
    return spec.startswith("HMAC_")


def has_public_key(spec: str) -> bool:
    """Whether a key of this spec has a public half."""
    return not is_symmetric(spec) and not is_hmac(spec)


def check_usage(arn: str, usage: str, operation: str, needed: str) -> None:
    """Refuse an operation that the key's usage does not allow. Raises InvalidKeyUsageException with AWS's text."""
    if usage != needed:
        raise InvalidKeyUsageException(f"{arn} key usage is {usage} which is not valid for {operation}.")


def check_algorithm(spec: str, usage: str, algorithm: str) -> None:
    """Refuse an algorithm that the key cannot do. Raises InvalidKeyUsageException with AWS's text."""
    if algorithm not in algorithms(spec, usage):
        raise InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {spec}.")


def check_made(spec: str, member: str = "KeySpec") -> None:
    """Refuse a spec of which no keys are made, in AWS's words. Raises UnsupportedOperationException."""
    if spec in UNSUPPORTED:
        raise UnsupportedOperationException(f"{member} {spec} is not supported in this Region")

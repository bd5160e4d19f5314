"""What asymmetric and HMAC keys do, as functions of material and message; they know no request.

Sources: RFC 8017 (RSA), FIPS 186-5 (ECDSA, EdDSA), FIPS 204 (ML-DSA), FIPS 203 (ML-KEM), SP 800-56A section 5.7.1.2
(ECDH), RFC 2104 (HMAC).
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from bailiwick.services.kms.material import MlDsa, MlKem, Private

RAW, DIGEST, EXTERNAL_MU = "RAW", "DIGEST", "EXTERNAL_MU"
_MU_BYTES = 64

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA_1": hashes.SHA1(),  # noqa: S303  (OAEP with SHA-1 is still sound, and AWS has it)
    "SHA_256": hashes.SHA256(),
    "SHA_384": hashes.SHA384(),
    "SHA_512": hashes.SHA512(),
}
_DIGESTS_ONLY = "ED25519_PH_SHA_512"
_MESSAGES_ONLY = "ED25519_SHA_512"
_ML_DSA = "ML_DSA_SHAKE_256"


class Unusable(Exception):
    """The message is not of a form that the algorithm takes; the text is AWS's."""


class DoesNotOpen(Exception):
    """A ciphertext that this key did not make, or that was changed."""


def check_message(spec: str, algorithm: str, message: bytes, kind: str) -> None:
    """Refuse a message that cannot be what its type says. Raises Unusable (facts/kms.md section 3.2)."""
    if (kind == EXTERNAL_MU) != (algorithm == _ML_DSA) and kind != RAW:
        raise Unusable(f"Message type {kind} is incompatible with key spec {spec}.")
    if kind == EXTERNAL_MU and len(message) != _MU_BYTES:
        raise Unusable(f"External Mu is invalid length for algorithm {algorithm}.")
    if algorithm == (_MESSAGES_ONLY if kind == DIGEST else _DIGESTS_ONLY):
        raise Unusable(f"Message type {kind} is incompatible with algorithm {algorithm}.")
    if kind == DIGEST and len(message) != _hash(algorithm).digest_size:
        raise Unusable(f"Digest is invalid length for algorithm {algorithm}.")


def sign(key: Private, algorithm: str, message: bytes, kind: str) -> bytes:
    """A signature over a message that `check_message` has seen."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, _signature_padding(algorithm), _hashed(algorithm, kind))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(_hashed(algorithm, kind)))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _sign_ph(key, message) if algorithm == _DIGESTS_ONLY else key.sign(message)
    assert isinstance(key, MlDsa), "only keys that sign get here"
    return key.sign_mu(message) if kind == EXTERNAL_MU else key.sign(message)


def verifies(key: Private, algorithm: str, message: bytes, kind: str, signature: bytes) -> bool:
    """Whether a signature is this key's over a message that `check_message` has seen."""
    try:
        _verify(key, algorithm, message, kind, signature)
    except (InvalidSignature, ValueError):
        return False
    return True


def _verify(key: Private, algorithm: str, message: bytes, kind: str, signature: bytes) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        padded = _signature_padding(algorithm)
        key.public_key().verify(signature, message, padded, _hashed(algorithm, kind))
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        key.public_key().verify(signature, message, ec.ECDSA(_hashed(algorithm, kind)))
    elif isinstance(key, ed25519.Ed25519PrivateKey) and algorithm == _DIGESTS_ONLY:
        _verify_ph(key, message, signature)
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        key.public_key().verify(signature, message)
    else:
        assert isinstance(key, MlDsa), "only keys that sign get here"
        if kind == EXTERNAL_MU:
            key.public_key().verify_mu(signature, message)
        else:
            key.public_key().verify(signature, message)


def largest_plaintext(key: rsa.RSAPrivateKey, algorithm: str) -> int:
    """Bytes that RSAES-OAEP takes at most (RFC 8017, section 7.1.1)."""
    return key.key_size // 8 - 2 * _hash(algorithm).digest_size - 2


def encrypt(key: rsa.RSAPrivateKey, algorithm: str, plaintext: bytes) -> bytes:
    """RSAES-OAEP. Raises Unusable for a plaintext that is too long."""
    most = largest_plaintext(key, algorithm)
    if len(plaintext) > most:
        raise Unusable(
            f"Algorithm {algorithm} and key spec RSA_{key.key_size} cannot encrypt data larger than {most} bytes."
        )
    return key.public_key().encrypt(plaintext, oaep(algorithm))


def decrypt(key: rsa.RSAPrivateKey, algorithm: str, ciphertext: bytes) -> bytes:
    """The plaintext of RSAES-OAEP. Raises DoesNotOpen, and says no more."""
    try:
        return key.decrypt(ciphertext, oaep(algorithm))
    except ValueError:
        raise DoesNotOpen from None


def mac(material: bytes, algorithm: str, message: bytes) -> bytes:
    """HMAC."""
    return hmac.digest(material, message, algorithm.removeprefix("HMAC_").replace("_", "").lower())


def agree(key: ec.EllipticCurvePrivateKey, peer: bytes) -> bytes:
    """The x-coordinate that this key and a peer's public key (SubjectPublicKeyInfo in DER) share.

    Raises Unusable for a key of another kind or curve, or a point that is not on it.
    """
    try:
        public = load_der_public_key(peer)
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise Unusable
        return key.exchange(ec.ECDH(), public)
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable from None


def encapsulate(key: MlKem) -> tuple[bytes, bytes]:
    """A shared secret of 32 bytes, and its ciphertext."""
    return key.public_key().encapsulate()


def decapsulate(key: MlKem, ciphertext: bytes) -> bytes:
    """The shared secret of a ciphertext; one that was changed gives another (FIPS 203, implicit rejection).

    Raises DoesNotOpen for one of the wrong length.
    """
    size = 1088 if isinstance(key, mlkem.MLKEM768PrivateKey) else 1568
    if len(ciphertext) != size:
        raise DoesNotOpen
    return key.decapsulate(ciphertext)


def oaep(algorithm: str) -> padding.OAEP:
    """The padding of RSAES_OAEP_SHA_*: MGF1 with the same hash, no label."""
    chosen = _hash(algorithm)
    return padding.OAEP(padding.MGF1(chosen), chosen, None)


def _hash(algorithm: str) -> hashes.HashAlgorithm:
    return _HASHES["SHA_" + algorithm.rpartition("_SHA_")[2]]


def _hashed(algorithm: str, kind: str) -> hashes.HashAlgorithm | utils.Prehashed:
    chosen = _hash(algorithm)
    return utils.Prehashed(chosen) if kind == DIGEST else chosen


def _signature_padding(algorithm: str) -> padding.PSS | padding.PKCS1v15:
    if "_PSS_" in algorithm:
        return padding.PSS(padding.MGF1(_hash(algorithm)), padding.PSS.DIGEST_LENGTH)
    return padding.PKCS1v15()


# Ed25519ph (RFC 8032 section 5.1), which `cryptography` lacks. What is given is hashed once more, as in AWS.


def _sign_ph(key: ed25519.Ed25519PrivateKey, digest: bytes) -> bytes:
    from nacl import bindings

    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, digest)
    secret = key.private_bytes_raw() + _raw(key)
    return bytes(bindings.crypto_sign_ed25519ph_final_create(state, secret))


def _verify_ph(key: ed25519.Ed25519PrivateKey, digest: bytes, signature: bytes) -> None:
    from nacl import bindings, exceptions

    if len(signature) != bindings.crypto_sign_BYTES:
        raise InvalidSignature
    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, digest)
    try:
        bindings.crypto_sign_ed25519ph_final_verify(state, signature, _raw(key))
    except exceptions.BadSignatureError:
        raise InvalidSignature from None


def _raw(key: ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

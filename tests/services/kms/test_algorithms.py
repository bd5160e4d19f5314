"""Asymmetric and HMAC keys as boto3 sees them, checked by a second implementation: `cryptography`, PyNaCl, OpenSSL."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa, utils
from services_support import refusal

from bailiwick.services.kms import algorithms, material, specs

INVALID_SIGNATURE, INVALID_MAC = ("KMSInvalidSignatureException", ""), ("KMSInvalidMacException", "")
INVALID_CIPHERTEXT = ("InvalidCiphertextException", "")
SHA = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ECC = [("ECC_NIST_P256", "ECDSA_SHA_256"), ("ECC_NIST_P384", "ECDSA_SHA_384"), ("ECC_NIST_P521", "ECDSA_SHA_512"),
       ("ECC_SECG_P256K1", "ECDSA_SHA_256")]  # fmt: skip


def make(kms: Any, spec: str, usage: str) -> str:
    return str(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"])


def public(kms: Any, key: str) -> Any:
    return serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


LISTS = [
    "EncryptionAlgorithms",
    "SigningAlgorithms",
    "MacAlgorithms",
    "KeyAgreementAlgorithms",
    "EncapsulationAlgorithms",
]


@pytest.mark.parametrize(
    ("spec", "usage", "listed"),
    [
        ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms"),
        ("RSA_2048", "SIGN_VERIFY", "SigningAlgorithms"),
        ("ECC_NIST_P256", "KEY_AGREEMENT", "KeyAgreementAlgorithms"),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms"),
        ("HMAC_256", "GENERATE_VERIFY_MAC", "MacAlgorithms"),
        ("ML_DSA_65", "SIGN_VERIFY", "SigningAlgorithms"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms"),
    ],
)
def test_a_key_shows_the_algorithms_of_its_usage_and_no_others(
    kms: Any, spec: str, usage: str, listed: str
) -> None:
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert [name for name in LISTS if name in made] == [listed]
    assert "CurrentKeyMaterialId" not in made
    assert kms.describe_key(KeyId=made["Arn"])["KeyMetadata"] == made
    if specs.has_public_key(spec):
        shown = kms.get_public_key(KeyId=made["Arn"])
        assert shown[listed] == made[listed]
        assert (shown["KeyId"], shown["KeySpec"], shown["KeyUsage"]) == (made["Arn"], spec, usage)


@pytest.mark.parametrize("spec", ["HMAC_256", "SYMMETRIC_DEFAULT"])
def test_what_has_no_public_half_shows_none(kms: Any, spec: str) -> None:
    key = make(kms, spec, "GENERATE_VERIFY_MAC" if spec == "HMAC_256" else "ENCRYPT_DECRYPT")
    assert refusal(kms.get_public_key, KeyId=key)[0] == "UnsupportedOperationException"


# SubjectPublicKeyInfo in bytes: facts/kms.md section 3.4.
LENGTHS = {"RSA_2048": 294, "ECC_NIST_P256": 91, "ECC_NIST_P384": 120, "ECC_NIST_P521": 158, "ECC_SECG_P256K1": 88,
           "ECC_NIST_EDWARDS25519": 44, "ML_DSA_44": 1334, "ML_DSA_65": 1974, "ML_DSA_87": 2614, "ML_KEM_768": 1206,
           "ML_KEM_1024": 1590}  # fmt: skip


@pytest.mark.parametrize("spec", LENGTHS)
def test_public_keys_have_their_length_and_private_ones_are_stored_whole(spec: str) -> None:
    stored = material.generate(spec, lambda size: b"\0" * size)
    private = material.private(stored)
    assert len(material.public_der(private)) == LENGTHS[spec]
    assert material.stored(private) == stored


@pytest.mark.parametrize("algorithm", specs.algorithms("RSA_2048", "SIGN_VERIFY"))
@pytest.mark.parametrize("kind", ["RAW", "DIGEST"])
def test_rsa_signs(kms: Any, rsa_signer: str, algorithm: str, kind: str) -> None:
    sha = SHA[algorithm[-3:]]
    given = b"message" if kind == "RAW" else hashlib.new(sha.name, b"message").digest()
    answer = kms.sign(KeyId=rsa_signer, Message=given, MessageType=kind, SigningAlgorithm=algorithm)
    assert (answer["KeyId"], answer["SigningAlgorithm"]) == (rsa_signer, algorithm)
    pss = padding.PSS(padding.MGF1(sha), sha.digest_size)
    padded = pss if "PSS" in algorithm else padding.PKCS1v15()
    public(kms, rsa_signer).verify(answer["Signature"], b"message", padded, sha)
    verified = kms.verify(
        KeyId=rsa_signer, Message=b"message", Signature=answer["Signature"], SigningAlgorithm=algorithm
    )
    assert verified["SignatureValid"] is True


@pytest.fixture
def rsa_signer(kms: Any) -> str:
    return make(kms, "RSA_2048", "SIGN_VERIFY")


def test_openssl_verifies_what_we_sign(kms: Any, rsa_signer: str, tmp_path: Path) -> None:
    pem = public(kms, rsa_signer).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "key").write_bytes(pem)
    (tmp_path / "message").write_bytes(b"message")
    signed = kms.sign(KeyId=rsa_signer, Message=b"message", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")
    (tmp_path / "signature").write_bytes(signed["Signature"])
    command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "message"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout == b"Verified OK\n"


@pytest.mark.parametrize(("spec", "algorithm"), ECC)
def test_ecdsa(kms: Any, spec: str, algorithm: str) -> None:
    key = make(kms, spec, "SIGN_VERIFY")
    sha = SHA[algorithm[-3:]]
    digest = hashlib.new(sha.name, b"message").digest()
    signature = kms.sign(KeyId=key, Message=b"message", SigningAlgorithm=algorithm)["Signature"]
    public(kms, key).verify(signature, digest, ec.ECDSA(utils.Prehashed(sha)))
    call = {"KeyId": key, "Signature": signature, "SigningAlgorithm": algorithm}
    assert kms.verify(**call, Message=digest, MessageType="DIGEST")["SignatureValid"] is True
    assert refusal(kms.verify, **call, Message=b"massage") == INVALID_SIGNATURE
    assert refusal(kms.verify, **{**call, "Signature": b"x"}, Message=b"message") == INVALID_SIGNATURE
    assert refusal(kms.sign, KeyId=key, Message=digest[:-1], MessageType="DIGEST", SigningAlgorithm=algorithm) == (
        "ValidationException",
        f"Digest is invalid length for algorithm {algorithm}.",
    )


def test_ed25519(kms: Any) -> None:
    key = make(kms, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    pure = kms.sign(KeyId=key, Message=b"message", SigningAlgorithm="ED25519_SHA_512")["Signature"]
    public(kms, key).verify(pure, b"message")
    digest = hashlib.sha512(b"message").digest()
    prehashed = {"KeyId": key, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "ED25519_PH_SHA_512"}
    signature = kms.sign(**prehashed)["Signature"]
    with pytest.raises(InvalidSignature):
        public(kms, key).verify(signature, b"message")
    assert kms.verify(**prehashed, Signature=signature)["SignatureValid"] is True
    assert refusal(kms.verify, **prehashed, Signature=pure) == INVALID_SIGNATURE
    assert refusal(kms.verify, **prehashed, Signature=b"short") == INVALID_SIGNATURE
    for algorithm, kind in (("ED25519_PH_SHA_512", "RAW"), ("ED25519_SHA_512", "DIGEST")):
        asked = {"KeyId": key, "Message": digest, "MessageType": kind, "SigningAlgorithm": algorithm}
        assert refusal(kms.sign, **asked)[0] == "ValidationException"


def test_ed25519ph_is_that_of_rfc_8032() -> None:
    """Section 7.3, whose message is "abc". What is given is hashed once more than there, so PyNaCl hashes it too."""
    from nacl import bindings

    seed = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    whole, secret = b"abc", seed + key.public_key().public_bytes_raw()
    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, whole)
    vector = bindings.crypto_sign_ed25519ph_final_create(state, secret)
    assert vector.hex().startswith("98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41")
    assert algorithms.sign(key, "ED25519_PH_SHA_512", whole, "DIGEST") == vector


@pytest.mark.parametrize(("spec", "size"), [("ML_DSA_44", 2420), ("ML_DSA_65", 3309), ("ML_DSA_87", 4627)])
def test_ml_dsa(kms: Any, spec: str, size: int) -> None:
    key = make(kms, spec, "SIGN_VERIFY")
    der = kms.get_public_key(KeyId=key)["PublicKey"]
    call = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    signature = kms.sign(**call, Message=b"message")["Signature"]
    assert len(signature) == size
    public(kms, key).verify(signature, b"message")
    raw = serialization.load_der_public_key(der).public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    mu = hashlib.shake_256(hashlib.shake_256(raw).digest(64) + b"\0\0message").digest(64)
    external = kms.sign(**call, Message=mu, MessageType="EXTERNAL_MU")["Signature"]
    assert kms.verify(**call, Message=b"message", Signature=external)["SignatureValid"] is True
    assert kms.verify(**call, Message=mu, MessageType="EXTERNAL_MU", Signature=signature)["SignatureValid"] is True
    assert refusal(kms.sign, **call, Message=mu[1:], MessageType="EXTERNAL_MU")[0] == "ValidationException"
    assert refusal(kms.sign, **call, Message=mu, MessageType="DIGEST")[0] == "ValidationException"


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_hmac(world: Any, kms: Any, bits: int) -> None:
    key = make(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
    call = {"KeyId": key, "Message": b"message", "MacAlgorithm": f"HMAC_SHA_{bits}"}
    code = kms.generate_mac(**call)["Mac"]
    assert len(code) == bits // 8
    assert kms.verify_mac(**call, Mac=code)["MacValid"] is True
    assert refusal(kms.verify_mac, **call, Mac=code[:-1]) == INVALID_MAC
    assert refusal(kms.verify_mac, **{**call, "Message": b"massage"}, Mac=code) == INVALID_MAC
    assert algorithms.mac(b"k" * 32, f"HMAC_SHA_{bits}", b"m") == hmac.digest(b"k" * 32, b"m", f"sha{bits}")


@pytest.mark.parametrize(("algorithm", "most"), [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)])
def test_rsa_encrypts(kms: Any, algorithm: str, most: int) -> None:
    key = make(kms, "RSA_2048", "ENCRYPT_DECRYPT")
    call = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    sealed = kms.encrypt(**call, Plaintext=b"x" * most)
    assert (sealed["EncryptionAlgorithm"], len(sealed["CiphertextBlob"])) == (algorithm, 256)
    opened = kms.decrypt(**call, CiphertextBlob=sealed["CiphertextBlob"])
    assert opened["Plaintext"] == b"x" * most
    assert "KeyMaterialId" not in opened
    assert refusal(kms.encrypt, **call, Plaintext=b"x" * (most + 1)) == (
        "ValidationException",
        f"Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {most} bytes.",
    )
    sha = hashes.SHA1() if algorithm.endswith("_1") else hashes.SHA256()
    outside = public(kms, key).encrypt(b"hello", padding.OAEP(padding.MGF1(sha), sha, None))
    assert kms.decrypt(**call, CiphertextBlob=outside)["Plaintext"] == b"hello"
    assert (
        refusal(kms.decrypt, **call, CiphertextBlob=outside[:-1] + bytes((outside[-1] ^ 1,))) == INVALID_CIPHERTEXT
    )
    assert refusal(kms.decrypt, **call, CiphertextBlob=b"short") == INVALID_CIPHERTEXT
    assert refusal(kms.decrypt, KeyId=key, CiphertextBlob=outside)[0] == "InvalidKeyUsageException"
    assert refusal(kms.encrypt, **call, Plaintext=b"x", EncryptionContext={"a": "b"})[0] == "ValidationException"


def test_re_encryption_from_rsa_to_aes(kms: Any) -> None:
    old, new = make(kms, "RSA_2048", "ENCRYPT_DECRYPT"), make(kms, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    oaep = "RSAES_OAEP_SHA_256"
    blob = kms.encrypt(KeyId=old, Plaintext=b"hello", EncryptionAlgorithm=oaep)["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob, SourceKeyId=old, SourceEncryptionAlgorithm=oaep, DestinationKeyId=new,
        DestinationEncryptionContext={"a": "b"},
    )  # fmt: skip
    assert (moved["SourceEncryptionAlgorithm"], moved["DestinationEncryptionAlgorithm"]) == (
        oaep,
        "SYMMETRIC_DEFAULT",
    )
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == b"hello"


@pytest.mark.parametrize(("spec", "size"), [("ECC_NIST_P256", 32), ("ECC_NIST_P384", 48), ("ECC_NIST_P521", 66)])
def test_a_shared_secret(kms: Any, spec: str, size: int) -> None:
    key = make(kms, spec, "KEY_AGREEMENT")
    peer = ec.generate_private_key(material.CURVES[spec])
    ours = material.public_der(peer)
    answer = kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=ours)
    assert answer["SharedSecret"] == peer.exchange(ec.ECDH(), public(kms, key))
    assert (len(answer["SharedSecret"]), answer["KeyOrigin"]) == (size, "AWS_KMS")
    other = ec.generate_private_key(ec.SECP256K1())
    unknown_kind = ours.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0277"))
    unknown_curve = material.public_der(other).replace(
        bytes.fromhex("06052b8104000a"), bytes.fromhex("06052b81040077")
    )
    for bad in (material.public_der(other), ours[:-1], b"x", unknown_kind, unknown_curve):
        asked = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": bad}
        assert refusal(kms.derive_shared_secret, **asked) == ("ValidationException", "")


@pytest.mark.parametrize(("spec", "size"), [("ML_KEM_768", 1088), ("ML_KEM_1024", 1568)])
def test_encapsulation(kms: Any, spec: str, size: int) -> None:
    key = make(kms, spec, "ENCAPSULATE_DECAPSULATE")
    call = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    made = kms.encapsulate(**call)
    assert (len(made["SharedSecret"]), len(made["SharedSecretCiphertextBlob"])) == (32, size)
    secret, blob = public(kms, key).encapsulate()
    assert kms.decapsulate(**call, SharedSecretCiphertextBlob=blob)["SharedSecret"] == secret
    changed = bytes((blob[0] ^ 1,)) + blob[1:]
    other = kms.decapsulate(**call, SharedSecretCiphertextBlob=changed)["SharedSecret"]
    assert other != secret  # FIPS 203: implicit rejection
    assert refusal(kms.decapsulate, **call, SharedSecretCiphertextBlob=blob[1:]) == INVALID_CIPHERTEXT


KINDS = {
    "RSA_2048": rsa.RSAPrivateKey, "ECC_NIST_P384": ec.EllipticCurvePrivateKey, "ML_KEM_768": mlkem.MLKEM768PrivateKey,
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey,
}  # fmt: skip


@pytest.mark.parametrize("spec", KINDS)
def test_a_data_key_pair(kms: Any, spec: str) -> None:
    key = make(kms, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    context = {"EncryptionContext": {"a": "b"}}
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, **context)
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    assert isinstance(private, KINDS[spec])
    assert material.public_der(private) == made["PublicKey"]
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], **context)
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    sealed = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec, **context)
    assert "PrivateKeyPlaintext" not in sealed
    again = kms.decrypt(CiphertextBlob=sealed["PrivateKeyCiphertextBlob"], **context)["Plaintext"]
    assert material.public_der(serialization.load_der_private_key(again, None)) == sealed["PublicKey"]


def test_what_a_key_is_not_for(kms: Any) -> None:
    signer, coder = make(kms, "ECC_NIST_P256", "SIGN_VERIFY"), make(kms, "HMAC_224", "GENERATE_VERIFY_MAC")
    assert refusal(kms.encrypt, KeyId=signer, Plaintext=b"x") == (
        "InvalidKeyUsageException", f"{signer} key usage is SIGN_VERIFY which is not valid for Encrypt.",
    )  # fmt: skip
    assert refusal(kms.generate_mac, KeyId=coder, Message=b"x", MacAlgorithm="HMAC_SHA_256") == (
        "InvalidKeyUsageException", "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.",
    )  # fmt: skip
    for call, more in (
        (kms.generate_data_key, {"KeySpec": "AES_256"}),
        (kms.generate_data_key_pair, {"KeyPairSpec": "ECC_NIST_P256"}),
        (kms.derive_shared_secret, {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"x"}),
        (kms.encapsulate, {"EncapsulationAlgorithm": "ML_KEM"}),
    ):
        assert refusal(call, KeyId=signer, **more)[0] == "InvalidKeyUsageException"


def test_an_alias_stays_with_its_class_and_usage(kms: Any) -> None:
    signer, other = make(kms, "ECC_NIST_P256", "SIGN_VERIFY"), make(kms, "RSA_2048", "SIGN_VERIFY")
    kms.create_alias(AliasName="alias/s", TargetKeyId=signer)
    kms.update_alias(AliasName="alias/s", TargetKeyId=other)
    wrong = make(kms, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    assert refusal(kms.update_alias, AliasName="alias/s", TargetKeyId=wrong)[0] == "ValidationException"
    message = {"Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    assert kms.sign(KeyId="alias/s", **message)["KeyId"] == other


def test_dry_runs_and_states(kms: Any) -> None:
    key = make(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    call = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    assert refusal(kms.sign, **call, DryRun=True)[0] == "DryRunOperationException"
    kms.disable_key(KeyId=key)
    assert refusal(kms.sign, **call) == ("DisabledException", f"{key} is disabled.")
    assert refusal(kms.get_public_key, KeyId=key) == ("DisabledException", f"{key} is disabled.")


def test_private_keys_are_in_no_repr_and_no_record(world: Any, kms: Any) -> None:
    key = make(kms, "ML_DSA_44", "SIGN_VERIFY")
    kms.sign(KeyId=key, Message=b"secret message", SigningAlgorithm="ML_DSA_SHAKE_256")
    from bailiwick.services.kms import records

    with world.store.transaction() as transaction:
        found = records.key(transaction, world.environment, key, world.now())
    assert repr(found) == f"Key({key}, Enabled)"


def test_ml_dsa_is_the_librarys() -> None:
    assert isinstance(material.private(material.generate("ML_DSA_44", lambda _: b"")), mldsa.MLDSA44PrivateKey)

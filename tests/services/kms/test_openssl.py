"""The `openssl` program and our asymmetric keys: what one signs or encrypts the other verifies or decrypts."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_public_vectors import accepted, bring

from bailiwick.services.kms.specs import ENCRYPT, SIGN, SPECS

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl program")

MESSAGE = b"what is signed and encrypted"
# How `openssl genpkey` makes a key of each kind. Its version 3.0 knows neither ML-DSA, ML-KEM nor Ed25519ph.
MADE = {f"RSA_{bits}": ("RSA", f"rsa_keygen_bits:{bits}") for bits in (2048, 3072, 4096)} | {
    "ECC_NIST_P256": ("EC", "ec_paramgen_curve:P-256"),
    "ECC_NIST_P384": ("EC", "ec_paramgen_curve:P-384"),
    "ECC_NIST_P521": ("EC", "ec_paramgen_curve:P-521"),
    "ECC_SECG_P256K1": ("EC", "ec_paramgen_curve:secp256k1"),
    "ECC_NIST_EDWARDS25519": ("ED25519", ""),
}


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True, timeout=60).stdout


def private_key(folder: Path, spec: str) -> tuple[Path, bytes]:
    """A new private key of openssl's: its file, and PKCS#8 in DER."""
    file, (algorithm, option) = folder / "private.pem", MADE[spec]
    openssl("genpkey", "-algorithm", algorithm, *(("-pkeyopt", option) if option else ()), "-out", str(file))
    return file, openssl("pkcs8", "-topk8", "-nocrypt", "-in", str(file), "-outform", "DER")


def public_key(folder: Path, kms: Any, key: str) -> Path:
    """The public key of a KMS key, in a file."""
    file = folder / "public.pem"
    openssl("pkey", "-pubin", "-inform", "DER", "-out", str(file), given=kms.get_public_key(KeyId=key)["PublicKey"])
    return file


def signing_options(algorithm: str) -> list[str]:
    """How `openssl pkeyutl` names a signing algorithm of KMS that signs a digest."""
    options = ["-pkeyopt", f"digest:sha{algorithm[-3:]}"]
    if "_PSS_" in algorithm:  # KMS's salt is as long as the digest
        options += ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]
    return options


def what_is_signed(folder: Path, algorithm: str) -> tuple[Path, list[str]]:
    """The file that `pkeyutl` signs, and its options: the message itself for Ed25519, else its digest."""
    file = folder / "signed"
    if algorithm.startswith("ED25519"):
        file.write_bytes(MESSAGE)
        return file, ["-rawin"]
    file.write_bytes(hashlib.new(f"sha{algorithm[-3:]}", MESSAGE).digest())
    return file, signing_options(algorithm)


SIGNING = [
    (spec, algorithm)
    for spec, usages in SPECS.items()
    if spec in MADE
    for algorithm in usages.get(SIGN, ())
    if algorithm != "ED25519_PH_SHA_512"
]


@pytest.mark.parametrize(("spec", "algorithm"), SIGNING)
def test_signatures_both_ways(kms: Any, tmp_path: Path, spec: str, algorithm: str) -> None:
    file, options = what_is_signed(tmp_path, algorithm)
    signature = tmp_path / "signature"
    ours = str(kms.create_key(KeySpec=spec, KeyUsage=SIGN)["KeyMetadata"]["Arn"])
    signature.write_bytes(kms.sign(KeyId=ours, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"])
    verify = ["-verify", "-pubin", "-inkey", str(public_key(tmp_path, kms, ours)), "-sigfile", str(signature)]
    assert b"Signature Verified Successfully" in openssl("pkeyutl", *verify, "-in", str(file), *options)

    private, der = private_key(tmp_path, spec)
    theirs = bring(kms, spec, SIGN, der)
    made = openssl("pkeyutl", "-sign", "-inkey", str(private), "-in", str(file), *options)
    assert accepted(kms, theirs, algorithm, MESSAGE, made)
    with pytest.raises(kms.exceptions.KMSInvalidSignatureException):
        accepted(kms, theirs, algorithm, MESSAGE + b"!", made)


@pytest.mark.parametrize(
    ("spec", "algorithm"), [(spec, found) for spec in MADE for found in SPECS[spec].get(ENCRYPT, ())]
)
def test_encryption_both_ways(kms: Any, tmp_path: Path, spec: str, algorithm: str) -> None:
    padding = ["-pkeyopt", "rsa_padding_mode:oaep"]
    for hashed in ("rsa_oaep_md", "rsa_mgf1_md"):
        padding += ["-pkeyopt", f"{hashed}:sha{algorithm.removeprefix('RSAES_OAEP_SHA_')}"]
    ours = str(kms.create_key(KeySpec=spec, KeyUsage=ENCRYPT)["KeyMetadata"]["Arn"])
    public = str(public_key(tmp_path, kms, ours))
    blob = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public, *padding, given=MESSAGE)
    opened = kms.decrypt(KeyId=ours, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
    assert opened["Plaintext"] == MESSAGE

    private, der = private_key(tmp_path, spec)
    theirs = bring(kms, spec, ENCRYPT, der)
    blob = kms.encrypt(KeyId=theirs, Plaintext=MESSAGE, EncryptionAlgorithm=algorithm)["CiphertextBlob"]
    assert openssl("pkeyutl", "-decrypt", "-inkey", str(private), *padding, given=blob) == MESSAGE


@pytest.mark.parametrize("spec", [spec for spec in MADE if "KEY_AGREEMENT" in SPECS[spec]])
def test_an_agreed_secret_is_the_same(kms: Any, tmp_path: Path, spec: str) -> None:
    ours = str(kms.create_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["Arn"])
    private, _ = private_key(tmp_path, spec)
    their_public = openssl("pkey", "-in", str(private), "-pubout", "-outform", "DER")
    peer = ["-inkey", str(private), "-peerkey", str(public_key(tmp_path, kms, ours))]
    secret = kms.derive_shared_secret(KeyId=ours, KeyAgreementAlgorithm="ECDH", PublicKey=their_public)
    assert openssl("pkeyutl", "-derive", *peer) == secret["SharedSecret"]

"""What AWS KMS answers for an operation on a key, by its state, its kind and who asks: facts as data.

Written from facts/kms.md (sections 2, 3.1, 4.2, 8, 10, 11), not from the code that it is compared with. The states
Unavailable (of custom key stores), Creating and Updating are left out: nothing here takes time to become what it is.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

# Section 3.1: key specs, a usage that they can have, and its algorithms.
SPECS = """
SYMMETRIC_DEFAULT                             | ENCRYPT_DECRYPT         | SYMMETRIC_DEFAULT
RSA_2048 RSA_3072 RSA_4096                    | ENCRYPT_DECRYPT         | RSAES_OAEP_SHA_256 RSAES_OAEP_SHA_1
RSA_2048 RSA_3072 RSA_4096                    | SIGN_VERIFY             | RSASSA_PSS_SHA_256 RSASSA_PKCS1_V1_5_SHA_512
ECC_NIST_P256 ECC_SECG_P256K1                 | SIGN_VERIFY             | ECDSA_SHA_256
ECC_NIST_P384                                 | SIGN_VERIFY             | ECDSA_SHA_384
ECC_NIST_P521                                 | SIGN_VERIFY             | ECDSA_SHA_512
ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521     | KEY_AGREEMENT           | ECDH
ECC_NIST_EDWARDS25519                         | SIGN_VERIFY             | ED25519_SHA_512
HMAC_224                                      | GENERATE_VERIFY_MAC     | HMAC_SHA_224
HMAC_256                                      | GENERATE_VERIFY_MAC     | HMAC_SHA_256
HMAC_384                                      | GENERATE_VERIFY_MAC     | HMAC_SHA_384
HMAC_512                                      | GENERATE_VERIFY_MAC     | HMAC_SHA_512
ML_DSA_44 ML_DSA_65 ML_DSA_87                 | SIGN_VERIFY             | ML_DSA_SHAKE_256
ML_KEM_768 ML_KEM_1024                        | ENCAPSULATE_DECAPSULATE | ML_KEM
"""
IMPORTED = ("SYMMETRIC_DEFAULT", "RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1", "HMAC_256")
"""Of those whose material can be imported (section 8), one of each family."""

# Section 4.2: Enabled, Disabled, PendingDeletion (or PendingReplicaDeletion), PendingImport.
STATES = """
Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext       | Y a b d
GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext                         | Y a b d
Sign Verify GenerateMac VerifyMac GetPublicKey                                  | Y a b d
DeriveSharedSecret Encapsulate Decapsulate                                      | Y a b d
CreateGrant                                                                     | Y a b d
CreateAlias                                                                     | Y Y b Y
UpdateAlias                                                                     | Y Y b Y
DeleteAlias DescribeKey GetKeyPolicy PutKeyPolicy ListGrants ListKeyPolicies    | Y Y Y Y
ListResourceTags RetireGrant RevokeGrant GetKeyLastUsage ListKeyRotations       | Y Y Y Y
EnableKey DisableKey                                                            | Y Y b d
ScheduleKeyDeletion                                                             | Y Y b Y
CancelKeyDeletion                                                               | c c Y c
EnableKeyRotation DisableKeyRotation                                            | Y a b d
GetKeyRotationStatus                                                            | Y Y Y Y
RotateKeyOnDemand                                                               | Y a b d
GetParametersForImport                                                          | Y Y b Y
ImportKeyMaterial                                                               | Y Y b Y
DeleteImportedKeyMaterial                                                       | Y Y Y Y
ReplicateKey UpdatePrimaryRegion                                                | Y a b d
TagResource UntagResource UpdateKeyDescription                                  | Y Y b Y
"""
LETTERS = {
    "a": ("DisabledException", "{arn} is disabled."),
    "b": ("KMSInvalidStateException", "{arn} is {pending}."),
    "c": ("KMSInvalidStateException", "{arn} is not pending deletion."),
    "d": ("KMSInvalidStateException", "{arn} is pending import."),
}
COLUMNS = {
    "Enabled": 0,
    "Disabled": 1,
    "PendingDeletion": 2,
    "PendingReplicaDeletion": 2,
    "PendingImport": 3,
}
PENDING = {"PendingDeletion": "pending deletion", "PendingReplicaDeletion": "pending replica deletion"}

# Section 2, columns X and D: what can be done to another account's key, and what knows a dry run.
_ACROSS = """
    CreateGrant Decapsulate Decrypt DeriveSharedSecret DescribeKey Encapsulate Encrypt GenerateDataKey
    GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac
    GetKeyRotationStatus GetPublicKey ListGrants ReEncrypt RetireGrant RevokeGrant Sign Verify VerifyMac
"""
ACROSS = frozenset(_ACROSS.split())
DRY_RUN = ACROSS - {"DescribeKey", "GetKeyRotationStatus", "GetPublicKey", "ListGrants"}

# Which usage an operation needs; those of data keys need AES as well.
USAGES = {
    **dict.fromkeys(("Encrypt", "Decrypt", "ReEncrypt"), "ENCRYPT_DECRYPT"),
    **dict.fromkeys(("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"), "ENCRYPT_DECRYPT"),
    **dict.fromkeys(("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"), "ENCRYPT_DECRYPT"),
    **dict.fromkeys(("Sign", "Verify"), "SIGN_VERIFY"),
    **dict.fromkeys(("GenerateMac", "VerifyMac"), "GENERATE_VERIFY_MAC"),
    "DeriveSharedSecret": "KEY_AGREEMENT",
    **dict.fromkeys(("Encapsulate", "Decapsulate"), "ENCAPSULATE_DECAPSULATE"),
}
_ROTATION = (
    "EnableKeyRotation",
    "DisableKeyRotation",
    "RotateKeyOnDemand",
    "ListKeyRotations",
)
_UNSUPPORTED = "UnsupportedOperationException"
_IMPORT = ("GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial")
# Section 2: what is authorized by two actions.
ACTIONS = {"ReEncrypt": "ReEncryptFrom"}


_NO_IDENTITY = "resource: {arn} because no identity-based policy allows the {action} action"
_FOREIGN = (  # facts/policy.md section 5.3, of a resource of another account
    "this resource because the resource does not exist in this Region, no resource-based policies allow access, or a "
    "resource-based policy explicitly denies access"
)


class Kind(NamedTuple):
    """A kind of key. `algorithm` is one that it can do."""

    spec: str
    usage: str
    algorithm: str
    origin: str = "AWS_KMS"
    multi_region: bool = False

    @property
    def is_symmetric(self) -> bool:
        return self.spec == "SYMMETRIC_DEFAULT"

    @property
    def has_public_key(self) -> bool:
        return not self.is_symmetric and not self.spec.startswith("HMAC")

    @property
    def grantable(self) -> frozenset[str]:
        """Section 10.1: the operations, as grants name them, that this kind of key can do."""
        found = {operation for operation, usage in USAGES.items() if usage == self.usage}
        found -= set() if self.is_symmetric else {each for each in found if each.startswith("GenerateDataKey")}
        if "ReEncrypt" in found:
            found = found - {"ReEncrypt"} | {"ReEncryptFrom", "ReEncryptTo"}
        if self.has_public_key:
            found.add("GetPublicKey")
        return frozenset(found | {"CreateGrant", "DescribeKey", "RetireGrant"})


class Answer(NamedTuple):
    """What comes: an error's code, and its text where it is known; or success, which has neither."""

    code: str = ""
    text: str | None = None


YES = Answer()
DRY = Answer("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def kinds() -> list[Kind]:
    """Every spec with every usage, made here and imported; a multi-Region primary with a replica at the end."""
    made = []
    for line in SPECS.strip().splitlines():
        specs, usage, names = (part.split() for part in line.split("|"))
        made += [Kind(spec, usage[0], names[0]) for spec in specs]
    brought = [kind._replace(origin="EXTERNAL") for kind in made if kind.spec in IMPORTED]
    return [*made, *brought, made[0]._replace(multi_region=True)]


@cache
def letters() -> dict[str, str]:
    """By operation, the letters of section 4.2 in the order of the columns."""
    found = {}
    for line in STATES.strip().splitlines():
        names, row = line.split("|")
        found.update(dict.fromkeys(names.split(), row.replace(" ", "")))
    return found


def expected(operation: str, kind: Kind, state: str, caller: str, arn: str, who: str) -> Answer:
    """The answer to `caller` (owner, dry, grantee, other, stranger, denied), who is called `who`.

    The order: authorization, usage and origin, state, spec. It was measured in us-east-1 in 2026 (field: pull request
    3968 of floci-io/floci, and the recordings of RotateKeyOnDemand).
    """
    why = _access(operation, kind, caller)
    if why is not None:
        action = ACTIONS.get(operation, operation)
        text = f"User: {who} is not authorized to perform: kms:{action} on {why}"
        return Answer("AccessDeniedException", text.format(action=f"kms:{action}", arn=arn))
    refused = (
        _wrong_use(operation, kind, arn) or _wrong_state(operation, state, arn) or _wrong_spec(operation, kind)
    )
    if refused is not None:
        return refused
    if operation == "RotateKeyOnDemand" and kind.origin == "EXTERNAL":
        text = f"No available key material pending rotation for the key: {arn}."
        return Answer("KMSInvalidStateException", text)
    return DRY if caller == "dry" else YES


def _access(operation: str, kind: Kind, caller: str) -> str | None:
    """Why the caller may not, if so. The key policy lets the account, and the other account, in with all actions."""
    if caller == "denied":
        return "resource: {arn} with an explicit deny in an identity-based policy"
    if caller == "grantee":
        granted = kind.grantable | ({"ReEncrypt"} if "ReEncryptTo" in kind.grantable else set())
        return None if operation in granted else _NO_IDENTITY
    # An Allow of kms:RetireGrant in a key policy has no effect (section 10.3).
    if caller == "stranger" or (caller == "other" and operation not in ACROSS - {"RetireGrant"}):
        return _FOREIGN
    return None


def _wrong_state(operation: str, state: str, arn: str) -> Answer | None:
    letter = letters()[operation][COLUMNS[state]]
    if letter == "Y":
        return None
    code, text = LETTERS[letter]
    return Answer(code, text.format(arn=arn, pending=PENDING.get(state)))


def _wrong_use(operation: str, kind: Kind, arn: str) -> Answer | None:
    """What a key never does because of its usage, of where its material is from, of what region it is in."""
    needed = USAGES.get(operation)
    if needed is not None and kind.usage != needed:
        text = f"{arn} key usage is {kind.usage} which is not valid for {operation}."
        return Answer("InvalidKeyUsageException", text)
    if operation in ("EnableKeyRotation", "DisableKeyRotation") and kind.origin == "EXTERNAL":
        return Answer(_UNSUPPORTED, f"{arn} origin is EXTERNAL which is not valid for this operation.")
    if operation in _IMPORT and kind.origin == "AWS_KMS":
        return Answer(_UNSUPPORTED, f"{arn} origin is AWS_KMS which is not valid for this operation.")
    if operation == "ReplicateKey" and not kind.multi_region:
        return Answer(_UNSUPPORTED, f"{arn} is not a multi-region primary key.")
    if operation == "UpdatePrimaryRegion" and not kind.multi_region:
        return Answer(_UNSUPPORTED)
    return None


def _wrong_spec(operation: str, kind: Kind) -> Answer | None:
    """What a key never does because of its spec."""
    if operation.startswith("GenerateDataKey") and not kind.is_symmetric:
        text = None if "Pair" in operation else "You cannot generate a data key with an asymmetric CMK"
        return Answer("InvalidKeyUsageException", text)
    if operation == "GetPublicKey" and not kind.has_public_key:
        return Answer(_UNSUPPORTED, "")
    if operation in _ROTATION and not kind.is_symmetric:
        return Answer(_UNSUPPORTED, "" if operation in ("EnableKeyRotation", "RotateKeyOnDemand") else None)
    return None

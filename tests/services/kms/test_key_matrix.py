"""Every operation on a key, in every state, of every kind, by everyone: each cell as key_facts.py has it.

The calls go through the pipeline's door with typed input, which is where boto3's arrive; what a call changed is
taken back, so that one key of each kind does for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from key_facts import ACROSS, COLUMNS, DRY_RUN, YES, Answer, Kind, expected, kinds, letters
from services_support import allow, deny, document

from bailiwick.api import ApiError, Call, Caller
from bailiwick.door import Joined
from bailiwick.services import ALL
from bailiwick.services.kms import material
from bailiwick.wire.refusal import form_of
from world import ACCOUNT, REGION, World

OTHER, STRANGER = "210987654321", "310987654321"
REPLICA, FREE = "us-west-2", "eu-west-1"
CALLERS = ("owner", "dry", "grantee", "other", "stranger", "denied")
ALIASES = ("CreateAlias", "UpdateAlias", "DeleteAlias")
Body = dict[str, Any]
assert ALL  # the tables of all of them must be there before a World is


class Undone(Exception):
    """Has a transaction roll back."""


class House:
    """A World with the callers, and a way to call as each of them."""

    def __init__(self) -> None:
        self.world = World()
        iam = self.world.client("iam")
        for name, statements in (
            ("owner", [allow("kms:*")]),
            ("grantee", []),
            ("denied", [allow("kms:*"), deny("kms:*")]),
        ):
            iam.create_user(UserName=name)
            if statements:
                iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        callers = {name: self._caller(self.world.keys_of(name)) for name in ("owner", "grantee", "denied")}
        callers |= {"other": self._user_of(OTHER), "stranger": self._user_of(STRANGER), "dry": callers["owner"]}
        self.callers: dict[str, Caller] = callers

    def _user_of(self, account: str) -> Caller:
        iam = self.world.client("iam", self.world.account(account))
        iam.create_user(UserName="u")
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(allow("kms:*")))
        key = iam.create_access_key(UserName="u")["AccessKey"]
        return self._caller({"aws_access_key_id": key["AccessKeyId"]})

    def _caller(self, keys: dict[str, str]) -> Caller:
        return self.world.directory.credential(keys["aws_access_key_id"], None, self.world.now()).caller

    def ask(self, caller: str, operation: str, body: Body, *, keep: bool = False, region: str = REGION) -> Any:
        """Make a call; what it changed is kept or taken back. Raises ApiError."""
        route = self.world.pipeline.route("kms", operation)
        assert route is not None
        request = msgspec.convert(body, route.input)
        call = Call(
            operation=route.operation,
            caller=self.callers[caller],
            region=region,
            now=self.world.now(),
            request_id="r",
            transaction=self.world.store.transaction(write=route.operation.changes(request)),
            environment=self.world.environment,
        )
        if keep or not route.operation.changes(request):
            return self.world.pipeline.invoke(call, request)
        try:
            with call.transaction as outer:
                call.transaction = Joined(outer)
                self.world.pipeline.invoke(call, request)
                raise Undone
        except Undone:
            return None

    def answer(self, caller: str, operation: str, body: Body) -> Answer:
        """What a call is answered with."""
        if caller == "dry":
            body = {**body, "DryRun": True}
        try:
            self.ask(caller, operation, body)
        except ApiError as error:
            return Answer(form_of(error, "json")[0], error.message)
        return YES


class Subject:
    """One key in the house, and what calls on it need: a ciphertext, a signature, an import token."""

    def __init__(self, house: House, kind: Kind) -> None:
        self.house, self.kind = house, kind
        body: Body = {
            "KeySpec": kind.spec,
            "KeyUsage": kind.usage,
            "Origin": kind.origin,
            "MultiRegion": kind.multi_region,
            "Policy": _policy(),
        }
        self.arn: str = self.do("CreateKey", body).KeyMetadata.Arn
        self.import_body: Body = {}
        if kind.origin == "EXTERNAL":
            self._bring()
        if kind.multi_region:
            self.do("ReplicateKey", {"KeyId": self.arn, "ReplicaRegion": REPLICA})
        self.do("CreateAlias", {"AliasName": "alias/old", "TargetKeyId": self.arn})
        self.grant = self.do(
            "CreateGrant",
            {
                "KeyId": self.arn,
                "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/grantee",
                "Operations": sorted(kind.grantable),
            },
        ).GrantId
        self.blob = self.signature = self.public = b"x" * 120
        if kind.has_public_key:
            self.public = self.do("GetPublicKey", {"KeyId": self.arn}).PublicKey
        self._use()

    def do(self, operation: str, body: Body) -> Any:
        return self.house.ask("owner", operation, body, keep=True)

    def _use(self) -> None:
        if self.kind.usage == "ENCRYPT_DECRYPT":
            self.blob = self.do("Encrypt", self.body("Encrypt")).CiphertextBlob
        elif self.kind.usage == "SIGN_VERIFY":
            self.signature = self.do("Sign", self.body("Sign")).Signature
        elif self.kind.usage == "GENERATE_VERIFY_MAC":
            self.signature = self.do("GenerateMac", self.body("GenerateMac")).Mac
        elif self.kind.usage == "ENCAPSULATE_DECAPSULATE":
            self.blob = self.do("Encapsulate", self.body("Encapsulate")).SharedSecretCiphertextBlob

    def _bring(self) -> None:
        wrapping = self.do("GetParametersForImport", self.body("GetParametersForImport"))
        own = material.generate(self.kind.spec, lambda size: b"m" * size)
        public: Any = serialization.load_der_public_key(wrapping.PublicKey)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        blob = public.encrypt(b"e" * 32, oaep) + aes_key_wrap_with_padding(b"e" * 32, own)
        self.import_body = {"ImportToken": wrapping.ImportToken, "EncryptedKeyMaterial": blob}
        self.do("ImportKeyMaterial", self.body("ImportKeyMaterial"))

    def states(self) -> Iterator[str]:
        """Take the key through its states, one after the other."""
        yield "Enabled"
        self.do("DisableKey", {"KeyId": self.arn})
        yield "Disabled"
        self.do("ScheduleKeyDeletion", {"KeyId": self.arn, "PendingWindowInDays": 7})
        yield "PendingReplicaDeletion" if self.kind.multi_region else "PendingDeletion"
        self.do("CancelKeyDeletion", {"KeyId": self.arn})
        if self.kind.origin == "EXTERNAL":
            self.do("DeleteImportedKeyMaterial", {"KeyId": self.arn})
            yield "PendingImport"
        self.do("DeleteAlias", {"AliasName": "alias/old"})

    def body(self, operation: str) -> Body:
        """What is asked of an operation. Of one that the kind of key cannot do, something that others can."""
        does, key = {self.kind.usage: self.kind.algorithm}, {"KeyId": self.arn}
        encrypts = does.get("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT")
        signs, codes = does.get("SIGN_VERIFY", "ECDSA_SHA_256"), does.get("GENERATE_VERIFY_MAC", "HMAC_SHA_256")
        message = {**key, "Message": b"message"}
        bodies: dict[str, Callable[[], Body]] = {
            "Encrypt": lambda: {**key, "Plaintext": b"plain", "EncryptionAlgorithm": encrypts},
            "Decrypt": lambda: {**key, "CiphertextBlob": self.blob, "EncryptionAlgorithm": encrypts},
            "ReEncrypt": lambda: {
                "SourceKeyId": self.arn,
                "DestinationKeyId": self.arn,
                "CiphertextBlob": self.blob,
                "SourceEncryptionAlgorithm": encrypts,
                "DestinationEncryptionAlgorithm": encrypts,
            },
            "GenerateDataKey": lambda: {**key, "KeySpec": "AES_256"},
            "GenerateDataKeyWithoutPlaintext": lambda: {**key, "NumberOfBytes": 24},
            "GenerateDataKeyPair": lambda: {**key, "KeyPairSpec": "ECC_NIST_P256"},
            "GenerateDataKeyPairWithoutPlaintext": lambda: {**key, "KeyPairSpec": "ECC_NIST_P256"},
            "Sign": lambda: {**message, "SigningAlgorithm": signs},
            "Verify": lambda: {**message, "SigningAlgorithm": signs, "Signature": self.signature},
            "GenerateMac": lambda: {**message, "MacAlgorithm": codes},
            "VerifyMac": lambda: {**message, "MacAlgorithm": codes, "Mac": self.signature},
            "DeriveSharedSecret": lambda: {**key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": self.public},
            "Encapsulate": lambda: {**key, "EncapsulationAlgorithm": "ML_KEM"},
            "Decapsulate": lambda: {
                **key,
                "EncapsulationAlgorithm": "ML_KEM",
                "SharedSecretCiphertextBlob": self.blob,
            },
            "CreateGrant": lambda: {
                **key,
                "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/denied",
                "Operations": ["DescribeKey"],
            },
            "RetireGrant": lambda: {**key, "GrantId": self.grant},
            "RevokeGrant": lambda: {**key, "GrantId": self.grant},
            "CreateAlias": lambda: {"AliasName": "alias/new", "TargetKeyId": self.arn},
            "UpdateAlias": lambda: {"AliasName": "alias/old", "TargetKeyId": self.arn},
            "DeleteAlias": lambda: {"AliasName": "alias/old"},
            "PutKeyPolicy": lambda: {**key, "Policy": _policy()},
            "GetParametersForImport": lambda: {
                **key,
                "WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256",
                "WrappingKeySpec": "RSA_2048",
            },
            "ImportKeyMaterial": lambda: {
                **key,
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
                "ImportToken": b"x",
                "EncryptedKeyMaterial": b"x",
                **self.import_body,
            },
            "ReplicateKey": lambda: {**key, "ReplicaRegion": FREE},
            "UpdatePrimaryRegion": lambda: {**key, "PrimaryRegion": REPLICA},
            "TagResource": lambda: {**key, "Tags": [{"TagKey": "k", "TagValue": "v"}]},
            "UntagResource": lambda: {**key, "TagKeys": ["k"]},
            "UpdateKeyDescription": lambda: {**key, "Description": "d"},
        }
        return bodies.get(operation, lambda: key)()


def _policy() -> str:
    named = {"AWS": [f"arn:aws:iam::{number}:root" for number in (ACCOUNT, OTHER)]}
    return document({"Effect": "Allow", "Principal": named, "Action": "kms:*", "Resource": "*"})


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "_new_pair", cache(material._new_pair))  # one pair of each spec is enough
        yield House()


def cells(subject: Subject, state: str) -> Iterator[tuple[str, str, Answer, Answer]]:
    """Operation, caller, what comes and what should come."""
    for operation in letters():
        body = subject.body(operation)
        for caller in CALLERS:
            if caller == "dry" and operation not in DRY_RUN:
                continue
            if operation in ALIASES and caller != "owner":
                continue  # an alias is a resource of its own: below
            if state != "Enabled" and (
                caller in ("stranger", "denied") or (caller == "other" and operation not in ACROSS)
            ):
                continue  # one state is enough for those who get nowhere in any
            who = subject.house.callers[caller].arn
            should = expected(operation, subject.kind, state, caller, subject.arn, who)
            yield operation, caller, subject.house.answer(caller, operation, body), should


def agrees(comes: Answer, should: Answer) -> bool:
    return comes.code == should.code and should.text in (None, comes.text)


@pytest.mark.parametrize(
    "kind", kinds(), ids=lambda kind: f"{kind.spec}-{kind.usage}-{kind.origin}-{kind.multi_region}"
)
def test_every_cell(house: House, kind: Kind) -> None:
    subject, differ, walked = Subject(house, kind), [], Counter[str]()
    for state in subject.states():
        for operation, caller, comes, should in cells(subject, state):
            walked[state] += 1
            if not agrees(comes, should):
                differ.append((state, operation, caller, comes, should))
    if differ:
        pytest.fail(f"{len(differ)} of {walked.total()} cells differ:\n" + "\n".join(map(str, differ[:30])))
    assert set(walked) <= set(COLUMNS)
    assert min(walked.values()) > 100


# Who may give, move and take names: section 2 (an alias and its key are both asked) and section 5.
NO_IDENTITY = "because no identity-based policy allows the kms:{} action"
DENIED = "with an explicit deny in an identity-based policy"
FOREIGN = "on this resource because the resource does not exist in this Region"
NAMES = [
    ("CreateAlias", "grantee", "AccessDeniedException", NO_IDENTITY),
    ("CreateAlias", "denied", "AccessDeniedException", DENIED),
    ("CreateAlias", "other", "AccessDeniedException", FOREIGN),
    ("CreateAlias", "stranger", "AccessDeniedException", FOREIGN),
    ("UpdateAlias", "grantee", "AccessDeniedException", NO_IDENTITY),
    ("UpdateAlias", "denied", "AccessDeniedException", DENIED),
    ("UpdateAlias", "other", "AccessDeniedException", FOREIGN),
    ("DeleteAlias", "grantee", "AccessDeniedException", NO_IDENTITY),
    ("DeleteAlias", "denied", "AccessDeniedException", DENIED),
    (
        "DeleteAlias",
        "other",
        "NotFoundException",
        "Alias arn:aws:kms:us-east-1:210987654321:alias/old is not found.",
    ),
]


def test_names_of_a_key(house: House) -> None:
    subject = Subject(house, kinds()[0])
    for operation, caller, code, text in NAMES:
        comes = house.answer(caller, operation, subject.body(operation))
        assert (operation, caller, comes.code) == (operation, caller, code)
        assert text.format(operation) in (comes.text or "")
    for operation, caller in (("CreateAlias", "owner"), ("UpdateAlias", "owner"), ("DeleteAlias", "owner")):
        assert house.answer(caller, operation, subject.body(operation)) == YES

"""KMS as boto3 sees it. Texts and tables: facts/kms.md."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal

from world import World

OTHER = "210987654321"
BAD = ("InvalidCiphertextException", "")
MISSING = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


def test_a_key_as_created_described_and_listed(kms: Any) -> None:
    made = kms.create_key(Description="d", Tags=[{"TagKey": "k", "TagValue": "v"}])["KeyMetadata"]
    assert set(made) == {
        *("AWSAccountId", "KeyId", "Arn", "CreationDate", "Enabled", "Description", "KeyUsage", "KeyState"),
        *("Origin", "KeyManager", "CustomerMasterKeySpec", "KeySpec", "EncryptionAlgorithms", "MultiRegion"),
        "CurrentKeyMaterialId",
    }
    assert (made["KeyState"], made["Enabled"], made["KeyManager"]) == ("Enabled", True, "CUSTOMER")
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"] == made
    assert kms.list_keys()["Keys"] == [{"KeyId": made["KeyId"], "KeyArn": made["Arn"]}]
    assert kms.list_resource_tags(KeyId=made["KeyId"])["Tags"] == [{"TagKey": "k", "TagValue": "v"}]


def test_keys_belong_to_a_region(world: World, key: str) -> None:
    other = world.client("kms", region="eu-west-1")
    assert other.list_keys()["Keys"] == []
    assert refusal(other.describe_key, KeyId=key) == ("NotFoundException", "Invalid arn us-east-1")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"KeySpec": "RSA_2048"}, "ValidationException"),
        ({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
        ({"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}, "UnsupportedOperationException"),
        ({"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"}, "ValidationException"),
        ({"KeyUsage": "SIGN_VERIFY"}, "ValidationException"),
        ({"Origin": "EXTERNAL_KEY_STORE"}, "ValidationException"),
        (
            {"Origin": "EXTERNAL", "KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"},
            "UnsupportedOperationException",
        ),
        ({"KeySpec": "NONSENSE"}, "ValidationException"),
        ({"Policy": "x"}, "MalformedPolicyDocumentException"),
        ({"Tags": [{"TagKey": "aws:x", "TagValue": ""}]}, "TagException"),
        ({"Tags": [{"TagKey": "x", "TagValue": ""}] * 2}, "TagException"),
    ],
)
def test_keys_that_are_not_made(kms: Any, parameters: Any, code: str) -> None:
    assert refusal(kms.create_key, **parameters)[0] == code
    assert kms.list_keys()["Keys"] == []


@pytest.mark.parametrize("context", [{}, {"a": "b"}, {"ключ": "значение", "z": "", "a": "1"}])
def test_what_is_encrypted_is_decrypted(kms: Any, key: str, context: dict[str, str]) -> None:
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=context)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (key, "SYMMETRIC_DEFAULT")
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", key)
    assert opened["KeyMaterialId"] == kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


def test_the_context_is_bound(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    for context in ({}, {"a": "B"}, {"A": "b"}, {"a": "b", "c": "d"}, {"b": "a"}):
        assert refusal(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context) == BAD


def test_every_flipped_bit_is_refused(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for position in range(len(blob)):
        changed = blob[:position] + bytes((blob[position] ^ 1,)) + blob[position + 1 :]
        code, _ = refusal(kms.decrypt, CiphertextBlob=changed)
        assert code in ("InvalidCiphertextException", "AccessDeniedException")
        assert refusal(kms.decrypt, CiphertextBlob=changed, KeyId=key)[0] in (
            "InvalidCiphertextException",
            "IncorrectKeyException",
        )
    assert refusal(kms.decrypt, CiphertextBlob=blob[:-1]) == BAD
    assert refusal(kms.decrypt, CiphertextBlob=b"nonsense") == BAD


def test_another_key_does_not_open_it(kms: Any, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    hmac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    incorrect = (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
    for wrong in (other, hmac):  # of the second AWS says no more, as recorded
        assert refusal(kms.decrypt, CiphertextBlob=blob, KeyId=wrong) == incorrect
        assert refusal(kms.re_encrypt, CiphertextBlob=blob, SourceKeyId=wrong, DestinationKeyId=wrong) == incorrect
    assert kms.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"] == b"x"


def test_re_encryption_moves_a_ciphertext(kms: Any, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=other,
        DestinationEncryptionContext={"a": "2"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, other)
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "2"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", other)


def test_data_keys(kms: Any, key: str) -> None:
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert len(made["Plaintext"]) == 32
    assert (
        kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})["Plaintext"]
        == made["Plaintext"]
    )
    assert len(kms.generate_data_key(KeyId=key, NumberOfBytes=1024)["Plaintext"]) == 1024
    assert "Plaintext" not in kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_128")
    message = "Please specify either number of bytes or key spec."
    assert refusal(kms.generate_data_key, KeyId=key) == ("ValidationException", message)
    assert refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_128", NumberOfBytes=1)[1] == message


def test_random_bytes(kms: Any) -> None:
    one, two = (kms.generate_random(NumberOfBytes=32)["Plaintext"] for _ in range(2))
    assert (len(one), one == two) == (32, False)
    assert refusal(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")
    assert refusal(kms.generate_random, NumberOfBytes=1025)[1] == (
        "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have "
        "value less than or equal to 1024"
    )


def test_sizes_and_sensitive_values(kms: Any, key: str) -> None:
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x" * 4097)[1] == (
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less "
        "than or equal to 4096"
    )
    blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 4096)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x" * 4096
    context = {f"k{n}": "v" * 400 for n in range(30)}
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context)[0] == "ValidationException"


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("nonsense", "NotFoundException", "Invalid keyId 'nonsense'"),
        (
            MISSING,
            "NotFoundException",
            f"Key 'arn:aws:kms:us-east-1:{ACCOUNT}:key/{MISSING}' does not exist",
        ),
        (
            "alias/none",
            "NotFoundException",
            f"Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/none is not found.",
        ),
        (f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{MISSING}", "NotFoundException", "Invalid arn eu-west-1"),
        ("arn:aws:kms", "InvalidArnException", "Invalid ARN arn:aws:kms"),
    ],
)
def test_keys_that_are_not_there(kms: Any, name: str, code: str, message: str) -> None:
    assert refusal(kms.encrypt, KeyId=name, Plaintext=b"x") == (code, message)


def test_aliases(kms: Any, key: str) -> None:
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/a"
    for name in ("alias/a", arn):
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key
    blob = kms.encrypt(KeyId="alias/a", Plaintext=b"x")["CiphertextBlob"]
    assert refusal(kms.create_alias, AliasName="alias/a", TargetKeyId=key) == (
        "AlreadyExistsException",
        f"An alias with the name {arn} already exists",
    )
    other = kms.create_key()["KeyMetadata"]["Arn"]
    kms.update_alias(AliasName="alias/a", TargetKeyId=other)
    assert kms.describe_key(KeyId="alias/a")["KeyMetadata"]["Arn"] == other
    assert kms.decrypt(CiphertextBlob=blob)["KeyId"] == key
    listed = [a for a in kms.list_aliases()["Aliases"] if "/aws/" not in a["AliasName"]]
    assert [(a["AliasName"], a["AliasArn"], a["TargetKeyId"]) for a in listed] == [
        ("alias/a", arn, other.rpartition("/")[2])
    ]
    assert kms.list_aliases(KeyId=key)["Aliases"] == []
    kms.delete_alias(AliasName="alias/a")
    assert refusal(kms.describe_key, KeyId="alias/a")[0] == "NotFoundException"
    assert refusal(kms.delete_alias, AliasName="alias/a")[0] == "NotFoundException"
    assert refusal(kms.delete_alias, AliasName="a") == ("ValidationException", "Invalid identifier")
    assert refusal(kms.create_alias, AliasName="b", TargetKeyId=key)[0] == "ValidationException"
    assert refusal(kms.create_alias, AliasName="alias/aws/x", TargetKeyId=key)[0] == "NotAuthorizedException"


OPERATIONS: dict[str, dict[str, Any]] = {
    "encrypt": {"Plaintext": b"x"},
    "decrypt": {"CiphertextBlob": "BLOB"},
    "generate_data_key": {"KeySpec": "AES_256"},
    "generate_data_key_without_plaintext": {"KeySpec": "AES_256"},
    "re_encrypt": {"CiphertextBlob": "BLOB"},
    "describe_key": {},
    "enable_key": {},
    "disable_key": {},
    "schedule_key_deletion": {},
    "cancel_key_deletion": {},
    "update_key_description": {"Description": "d"},
    "tag_resource": {"Tags": [{"TagKey": "k", "TagValue": "v"}]},
    "untag_resource": {"TagKeys": ["k"]},
    "get_key_policy": {},
    "list_resource_tags": {},
    "create_alias": {"AliasName": "alias/new"},
}
NEED_ENABLED = {
    *("encrypt", "decrypt", "generate_data_key", "generate_data_key_without_plaintext", "re_encrypt"),
}
NEED_KEPT = {
    *("enable_key", "disable_key", "schedule_key_deletion", "update_key_description"),
    *("tag_resource", "untag_resource", "create_alias"),
}


@pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion"])
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_operations_by_state(kms: Any, key: str, operation: str, state: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    if state == "Disabled":
        kms.disable_key(KeyId=key)
    elif state == "PendingDeletion":
        kms.schedule_key_deletion(KeyId=key)
    parameters = {k: blob if v == "BLOB" else v for k, v in OPERATIONS[operation].items()}
    name = {"re_encrypt": "DestinationKeyId", "create_alias": "TargetKeyId"}.get(operation, "KeyId")
    call = getattr(kms, operation)
    expected: tuple[str, str] | None = None
    if operation == "cancel_key_deletion" and state != "PendingDeletion":
        expected = ("KMSInvalidStateException", f"{key} is not pending deletion.")
    elif operation in NEED_ENABLED and state == "Disabled":
        expected = ("DisabledException", f"{key} is disabled.")
    elif operation in NEED_ENABLED | NEED_KEPT and state == "PendingDeletion":
        expected = ("KMSInvalidStateException", f"{key} is pending deletion.")
    if expected:
        assert refusal(call, **{name: key}, **parameters) == expected
    else:
        call(**{name: key}, **parameters)


def test_deletion_is_scheduled_cancelled_and_carried_out() -> None:
    import time

    clock = [time.time()]
    world = World(now=lambda: clock[0])
    kms = world.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    told = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (told["KeyId"], told["KeyState"], told["PendingWindowInDays"]) == (key, "PendingDeletion", 7)
    assert abs(told["DeletionDate"].timestamp() - clock[0] - 7 * 86400) < 1
    kms.cancel_key_deletion(KeyId=key)
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (metadata["KeyState"], "DeletionDate" in metadata) == ("Disabled", False)
    assert refusal(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=6)[0] == "ValidationException"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    from bailiwick.services.kms import records

    with world.store.transaction() as transaction:
        assert records.key(transaction, world.environment, key, clock[0] + 7 * 86400 - 1) is not None
        assert records.key(transaction, world.environment, key, clock[0] + 7 * 86400 + 1) is None


def test_the_default_policy_delegates_to_the_account(kms: Any, key: str) -> None:
    answer = kms.get_key_policy(KeyId=key)
    assert json.loads(answer["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    assert refusal(kms.get_key_policy, KeyId=key, PolicyName="other") == (
        "NotFoundException",
        "No such policy exists",
    )


def policy_for(arn: str, actions: Any = "kms:*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": actions, "Resource": "*", **more}


def test_who_the_key_policy_names(world: World, iam: Any, kms: Any) -> None:
    """Root has no right of its own; whoever the policy names needs nothing else."""
    owner = iam.create_user(UserName="owner")["User"]["Arn"]
    iam.put_user_policy(UserName="owner", PolicyName="p", PolicyDocument=document(allow("kms:CreateKey")))
    hers = world.client("kms", world.keys_of("owner"))
    key = hers.create_key(Policy=document(policy_for(owner)))["KeyMetadata"]["Arn"]
    assert hers.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
    code, message = refusal(kms.encrypt, KeyId=key, Plaintext=b"x")
    assert code == "AccessDeniedException"
    assert message.startswith(f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: kms:Encrypt")
    iam.create_user(UserName="admin")
    iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert refusal(world.client("kms", world.keys_of("admin")).encrypt, KeyId=key, Plaintext=b"x")[0] == code


def test_a_policy_that_locks_its_author_out(kms: Any, iam: Any, key: str) -> None:
    user = iam.create_user(UserName="u")["User"]["Arn"]
    locked = document(policy_for(user, "kms:Encrypt"))
    assert refusal(kms.put_key_policy, KeyId=key, Policy=locked) == (
        "MalformedPolicyDocumentException",
        "The new key policy will not allow you to update the key policy in the future.",
    )
    assert refusal(kms.put_key_policy, KeyId=key, Policy=document(policy_for(user + "x"))) == (
        "MalformedPolicyDocumentException",
        "Policy contains a statement with one or more invalid principals.",
    )
    kms.put_key_policy(KeyId=key, Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    assert refusal(kms.get_key_policy, KeyId=key)[0] == "AccessDeniedException"


def test_who_may_make_keys_need_not_be_allowed_to_change_their_policies(world: World, iam: Any) -> None:
    iam.create_user(UserName="maker")
    allowed = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": ["kms:CreateKey", "kms:ReplicateKey"], "Resource": "*"},
    }
    iam.put_user_policy(UserName="maker", PolicyName="p", PolicyDocument=json.dumps(allowed))
    maker = world.client("kms", world.keys_of("maker"))
    key = maker.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    assert maker.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"]["KeyId"] == key
    default = world.client("kms").get_key_policy(KeyId=key)["Policy"]
    assert refusal(maker.create_key, Policy=default)[1].startswith("The new key policy will not allow you")


def test_another_account_needs_both_sides(world: World, kms: Any, key: str) -> None:
    other = world.account(OTHER)
    theirs = world.client("kms", other)
    veil = (
        f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: kms:Encrypt on this resource because the "
        "resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy "
        "explicitly denies access"
    )
    assert refusal(theirs.encrypt, KeyId=key, Plaintext=b"x") == ("AccessDeniedException", veil)
    missing = key.rpartition("/")[0] + "/" + MISSING
    assert refusal(theirs.encrypt, KeyId=missing, Plaintext=b"x") == ("AccessDeniedException", veil)
    own = policy_for(f"arn:aws:iam::{ACCOUNT}:root")
    kms.put_key_policy(KeyId=key, Policy=document(own, policy_for(OTHER, ["kms:Encrypt", "kms:Decrypt"])))
    blob = theirs.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert theirs.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    their_iam = world.client("iam", other)
    their_iam.create_user(UserName="guest")
    made = their_iam.create_access_key(UserName="guest")["AccessKey"]
    guest = world.client(
        "kms", {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    )
    assert refusal(guest.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    their_iam.put_user_policy(UserName="guest", PolicyName="p", PolicyDocument=document(allow("kms:Encrypt", key)))
    assert guest.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key


CONDITIONS = [
    ({"StringEquals": {"kms:EncryptionContext:Purpose": "walk"}}, {"EncryptionContext": {"purpose": "walk"}}, True),
    ({"StringEquals": {"kms:EncryptionContext:purpose": "walk"}}, {"EncryptionContext": {"purpose": "x"}}, False),
    ({"StringEquals": {"kms:EncryptionContext:purpose": "walk"}}, {}, False),
    (
        {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["a", "b"]}},
        {"EncryptionContext": {"a": "1"}},
        True,
    ),
    ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["a"]}}, {"EncryptionContext": {"c": "1"}}, False),
    ({"StringEquals": {"kms:RequestAlias": "alias/a"}}, {"KeyId": "alias/a"}, True),
    ({"StringEquals": {"kms:RequestAlias": "alias/a"}}, {}, False),
    ({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/a"}}, {}, True),
    ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, {}, True),
    ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyOrigin": "AWS_KMS"}}, {}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "blue"}}, {}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "red"}}, {}, False),
    ({"StringEquals": {"aws:PrincipalTag/team": "blue"}}, {}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}, {}, True),
    ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, {}, True),
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}, True),
    ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {}, False),
    ({"Bool": {"aws:SecureTransport": "true"}}, {}, False),
    ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {}, False),
    ({"Null": {"aws:TokenIssueTime": "true"}}, {}, True),
    ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, {}, True),
    ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/*"}}, {}, True),
    ({"StringEquals": {"aws:username": "u", "aws:PrincipalType": "User"}}, {}, True),
]


@pytest.mark.parametrize(
    ("condition", "parameters", "allowed"), CONDITIONS, ids=lambda value: json.dumps(value)[:60]
)
def test_conditions(world: World, iam: Any, kms: Any, condition: Any, parameters: Any, allowed: bool) -> None:
    tag = {"TagKey": "team", "TagValue": "blue"}
    key = kms.create_key(Tags=[tag])["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    iam.create_user(UserName="u", Tags=[{"Key": "team", "Value": "blue"}])
    granted = document(allow("kms:Encrypt", key, Condition=condition))
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=granted)
    mine = world.client("kms", world.keys_of("u"))
    call = {"KeyId": key, "Plaintext": b"x"} | parameters
    if allowed:
        assert mine.encrypt(**call)["KeyId"] == key
    else:
        assert refusal(mine.encrypt, **call)[0] == "AccessDeniedException"


def test_a_dry_run_changes_nothing_and_says_so(kms: Any, key: str) -> None:
    told = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == told
    kms.disable_key(KeyId=key)
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)[0] == "DisabledException"


def test_what_is_not_done_says_so(kms: Any, key: str) -> None:
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=["t"])[0] == "InvalidGrantTokenException"
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1") == (
        "InvalidKeyUsageException",
        "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.",
    )
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}
    assert refusal(kms.generate_random, NumberOfBytes=1, Recipient=recipient)[0] == "ValidationException"


def test_pages(kms: Any) -> None:
    made = sorted(kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5))
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Keys"]) for page in pages] == [2, 2, 1]
    assert [entry["KeyId"] for page in pages for entry in page["Keys"]] == made
    assert refusal(kms.list_keys, Marker="AAAA")[0] == "InvalidMarkerException"


def test_a_warm_call_reads_nothing(world: World, iam: Any, kms: Any, key: str, monkeypatch: Any) -> None:
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    iam.create_user(UserName="u")
    iam.attach_user_policy(UserName="u", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    mine = world.client("kms", world.keys_of("u"))
    blob = mine.encrypt(KeyId="alias/a", Plaintext=b"x")["CiphertextBlob"]
    mine.decrypt(CiphertextBlob=blob)

    def connect(*, write: bool) -> None:
        raise AssertionError("a warm call opened a connection")

    monkeypatch.setattr(world.store, "connect", connect)
    assert mine.encrypt(KeyId="alias/a", Plaintext=b"x")["KeyId"] == key
    assert mine.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

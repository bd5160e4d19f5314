"""A flipped bit anywhere in a signed request is refused, by the whole pipeline, with the right code.

And the reverse: whatever botocore signs is accepted.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.core.message import Header, Request, Response
from world import World, as_request

SIGNED = ["host", "content-type", "x-amz-date", "x-amz-security-token", "x-amz-target"]

# What a changed request may be told. Every one of them means that the signer is not proven.
REFUSED = {
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
}
# Changed before the signature is looked at: the request no longer names an operation of ours.
UNKNOWN = {"InvalidAction", "UnknownOperationException"}


@cache
def scene() -> tuple[World, dict[str, Request]]:
    """A world with a role session and one genuine request of each protocol, as botocore signs it."""
    world = World()
    iam, kms = world.client("iam"), world.client("kms")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    iam.create_user(UserName="u")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    for attach, who in ((iam.attach_user_policy, {"UserName": "u"}), (iam.attach_role_policy, {"RoleName": "r"})):
        attach(PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess", **who)
    user = world.keys_of("u")
    answer = world.client("sts", user).assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
    session = {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    return world, {
        "json": captured(world, "kms", session, "encrypt", KeyId=key, Plaintext=b"x" * 40),
        "query": captured(world, "iam", session, "get_user", UserName="u"),
        "long-term": captured(world, "sts", user, "get_caller_identity"),
    }


def captured(world: World, service: str, credentials: dict[str, str], method: str, **parameters: Any) -> Request:
    """The request that botocore would send for this call; it is answered, and must succeed."""
    seen: list[Request] = []
    client = world.client(service, credentials)
    client.meta.events.register_first("before-send.*.*", lambda request, **_: seen.append(as_request(request)))
    getattr(client, method)(**parameters)
    return seen[0]


def code_of(response: Response) -> str:
    """The error code in a refusal of either protocol."""
    if response.body.startswith(b"{"):
        found = json.loads(response.body)["__type"]
        return str(found).rpartition("#")[2]
    match = re.search(rb"<Code>([^<]+)</Code>", response.body)
    assert match is not None, response.body
    return match[1].decode()


def flipped(text: bytes, position: int, bit: int) -> bytes:
    return text[:position] + bytes((text[position] ^ (1 << bit),)) + text[position + 1 :]


def mutated(request: Request, part: str, draw: Any) -> Request | None:
    """The request with one bit of one part flipped; None where the flip is one that HTTP itself folds away."""
    pick = lambda size: draw(st.integers(0, size - 1))  # noqa: E731
    bit = draw(st.integers(0, 6))
    if part in ("method", "path", "query", "body"):
        value = getattr(request, part)
        raw = value if isinstance(value, bytes) else value.encode("latin-1")
        if not raw:
            raw_new: bytes = b"a"
        else:
            raw_new = flipped(raw, pick(len(raw)), bit)
        return msgspec.structs.replace(
            request, **{part: raw_new if isinstance(value, bytes) else raw_new.decode("latin-1")}
        )
    index = next(i for i, header in enumerate(request.headers) if header.name == part)
    name, value = request.headers[index]
    changed = flipped(value.encode("latin-1"), pick(len(value)), bit).decode("latin-1").strip()
    if part == "host" and changed.lower() == value.lower():
        return None  # host names have no case
    if " ".join(changed.split()) == " ".join(value.split()):
        return None  # runs of blanks are one blank
    headers = list(request.headers)
    headers[index] = Header(name, changed)
    return msgspec.structs.replace(request, headers=tuple(headers))


@settings(max_examples=2000)
@given(st.data(), st.sampled_from(["json", "query", "long-term"]))
def test_a_flipped_bit_is_refused(data: Any, which: str) -> None:
    world, genuine = scene()
    request = genuine[which]
    present = {header.name for header in request.headers}
    parts = ["method", "path", "query", "body", "authorization", *(h for h in SIGNED if h in present)]
    part = data.draw(st.sampled_from(parts))
    changed = mutated(request, part, data.draw)
    if changed is None or changed == request:
        return
    response = world.pipeline.handle(changed)
    assert response.status in (400, 403), (part, response.body)
    allowed = REFUSED | (
        UNKNOWN
        if part in ("x-amz-target", "body", "query", "authorization", "content-type", "method", "path")
        else set()
    )
    assert code_of(response) in allowed, (part, response.body)


@pytest.mark.parametrize("which", ["json", "query", "long-term"])
def test_the_genuine_request_is_accepted(which: str) -> None:
    world, genuine = scene()
    assert world.pipeline.handle(genuine[which]).status == 200


def test_another_secret_is_a_mismatch() -> None:
    world, _ = scene()
    forged = {**world.root, "aws_secret_access_key": "A" * 40}
    client = world.client("sts", forged)
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


text = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs"]), max_size=60)


@settings(max_examples=150)
@given(context=st.dictionaries(text.filter(bool), text, max_size=4), plaintext=st.binary(min_size=1, max_size=300))
def test_what_botocore_signs_for_kms_is_accepted(context: dict[str, str], plaintext: bytes) -> None:
    world, genuine = scene()
    key = json.loads(genuine["json"].body)["KeyId"]
    kms = world.client("kms")
    sealed = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=context)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == plaintext


@settings(max_examples=150)
@given(value=text.filter(lambda t: re.fullmatch(r"[\w\s.:/=+\-@]*", t) is not None))
def test_what_botocore_signs_for_iam_is_accepted(value: str) -> None:
    world, _ = scene()
    iam = world.client("iam")
    try:
        iam.tag_user(UserName="u", Tags=[{"Key": "k", "Value": value}])
    except iam.exceptions.ClientError as error:
        # A letter that AWS's pattern for tags excludes is a matter of validation, not of the signature.
        assert error.response["Error"]["Code"] == "ValidationError"  # noqa: PT017
        return
    assert iam.list_user_tags(UserName="u")["Tags"] == [{"Key": "k", "Value": value}]

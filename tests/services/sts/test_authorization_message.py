"""Encoded authorization messages: what a refusal carries, and who can open it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bailiwick.core.formats import open_message, seal_message
from bailiwick.core.seal import KeyRing
from bailiwick.wire.refusal import MESSAGE_HEADER
from world import ACCOUNT, World

OTHER = "444455556666"


def refusal(world: World) -> str:
    iam = world.client("iam")
    iam.create_user(UserName="alice")
    statement = {"Sid": "No", "Effect": "Deny", "Action": "iam:List*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="alice", PolicyName="no", PolicyDocument=document)
    with pytest.raises(ClientError) as refused:
        world.client("iam", world.keys_of("alice")).list_users()
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    sealed: str = refused.value.response["ResponseMetadata"]["HTTPHeaders"][MESSAGE_HEADER]
    return sealed


def test_a_refusal_can_be_decoded_in_its_account() -> None:
    world = World()
    sealed = refusal(world)
    told: dict[str, Any] = json.loads(
        world.client("sts").decode_authorization_message(EncodedMessage=sealed)["DecodedMessage"]
    )
    assert (told["allowed"], told["explicitDeny"]) == (False, True)
    (matched,) = told["matchedStatements"]["items"]
    assert (matched["statementId"], matched["effect"]) == ("No", "DENY")
    assert matched["actions"] == {"items": [{"value": "iam:List*"}]}
    assert told["context"]["principal"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert told["context"]["action"] == "iam:ListUsers"
    assert "aws:sourceip" in {each["key"] for each in told["context"]["conditions"]["items"]}


@pytest.mark.parametrize(
    "change", [lambda text: text[:-4], lambda text: "x" + text, lambda text: "é", lambda text: "QUJD"]
)
def test_what_does_not_open_is_refused(change: Any) -> None:
    world = World()
    sealed = refusal(world)
    with pytest.raises(ClientError) as refused:
        world.client("sts").decode_authorization_message(EncodedMessage=change(sealed))
    assert refused.value.response["Error"]["Code"] == "InvalidAuthorizationMessageException"
    stranger = world.client("sts", world.account(OTHER))
    with pytest.raises(ClientError, match="InvalidAuthorizationMessage"):
        stranger.decode_authorization_message(EncodedMessage=sealed)


def test_decoding_needs_permission() -> None:
    world = World()
    sealed = refusal(world)
    with pytest.raises(ClientError, match="sts:DecodeAuthorizationMessage"):
        world.client("sts", world.keys_of("alice")).decode_authorization_message(EncodedMessage=sealed)


def test_it_ends_after_a_day_and_is_never_too_long() -> None:
    ring = KeyRing(b"k" * 32)
    sealed = seal_message(ring, "why", ACCOUNT, 1000.0, lambda count: b"e" * count)
    assert sealed is not None
    assert open_message(ring, sealed, ACCOUNT, 1000.0 + 86_400) == "why"
    with pytest.raises(Exception, match="too old"):
        open_message(ring, sealed, ACCOUNT, 1000.0 + 86_402)
    noise = "".join(chr(33 + (number * number * 7919) % 5003) for number in range(9000))
    assert seal_message(ring, noise, ACCOUNT, 0.0, lambda count: b"e" * count) is None

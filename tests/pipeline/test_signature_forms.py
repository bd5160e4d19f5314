"""Which forms of the signature each service takes, through the whole pipeline, and how failures are worded."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import botocore.session
import msgspec
import pytest

from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4.rules import STRICT, Rules
from bailiwick.core.sigv4.sign import presign, sign
from bailiwick.services import ALL
from world import World

FORM = Header("content-type", "application/x-www-form-urlencoded")
WHO = "Action=GetCallerIdentity&Version=2011-06-15"


@pytest.fixture(scope="module")
def shared() -> World:
    return World()


def key(world: World, **more: Any) -> dict[str, Any]:
    return {
        "access_key_id": world.root["aws_access_key_id"],
        "secret": world.root["aws_secret_access_key"],
        "token": None,
        "region": "eu-west-1",
        "now": time.time(),
        **more,
    }


def answer(world: World, request: Request) -> tuple[int, str, str]:
    """Status, error code (or empty) and message of an answer in either protocol."""
    response = world.pipeline.handle(request)
    if response.body.startswith(b"{"):
        told = json.loads(response.body)
        return response.status, told.get("__type", ""), told.get("message", "")
    text = response.body.decode()
    code, message = re.search("<Code>(.*?)</Code>", text), re.search("<Message>(.*?)</Message>", text, re.DOTALL)
    return response.status, code[1] if code else "", message[1] if message else ""


def identity(**more: Any) -> Request:
    return Request("POST", "/", "", (Header("host", "h.test"), FORM), WHO.encode(), **more)


def listing(body: bytes = b"{}", *headers: Header) -> Request:
    """A KMS ListKeys."""
    target = Header("x-amz-target", "TrentService.ListKeys")
    kind = Header("content-type", "application/x-amz-json-1.1")
    return Request("POST", "/", "", (Header("host", "h.test"), kind, target, *headers), body)


def test_the_rules_are_those_of_the_service_models() -> None:
    for service in ALL:
        metadata = botocore.session.get_session().get_service_model(service.name).metadata
        assert service.rules == Rules(asymmetric="aws.auth#sigv4a" in metadata.get("auth", ()))


def test_a_login_proof(shared: World) -> None:
    """What the EKS authenticator does: a presigned GET with one more signed header (facts/sts.md section 15)."""
    headers = (Header("host", "sts.test"), Header("x-k8s-aws-id", "cluster"))
    url = presign(Request("GET", "/", WHO, headers, b""), service="sts", expires=60, **key(shared))
    assert answer(shared, url) == (200, "", "")
    old = presign(
        Request("GET", "/", WHO, headers, b""), service="sts", expires=60, **key(shared, now=time.time() - 600)
    )
    assert answer(shared, old)[0] == 200
    older = presign(
        Request("GET", "/", WHO, headers, b""), service="sts", expires=9999, **key(shared, now=time.time() - 901)
    )
    assert answer(shared, older)[1] == "SignatureDoesNotMatch"
    other = msgspec.structs.replace(url, headers=(headers[0], Header("x-k8s-aws-id", "another")))
    assert answer(shared, other)[:2] == (403, "SignatureDoesNotMatch")
    assert (
        answer(
            shared, msgspec.structs.replace(url, query=url.query.replace("GetCallerIdentity", "GetSessionToken"))
        )[0]
        == 403
    )


def test_sigv4a_is_for_sts_alone(shared: World) -> None:
    assert answer(shared, sign(identity(), service="sts", region_set="*", **key(shared)))[0] == 200
    users = Request("POST", "/", "", (Header("host", "h"), FORM), b"Action=ListUsers&Version=2010-05-08")
    assert answer(shared, sign(users, service="iam", region_set="*", **key(shared)))[1] == "SignatureDoesNotMatch"
    assert (
        answer(shared, sign(listing(), service="kms", region_set="*", **key(shared)))[1]
        == "InvalidSignatureException"
    )


@pytest.mark.parametrize("declared", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 64])
def test_a_payload_is_always_signed(shared: World, declared: str) -> None:
    signed = sign(listing(b"{}", Header("x-amz-content-sha256", declared)), service="kms", **key(shared))
    assert answer(shared, signed)[:2] == (400, "InvalidSignatureException")


def test_a_mismatch_is_explained_where_aws_explains_it(shared: World) -> None:
    wrong = key(shared, secret="x" * 40)
    plain = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details."
    )
    assert answer(shared, sign(identity(), service="sts", **wrong)) == (403, "SignatureDoesNotMatch", plain)
    status, code, message = answer(shared, sign(listing(), service="kms", **wrong))
    assert (status, code) == (400, "InvalidSignatureException")
    assert message.startswith(plain + "\n\nThe Canonical String for this request should have been\n'POST\n/\n\n")
    assert "\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n" in message


def test_a_session_token_is_never_echoed(shared: World) -> None:
    token = shared.client("sts").get_session_token()["Credentials"]
    signed = sign(
        listing(),
        service="kms",
        **key(shared, access_key_id=token["AccessKeyId"], secret="x" * 40, token=token["SessionToken"]),
    )
    message = answer(shared, signed)[2]
    assert token["SessionToken"] not in message
    assert "x-amz-security-token:(not shown)" in message


INVALID = "The security token included in the request is invalid."


@pytest.mark.parametrize(
    ("change", "query", "json_code", "message"),
    [
        ({"access_key_id": "AKIDUNKNOWN"}, "InvalidClientTokenId", "UnrecognizedClientException", INVALID),
        ({"token": "nonsense"}, "InvalidClientTokenId", "UnrecognizedClientException", INVALID),
        (
            {"region": "nowhere"},
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not 'nowhere'. ",
        ),
        (
            {"now": 1e9},
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "Signature expired: 20010909T014640Z is now",
        ),
        (
            {"now": 4e9},
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "Signature not yet current: 20961002T070640Z",
        ),
    ],
)
def test_failures_in_both_protocols(
    shared: World, change: dict[str, Any], query: str, json_code: str, message: str
) -> None:
    for request, service, status, code in (
        (identity(), "sts", 403, query),
        (listing(), "kms", 400, json_code),
    ):
        told = answer(shared, sign(request, service=service, **key(shared, **change)))
        assert told[:2] == (status, code)
        assert told[2].startswith(message)


def test_another_service(shared: World) -> None:
    told = answer(shared, sign(listing(), service="sts", **key(shared)))
    assert told == (400, "InvalidSignatureException", "Credential should be scoped to correct service: 'kms'. ")


def test_an_unknown_key_and_a_wrong_token_are_told_alike(shared: World) -> None:
    session = shared.client("sts").get_session_token()["Credentials"]
    unknown = key(shared, access_key_id="ASIAUNKNOWNUNKNOWN00", token=session["SessionToken"])
    spliced = key(shared, access_key_id=session["AccessKeyId"], token=session["SessionToken"][:-4] + "AAAA")
    assert answer(shared, sign(identity(), service="sts", **unknown)) == answer(
        shared, sign(identity(), service="sts", **spliced)
    )


def test_the_default_is_strict() -> None:
    assert Rules() == STRICT
    assert [service.name for service in ALL if service.rules.unsigned_payload or service.rules.chunked] == []

"""How a protocol is found from what a client sends, and what the refusals of each look like."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

import pytest

from bailiwick import api, wire
from bailiwick.core.message import Header, Request
from bailiwick.services.iam import shapes as iam
from bailiwick.wire import cbor, models, routes, xml_values

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import models as compiler

HOST = Header("host", "h.test")
FORM = Header("content-type", "application/x-www-form-urlencoded")


@cache
def known() -> models.Models:
    names = ("s3", "route53", "lambda", "cloudwatch", "ec2", "sqs", "iam")
    return models.Models(models.from_table(compiler.table(name, compiler.load(name))) for name in names)


def model(name: str) -> models.ServiceModel:
    return next(each for each in known().all if each.name == name)


def request(method: str, target: str, *headers: Header, body: bytes = b"") -> Request:
    path, _, query = target.partition("?")
    return Request(method, path, query, headers or (HOST,), body)


@pytest.mark.parametrize(
    ("given", "scope", "operation"),
    [
        (request("PUT", "/b/k/a%2Fb"), "s3", "PutObject"),
        (request("PUT", "/b/k", HOST, Header("x-amz-copy-source", "/b/j")), "s3", "CopyObject"),
        (request("PUT", "/b/k?partNumber=1&uploadId=u"), "s3", "UploadPart"),
        (request("GET", "/b?acl"), "s3", "GetBucketAcl"),
        (request("GET", "/b?list-type=2"), "s3", "ListObjectsV2"),
        (request("GET", "/b"), "s3", "ListObjects"),
        (request("GET", "/2013-04-01/hostedzone/Z1"), None, "GetHostedZone"),
        (
            request("GET", "/2013-04-01/hostedzone/Z1", Header("host", "route53.amazonaws.com")),
            None,
            "GetHostedZone",
        ),
        (
            request("POST", "/", HOST, FORM, body=b"Action=DescribeAlarms&Version=2010-08-01"),
            "monitoring",
            "DescribeAlarms",
        ),
        (
            request("POST", "/", HOST, Header("x-amz-target", "GraniteServiceVersion20100801.DescribeAlarms")),
            "monitoring",
            "DescribeAlarms",
        ),
    ],
)
def test_the_operation_is_found(given: Request, scope: str | None, operation: str) -> None:
    assert wire.identify(given, scope, known()).name == operation


@pytest.mark.parametrize(
    "given",
    [
        request("POST", "/service/X/operation/Y", HOST, Header("smithy-protocol", "rpc-v2-cbor")),
        request("POST", "/service/AmazonSQS/operation/SendMessage", HOST, Header("smithy-protocol", "rpc-v2-cbor")),
        request(
            "POST",
            "/service/GraniteServiceVersion20100801/operation/DescribeAlarms",
            HOST,
            Header("smithy-protocol", "rpc-v3"),
        ),
        request("POST", "/b/k?select&select-type=2", Header("host", "s3.test")),
    ],
)
def test_what_is_not_spoken_is_refused(given: Request) -> None:
    with pytest.raises(api.UnknownOperation):
        wire.identify(given, None, known())


def test_a_label_may_hold_an_encoded_slash_and_a_greedy_one_may_hold_a_plain_one() -> None:
    assert routes.labels(routes.template("/f/{A}/x"), "/f/a%2Fb/x") == {"A": "a/b"}
    assert routes.labels(routes.template("/f/{A}/x"), "/f/a/b/x") is None
    assert routes.labels(routes.template("/{B}/{K+}"), "/b/k/l") == {"B": "b", "K": "k/l"}
    assert routes.labels(routes.template("/{B}/{K+}/end"), "/b/k/l/end") == {"B": "b", "K": "k/l"}
    assert routes.labels(routes.template("/{B}"), "/") is None


def test_s3_refuses_in_its_own_form() -> None:
    answer = wire.refuse(api.InvalidClientTokenId(), model("s3"), request("GET", "/b/k"), "the-id")
    assert answer.status == 403
    assert answer.body == (
        b"<Error><Code>InvalidAccessKeyId</Code>"
        b"<Message>The AWS Access Key Id you provided does not exist in our records.</Message>"
        b"<RequestId>the-id</RequestId><HostId></HostId></Error>"
    )
    assert dict(answer.headers)["x-amz-request-id"] == "the-id"


def test_ec2_refuses_in_its_own_form() -> None:
    answer = wire.refuse(api.SignatureDoesNotMatch("No."), model("ec2"), request("POST", "/"), "the-id")
    assert answer.status == 401
    assert answer.body == (
        b"<Response><Errors><Error><Code>AuthFailure</Code>"
        b"<Message>AWS was not able to validate the provided access credentials</Message></Error></Errors>"
        b"<RequestID>the-id</RequestID></Response>"
    )


def test_query_tells_the_message_once_whatever_the_model_calls_it() -> None:
    error = iam.NoSuchEntityException("Not here.")
    assert "message" in model("iam").shapes["NoSuchEntityException"].members
    answer = wire.refuse(error, model("iam"), request("POST", "/"), "the-id")
    assert answer.body == (
        b'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        b"<Code>NoSuchEntity</Code><Message>Not here.</Message></Error><RequestId>the-id</RequestId></ErrorResponse>"
    )


def test_rest_json_names_the_error_in_a_header() -> None:
    answer = wire.refuse(api.AccessDenied("No."), model("lambda"), request("GET", "/"), "the-id")
    assert answer.status == 403
    assert dict(answer.headers)["x-amzn-errortype"] == "AccessDeniedException"
    assert json.loads(answer.body) == {"message": "No."}


def test_cbor_names_the_error_in_the_body() -> None:
    given = request("POST", "/", HOST, Header("smithy-protocol", "rpc-v2-cbor"))
    answer = wire.refuse(api.AccessDenied("No."), model("cloudwatch"), given, "the-id")
    assert answer.status == 400
    assert dict(answer.headers)["smithy-protocol"] == "rpc-v2-cbor"
    assert cbor.loads(answer.body) == {"__type": "AccessDeniedException", "message": "No."}


def test_a_service_that_once_spoke_query_tells_the_old_code_too() -> None:
    kind = type("QueueDoesNotExist", (api.ApiError,), {"code": "AWS.SimpleQueueService.NonExistentQueue"})
    answer = wire.refuse(kind("None."), model("sqs"), request("POST", "/"), "the-id")
    assert dict(answer.headers)["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert json.loads(answer.body)["__type"] == "QueueDoesNotExist"


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&b;</a>",
        b"<a>" * 100 + b"</a>" * 100,
        b"<a/>" + b"<b/>",
        b"",
        b"\xff",
    ],
)
def test_xml_that_is_an_attack_or_none_is_refused(body: bytes) -> None:
    with pytest.raises(api.MalformedInput):
        xml_values.parsed(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x9a\xff\xff\xff\xff",  # an array longer than the body
        b"\x81" * 100 + b"\x00",
        b"\xa1\x01\x02",  # a key that is a number
        b"\xa2\x61a\x01\x61a\x02",  # a key twice
        b"\xc2\x41\x01",  # a big number
        b"\xd8\x23\x61a",  # a regular expression
        b"\xff",
        b"\x81\xff",
        b"\x00\x00",
        b"\x61\xff",
        b"\x1c",
        b"\xf8\x20",
    ],
)
def test_cbor_that_is_not_what_the_protocol_has_is_refused(body: bytes) -> None:
    with pytest.raises(api.MalformedInput):
        cbor.loads(body)


def test_cbor_strings_in_pieces_and_half_floats_are_read() -> None:
    assert cbor.loads(b"\x7f\x61a\x61b\xff") == "ab"
    assert cbor.loads(b"\x5f\x41a\x41b\xff") == b"ab"
    assert cbor.loads(b"\x9f\x01\x20\xff") == [1, -1]
    assert cbor.loads(b"\xbf\x61a\xf6\xff") == {"a": None}
    assert cbor.loads(b"\xf9\x3c\x00") == 1.0

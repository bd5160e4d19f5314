"""What botocore writes we read, what we write botocore reads: every operation of many services, in every protocol.

The tables are compiled in memory. Patterns are left out of them: what fits every pattern of AWS's is drawn in
test_round_trips.py for the services that are ours.
"""

from __future__ import annotations

import sys
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest, HeadersDict, prepare_request_dict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from random_values import Values

from bailiwick import wire
from bailiwick.api import ApiError
from bailiwick.core.message import Request
from bailiwick.wire import models
from bailiwick.wire.models import Models, ServiceModel
from world import as_request

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import models as compiler

SERVICES = {
    "query": "autoscaling cloudformation elasticache elasticbeanstalk elb elbv2 iam neptune rds redshift ses sns sts",
    "ec2": "ec2",
    "json": "dynamodb ecr ecs events firehose glue kinesis kms logs organizations sagemaker secretsmanager sqs ssm"
    " sso-admin stepfunctions transfer waf wafv2 workspaces cloudtrail codebuild cognito-idp config identitystore",
    "rest-json": "lambda apigateway apigatewayv2 accessanalyzer rolesanywhere sso sso-oidc signin eks eks-auth batch"
    " efs backup appsync glacier iot mq pinpoint xray quicksight imagebuilder amplify mediaconvert",
    "rest-xml": "s3 s3control route53 cloudfront",
    "cbor": "cloudwatch arc-region-switch",
}
NAMES = sorted(name for names in SERVICES.values() for name in names.split())


# What cannot come back equal, and why.
SAME_REQUEST = "another operation has the same method and path; AWS tells them apart by the bucket or not at all"
LENGTH = "ContentLength is the HTTP message's own, which the connection writes"
DIFFERENCES = {
    ("s3", "GetBucketLifecycle"): SAME_REQUEST,
    ("s3", "PutBucketLifecycle"): SAME_REQUEST,
    ("s3", "PutBucketNotification"): SAME_REQUEST,
    ("s3", "ListDirectoryBuckets"): SAME_REQUEST,
    ("s3", "PutObject"): LENGTH,
    ("s3", "UploadPart"): LENGTH,
    ("s3", "WriteGetObjectResponse"): LENGTH,
    ("s3", "GetBucketNotification"): "the deprecated member Event has the element of the list Events",
}


@cache
def botocores(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@cache
def ours(service: str) -> ServiceModel:
    table = compiler.table(service, compiler.load(service))
    for shape in table["shapes"].values():
        shape.pop("pattern", None)
    return models.from_table(table)


def cases() -> list[tuple[str, str]]:
    found = []
    for name in NAMES:
        meta = botocores(name).metadata
        found += [(name, protocol) for protocol in meta.get("protocols", [meta["protocol"]])]
    return found


def streams(operation: Any) -> bool:
    return bool(operation.has_event_stream_input or operation.has_event_stream_output)


def sent(service: str, protocol: str, operation: Any, parameters: dict[str, Any]) -> Request:
    """The request that botocore sends in a protocol."""
    serializer = create_serializer(protocol)
    inner = getattr(serializer, "_serializer", serializer)
    inner._expand_host_prefix = lambda *_: None
    serialized = inner.serialize_to_request(parameters, operation)
    prepare_request_dict(serialized, f"http://{service}.test", user_agent="botocore")
    data = serialized["body"]
    request = AWSRequest(serialized["method"], serialized["url"], data=data, headers=serialized["headers"])
    return as_request(request.prepare())


def same(found: Any, wanted: Any) -> bool:
    """Equality, with times as epoch seconds on either side."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(same(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(same, found, wanted))
    if isinstance(wanted, datetime) or isinstance(found, datetime):
        return _epoch(found) == _epoch(wanted)
    return type(found) is type(wanted) and bool(found == wanted)


def _epoch(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)


def has_raw_body(operation: Any) -> bool:
    """Whether the answer's body is a blob: botocore takes a stream for text if it is given as bytes."""
    payload = operation.output_shape.serialization.get("payload") if operation.output_shape else None
    return bool(payload and operation.output_shape.members[payload].type_name == "blob")


NOTHING: list[Any] = [{}, [], b""]


def cleaned(value: Any, protocol: str) -> Any:
    """A value without what a protocol cannot tell from nothing.

    Forms and XML have no empty list, map or structure, and the whole body of a REST protocol may be one; REST has no
    empty blob as a body either.
    """
    if isinstance(value, bytearray):
        return bytes(value)
    drops = protocol in ("query", "ec2") or protocol.startswith("rest")
    if isinstance(value, list):
        found = [cleaned(each, protocol) for each in value]
        return [each for each in found if each not in NOTHING] if drops else found
    if isinstance(value, dict):
        inner = {key: cleaned(each, protocol) for key, each in value.items()}
        return {key: each for key, each in inner.items() if not drops or each not in NOTHING}
    return value


def added(operation: Any, output: dict[str, Any]) -> set[str]:
    """The members that botocore adds to an answer by itself: the status, and the content type of a body."""
    members = operation.output_shape.members if operation.output_shape else {}
    return {
        name
        for name, member in members.items()
        if name not in output
        and (
            member.serialization.get("location") == "statusCode"
            or member.serialization.get("name", "").lower() == "content-type"
        )
    }


def plain(value: Any) -> Any:
    """A value as our side is given it: times as epoch seconds."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.timestamp() if isinstance(value, datetime) else value


@pytest.mark.parametrize(("service", "protocol"), cases())
def test_what_botocore_sends_is_read(service: str, protocol: str) -> None:
    known = Models([ours(service)])
    failures = []
    for name in botocores(service).operation_names:
        operation = botocores(service).operation_model(name)
        if streams(operation) or (service, name) in DIFFERENCES:
            continue
        for seed in range(3):
            values = Values(Random(f"{service} {name} {seed}"))
            given = values.structure(operation.input_shape) if operation.input_shape else {}
            request = sent(service, protocol, operation, given)
            try:
                found = wire.identify(request, None, known)
                read = wire.plain(found, request)
            except ApiError as error:
                failures.append((name, type(error).__name__, error.message))
                continue
            if found.name != name or not same(cleaned(read, protocol), cleaned(given, protocol)):
                failures.append((name, found.name, read, given))
    assert not failures, f"{len(failures)}: {sorted({each[0] for each in failures})} {failures[:1]}"


@pytest.mark.parametrize(("service", "protocol"), cases())
def test_what_we_answer_is_read(service: str, protocol: str) -> None:
    failures = []
    parser = create_parser(protocol)
    for name in botocores(service).operation_names:
        operation = botocores(service).operation_model(name)
        if streams(operation) or (service, name) in DIFFERENCES:
            continue
        request = sent(
            service,
            protocol,
            operation,
            Values(Random(name)).structure(operation.input_shape) if operation.input_shape else {},
        )
        for seed in range(3):
            values = Values(Random(f"{service} {name} {seed}"))
            output = values.structure(operation.output_shape) if operation.output_shape else None
            answer = wire.answer(ours(service).operations[name], plain(output), request, "the-id")
            body = bytearray(answer.body) if has_raw_body(operation) else answer.body
            told = {"status_code": answer.status, "headers": HeadersDict(answer.headers), "body": body}
            parsed = parser.parse(told, operation.output_shape)
            for extra in {"ResponseMetadata"} | added(operation, output or {}):
                parsed.pop(extra, None)
            if not same(cleaned(parsed, protocol), cleaned(output or {}, protocol)):
                failures.append((name, parsed, output, answer.body))
    assert not failures, f"{len(failures)}: {sorted({each[0] for each in failures})} {failures[:1]}"


@pytest.mark.parametrize(("service", "protocol"), cases())
def test_every_error_is_read(service: str, protocol: str) -> None:
    failures = []
    parser = create_parser(protocol)
    model = botocores(service)
    first = model.operation_model(model.operation_names[0])
    request = sent(
        service, protocol, first, Values(Random("")).structure(first.input_shape) if first.input_shape else {}
    )
    for shape in model.error_shapes:
        compiled = ours(service).shapes.get(shape.name)
        if compiled is None:
            continue  # no operation names it
        kind = type(shape.name, (ApiError,), {"code": compiled.code, "status": compiled.status})
        members = Values(Random(shape.name)).structure(shape)
        message = {n: v for n, v in members.items() if n.lower() == "message"}
        rest = {n: v for n, v in members.items() if n not in message}
        error = kind("".join(message.values()), **plain(rest))
        answer = wire.refuse(error, ours(service), request, "the-id")
        told = {"status_code": answer.status, "headers": HeadersDict(answer.headers), "body": answer.body}
        plainly = parser.parse(told, None)["Error"]
        code = plainly["Code"]
        parsed = parser.parse(told, shape)
        if protocol in ("query", "ec2", "rest-xml"):  # XML tells the message once, as Message
            assert plainly.get("Message", "") == "".join(message.values())
            members = rest
        read = {n: parsed[n] for n in members if n in parsed}
        if code != compiled.code or not same(read, members) or answer.status != compiled.status:
            failures.append((shape.name, code, compiled.code, read, members, answer.body))
    assert not failures, f"{len(failures)}: {sorted({each[0] for each in failures})} {failures[:1]}"

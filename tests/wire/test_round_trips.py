"""What botocore writes we read, what we write botocore reads: every operation of IAM, STS and KMS.

Inputs are signed by botocore and verified on the way, so this is also the property that whatever botocore signs is
accepted, over operations and inputs.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, prepare_request_dict
from botocore.credentials import Credentials
from botocore.exceptions import ParamValidationError
from botocore.loaders import Loader
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from shape_strategies import structure

from bailiwick import wire
from bailiwick.api import ApiError
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import verify
from bailiwick.core.sigv4.claim import read
from bailiwick.services.iam import shapes as iam_shapes
from bailiwick.services.kms import shapes as kms_shapes
from bailiwick.services.sts import shapes as sts_shapes
from bailiwick.wire import models
from world import as_request

SHAPES = {"iam": iam_shapes, "kms": kms_shapes, "sts": sts_shapes}
KEY = Credentials("AKIDEXAMPLE", "secret", "token")


@cache
def model_of(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def operations() -> list[tuple[str, str]]:
    """Those with types: of what no handler takes or gives, scripts/models makes none."""
    return [
        (service, name) for service in SHAPES for name in model_of(service).operation_names if typed(service, name)
    ]


def typed(service: str, name: str) -> bool:
    model = model_of(service).operation_model(name)
    shapes = [shape.name for shape in (model.input_shape, model.output_shape) if shape is not None]
    return all(hasattr(SHAPES[service], shape) for shape in shapes)


def sent(service: str, name: str, parameters: dict[str, Any]) -> Request:
    """The request that botocore sends, signed as botocore signs it."""
    model = model_of(service)
    protocol = model.metadata["protocol"]
    serialized = create_serializer(protocol).serialize_to_request(parameters, model.operation_model(name))
    prepare_request_dict(serialized, f"http://{service}.test", user_agent="botocore")
    request = AWSRequest(
        method=serialized["method"], url=serialized["url"], data=serialized["body"], headers=serialized["headers"]
    )
    SigV4Auth(KEY, service, "us-east-1").add_auth(request)
    return as_request(request.prepare())


def equal(parsed: Any, given: Any) -> bool:
    """Whether a value of ours is what botocore was given; what was left out is None."""
    if isinstance(given, dict) and isinstance(parsed, msgspec.Struct):
        return all(
            equal(getattr(parsed, name), given[name]) if name in given else getattr(parsed, name) is None
            for name in parsed.__struct_fields__
        )
    if isinstance(given, dict):
        return given.keys() == parsed.keys() and all(equal(parsed[key], each) for key, each in given.items())
    if isinstance(given, list):
        return len(given) == len(parsed) and all(map(equal, parsed, given))
    if hasattr(given, "timestamp"):
        return bool(parsed == given.timestamp())
    return bool(parsed == given)


def without_empty(shape: Any, value: Any) -> Any:
    """The value without the empty lists and maps that the query protocol cannot tell from nothing."""
    if shape.type_name == "structure":
        cleaned = {name: without_empty(shape.members[name], each) for name, each in value.items()}
        return {name: each for name, each in cleaned.items() if each not in ({}, None)}
    if shape.type_name == "list":
        return [each for each in (without_empty(shape.member, each) for each in value) if each != {}]
    return value


@pytest.mark.parametrize(("service", "name"), operations(), ids=lambda value: value)
def test_what_botocore_signs_and_sends_is_read(service: str, name: str) -> None:
    model = model_of(service).operation_model(name)
    if model.input_shape is None:
        assert wire.identify(sent(service, name, {}), service).name == name
        return
    kind = getattr(SHAPES[service], model.input_shape.name)

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(structure(model.input_shape))
    def check(parameters: dict[str, Any]) -> None:
        if service != "kms":
            parameters = without_empty(model.input_shape, parameters)
        try:
            request = sent(service, name, parameters)
        except ParamValidationError:
            reject()  # nothing was left of a required structure
        claim = read(request)
        verify.check_scope(claim, service=service, now=time.time())
        verify.verify(request, claim, "secret")
        found = wire.identify(request, service)
        assert (found.service, found.name) == (service, name)
        assert equal(wire.parse(found, request, kind), parameters)

    check()


def as_struct(service: str, name: str, shape: Any, value: Any) -> Any:
    """What a handler would return for a value that botocore is to read."""
    if shape.type_name == "structure":
        members = {key: as_struct(service, name, shape.members[key], each) for key, each in value.items()}
        return getattr(SHAPES[service], shape.name)(**members)
    if shape.type_name == "list":
        return [as_struct(service, name, shape.member, each) for each in value]
    if shape.type_name == "map":
        return {key: as_struct(service, name, shape.value, each) for key, each in value.items()}
    return value.timestamp() if hasattr(value, "timestamp") else value


@pytest.mark.parametrize(("service", "name"), operations(), ids=lambda value: value)
def test_what_we_answer_botocore_reads(service: str, name: str) -> None:
    model = model_of(service).operation_model(name)
    ours = models.service(service).operations[name]
    parser = create_parser(model_of(service).metadata["protocol"])
    plain = Request("POST", "/", "", (Header("host", "h"),), b"")

    def read_back(output: Any) -> dict[str, Any]:
        answer = wire.answer(ours, output, plain, "request-id")
        told = {"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body}
        parsed: dict[str, Any] = parser.parse(told, model.output_shape)
        assert parsed.pop("ResponseMetadata")["HTTPStatusCode"] == 200
        return parsed

    if model.output_shape is None:
        assert read_back(None) == {}
        return

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(structure(model.output_shape))
    def check(value: dict[str, Any]) -> None:
        assert read_back(as_struct(service, name, model.output_shape, value)) == value

    check()


def errors() -> list[tuple[str, str]]:
    return [(s, shape.name) for s in SHAPES for shape in model_of(s).error_shapes]


@pytest.mark.parametrize(("service", "name"), errors(), ids=lambda value: value)
@pytest.mark.parametrize("message", ["plain", "with <marks> & \"quotes\" 'and' ünïcode", ""])
def test_every_error_is_read(service: str, name: str, message: str) -> None:
    shape = model_of(service).shape_for(name)
    error = getattr(SHAPES[service], name)(message)
    plain = Request("POST", "/", "", (Header("host", "h"),), b"")
    answer = wire.refuse(error, models.service(service), plain, "request-id")
    parser = create_parser(model_of(service).metadata["protocol"])
    told = parser.parse({"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body}, None)
    assert told["Error"]["Code"] == shape.metadata.get("error", {}).get("code", name)
    assert told["Error"].get("Message", "") == message
    raw = Loader().load_service_model(service, "service-2")["shapes"].get(name, shape.metadata)  # or it is our own
    status = raw.get("error", {}).get("httpStatusCode", 500 if raw.get("fault") else 400)
    assert told["ResponseMetadata"]["HTTPStatusCode"] == status


@settings(max_examples=400)
@given(
    target=st.one_of(st.none(), st.text(max_size=30), st.sampled_from(["TrentService.Encrypt", "TrentService.x"])),
    scope=st.one_of(st.none(), st.sampled_from(["iam", "sts", "kms", "s3"])),
    path=st.one_of(st.just("/"), st.text(max_size=10)),
    query=st.text(max_size=40),
    body=st.binary(max_size=120),
    method=st.sampled_from(["POST", "GET", "PUT"]),
)
def test_whatever_arrives_is_identified_and_parsed_or_refused(
    target: str | None, scope: str | None, path: str, query: str, body: bytes, method: str
) -> None:
    headers = (Header("host", "h"), *((Header("x-amz-target", target),) if target is not None else ()))
    request = Request(method, path, query, headers, body)
    try:
        found = wire.identify(request, scope)
        if found.input:
            wire.parse(found, request, getattr(SHAPES[found.service], found.input))
        return
    except ApiError as error:
        refused = wire.refuse(error, None, request, "request-id")
    assert refused.status in (400, 403, 413)

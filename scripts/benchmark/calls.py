"""The requests that are measured, as the SDKs form them, signed once."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import sign

ACCOUNT, REGION = "123456789012", "us-east-1"


class Credentials(NamedTuple):
    """What a request is signed with."""

    access_key_id: str
    secret: str
    token: str | None = None


def request_of(service: str, operation: str, body: dict[str, Any], host: str = "127.0.0.1:4577") -> Request:
    """An unsigned request of KMS or STS."""
    common = (Header("host", host), Header("user-agent", "aws-cli/2.31 md/Botocore"), Header("accept", "*/*"))
    if service == "kms":
        kind = (
            Header("content-type", "application/x-amz-json-1.1"),
            Header("x-amz-target", f"TrentService.{operation}"),
        )
        return Request("POST", "/", "", common + kind, json.dumps(body).encode())
    form = f"Action={operation}&Version=2011-06-15".encode()
    kind = (Header("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
    return Request("POST", "/", "", common + kind, form)


def signed(request: Request, service: str, credentials: Credentials) -> Request:
    """The request, signed now: it is good for a quarter of an hour."""
    return sign.sign(
        request,
        access_key_id=credentials.access_key_id,
        secret=credentials.secret,
        token=credentials.token,
        region=REGION,
        service=service,
        now=time.time(),
    )


SMALL, LARGE = 33, 4096
"""Bytes of plaintext: a little, and as much as KMS takes."""


def encrypt(key: str, host: str, credentials: Credentials, size: int = SMALL) -> Request:
    """KMS Encrypt of so many bytes with an encryption context."""
    plaintext = base64.b64encode(b"x" * size).decode()
    body = {"KeyId": key, "Plaintext": plaintext, "EncryptionContext": {"a": "b"}}
    return signed(request_of("kms", "Encrypt", body, host), "kms", credentials)


def decrypt(blob: bytes, host: str, credentials: Credentials) -> Request:
    """KMS Decrypt of what `encrypt` has made."""
    body = {"CiphertextBlob": base64.b64encode(blob).decode(), "EncryptionContext": {"a": "b"}}
    return signed(request_of("kms", "Decrypt", body, host), "kms", credentials)


def assume(role: str, host: str, credentials: Credentials) -> Request:
    """STS AssumeRole."""
    asked = request_of("sts", "AssumeRole", {}, host)
    form = f"&RoleSessionName=bench&RoleArn={quote(role, safe='')}".encode()
    return signed(msgspec.structs.replace(asked, body=asked.body + form), "sts", credentials)


def identity(host: str, credentials: Credentials) -> Request:
    """STS GetCallerIdentity."""
    return signed(request_of("sts", "GetCallerIdentity", {}, host), "sts", credentials)


def floor(host: str) -> Request:
    """What the edge answers with a constant, with a head as large as a signed request has."""
    padding = tuple(Header(f"x-{number}", "y" * 60) for number in range(8))
    return Request("GET", "/healthz", "", (Header("host", host), *padding), b"")

"""AWS Signature Version 4 for any Python service and client: sign, presign, verify. No server of ours needed.

    from bailiwick import sigv4

    # A service that only lets signed requests in:
    keys = {"AKIDEXAMPLE": sigv4.Credentials("AKIDEXAMPLE", "secret")}
    verifier = sigv4.Verifier("my-service", keys.get)
    app = sigv4.ASGIMiddleware(app, verifier)          # or WSGIMiddleware

    # A client of it:
    headers = sigv4.sign("GET", "https://example.test/", credentials, region="eu-west-1", service="my-service")

Signature Version 4 and SigV4A, in headers and in presigned URLs, and bodies in signed chunks. What a service does
not ask for is refused: see `Rules`.
"""

from __future__ import annotations

from bailiwick.core.errors import (
    ExpiredToken,
    IncompleteSignature,
    MissingAuthentication,
    RequestSkewed,
    ScopeMismatch,
    SignatureError,
    SignatureMismatch,
    UnknownToken,
)
from bailiwick.core.sigv4.rules import S3, STRICT, Rules
from bailiwick.sigv4.asgi import ASGIMiddleware
from bailiwick.sigv4.client import presign, sign
from bailiwick.sigv4.verifier import Credentials, Signer, Verifier
from bailiwick.sigv4.wsgi import WSGIMiddleware

__all__ = [
    "S3",
    "STRICT",
    "ASGIMiddleware",
    "Credentials",
    "ExpiredToken",
    "IncompleteSignature",
    "MissingAuthentication",
    "RequestSkewed",
    "Rules",
    "ScopeMismatch",
    "SignatureError",
    "SignatureMismatch",
    "Signer",
    "UnknownToken",
    "Verifier",
    "WSGIMiddleware",
    "presign",
    "sign",
]

"""What a client whose request was not proven is told: AWS's code and words, in the form of its REST services."""

from __future__ import annotations

import json

from bailiwick.core import errors
from bailiwick.core.errors import SignatureError

_CODES: dict[type[SignatureError], str] = {
    errors.MissingAuthentication: "MissingAuthenticationTokenException",
    errors.IncompleteSignature: "IncompleteSignatureException",
    errors.ScopeMismatch: "InvalidSignatureException",
    errors.RequestSkewed: "InvalidSignatureException",
    errors.SignatureMismatch: "InvalidSignatureException",
    errors.UnknownToken: "UnrecognizedClientException",
    errors.ExpiredToken: "ExpiredTokenException",
}

STATUS = 403
TOO_LARGE = 413


def headers_and_body(error: SignatureError) -> tuple[list[tuple[str, str]], bytes]:
    """The headers and the body of the 403 that refuses a request (facts/sigv4.md section 12, rest-json)."""
    message = "Missing Authentication Token" if isinstance(error, errors.MissingAuthentication) else str(error)
    return _answer(_CODES[type(error)], message)


def too_large(limit: int) -> tuple[list[tuple[str, str]], bytes]:
    """The headers and the body of the 413 that refuses a body over the limit."""
    return _answer("RequestEntityTooLargeException", f"The request body is larger than {limit} bytes.")


def _answer(code: str, message: str) -> tuple[list[tuple[str, str]], bytes]:
    body = json.dumps({"message": message}).encode()
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("x-amzn-errortype", code),
    ]
    return headers, body

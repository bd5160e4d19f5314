"""The public library: sign and verify, and the middleware in front of FastAPI and Flask."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi import Request as FastAPIRequest
from fastapi.testclient import TestClient
from flask import Flask
from flask import request as flask_request
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick import sigv4

ALICE = sigv4.Credentials("AKIDALICE", "secret-of-alice", identity="alice")
BOB = sigv4.Credentials("ASIABOB", "secret-of-bob", session_token="token-of-bob", identity="bob")
KEYS = {found.access_key_id: found for found in (ALICE, BOB)}
URL = "http://testserver/items/a%20b?x=1&y=%2F"
VERIFIER = sigv4.Verifier("toy", KEYS.get)


def signed(
    credentials: sigv4.Credentials = ALICE, method: str = "POST", body: bytes = b"hello", **more: Any
) -> dict[str, str]:
    return sigv4.sign(method, URL, credentials, region="eu-west-1", service="toy", body=body, **more)


def test_what_is_signed_verifies() -> None:
    for credentials in (ALICE, BOB):
        signer = VERIFIER.verify("POST", "/items/a%20b?x=1&y=%2F", signed(credentials).items(), b"hello")
        assert (signer.access_key_id, signer.region) == (credentials.access_key_id, "eu-west-1")
        assert (signer.identity, signer.body) == (credentials.identity, b"hello")


def test_a_url_that_is_signed_verifies() -> None:
    url = sigv4.presign("GET", URL, BOB, region="eu-west-1", service="toy")
    target = url.removeprefix("http://testserver")
    assert VERIFIER.verify("GET", target, [("Host", "testserver")]).identity == "bob"


@pytest.mark.parametrize(
    ("credentials", "error"),
    [
        (sigv4.Credentials("AKIDNOBODY", "x"), sigv4.UnknownToken),
        (sigv4.Credentials("AKIDALICE", "x"), sigv4.SignatureMismatch),
        (sigv4.Credentials("AKIDALICE", "secret-of-alice", "a-token"), sigv4.UnknownToken),
        (sigv4.Credentials("ASIABOB", "secret-of-bob"), sigv4.UnknownToken),
        (sigv4.Credentials("ASIABOB", "secret-of-bob", "another"), sigv4.UnknownToken),
    ],
)
def test_who_is_not_who_she_says(credentials: sigv4.Credentials, error: type[Exception]) -> None:
    with pytest.raises(error):
        VERIFIER.verify("POST", "/items/a%20b?x=1&y=%2F", signed(credentials).items(), b"hello")


def test_no_repr_shows_a_secret() -> None:
    assert "secret" not in repr(ALICE)
    assert "token-of" not in repr(BOB)


def test_sigv4a_where_it_is_asked_for() -> None:
    headers = signed(region_set="eu-*")
    target = "/items/a%20b?x=1&y=%2F"
    verifier = sigv4.Verifier(
        "toy", KEYS.get, rules=sigv4.Rules(asymmetric=True, regions=frozenset(("eu-west-1",)))
    )
    assert verifier.verify("POST", target, headers.items(), b"hello").identity == "alice"
    with pytest.raises(sigv4.SignatureMismatch):
        VERIFIER.verify("POST", target, headers.items(), b"hello")


def fastapi_app() -> Any:
    app = FastAPI()

    @app.post("/items/{name}")
    async def item(name: str, request: FastAPIRequest) -> dict[str, str]:
        return {"name": name, "who": request.state.signer.identity, "body": (await request.body()).decode()}

    return TestClient(sigv4.ASGIMiddleware(app, VERIFIER, max_body=1000))


def flask_app() -> Any:
    app = Flask("toy")

    @app.post("/items/<name>")
    def item(name: str) -> dict[str, str]:
        return {
            "name": name,
            "who": flask_request.environ["bailiwick.signer"].identity,
            "body": flask_request.get_data(as_text=True),
        }

    app.wsgi_app = sigv4.WSGIMiddleware(app.wsgi_app, VERIFIER, max_body=1000)  # type: ignore[method-assign]
    return app.test_client()


def post(client: Any, headers: dict[str, str], body: bytes) -> tuple[int, Any, str | None]:
    path = URL.removeprefix("http://testserver")
    if isinstance(client, TestClient):
        response: Any = client.post(path, headers=headers, content=body)
        return response.status_code, response.json(), response.headers.get("x-amzn-errortype")
    response = client.post(path, headers=headers, data=body, base_url="http://testserver")
    return response.status_code, response.get_json(), response.headers.get("x-amzn-errortype")


@pytest.mark.parametrize("make", [fastapi_app, flask_app])
def test_the_middleware_guards(make: Any) -> None:
    client = make()
    kind = {"content-type": "text/plain"}
    good = sigv4.sign("POST", URL, ALICE, region="eu-west-1", service="toy", body=b"hello", headers=kind)
    assert post(client, good, b"hello") == (200, {"name": "a b", "who": "alice", "body": "hello"}, None)
    assert post(client, kind, b"hello") == (
        403,
        {"message": "Missing Authentication Token"},
        "MissingAuthenticationTokenException",
    )
    status, body, error = post(client, good, b"hellO")
    assert (status, error) == (403, "InvalidSignatureException")
    assert body["message"].startswith(
        "The request signature we calculated does not match the signature you provided."
    )
    nobody = sigv4.sign(
        "POST", URL, sigv4.Credentials("AKIDNO", "x"), region="eu-west-1", service="toy", body=b"hello"
    )
    assert post(client, nobody | kind, b"hello") == (
        403,
        {"message": "The security token included in the request is invalid."},
        "UnrecognizedClientException",
    )
    assert post(client, kind, b"x" * 1001)[0] == 413


text = st.text(max_size=60)


@settings(max_examples=200)
@given(
    method=text,
    target=text,
    headers=st.lists(st.tuples(st.sampled_from(["host", "x-amz-date", "authorization", "x"]), text), max_size=5),
    body=st.binary(max_size=30),
)
def test_whatever_arrives_is_refused(method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
    with pytest.raises(sigv4.SignatureError):
        VERIFIER.verify(method, target, headers, body)

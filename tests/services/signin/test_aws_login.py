"""`aws login`: a person lets a program in on a page; its code, its tokens, the proofs of its key."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bailiwick.core.message import Header, Request
from person import Page, Person
from world import World

SAME, CROSS = "arn:aws:signin:::devtools/same-device", "arn:aws:signin:::devtools/cross-device"
CALLBACK = "http://127.0.0.1:5555/oauth/callback"
VERIFIER = "v" * 64
HOST = "signin.bailiwick.test"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


CHALLENGE = b64(hashlib.sha256(VERIFIER.encode()).digest())


class Program:
    """What the CLI does: a key, and requests that prove it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = ec.generate_private_key(ec.SECP256R1())

    def proof(self, **changed: Any) -> str:
        numbers = self.key.public_key().public_numbers()
        jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(numbers.x.to_bytes(32, "big")),
            "y": b64(numbers.y.to_bytes(32, "big")),
        }
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk} | changed.pop("header", {})
        claims = {
            "htm": "POST",
            "htu": f"http://{HOST}/v1/token",
            "iat": int(time.time()),
            "jti": str(uuid.uuid4()),
        }
        text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims | changed).encode())}"
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def token(self, proof: str | None = None, **members: str) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"clientId": SAME, **members}).encode()
        headers = [Header("host", HOST), Header("content-type", "application/json")]
        if proof != "":
            headers.append(Header("dpop", proof or self.proof()))
        answer = self.world.pipeline.handle(Request("POST", "/v1/token", "", tuple(headers), body))
        return answer.status, msgspec.json.decode(answer.body)

    def first(self, code: str, **more: str) -> tuple[int, dict[str, Any]]:
        given = {"grantType": "authorization_code", "code": code, "codeVerifier": VERIFIER, "redirectUri": CALLBACK}
        return self.token(**{**given, **more})

    def refresh(self, token: str, proof: str | None = None) -> tuple[int, dict[str, Any]]:
        return self.token(proof, grantType="refresh_token", refreshToken=token)


def ask(client: str = SAME, redirect: str = CALLBACK, **changed: str) -> str:
    query = {
        "response_type": "code",
        "client_id": client,
        "state": "s-1",
        "code_challenge_method": "SHA-256",
        "scope": "openid",
        "redirect_uri": redirect,
        "code_challenge": CHALLENGE,
    }
    return f"/v1/authorize?{urlencode({**query, **changed})}"


@pytest.fixture
def world() -> World:
    made = World()
    iam = made.client("iam")
    iam.create_user(UserName="alice")
    allow = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": ["signin:*", "iam:ListUsers"], "Resource": "*"},
    }
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=json.dumps(allow))
    return made


@pytest.fixture
def alice(world: World) -> Person:
    person = Person(world)
    person.sign_in_as("alice", mfa=True)
    return person


def answered(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.headers["location"]).query).items()}


def code_of(person: Person) -> str:
    page = person.get(ask())
    assert "http://127.0.0.1:5555" in page.headers["content-security-policy"]
    done = person.post("/v1/authorize", {**page.form("/v1/authorize")["fields"], "answer": "allow"}, follow=False)
    assert done.headers["location"].startswith(CALLBACK + "?")
    assert answered(done)["state"] == "s-1"
    return answered(done)["code"]


def test_a_program_is_let_in_and_refreshes(world: World, alice: Person) -> None:
    program = Program(world)
    code = code_of(alice)
    assert len(code) <= 512
    status, first = program.first(code)
    assert status == 200
    assert (first["tokenType"], first["expiresIn"]) == ("aws_sigv4", 900)
    payload = first["idToken"].split(".")[1]
    subject = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    assert subject.endswith(":user/alice")
    given = first["accessToken"]
    keys = {
        "aws_access_key_id": given["accessKeyId"],
        "aws_secret_access_key": given["secretAccessKey"],
        "aws_session_token": given["sessionToken"],
    }
    assert len(world.client("iam", keys).list_users()["Users"]) == 1
    with pytest.raises(ClientError):
        world.client("iam", keys).list_roles()
    status, second = program.refresh(first["refreshToken"])
    assert status == 200
    assert second["refreshToken"] != first["refreshToken"]
    assert "idToken" not in second
    assert second["accessToken"]["accessKeyId"] != given["accessKeyId"]
    told = {
        event.route.operation.name: event.additional for event in world.events if event.route and event.additional
    }
    assert told == {"AuthorizeOAuth2Access": {"success": "true"}, "CreateOAuth2Token": {"success": "true"}}


def test_codes_and_tokens_are_good_once(world: World, alice: Person) -> None:
    program, code = Program(world), code_of(alice)
    _, first = program.first(code)
    status, body = program.first(code)
    assert (status, body["error"]) == (400, "AUTHCODE_EXPIRED")
    _, second = program.refresh(first["refreshToken"])
    assert program.refresh(first["refreshToken"])[1]["error"] == "TOKEN_EXPIRED"
    assert program.refresh(second["refreshToken"])[1]["error"] == "TOKEN_EXPIRED"  # ended: one of two was a thief


def test_another_key_or_verifier_gets_nothing(world: World, alice: Person) -> None:
    program, thief, code = Program(world), Program(world), code_of(alice)
    for wrong in ({"codeVerifier": "w" * 64}, {"redirectUri": CALLBACK + "x"}, {"clientId": CROSS}):
        assert thief.first(code, **wrong)[0] == 400
    _, first = program.first(code)
    assert thief.refresh(first["refreshToken"])[0] == 400
    assert program.refresh(first["refreshToken"])[0] == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"htm": "GET"},
        {"htu": "http://evil.example/v1/token"},
        {"htu": f"http://{HOST}/other"},
        {"htu": None},
        {"iat": 1},
        {"iat": "now"},
        {"jti": ""},
        {"header": {"typ": "JWT"}},
        {"header": {"alg": "none"}},
        {"header": {"alg": "HS256"}},
        {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}},
        {"header": {"jwk": "x"}},
        {"header": {"crit": ["exp"]}},
    ],
)
def test_proofs_that_prove_nothing(world: World, alice: Person, changed: dict[str, Any]) -> None:
    program, code = Program(world), code_of(alice)
    given = {"grantType": "authorization_code", "code": code, "codeVerifier": VERIFIER, "redirectUri": CALLBACK}
    status, body = program.token(program.proof(**changed), **given)
    assert (status, body["error"]) == (400, "INVALID_REQUEST")
    assert program.token("", **given)[0] == 400
    assert program.token("a.b.c", **given)[0] == 400


def test_a_changed_password_ends_it(world: World, alice: Person) -> None:
    program = Program(world)
    _, first = program.first(code_of(alice))
    world.client("iam").update_login_profile(UserName="alice", Password="Another-Password-1")
    assert program.refresh(first["refreshToken"])[1]["error"] == "USER_CREDENTIALS_CHANGED"


def test_who_is_gone_gets_nothing(world: World, alice: Person) -> None:
    program = Program(world)
    _, first = program.first(code_of(alice))
    iam = world.client("iam")
    iam.delete_login_profile(UserName="alice")
    assert program.refresh(first["refreshToken"])[0] == 400


def test_a_policy_decides_who_may_let_programs_in(world: World, alice: Person) -> None:
    deny = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny",
            "Action": "signin:*",
            "Resource": "arn:aws:signin:*:*:oauth2/public-client/localhost",
        },
    }
    world.client("iam").put_user_policy(UserName="alice", PolicyName="d", PolicyDocument=json.dumps(deny))
    page = alice.get(ask()).send("/v1/authorize", answer="allow")
    assert page.status == 403
    assert "signin:AuthorizeOAuth2Access" in page.words


def test_the_program_on_another_machine(world: World, alice: Person) -> None:
    redirect = "https://bailiwick.test/v1/sessions/confirmation"
    page = alice.get(ask(CROSS, redirect))
    assert "another machine" in page.words
    done = page.send("/v1/authorize", answer="allow")
    assert done.title == "Your code"
    shown = done.text.partition("readonly autofocus>")[2].partition("<")[0]
    code = parse_qs(base64.b64decode(shown).decode())["code"][0]
    status, _ = Program(world).first(code, clientId=CROSS, redirectUri=redirect)
    assert status == 200


def test_nobody_is_let_in_without_a_yes(world: World, alice: Person) -> None:
    page = alice.get(ask())
    denied = alice.post("/v1/authorize", {**page.form("/v1/authorize")["fields"], "answer": "deny"}, follow=False)
    assert answered(denied) == {"error": "access_denied", "state": "s-1"}


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "https://evil.example/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1.evil.example/oauth/callback"},
        {"redirect_uri": "http://a@127.0.0.1:1/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1:1/other"},
        {"redirect_uri": "http://127.0.0.1:1/oauth/callback#x"},
        {"redirect_uri": "http://127.0.0.1:1/oauth/call\r\nback"},
        {"redirect_uri": "http://127.0.0.1:1/oauth/callback\nset-cookie: a=b"},
        {"redirect_uri": "http://127.0.0.1: evil.example/oauth/callback"},
        {"redirect_uri": "http://[/oauth/callback"},
        {"client_id": CROSS, "redirect_uri": "http://[/v1/sessions/other"},
        {"client_id": "arn:aws:signin:::devtools/other"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"response_type": "token"},
        {"state": ""},
    ],
)
def test_requests_that_lead_elsewhere_are_shown_nothing(alice: Person, changed: dict[str, str]) -> None:
    page = alice.get(ask(**changed))
    assert page.status == 400
    assert "location" not in page.headers


def test_a_stranger_signs_in_first(world: World) -> None:
    page = Person(world).get(ask(), follow=False)
    assert page.headers["location"].startswith("/signin?next=%2Fv1%2Fauthorize")


def test_keys_of_programs_let_nobody_in(world: World, alice: Person) -> None:
    client = world.client("signin")
    with pytest.raises(ClientError) as caught:
        client.authorize_o_auth2_access(clientId=SAME, redirectUri=CALLBACK, codeChallenge=CHALLENGE)
    assert "signed in to the pages" in str(caught.value)

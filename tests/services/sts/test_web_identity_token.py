"""GetWebIdentityToken: tokens of this deployment, verified as a stranger would, with what it publishes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal, session_of, trusts

from bailiwick.app.issuer import Issuer
from bailiwick.core.assertion import jwt
from bailiwick.core.message import Request
from bailiwick.directory import outbound_keys
from world import World

AUDIENCE = "https://api.example"
NAMESPACE = "https://sts.amazonaws.com/"


class Office:
    """A world whose account may issue, a user who may ask for tokens, and what the edge publishes."""

    def __init__(self) -> None:
        self.clock = [float(int(time.time()))]
        self.world = World(now=lambda: self.clock[0])
        self.iam = self.world.client("iam")
        self.issuer = self.iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
        self.iam.create_user(UserName="u")
        self.may(allow("sts:*"))
        self.sts = self.world.client("sts", self.world.keys_of("u"))
        self.published = Issuer(self.world.environment, self.world.store)

    def may(self, *statements: dict[str, Any]) -> None:
        self.iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(*statements))

    def ask(self, client: Any = None, **more: Any) -> Any:
        return (client or self.sts).get_web_identity_token(
            **{"Audience": [AUDIENCE], "SigningAlgorithm": "RS256"} | more
        )

    def get(self, url: str) -> tuple[int, Any]:
        path = url.removeprefix(self.world.environment.public_url)
        answer = self.published(Request("GET", path, "", (), b""))
        return answer.status, json.loads(answer.body) if answer.status == 200 else None

    def verified(self, text: str) -> dict[str, Any]:
        """The claims, as one who knows the issuer alone finds them proven."""
        token = jwt.read(text)
        status, discovered = self.get(f"{token.issuer}/.well-known/openid-configuration")
        assert (status, discovered["issuer"]) == (200, token.issuer)
        _, published = self.get(discovered["jwks_uri"])
        jwt.check_times(token, self.clock[0])
        jwt.verify(token, jwt.keys_of(json.dumps(published).encode()))
        return token.claims


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_a_token_says_who_asks(office: Office, algorithm: str) -> None:
    office.iam.tag_user(UserName="u", Tags=[{"Key": "team", "Value": "blue"}])
    answer = office.ask(SigningAlgorithm=algorithm, Tags=[{"Key": "job", "Value": "7"}])
    assert answer["Expiration"].timestamp() == office.clock[0] + 300
    claims = office.verified(answer["WebIdentityToken"])
    user = office.iam.get_user(UserName="u")["User"]
    assert (claims["iss"], claims["aud"], claims["sub"]) == (office.issuer, AUDIENCE, user["Arn"])
    assert claims["exp"] - claims["iat"] == 300
    assert claims[NAMESPACE] == {
        "aws_account": ACCOUNT,
        "source_region": "us-east-1",
        "principal_id": user["UserId"],
        "principal_tags": {"team": "blue"},
        "request_tags": {"job": "7"},
    }
    again = office.verified(office.ask(Audience=["a", "b"], DurationSeconds=60)["WebIdentityToken"])
    assert (again["aud"], again["exp"] - again["iat"]) == (["a", "b"], 60)
    assert again["jti"] != claims["jti"]


def test_a_session_says_its_role_and_does_not_outlive_itself(office: Office) -> None:
    trust = trusts({"AWS": ACCOUNT}, ["sts:AssumeRole", "sts:SetSourceIdentity"])
    office.iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust, Path="/team/")
    office.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("sts:*")))
    role = f"arn:aws:iam::{ACCOUNT}:role/team/r"
    answer = office.sts.assume_role(RoleArn=role, RoleSessionName="s1", DurationSeconds=900, SourceIdentity="me")
    session = office.world.client("sts", session_of(answer))
    claims = office.verified(office.ask(session, DurationSeconds=900)["WebIdentityToken"])
    assert claims["sub"] == role
    assert claims[NAMESPACE]["source_identity"] == "me"
    assert claims[NAMESPACE]["original_session_exp"] == office.clock[0] + 900
    assert refusal(lambda: office.ask(session, DurationSeconds=901))[0] == "SessionDurationEscalationException"
    plain = office.world.client("sts", session_of(office.sts.get_session_token()))
    assert refusal(lambda: office.ask(plain))[0] == "AccessDenied"


def test_it_must_be_switched_on(office: Office) -> None:
    text = office.ask()["WebIdentityToken"]
    office.iam.disable_outbound_web_identity_federation()
    assert refusal(office.ask)[0] == "OutboundWebIdentityFederationDisabledException"
    assert office.get(f"{jwt.read(text).issuer}/.well-known/jwks.json")[0] == 404
    office.iam.enable_outbound_web_identity_federation()
    assert office.verified(text)["sub"].endswith(":user/u")


def test_permission_can_be_for_an_audience(office: Office) -> None:
    only = {"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": AUDIENCE}}
    limits = {
        "StringEquals": {"sts:SigningAlgorithm": "ES384"},
        "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
    }
    office.may(allow("sts:GetWebIdentityToken", Condition=only | limits))
    assert office.ask(SigningAlgorithm="ES384")["WebIdentityToken"]
    for bad in ({"Audience": [AUDIENCE, "other"]}, {"SigningAlgorithm": "RS256"}, {"DurationSeconds": 301}):
        code, text = refusal(office.ask, **{"SigningAlgorithm": "ES384"} | bad)
        assert (code, "perform: sts:GetWebIdentityToken" in text) == ("AccessDenied", True)
    tags = [{"Key": "job", "Value": "7"}]
    told = refusal(office.ask, SigningAlgorithm="ES384", Tags=tags)
    assert "perform: sts:TagGetWebIdentityToken" in told[1]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"SigningAlgorithm": "HS256"}, "ValidationError"),
        ({"Audience": []}, "ValidationError"),
        ({"Audience": ["a"] * 11}, "ValidationError"),
        ({"DurationSeconds": 59}, "ValidationError"),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"Audience": [f"{number}" + "a" * 999 for number in range(9)]}, "JWTPayloadSizeExceededException"),
        ({"Tags": [{"Key": "k", "Value": "1"}, {"Key": "K", "Value": "2"}]}, "InvalidParameterValue"),
    ],
)
def test_what_it_does_not_accept(office: Office, parameters: Any, code: str) -> None:
    assert refusal(office.ask, **parameters)[0] == code


def test_keys_are_replaced_and_old_ones_told_for_a_while(office: Office) -> None:
    world, now = office.world, office.clock[0]

    def signing(at: float) -> str:
        with world.store.transaction(write=True) as transaction:
            return outbound_keys.signing(transaction, world.environment, "ES384", at).id

    def told(at: float) -> set[str]:
        with world.store.transaction() as transaction:
            return {key["kid"] for key in outbound_keys.published(transaction, at)}

    one = signing(now)
    assert signing(now + outbound_keys.ROTATES - 1) == one
    two = signing(now + outbound_keys.ROTATES)
    assert two != one
    assert told(now + outbound_keys.ROTATES) == {one, two}
    assert told(now + outbound_keys.ROTATES + outbound_keys.KEEPS) == {two}
    three = signing(now + 2 * outbound_keys.ROTATES)
    assert told(now + 2 * outbound_keys.ROTATES) == {two, three}


def test_nothing_secret_is_published_or_stored(office: Office) -> None:
    from sqlalchemy import select

    from bailiwick.directory.provider_tables import outbound_key

    office.ask()
    _, published = office.get(f"{office.issuer}/.well-known/jwks.json")
    assert all({"d", "p", "q", "dp", "dq", "qi", "k"}.isdisjoint(key) for key in published["keys"])
    with office.world.store.transaction() as transaction:
        (row,) = transaction.all(select(outbound_key))
    assert b"PRIVATE" not in row.sealed


@pytest.mark.parametrize(
    "path",
    ["/tokens/", "/tokens/x/.well-known/jwks.json", f"/tokens/{'0' * 36}/.well-known/jwks.json", "/tokens/../"],
)
def test_what_is_not_published(office: Office, path: str) -> None:
    assert office.published(Request("GET", path, "", (), b"")).status == 404


def test_the_edge_publishes_it(office: Office) -> None:
    from concurrent.futures import Future

    from bailiwick.app.edge import BELOW, Edge

    edge = Edge(office.world.pipeline, max_body=1024, own={("GET", BELOW): office.published})
    try:
        path = office.issuer.removeprefix(office.world.environment.public_url)
        answer = edge.begin(Request("GET", f"{path}/.well-known/openid-configuration", "", (), b""))
        assert isinstance(answer, Future)
        assert json.loads(answer.result(5).body)["issuer"] == office.issuer
    finally:
        edge.close()

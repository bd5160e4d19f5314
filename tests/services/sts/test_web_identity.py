"""AssumeRoleWithWebIdentity with a real issuer on loopback: who comes in, as whom, and who does not and why."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal, session_of
from structlog.testing import capture_logs

from still_clock import NOW, Clock
from world import World

sys.path.insert(0, str(Path(__file__).parents[2] / "federation"))
from issuer import Issuer, base64url, curve_key, public, rsa_key, signed

ROLE = f"arn:aws:iam::{ACCOUNT}:role/till"
ACTION = "sts:AssumeRoleWithWebIdentity"
NOT_AUTHORIZED = ("AccessDenied", f"Not authorized to perform {ACTION}")
NO_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer("/realms/shop") as made:
        yield made


class Shop:
    """A world with a provider for the issuer and a role that trusts one subject of it."""

    def __init__(self, issuer: Issuer, patching: pytest.MonkeyPatch) -> None:
        self.issuer = issuer
        self.clock = Clock(patching)
        self.world = World(self.clock)
        self.iam = self.world.client("iam")
        made = self.iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["bailiwick", "other-client"])
        self.provider = made["OpenIDConnectProviderArn"]
        self.iam.create_role(RoleName="till", AssumeRolePolicyDocument=self.trust())
        self.sts = self.world.client("sts")

    def trust(self, actions: str | list[str] = ACTION, **condition: Any) -> str:
        named = condition or {"StringEquals": {f"{self.issuer.name}:sub": "till-7"}}
        return document(
            {"Effect": "Allow", "Principal": {"Federated": self.provider}, "Action": actions, "Condition": named}
        )

    def trusting(self, actions: str | list[str] = ACTION, **condition: Any) -> None:
        self.iam.update_assume_role_policy(RoleName="till", PolicyDocument=self.trust(actions, **condition))

    def token(self, **more: Any) -> str:
        return self.issuer.token(self.clock.now, **more)

    def come(self, token: str, **more: Any) -> Any:
        given = {"RoleArn": ROLE, "RoleSessionName": "s1", "WebIdentityToken": token} | more
        return self.sts.assume_role_with_web_identity(**given)


@pytest.fixture
def shop(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(issuer, monkeypatch)


def test_someone_comes_in(shop: Shop) -> None:
    answer = shop.come(shop.token())
    shop.iam.put_role_policy(RoleName="till", PolicyName="p", PolicyDocument=document(allow("kms:ListKeys")))
    assert answer["SubjectFromWebIdentityToken"] == "till-7"
    assert (answer["Provider"], answer["Audience"]) == (shop.issuer.url, "bailiwick")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/till/s1"
    assert "PackedPolicySize" not in answer
    session = session_of(answer)
    me = shop.world.client("sts", session).get_caller_identity()
    assert me["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert shop.world.client("kms", session).list_keys()["Keys"] == []


def test_the_request_is_not_signed(shop: Shop) -> None:
    from botocore import UNSIGNED
    from botocore.config import Config

    token = shop.token()
    shop.sts.meta.events.register(
        "before-send.*.*", lambda request, **_: sent.append(request.headers), unique_id="x"
    )
    sent: list[Any] = []
    shop.come(token)
    assert UNSIGNED is not None
    assert Config is not None
    assert all("Authorization" not in headers for headers in sent)


def test_what_later_requests_know(shop: Shop) -> None:
    """The session has aws:FederatedProvider, and the provider's sub, aud and amr; nothing else of the token."""
    shop.trusting(StringEquals={f"{shop.issuer.name}:environment": "production"})
    session = session_of(shop.come(shop.token(environment="production", amr=["mfa", "pwd"])))
    kms = shop.world.client("kms", session)
    for condition, allowed in (
        ({"StringEquals": {"aws:FederatedProvider": shop.provider}}, True),
        ({"StringEquals": {f"{shop.issuer.name}:sub": "till-7", f"{shop.issuer.name}:aud": "bailiwick"}}, True),
        ({"ForAnyValue:StringEquals": {f"{shop.issuer.name}:amr": "mfa"}}, True),
        ({"StringEquals": {f"{shop.issuer.name}:environment": "production"}}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, False),
    ):
        policy = document(allow("kms:ListKeys", Condition=condition))
        shop.iam.put_role_policy(RoleName="till", PolicyName="p", PolicyDocument=policy)
        if allowed:
            assert kms.list_keys()["Keys"] == []
        else:
            assert refusal(kms.list_keys)[0] == "AccessDeniedException"


def test_whether_the_token_itself_names_the_role(shop: Shop) -> None:
    """sts:RoleAuthorizedByIdp: true or false where the token has `roles`, absent where it has none."""
    named = {"Bool": {"sts:RoleAuthorizedByIdp": "true"}}
    unnamed = {"Bool": {"sts:RoleAuthorizedByIdp": "false"}}
    silent = {"Null": {"sts:RoleAuthorizedByIdp": "true"}}
    for claims, condition in (
        ({"roles": [f"arn:aws:iam::{ACCOUNT}:role/other", ROLE]}, named),
        ({"roles": [f"arn:aws:iam::{ACCOUNT}:role/other"]}, unnamed),
        ({"roles": []}, unnamed),
        ({}, silent),
        ({"roles": ROLE}, silent),  # no list
    ):
        for tried in (named, unnamed, silent):
            shop.trusting(**tried)
            if tried == condition:
                assert shop.come(shop.token(**claims))["Credentials"], claims
            else:
                assert refusal(shop.come, token=shop.token(**claims)) == NOT_AUTHORIZED


@pytest.mark.parametrize(
    ("condition", "claims"),
    [
        ({"StringEquals": {"{}:email": "till@shop.example"}}, {"email": "till@shop.example"}),
        ({"StringEquals": {"{}:repository": "shop/till"}}, {"repository": "shop/till"}),
        ({"StringLike": {"{}:job_workflow_ref": "shop/*"}}, {"job_workflow_ref": "shop/till/.github/w.yml@main"}),
        ({"Bool": {"{}:environment_protected": "true"}}, {"environment_protected": True}),
        ({"NumericEquals": {"{}:project_id": "7"}}, {"project_id": 7}),
        ({"ForAnyValue:StringEquals": {"{}:groups": "tills"}}, {"groups": ["all", "tills"]}),
        ({"ForAllValues:StringEquals": {"{}:amr": ["mfa", "pwd"]}}, {"amr": ["mfa"]}),
        ({"StringEquals": {"{}:id": "17"}}, {"id": 17}),
        ({"StringEquals": {"sts:RoleSessionName": "s1"}}, {}),
        ({"Null": {"{}:unheard_of": "true"}}, {"unheard_of": "x"}),
    ],
)
def test_claims_are_condition_keys(
    shop: Shop, condition: dict[str, dict[str, str]], claims: dict[str, Any]
) -> None:
    ((operator, keys),) = condition.items()
    shop.trusting(**{operator: {key.format(shop.issuer.name): value for key, value in keys.items()}})
    assert shop.come(shop.token(**claims))["Credentials"]
    if claims and operator != "Null":
        assert refusal(shop.come, token=shop.token(**dict.fromkeys(claims, "else"))) == NOT_AUTHORIZED


def test_what_stays_with_a_session_is_short(shop: Shop) -> None:
    """A claim that is too long is refused, and so are all together that would make a token of over 4,096 letters."""
    kept = {"id": "i" * 255, "amr": ["mfa"], "sub": "s" * 255}
    shop.trusting(StringEquals={f"{shop.issuer.name}:aud": "bailiwick"})
    assert len(shop.come(shop.token(**kept))["Credentials"]["SessionToken"]) < 4096
    for much in ({"id": "i" * 256}, {"id": ["a", "b"]}, {"amr": ["x"] * 21}, {"amr": "x" * 256}):
        assert refusal(shop.come, token=shop.token(**much))[0] == "InvalidIdentityToken"
    draw = random.Random(5)
    many = [f"{draw.getrandbits(1000):x}" for _ in range(20)]
    code, text = refusal(shop.come, token=shop.token(amr=many))
    assert (code, "may have 4096" in text) == ("PackedPolicyTooLarge", True)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_every_algorithm_of_the_list(shop: Shop, algorithm: str) -> None:
    curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    key = curve_key(algorithm, curves[algorithm]) if algorithm in curves else rsa_key()
    shop.issuer.keys = [public(key)]
    token = signed(shop.issuer.claims(shop.clock.now), key, algorithm)
    assert shop.come(token)["Credentials"]
    assert shop.come(signed(shop.issuer.claims(shop.clock.now), key, algorithm, kid=None))["Credentials"]


def test_the_authorized_party_is_the_audience(shop: Shop) -> None:
    name = shop.issuer.name
    shop.trusting(StringEquals={f"{name}:aud": "other-client", f"{name}:oaud": "api"})
    answer = shop.come(shop.token(aud="api", azp="other-client"))
    assert answer["Audience"] == "other-client"
    told = refusal(shop.come, token=shop.token(aud="bailiwick", azp="stranger"))
    assert told == ("InvalidIdentityToken", "Incorrect token audience")


def test_tags_and_source_identity_of_the_token(shop: Shop) -> None:
    tags = {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}
    claims = {"https://aws.amazon.com/tags": tags, "https://aws.amazon.com/source_identity": "alice"}
    assert refusal(shop.come, token=shop.token(**claims))[0] == "AccessDenied"
    shop.trusting([ACTION, "sts:TagSession"])
    assert refusal(shop.come, token=shop.token(**claims)) == NOT_AUTHORIZED
    shop.trusting(
        [ACTION, "sts:TagSession", "sts:SetSourceIdentity"],
        StringEquals={
            "aws:RequestTag/team": "blue",
            "sts:SourceIdentity": "alice",
            "aws:FederatedProvider": shop.provider,
        },
    )
    answer = shop.come(shop.token(**claims))
    assert answer["SourceIdentity"] == "alice"
    assert answer["PackedPolicySize"] > 0
    condition = {"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "alice"}}
    shop.iam.put_role_policy(
        RoleName="till", PolicyName="p", PolicyDocument=document(allow("kms:ListKeys", Condition=condition))
    )
    assert shop.world.client("kms", session_of(answer)).list_keys()["Keys"] == []
    flat = {"https://aws.amazon.com/tags/principal_tags": {"team": "blue"}}
    assert refusal(shop.come, token=shop.token(**flat)) == NOT_AUTHORIZED  # it gives no source identity


@pytest.mark.parametrize(
    "claims",
    [
        {"https://aws.amazon.com/tags": "team=blue"},
        {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue", "red"]}}},
        {"https://aws.amazon.com/tags": {"principal_tags": {"t" * 129: ["x"]}}},
        {"https://aws.amazon.com/tags": {"principal_tags": {"t": [7]}}},
        {"https://aws.amazon.com/tags": {"principal_tags": {f"t{number}": ["x"] for number in range(51)}}},
        {"https://aws.amazon.com/source_identity": "aws:me"},
        {"https://aws.amazon.com/source_identity": ["alice"]},
    ],
)
def test_tags_that_cannot_be_used(shop: Shop, claims: dict[str, Any]) -> None:
    shop.trusting([ACTION, "sts:TagSession", "sts:SetSourceIdentity"])
    assert refusal(shop.come, token=shop.token(**claims))[0] == "InvalidIdentityToken"


def test_durations_and_policies(shop: Shop) -> None:
    told = refusal(shop.come, token=shop.token(), DurationSeconds=3601)
    assert told == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    shop.iam.put_role_policy(RoleName="till", PolicyName="p", PolicyDocument=document(allow("*")))
    answer = shop.come(shop.token(), Policy=document(allow("kms:ListKeys")), DurationSeconds=900)
    assert answer["Credentials"]["Expiration"].timestamp() == shop.clock.now + 900
    kms = shop.world.client("kms", session_of(answer))
    assert kms.list_keys()["Keys"] == []
    assert refusal(kms.list_aliases)[1].endswith("because no session policy allows the kms:ListAliases action")


def hmac_with_the_public_key(shop: Shop) -> str:
    head, body = base64url({"alg": "HS256", "kid": "one"}), base64url(shop.issuer.claims(shop.clock.now))
    secret = rsa_key().as_pem(private=False)
    return f"{head}.{body}.{base64url(hmac.digest(secret, f'{head}.{body}'.encode(), hashlib.sha256))}"


def unsigned(shop: Shop, signature: str = "") -> str:
    head = base64url({"alg": "none", "typ": "JWT"})
    return f"{head}.{base64url(shop.issuer.claims(shop.clock.now))}.{signature}"


def with_two_signatures(shop: Shop) -> str:
    token = shop.token()
    return json.dumps({"payload": token.split(".")[1], "signatures": [{}, {}]})


def altered(shop: Shop) -> str:
    head, _, signature = shop.token().split(".")
    return f"{head}.{base64url(shop.issuer.claims(shop.clock.now, sub='till-8'))}.{signature}"


def twice(shop: Shop) -> str:
    text = json.dumps(shop.issuer.claims(shop.clock.now))
    return signed(text[:-1] + ', "sub": "till-7"}', rsa_key())


BAD: dict[str, tuple[Any, str, str, str]] = {
    "no token": (lambda shop: "opaque-access-token", "form", "InvalidIdentityToken", NO_JWT),
    "unsigned": (unsigned, "form", "InvalidIdentityToken", NO_JWT),
    "unsigned with a signature": (lambda shop: unsigned(shop, "AAAA"), "algorithm", "InvalidIdentityToken", ""),
    "HMAC with the public key": (hmac_with_the_public_key, "algorithm", "InvalidIdentityToken", ""),
    "two signatures": (with_two_signatures, "form", "InvalidIdentityToken", NO_JWT),
    "a fourth part": (lambda shop: shop.token() + ".AAAA", "form", "InvalidIdentityToken", NO_JWT),
    "a claim twice": (twice, "form", "InvalidIdentityToken", NO_JWT),
    "altered claims": (altered, "signature", "InvalidIdentityToken", ""),
    "signature cut": (lambda shop: shop.token()[:-6], "signature", "InvalidIdentityToken", ""),
    "another key with its id": (
        lambda shop: signed(shop.issuer.claims(shop.clock.now), rsa_key("another"), kid="one"),
        "signature",
        "InvalidIdentityToken",
        "",
    ),
    "another key without id": (
        lambda shop: signed(shop.issuer.claims(shop.clock.now), rsa_key("another"), kid=None),
        "signature",
        "InvalidIdentityToken",
        "",
    ),
    "unknown key": (lambda shop: shop.token(key=rsa_key("another")), "unknown key", "InvalidIdentityToken", ""),
    "a key it brings along": (
        lambda shop: signed(
            shop.issuer.claims(shop.clock.now), rsa_key("another"), kid=None, jwk=public(rsa_key("another"))
        ),
        "signature",
        "InvalidIdentityToken",
        "",
    ),
    "critical header": (
        lambda shop: signed(shop.issuer.claims(shop.clock.now), rsa_key(), crit=["kid"]),
        "form",
        "InvalidIdentityToken",
        NO_JWT,
    ),
    "wrong audience": (
        lambda shop: shop.token(aud="elsewhere"),
        "audience",
        "InvalidIdentityToken",
        "Incorrect token audience",
    ),
    "no audience": (lambda shop: shop.token(aud=None), "form", "InvalidIdentityToken", ""),
    "no subject": (lambda shop: shop.token(sub=None), "form", "InvalidIdentityToken", ""),
    "subject too long": (lambda shop: shop.token(sub="s" * 256), "form", "InvalidIdentityToken", ""),
    "expired": (
        lambda shop: shop.token(exp=int(NOW)),
        "expired",
        "ExpiredTokenException",
        f"Token expired: current date/time {int(NOW)} must be before the expiration date/time{int(NOW)}",
    ),
    "without end": (lambda shop: shop.token(exp=None), "form", "InvalidIdentityToken", ""),
    "end in parts of seconds": (lambda shop: shop.token(exp=NOW + 600.5), "form", "InvalidIdentityToken", ""),
    "end that is true": (lambda shop: shop.token(exp=True), "form", "InvalidIdentityToken", ""),
    "not yet valid": (
        lambda shop: shop.token(nbf=int(NOW) + 400),
        "not yet valid",
        "InvalidIdentityToken",
        f"Token is not valid before {int(NOW) + 400}",
    ),
    "of the future": (
        lambda shop: shop.token(iat=int(NOW) + 400),
        "not yet valid",
        "InvalidIdentityToken",
        "Token must have been issued in the past",
    ),
    "too old": (
        lambda shop: shop.token(iat=int(NOW) - 441_398),
        "too old",
        "ExpiredTokenException",
        "Token too old: 441398",
    ),
    "another issuer": (
        lambda shop: shop.token(iss="https://elsewhere.example"),
        "provider",
        "InvalidIdentityToken",
        "No OpenIDConnect provider found in your account for https://elsewhere.example",
    ),
    "issuer with a slash more": (
        lambda shop: shop.token(iss=shop.issuer.url + "/"),
        "provider",
        "InvalidIdentityToken",
        "",
    ),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_token(shop: Shop, name: str) -> None:
    """Refused with AWS's code, and the log tells the operator which check failed, and nothing of the token."""
    make, check, code, text = BAD[name]
    token = make(shop)
    with capture_logs() as logs:
        told = refusal(shop.come, token=token)
    assert told[0] == code
    assert not text or told[1] == text
    (line,) = [entry for entry in logs if entry["event"] == "a web identity token was refused"]
    assert (line["check"], line["role"]) == (check, ROLE)
    assert token not in str(logs)
    event = shop.world.events[-1]
    assert (event.caller, event.error.code if event.error else None) == (
        None,
        code if code != "ValidationError" else None,
    )
    assert event.request.RoleArn == ROLE


def test_a_token_too_large(shop: Shop) -> None:
    token = shop.token(padding="x" * 20_000)
    assert refusal(shop.come, token=token)[0] == "ValidationError"


def test_who_is_not_trusted(shop: Shop) -> None:
    assert refusal(shop.come, token=shop.token(sub="till-8")) == NOT_AUTHORIZED
    caller = shop.world.events[-1].caller
    assert caller is not None
    assert caller.principal.arn == shop.provider
    absent = f"arn:aws:iam::{ACCOUNT}:role/absent"
    assert refusal(shop.come, token=shop.token(), RoleArn=absent) == NOT_AUTHORIZED
    for principal in ({"AWS": "*"}, {"AWS": ACCOUNT}, {"Service": "ec2.amazonaws.com"}):
        trust = document({"Effect": "Allow", "Principal": principal, "Action": ACTION})
        shop.iam.update_assume_role_policy(RoleName="till", PolicyDocument=trust)
        assert refusal(shop.come, token=shop.token()) == NOT_AUTHORIZED


def test_it_is_recorded_whose_word_it_was(shop: Shop) -> None:
    from bailiwick.app.record import record_of

    answer = shop.come(shop.token())
    record = json.loads(record_of(shop.world.events[-1], lambda count: b"n" * count))
    assert record["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{shop.issuer.name}:bailiwick:till-7",
        "userName": "till-7",
        "identityProvider": shop.issuer.name,
    }
    assert record["recipientAccountId"] == ACCOUNT
    assert "webIdentityToken" not in record["requestParameters"]
    assert set(record["additionalEventData"]) == {"RequestDetails"}, "nobody vouches for plain HTTP"
    told = record["responseElements"]["credentials"]
    assert told["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert "secretAccessKey" not in told
    shop.world.client("sts", session_of(answer)).get_caller_identity()
    later = json.loads(record_of(shop.world.events[-1], lambda count: b"n" * count))
    context = later["userIdentity"]["sessionContext"]
    assert context["webIdFederationData"]["federatedProvider"] == shop.provider


@pytest.mark.parametrize(("pinned", "method"), [(True, "Thumbprint"), (False, "IAMTrustStore")])
def test_it_is_recorded_who_vouched_for_the_issuer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, pinned: bool, method: str
) -> None:
    from bailiwick.app.record import record_of

    monkeypatch.setattr(shop.world.environment.issuers, "pinned", lambda issuer, thumbprints: pinned)
    shop.come(shop.token(roles=[ROLE]))
    record = json.loads(record_of(shop.world.events[-1], lambda count: b"n" * count))
    assert record["additionalEventData"] == {
        "identityProviderConnectionVerificationMethod": method,
        "RoleAuthorizedByIdp": True,
        "RequestDetails": {"awsServingRegion": "us-east-1", "endpointType": "regional"},
    }
    refusal(shop.come, token=shop.token(sub="till-8"))
    record = json.loads(record_of(shop.world.events[-1], lambda count: b"n" * count))
    assert set(record["additionalEventData"]) == {"RequestDetails"}


def test_the_provider_is_looked_up_in_the_roles_account(shop: Shop) -> None:
    shop.world.account("210987654321")
    told = refusal(shop.come, token=shop.token(), RoleArn="arn:aws:iam::210987654321:role/till")
    assert told == (
        "InvalidIdentityToken",
        f"No OpenIDConnect provider found in your account for {shop.issuer.url}",
    )
    shop.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=shop.provider)
    assert refusal(shop.come, token=shop.token())[0] == "InvalidIdentityToken"
    assert refusal(shop.come, token=shop.token(), RoleArn="no-arn-" + "x" * 20)[0] == "ValidationError"
    assert refusal(shop.come, token=shop.token(), ProviderId="www.amazon.com")[0] == "ValidationError"


def test_keys_rotate(shop: Shop) -> None:
    assert shop.come(shop.token())["Credentials"]
    asked = len(shop.issuer.asked)
    assert shop.come(shop.token())["Credentials"]
    assert len(shop.issuer.asked) == asked  # from memory


def test_an_issuer_that_is_not_there(shop: Shop) -> None:
    shop.issuer.server.server_close()
    code, _ = refusal(shop.come, token=shop.token())
    assert code == "IDPCommunicationError"


def test_an_issuer_that_answers_something_else(shop: Shop) -> None:
    shop.issuer.raw["/realms/shop/keys"] = (200, {}, b"<html>")
    assert refusal(shop.come, token=shop.token()) == (
        "InvalidIdentityToken",
        "Couldn't retrieve verification key from your identity provider,  please reference "
        "AssumeRoleWithWebIdentity documentation for requirements",
    )

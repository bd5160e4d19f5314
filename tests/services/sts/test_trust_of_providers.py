"""Trust policies with conditions on what providers say, by people of an OpenID Connect issuer and of a SAML provider.

As test_trust_matrix.py, which has the callers that sign: the reference evaluator must say the same as the service.
"""

from __future__ import annotations

import base64
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from services_support import ACCOUNT, document

from reference.evaluator import evaluate
from saml_idp import AWS, IdentityProvider
from world import World

sys.path.insert(0, str(Path(__file__).parents[2] / "federation"))
from issuer import Issuer

ROLE = f"arn:aws:iam::{ACCOUNT}:role/target"
SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
WEB, ASSERTION = "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"
TAGS = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue"]}}}
CALLERS = ("web", "web of another", "web with MFA", "web with tags", "saml", "saml of another", "saml with tags")
CONDITIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "audience": {"StringEquals": {"{}:aud": "bailiwick"}},
    "subject": {"StringEquals": {"{}:sub": "till-7"}},
    "another subject": {"StringNotEquals": {"{}:sub": "till-7"}},
    "subjects": {"StringLikeIfExists": {"{}:sub": "till-*"}},
    "how she proved herself": {"ForAnyValue:StringEquals": {"{}:amr": ["mfa", "hwk"]}},
    "nothing else": {"ForAllValues:StringEquals": {"{}:amr": ["pwd", "mfa"]}},
    "SAML subject": {"StringEquals": {"saml:sub": "alice", "saml:sub_type": "persistent"}},
    "SAML recipient": {"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/saml"}},
    "provider": {"ArnEquals": {"aws:FederatedProvider": SAML}},
    "session name": {"StringEquals": {"sts:RoleSessionName": "alice@example.org"}},
    "tag": {"StringEquals": {"aws:RequestTag/team": "blue"}},
    "no tags": {"Null": {"aws:TagKeys": "true"}},
    "not for users": {"Null": {"aws:username": "true"}},
    "own account": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
}


class Cast:
    """Those for whom a provider vouches; every one comes with something fresh."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer, self.idp, self.world = issuer, IdentityProvider(), World()
        self.iam, self.sts = self.world.client("iam"), self.world.client("sts")
        made = self.iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["bailiwick"])
        self.web = made["OpenIDConnectProviderArn"]
        self.iam.create_saml_provider(Name="corp", SAMLMetadataDocument=self.idp.metadata)
        self.iam.create_role(RoleName="target", AssumeRolePolicyDocument=self.trust({"AWS": ACCOUNT}, {}))

    def trust(self, principal: Any, condition: dict[str, Any], effect: str = "Allow") -> str:
        named = {
            operator: {key.format(self.issuer.name): value for key, value in keys.items()}
            for operator, keys in condition.items()
        }
        actions = [WEB, ASSERTION, "sts:TagSession"]
        more = {"Condition": named} if named else {}
        return document({"Effect": effect, "Principal": principal, "Action": actions, **more})

    def principals(self) -> list[Any]:
        return [
            {"Federated": self.web},
            {"Federated": SAML},
            {"Federated": [self.web, SAML]},
            {"AWS": "*"},
            {"AWS": ACCOUNT, "Service": "ec2.amazonaws.com"},
        ]

    def allowed(self, caller: str) -> bool:
        try:
            self.come(caller)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return False
        return True

    def come(self, caller: str) -> None:
        if caller.startswith("web"):
            subject = "other-1" if caller == "web of another" else "till-7"
            claims = {"web with MFA": {"amr": ["pwd", "mfa"]}, "web with tags": TAGS}.get(caller, {})
            token = self.issuer.token(self.world.now(), sub=subject, **claims)
            self.sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="s1", WebIdentityToken=token)
            return
        attributes = [(f"{AWS}PrincipalTag:team", ["blue"])] if caller == "saml with tags" else []
        subject = "bob" if caller == "saml of another" else "alice"
        response = self.idp.response(self.world.now(), roles=[(ROLE, SAML)], subject=subject, attributes=attributes)
        self.sts.assume_role_with_saml(
            RoleArn=ROLE, PrincipalArn=SAML, SAMLAssertion=base64.b64encode(response).decode()
        )

    def expected(self, trust: str) -> bool:
        """What the reference says to the call that was just made, and to the tags that came with it."""
        event = self.world.events[-1]
        assert event.caller is not None
        asked, who = self.world.rulings[-1].question, event.caller.principal
        assert event.route is not None
        actions = [f"sts:{event.route.operation.name}"]
        if "aws:tagkeys" in asked.context:
            actions.append("sts:TagSession")
        policies = {"identity": [], "boundary": None, "session": None, "scp": [], "rcp": []}
        q = {
            "principal": {name: str(getattr(who, name)) for name in who.__struct_fields__},
            "resource": ROLE,
            "account": ACCOUNT,
            "rule": "trust",
            "context": {k: list(v) if isinstance(v, tuple) else v for k, v in asked.context.items()},
            "policies": {**policies, "resource": [json.loads(trust)]},
        }
        return all(evaluate({**q, "action": action})[0] == "allowed" for action in actions)


@pytest.fixture(scope="module")
def cast() -> Iterator[Cast]:
    with Issuer("/realms/shop") as issuer:
        yield Cast(issuer)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_service_agrees_with_the_reference(cast: Cast, condition: str) -> None:
    seen: Counter[bool] = Counter()
    for principal in cast.principals():
        trust = cast.trust(principal, CONDITIONS[condition])
        cast.iam.update_assume_role_policy(RoleName="target", PolicyDocument=trust)
        for caller in CALLERS:
            found = cast.allowed(caller)
            assert found == cast.expected(trust), (caller, trust)
            seen[found] += 1
    assert seen[False] > 10
    assert seen[True] or condition == "own account"


def test_a_deny_to_everyone_holds_for_them_as_well(cast: Cast) -> None:
    for condition in ("none", "tag", "subject"):
        allow = json.loads(cast.trust({"Federated": [cast.web, SAML]}, {}))
        deny = json.loads(cast.trust({"AWS": "*"}, CONDITIONS[condition], "Deny"))
        trust = document(*allow["Statement"], *deny["Statement"])
        cast.iam.update_assume_role_policy(RoleName="target", PolicyDocument=trust)
        for caller in CALLERS:
            assert cast.allowed(caller) == cast.expected(trust), (caller, trust)

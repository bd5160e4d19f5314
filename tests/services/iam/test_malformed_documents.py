"""Every text of facts/policy.md section 1.7 that is marked as recorded, from the operation named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from world import ACCOUNT, World

GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"


def document(*statements: Any, version: str | None = "2012-10-17", **more: Any) -> str:
    found = {"Version": version} if version else {}
    return json.dumps({**found, "Statement": list(statements), **more})


def allow(action: Any = "s3:ListBucket", resource: Any = "arn:aws:s3:::b", **more: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {key: value for key, value in found.items() if value is not None}


def when(operator: str, key: str, value: Any) -> dict[str, Any]:
    return allow(Condition={operator: {key: value}})


def trust(**more: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole", **more}
    return {key: value for key, value in found.items() if value is not None}


class House(World):
    def __init__(self) -> None:
        super().__init__()
        self.iam = self.client("iam")
        self.iam.create_user(UserName="u")
        self.iam.create_group(GroupName="g")
        self.iam.create_role(RoleName="r", AssumeRolePolicyDocument=document(trust()))
        self.policy = self.iam.create_policy(PolicyName="p", PolicyDocument=document(allow()))["Policy"]["Arn"]


@pytest.fixture(scope="module")
def house() -> House:
    return House()


def refusal(call: Callable[[], Any]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as refused:
        call()
    told = refused.value.response
    return told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Message"]


SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
PATHS = (
    'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, '
    "server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
)
PREFACED = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
IDENTITY: list[tuple[str, str]] = [
    ("{", SYNTAX),
    ("[]", SYNTAX),
    (document(allow(Colour="red")), SYNTAX),
    (document(allow(), Extra="x"), SYNTAX),
    (document(), SYNTAX),
    (json.dumps({"Version": "2012-10-17"}), SYNTAX),
    (document("x"), SYNTAX),
    (document(allow(NotAction="*")), SYNTAX),
    (document(allow(NotResource="*")), SYNTAX),
    (document(allow() | {"Effect": "Perhaps"}), SYNTAX),
    (document({"Action": "s3:*", "Resource": "*"}), SYNTAX),
    (document(when("StringIs", "a", "b")), SYNTAX),
    (document(allow(Condition={"StringEquals": "x"})), SYNTAX),
    (document(allow(), version="2013-10-17"), SYNTAX),
    (document(allow() | {"Effect": "allow"}), LEGACY),
    (document(when("DateGreaterThan", "a", "sdfsdf")), LEGACY),
    (document(allow(resource="arn:aws::::b")), LEGACY),
    (document(allow(Principal="*")), "Policy document should not specify a principal."),
    (document(allow(Sid="a"), allow(Sid="a")), "Statement IDs (SID) in a single policy must be unique."),
    (document(allow(action=None)), "Policy statement must contain actions."),
    (document(allow(action=[])), "Policy statement must contain actions."),
    (document(allow(resource="bucket")), 'Resource bucket must be in ARN format or "*".'),
    (
        document(allow(resource="arn:azure:s3:::b")),
        'Partition "azure" is not valid for resource "arn:azure:s3:::b".',
    ),
    (document(allow(resource="adfasf:b")), 'Partition "b" is not valid for resource "arn:b:*:*:*:*".'),
    (document(allow(resource="arn:aws")), "Resource vendor must be fully qualified and cannot contain regexes."),
    (
        document(allow("iam:*", "arn:aws:iam:us-east-1:1:user/a")),
        "IAM resource arn:aws:iam:us-east-1:1:user/a cannot contain region information.",
    ),
    (
        document(allow(resource="arn:aws:s3:us-east-1::b")),
        "Resource arn:aws:s3:us-east-1::b can not contain region information.",
    ),
    (document(allow("iam:*", "arn:aws:iam::1:thing/a")), PATHS),
    (document(allow("ListBucket")), PREFACED),
    (document(allow("s3:List:Bucket")), "Actions/Condition can contain only one colon."),
    (document(allow("s 3:ListBucket")), "Vendor s 3 is not valid"),
    (document(allow(resource=None)), "Policy statement must contain resources."),
    (document(allow(resource=[])), "Policy statement must contain resources."),
]


@pytest.mark.parametrize(("text", "message"), IDENTITY)
def test_identity_policies(house: House, text: str, message: str) -> None:
    iam = house.iam
    calls = [
        lambda: iam.create_policy(PolicyName="new", PolicyDocument=text),
        lambda: iam.create_policy_version(PolicyArn=house.policy, PolicyDocument=text),
        lambda: iam.put_user_policy(UserName="u", PolicyName="i", PolicyDocument=text),
        lambda: iam.put_group_policy(GroupName="g", PolicyName="i", PolicyDocument=text),
        lambda: iam.put_role_policy(RoleName="r", PolicyName="i", PolicyDocument=text),
    ]
    for call in calls:
        assert refusal(call) == ("MalformedPolicyDocument", 400, message)


@pytest.mark.parametrize("version", [None, "2008-10-17"])
def test_a_managed_policy_has_the_newer_version(house: House, version: str | None) -> None:
    text = document(allow(), version=version)
    told = refusal(lambda: house.iam.create_policy(PolicyName="new", PolicyDocument=text))
    assert told == ("MalformedPolicyDocument", 400, "Policy document must be version 2012-10-17 or greater.")


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={}),
        allow(Condition={"DateGreaterThan": {}}),
        allow(Condition={"DateGreaterThan": {"a": []}}),
        allow(Condition={"anything": {}}),
        allow("unknown:Thing"),
        allow(resource="arn:aws:fdsasf"),
        allow("ec2:*", "arn:aws:s3:::b"),
        when("DateGreaterThan", "a", "01T"),
        when("DateGreaterThan", "a", "-292275054"),
        when("DateGreaterThan", "a", "2016-12-13t2:00:00.593194+23"),
        allow("iam: asdf safdsf af "),
    ],
)
def test_odd_and_accepted(house: House, statement: dict[str, Any]) -> None:
    house.iam.put_user_policy(UserName="u", PolicyName="odd", PolicyDocument=document(statement, Id="x"))
    house.iam.delete_user_policy(UserName="u", PolicyName="odd")


TRUST: list[tuple[str, str]] = [
    ("{", "This policy contains invalid Json"),
    (document(trust(Colour="red")), "Unknown field Colour"),
    (document(trust(Resource="*")), "Has prohibited field Resource"),
    (
        document(trust(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/nobody"})),
        f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:role/nobody"',
    ),
    (
        document(trust(Principal={"Federated": "some provider"}, Action="sts:AssumeRoleWithSAML")),
        "Federated principals must be valid domain names or SAML metadata ARNs",
    ),
    (
        document(trust(Principal={"Federated": GITHUB}, Action="sts:AssumeRoleWithWebIdentity")),
        f"Trust policy with trusted principal {GITHUB} must evaluate, using StringEquals, StringLike or "
        "StringEqualsIgnoreCase, token.actions.githubusercontent.com:sub or "
        "token.actions.githubusercontent.com:job_workflow_ref which is not scoped to all.",
    ),
]


@pytest.mark.parametrize(("text", "message"), TRUST)
def test_trust_policies(house: House, text: str, message: str) -> None:
    for call in (
        lambda: house.iam.create_role(RoleName="new", AssumeRolePolicyDocument=text),
        lambda: house.iam.update_assume_role_policy(RoleName="r", PolicyDocument=text),
    ):
        assert refusal(call) == ("MalformedPolicyDocument", 400, message)


@pytest.mark.parametrize(("host", "claim"), [("gitlab.com", "sub"), ("api.pulumi.com/oidc", "aud")])
def test_shared_providers_need_a_claim(house: House, host: str, claim: str) -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"
    statement = trust(Principal={"Federated": provider}, Action="sts:AssumeRoleWithWebIdentity")
    told = refusal(lambda: house.iam.create_role(RoleName="new", AssumeRolePolicyDocument=document(statement)))
    assert told[2].endswith(f"{host}:{claim} which is not scoped to all.")
    statement["Condition"] = {"StringLike": {f"{host}:{claim}": ["project:*"]}}
    house.iam.create_role(RoleName=claim, AssumeRolePolicyDocument=document(statement))


def long(count: int) -> str:
    return document(allow(resource=f"arn:aws:s3:::{'x' * count}"))


def test_quotas(house: House) -> None:
    iam = house.iam
    size = ("LimitExceeded", 409, "Cannot exceed quota for PolicySize: 6144")
    assert refusal(lambda: iam.create_policy(PolicyName="new", PolicyDocument=long(6200))) == size
    assert refusal(lambda: iam.create_policy_version(PolicyArn=house.policy, PolicyDocument=long(6200))) == size
    for kind, name, most in (("user", "u", 2048), ("group", "g", 5120), ("role", "r", 10240)):
        put = getattr(iam, f"put_{kind}_policy")
        owner = {f"{kind.capitalize()}Name": name}
        told = refusal(lambda: put(**owner, PolicyName="i", PolicyDocument=long(most)))  # noqa: B023
        message = f"Maximum policy size of {most} bytes exceeded for {kind} {name}"
        assert told == ("LimitExceeded", 409, message)
    text = document(*[trust(Sid=f"s{number}") for number in range(40)])
    told = refusal(lambda: iam.create_role(RoleName="new", AssumeRolePolicyDocument=text))
    assert told == ("LimitExceeded", 409, "Cannot exceed quota for ACLSizePerRole: 2048")


def test_key_policies(house: House) -> None:
    kms = house.client("kms")
    stranger = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"},
        "Action": "kms:*",
        "Resource": "*",
    }
    told = refusal(lambda: kms.create_key(Policy=document(stranger)))
    invalid = "Policy contains a statement with one or more invalid principals."
    assert (told[0], told[2]) == ("MalformedPolicyDocumentException", invalid)
    locked = {**stranger, "Principal": {"AWS": ACCOUNT}, "Action": "kms:Decrypt"}
    told = refusal(lambda: kms.create_key(Policy=document(locked)))
    lockout = "The new key policy will not allow you to update the key policy in the future."
    assert (told[0], told[2]) == ("MalformedPolicyDocumentException", lockout)
    kms.create_key(Policy=document(locked), BypassPolicyLockoutSafetyCheck=True)

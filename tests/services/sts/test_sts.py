"""STS as boto3 sees it. Texts: facts/sts.md."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from services_support import ACCOUNT, allow, deny, document, refusal, session_of, trusts

from bailiwick.core import ids
from world import World

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
OTHER = "210987654321"
INVALID = ("InvalidClientTokenId", "The security token included in the request is invalid.")


@pytest.fixture
def user(world: World, iam: Any) -> Any:
    """The STS client of a user who may assume anything, beside a role that trusts the account."""
    iam.create_user(UserName="u")
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(allow("sts:*")))
    trust = trusts(
        {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    )
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    return world.client("sts", world.keys_of("u"))


def denied(arn: str, role: str = ROLE, action: str = "sts:AssumeRole") -> tuple[str, str]:
    return "AccessDenied", f"User: {arn} is not authorized to perform: {action} on resource: {role}"


def test_who_am_i(world: World, iam: Any, user: Any) -> None:
    root = world.client("sts").get_caller_identity()
    assert (root["UserId"], root["Account"], root["Arn"]) == (ACCOUNT, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    me = user.get_caller_identity()
    assert (me["UserId"], me["Arn"]) == (
        iam.get_user(UserName="u")["User"]["UserId"],
        f"arn:aws:iam::{ACCOUNT}:user/u",
    )
    answer = user.assume_role(RoleArn=ROLE, RoleSessionName="some.one@x")
    session = world.client("sts", session_of(answer)).get_caller_identity()
    role_id = iam.get_role(RoleName="r")["Role"]["RoleId"]
    assert session["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"] == f"{role_id}:some.one@x"
    assert session["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/some.one@x"


def test_who_am_i_is_told_even_to_the_denied(world: World, iam: Any, user: Any) -> None:
    iam.put_user_policy(UserName="u", PolicyName="no", PolicyDocument=document(deny("*")))
    assert user.get_caller_identity()["Arn"].endswith(":user/u")
    assert user.get_session_token()["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_an_answer_of_assume_role(user: Any) -> None:
    before = int(time.time())
    answer = user.assume_role(RoleArn=ROLE, RoleSessionName="s1")
    assert set(answer) == {"Credentials", "AssumedRoleUser", "ResponseMetadata"}
    credentials = answer["Credentials"]
    assert set(credentials) == {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert (len(credentials["SecretAccessKey"]), ids.account_of(credentials["AccessKeyId"])) == (40, ACCOUNT)
    assert 3600 <= credentials["Expiration"].timestamp() - before <= 3602


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        (
            {"DurationSeconds": 60},
            "ValidationError",
            "1 validation error detected: Value '60' at 'durationSeconds' failed to satisfy constraint: Member must "
            "have value greater than or equal to 900",
        ),
        (
            {"DurationSeconds": 3601},
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ),
        (
            {"RoleSessionName": "Session1:2"},
            "ValidationError",
            "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        ),
        (
            {"RoleArn": "arn:aws:iam::role/r-too-short"},
            "ValidationError",
            "arn:aws:iam::role/r-too-short is invalid",
        ),
        ({"Policy": "x"}, "MalformedPolicyDocument", None),
        (
            {"Policy": " " * 2049},
            "ValidationError",
            f"1 validation error detected: Value '{' ' * 2049}' at 'policy' failed to satisfy constraint: Member must "
            "have length less than or equal to 2048",
        ),
        (
            {"Tags": [{"Key": "k", "Value": "1"}, {"Key": "K", "Value": "2"}]},
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        (
            {"TransitiveTagKeys": ["k"]},
            "InvalidParameterValue",
            "The specified transitive tag key must be included in the requested tags.",
        ),
        (
            {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/u", "TokenCode": "123456"},
            "AccessDenied",
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is "
            "valid and associated with this user.",
        ),
        (
            {"TokenCode": "123456"},
            "AccessDenied",
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
        ),
    ],
)
def test_what_assume_role_does_not_accept(user: Any, parameters: Any, code: str, message: str | None) -> None:
    told = refusal(user.assume_role, **{"RoleArn": ROLE, "RoleSessionName": "s1"} | parameters)
    assert told[0] == code
    assert message is None or told[1] == message


def test_missing_and_forbidden_look_alike(world: World, iam: Any, user: Any) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/u"
    iam.create_role(RoleName="closed", AssumeRolePolicyDocument=trusts({"Service": "ec2.amazonaws.com"}))
    for name in ("closed", "absent", "path/r"):
        role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        assert refusal(user.assume_role, RoleArn=role, RoleSessionName="s1") == denied(arn, role)


def test_root_assumes_nothing(world: World, user: Any) -> None:
    told = refusal(world.client("sts").assume_role, RoleArn=ROLE, RoleSessionName="s1")
    assert told == ("AccessDenied", "Roles may not be assumed by root accounts.")


def test_who_may_assume(world: World, iam: Any, user: Any) -> None:
    """The account is trusted: identity policies decide. The user is named: they need not allow, and may deny."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/u"
    assume = lambda: user.assume_role(RoleArn=ROLE, RoleSessionName="s1")  # noqa: E731
    iam.delete_user_policy(UserName="u", PolicyName="p")
    assert refusal(assume) == denied(arn)
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trusts({"AWS": arn}))
    assert assume()["Credentials"]
    iam.put_user_policy(UserName="u", PolicyName="no", PolicyDocument=document(deny("sts:AssumeRole")))
    assert refusal(assume) == denied(arn)


def test_an_external_id(iam: Any, user: Any) -> None:
    trust = trusts({"AWS": "*"}, Condition={"StringEquals": {"sts:ExternalId": "right"}})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust)
    arn = f"arn:aws:iam::{ACCOUNT}:user/u"
    for given in ({}, {"ExternalId": "wrong"}):
        assert refusal(user.assume_role, RoleArn=ROLE, RoleSessionName="s1", **given) == denied(arn)
    assert user.assume_role(RoleArn=ROLE, RoleSessionName="s1", ExternalId="right")["Credentials"]


def test_across_accounts_both_sides_must_allow(world: World, iam: Any) -> None:
    other = world.client("iam", world.account(OTHER))
    other.create_user(UserName="guest")
    made = other.create_access_key(UserName="guest")["AccessKey"]
    guest = world.client(
        "sts", {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    )
    arn = f"arn:aws:iam::{OTHER}:user/guest"
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusts({"AWS": arn}))
    assert refusal(guest.assume_role, RoleArn=ROLE, RoleSessionName="s1") == denied(arn)
    other.put_user_policy(UserName="guest", PolicyName="p", PolicyDocument=document(allow("sts:AssumeRole", ROLE)))
    answer = guest.assume_role(RoleArn=ROLE, RoleSessionName="s1")
    assert world.client("sts", session_of(answer)).get_caller_identity()["Account"] == ACCOUNT
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trusts({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    assert refusal(guest.assume_role, RoleArn=ROLE, RoleSessionName="s1") == denied(arn)


def test_session_policies_limit(world: World, iam: Any, user: Any) -> None:
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    plain = world.client("iam", session_of(user.assume_role(RoleArn=ROLE, RoleSessionName="s1")))
    assert plain.list_roles()["Roles"]
    inline = user.assume_role(RoleArn=ROLE, RoleSessionName="s1", Policy=document(allow("iam:ListUsers")))
    assert inline["PackedPolicySize"] > 0
    limited = world.client("iam", session_of(inline))
    assert limited.list_users()["Users"]
    assert refusal(limited.list_roles) == (
        "AccessDenied",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/r/s1 is not authorized to perform: iam:ListRoles on resource: * "
        "because no session policy allows the iam:ListRoles action",
    )
    managed = user.assume_role(
        RoleArn=ROLE, RoleSessionName="s1", PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AWSDenyAll"}]
    )
    assert refusal(world.client("iam", session_of(managed)).list_users)[1].endswith(
        "with an explicit deny in a session policy"
    )


def test_role_chaining_lasts_an_hour(world: World, iam: Any, user: Any) -> None:
    iam.update_role(RoleName="r", MaxSessionDuration=43200)
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    long = user.assume_role(RoleArn=ROLE, RoleSessionName="s1", DurationSeconds=43200)
    chained = world.client("sts", session_of(long))
    assert refusal(chained.assume_role, RoleArn=ROLE, RoleSessionName="s2", DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
    assert chained.assume_role(RoleArn=ROLE, RoleSessionName="s2")["Credentials"]


def test_session_tags_and_transitive_ones(world: World, iam: Any, user: Any) -> None:
    iam.tag_role(RoleName="r", Tags=[{"Key": "Team", "Value": "of the role"}])
    condition = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    iam.put_role_policy(
        RoleName="r",
        PolicyName="p",
        PolicyDocument=document(allow("iam:ListUsers", Condition=condition), allow("sts:*")),
    )
    plain = world.client("iam", session_of(user.assume_role(RoleArn=ROLE, RoleSessionName="s1")))
    assert refusal(plain.list_users)[0] == "AccessDenied"
    tagged = user.assume_role(
        RoleArn=ROLE, RoleSessionName="s1", Tags=[{"Key": "team", "Value": "blue"}], TransitiveTagKeys=["TEAM"]
    )
    assert world.client("iam", session_of(tagged)).list_users()["Users"]
    chained = world.client("sts", session_of(tagged))
    assert refusal(
        chained.assume_role, RoleArn=ROLE, RoleSessionName="s2", Tags=[{"Key": "Team", "Value": "red"}]
    ) == (
        "InvalidParameterValue",
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
        "the calling session.",
    )
    again = chained.assume_role(RoleArn=ROLE, RoleSessionName="s2")
    assert world.client("iam", session_of(again)).list_users()["Users"]


def test_tagging_a_session_needs_its_own_permission(iam: Any, user: Any) -> None:
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(allow("sts:AssumeRole")))
    tags = [{"Key": "k", "Value": "v"}]
    assert refusal(user.assume_role, RoleArn=ROLE, RoleSessionName="s1", Tags=tags) == denied(
        f"arn:aws:iam::{ACCOUNT}:user/u", action="sts:TagSession"
    )
    assert refusal(user.assume_role, RoleArn=ROLE, RoleSessionName="s1", SourceIdentity="me") == denied(
        f"arn:aws:iam::{ACCOUNT}:user/u", action="sts:SetSourceIdentity"
    )


def test_a_source_identity_stays(world: World, iam: Any, user: Any) -> None:
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    first = user.assume_role(RoleArn=ROLE, RoleSessionName="s1", SourceIdentity="me")
    assert first["SourceIdentity"] == "me"
    chained = world.client("sts", session_of(first))
    assert chained.assume_role(RoleArn=ROLE, RoleSessionName="s2")["SourceIdentity"] == "me"
    told = refusal(chained.assume_role, RoleArn=ROLE, RoleSessionName="s2", SourceIdentity="you")
    assert told[0] == "AccessDenied"


def test_too_much_for_a_session(user: Any) -> None:
    import random

    chance = random.Random(1)
    tags = [{"Key": f"k{n}", "Value": f"{chance.getrandbits(900):0225x}"} for n in range(50)]
    code, message = refusal(user.assume_role, RoleArn=ROLE, RoleSessionName="s1", Tags=tags)
    assert code == "PackedPolicyTooLarge"
    assert message.startswith("Packed size of session tags consumes ")


def test_get_session_token(world: World, iam: Any, user: Any) -> None:
    iam.attach_user_policy(UserName="u", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    session = session_of(user.get_session_token(DurationSeconds=900))
    sts = world.client("sts", session)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/u"
    assert world.client("kms", session).list_keys()["Keys"] == []
    assert refusal(world.client("iam", session).list_users) == INVALID
    assert refusal(sts.get_session_token) == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )
    assert sts.assume_role(RoleArn=ROLE, RoleSessionName="s1")["Credentials"]
    root = world.client("sts").get_session_token(DurationSeconds=129600)["Credentials"]
    assert root["Expiration"].timestamp() - time.time() <= 3600


def test_the_user_is_gone_and_so_are_her_sessions(world: World, iam: Any, user: Any) -> None:
    session = world.client("sts", session_of(user.get_session_token()))
    assert session.get_caller_identity()["Account"] == ACCOUNT
    for key in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="u", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="u", PolicyName="p")
    iam.delete_user(UserName="u")
    assert refusal(session.get_caller_identity) == INVALID


def test_older_sessions_are_revoked_by_their_time(iam: Any, world: World, user: Any) -> None:
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    session = world.client("iam", session_of(user.assume_role(RoleArn=ROLE, RoleSessionName="s1")))
    assert session.list_users()["Users"]
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    revoke = document(deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": later}}))
    iam.put_role_policy(RoleName="r", PolicyName="AWSRevokeOlderSessions", PolicyDocument=revoke)
    assert refusal(session.list_users)[1].endswith("with an explicit deny in an identity-based policy")


def test_a_session_ends() -> None:
    clock = [1_800_000_000.0]
    world = World(now=lambda: clock[0])
    from bailiwick.core.errors import ExpiredToken
    from bailiwick.core.formats import Session, SessionKind, seal_session

    session = Session(SessionKind.SESSION, ACCOUNT, ACCOUNT, "ASIAX", "s" * 40, int(clock[0]), int(clock[0]) + 900)
    token = seal_session(world.environment.ring, session, world.environment.entropy)
    assert world.directory.credential("ASIAX", token, clock[0] + 899).secret == "s" * 40
    with pytest.raises(ExpiredToken, match="^The security token included in the request is expired$"):
        world.directory.credential("ASIAX", token, clock[0] + 900)


def test_tokens_that_do_not_belong(world: World, user: Any) -> None:
    one = session_of(user.assume_role(RoleArn=ROLE, RoleSessionName="s1"))
    two = session_of(user.assume_role(RoleArn=ROLE, RoleSessionName="s2"))
    for session in (
        one | {"aws_session_token": two["aws_session_token"]},
        one | {"aws_session_token": one["aws_session_token"][:-8] + "AAAAAAA="},
        world.root | {"aws_session_token": one["aws_session_token"]},
        {k: v for k, v in one.items() if k != "aws_session_token"},
    ):
        assert refusal(world.client("sts", session).get_caller_identity) == INVALID


def test_whose_key(user: Any) -> None:
    assert user.get_access_key_info(AccessKeyId="ASIAQNZGKIQY56JQ7WML")["Account"] == "029608264753"
    assert refusal(user.get_access_key_info, AccessKeyId="AKIAIOSFODNN7EXAMPLE")[0] == "ValidationError"


def test_json_and_get_are_understood(world: World) -> None:
    """What login proofs send: a GET, and `Accept: application/json` (facts/sts.md section 15)."""
    from bailiwick.core.message import Header, Request
    from bailiwick.core.sigv4.sign import sign

    query = "Action=GetCallerIdentity&Version=2011-06-15"
    headers = (Header("host", "sts.test"), Header("accept", "application/json"), Header("x-k8s-aws-id", "cluster"))
    request = sign(
        Request("GET", "/", query, headers, b""),
        access_key_id=world.root["aws_access_key_id"],
        secret=world.root["aws_secret_access_key"],
        token=None,
        region="eu-west-1",
        service="sts",
        now=time.time(),
    )
    told = json.loads(world.pipeline.handle(request).body)
    result = told["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
    assert result == {"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}

"""IAM Identity Center from its administration to the credentials of a role, with boto3."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError

from bailiwick.app.record import record_of
from bailiwick.directory import passwords
from bailiwick.directory.center import logins, people
from bailiwick.directory.center.logins import Client
from world import ACCOUNT, World

START = "https://example.awsapps.com/start"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
NAMED = {"DisplayName": "Alice", "Name": {"FamilyName": "Liddell", "GivenName": "Alice"}}
LOOPBACK = "http://127.0.0.1/oauth/callback"


class Center(msgspec.Struct):
    """A world with an instance, a person, a group that she is in, and a permission set assigned to the group."""

    world: World
    arn: str
    store: str
    person: str
    group: str
    permissions: str

    def client(self, name: str) -> Any:
        return self.world.client(name)

    def assign(self, account: str = ACCOUNT, kind: str = "GROUP") -> Any:
        return self.client("sso-admin").create_account_assignment(
            InstanceArn=self.arn,
            TargetId=account,
            TargetType="AWS_ACCOUNT",
            PermissionSetArn=self.permissions,
            PrincipalType=kind,
            PrincipalId=self.group if kind == "GROUP" else self.person,
        )["AccountAssignmentCreationStatus"]

    def let_in(self, code: str, person: str | None = None) -> None:
        """What the page does when a person confirms a device."""
        with self.world.store.transaction(write=True) as transaction:
            waiting = logins.device(transaction, code, self.world.now())
            assert waiting is not None
            user = people.user(transaction, self.store, person) if person else None
            logins.decide(transaction, waiting, user)

    def code(self, client: dict[str, Any], redirect: str, verifier: str) -> str:
        """What the page does when a person confirms a client."""
        environment, now = self.world.environment, self.world.now()
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        registered = logins.opened(environment, logins.CLIENT, client["clientId"], Client)
        with self.world.store.transaction(write=False) as transaction:
            user = people.user(transaction, self.store, self.person)
        assert user is not None
        return logins.new_code(environment, registered, user, redirect, digest, now)


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return str(response["Error"]["Code"]), int(response["ResponseMetadata"]["HTTPStatusCode"])


@pytest.fixture
def center() -> Center:
    world = World()
    admin, store = world.client("sso-admin"), world.client("identitystore")
    arn = admin.create_instance(Name="company")["InstanceArn"]
    (instance,) = admin.list_instances()["Instances"]
    assert instance["InstanceArn"] == arn
    in_store = instance["IdentityStoreId"]
    person = store.create_user(
        IdentityStoreId=in_store,
        UserName="alice@example.org",
        **NAMED,
        Emails=[{"Value": "alice@example.org", "Type": "work", "Primary": True}],
    )["UserId"]
    group = store.create_group(IdentityStoreId=in_store, DisplayName="Engineers")["GroupId"]
    store.create_group_membership(IdentityStoreId=in_store, GroupId=group, MemberId={"UserId": person})
    made = admin.create_permission_set(Name="KeyUser", InstanceArn=arn, SessionDuration="PT2H")["PermissionSet"]
    allow = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}}
    admin.put_inline_policy_to_permission_set(
        InstanceArn=arn, PermissionSetArn=made["PermissionSetArn"], InlinePolicy=json.dumps(allow)
    )
    return Center(world, arn, in_store, person, group, made["PermissionSetArn"])


def registered(center: Center, **more: Any) -> dict[str, Any]:
    answer = center.client("sso-oidc").register_client(clientName="aws", clientType="public", **more)
    return {"clientId": answer["clientId"], "clientSecret": answer["clientSecret"]}


def signed_in(center: Center, **more: Any) -> dict[str, Any]:
    oidc, client = center.client("sso-oidc"), registered(center, **more)
    device = oidc.start_device_authorization(**client, startUrl=START)
    center.let_in(device["userCode"], center.person)
    token: dict[str, Any] = oidc.create_token(**client, grantType=DEVICE, deviceCode=device["deviceCode"])
    return {**token, **client}


# -- People -----------------------------------------------------------------------------------------------


def test_people_are_found_by_name_address_and_filter(center: Center) -> None:
    store, of = center.client("identitystore"), {"IdentityStoreId": center.store}
    for path, value in (("userName", "ALICE@example.org"), ("emails.value", "alice@example.org")):
        wanted = {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}
        assert store.get_user_id(**of, AlternateIdentifier=wanted)["UserId"] == center.person
    filters = [{"AttributePath": "UserName", "AttributeValue": "alice@example.org"}]
    (user,) = store.list_users(**of, Filters=filters)["Users"]
    assert user["Name"] == {"FamilyName": "Liddell", "GivenName": "Alice"}
    assert (user["UserStatus"], user["Revision"]) == ("ENABLED", "1")
    assert store.list_users(**of, Filters=[{"AttributePath": "UserName", "AttributeValue": "x"}])["Users"] == []


def test_people_are_changed_by_path(center: Center) -> None:
    store, who = center.client("identitystore"), {"IdentityStoreId": center.store, "UserId": center.person}
    operations = [
        {"AttributePath": "name.familyName", "AttributeValue": "Hargreaves"},
        {"AttributePath": "title", "AttributeValue": "Dr"},
        {"AttributePath": "displayName"},
        {"AttributePath": "emails", "AttributeValue": [{"value": "a@example.org", "primary": True}]},
    ]
    assert store.update_user(**who, Operations=operations)["Revision"] == "2"
    user = store.describe_user(**who)
    assert user["Name"] == {"FamilyName": "Hargreaves", "GivenName": "Alice"}
    assert user["Emails"] == [{"Value": "a@example.org", "Primary": True}]
    assert user["Title"] == "Dr"
    assert "DisplayName" not in user
    stale = {"Operations": [{"AttributePath": "title", "AttributeValue": "x"}], "Revision": "1"}
    assert refusal(store.update_user, **who, **stale) == ("ConflictException", 400)
    for path, value in (("userName", None), ("userStatus", "DISABLED"), ("userName", 5)):
        operation = {"AttributePath": path} | ({"AttributeValue": value} if value is not None else {})
        assert refusal(store.update_user, **who, Operations=[operation])[0] == "ValidationException"
    assert store.describe_user(**who)["Revision"] == "2"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("emails", "text"),
        ("emails", [5]),
        ("name", 5),
        ("userName", 5),
        ("userName", "x" * 129),
        ("userName", "a\nb"),
        ("displayName", {"a": 1}),
        ("name.familyName", ["x"]),
        ("title", "x" * 5000),
        ("extensions", 5),
    ],
)
def test_attributes_of_another_form_are_refused(center: Center, path: str, value: Any) -> None:
    who = {"IdentityStoreId": center.store, "UserId": center.person}
    change = {"Operations": [{"AttributePath": path, "AttributeValue": value}]}
    assert refusal(center.client("identitystore").update_user, **who, **change) == ("ValidationException", 400)


@pytest.mark.parametrize(("path", "value"), [("displayName", 5), ("displayName", "x" * 1025), ("description", [1])])
def test_attributes_of_groups_too(center: Center, path: str, value: Any) -> None:
    which = {"IdentityStoreId": center.store, "GroupId": center.group}
    change = {"Operations": [{"AttributePath": path, "AttributeValue": value}]}
    assert refusal(center.client("identitystore").update_group, **which, **change) == ("ValidationException", 400)


def test_names_are_taken_once(center: Center) -> None:
    store, of = center.client("identitystore"), {"IdentityStoreId": center.store}
    assert refusal(store.create_user, **of, UserName="Alice@Example.org", **NAMED) == ("ConflictException", 400)
    assert refusal(store.create_group, **of, DisplayName="ENGINEERS") == ("ConflictException", 400)
    member = {"GroupId": center.group, "MemberId": {"UserId": center.person}}
    assert refusal(store.create_group_membership, **of, **member) == ("ConflictException", 400)
    assert refusal(store.create_user, **of)[0] == "ValidationException"


@pytest.mark.parametrize(
    ("operation", "parameters", "told"),
    [
        ("create_user", {}, "userName is a required attribute"),
        (
            "create_user",
            {"UserName": "x", "Name": {}},
            "displayname: The attribute displayname is required, name: The attribute name is required",
        ),
        (
            "create_user",
            {"UserName": "x", "DisplayName": "x", "Name": {"GivenName": "x"}},
            "familyname: The attribute familyname is required",
        ),
        ("create_user", {"UserName": "alice@example.org", **NAMED}, "Duplicate UserName"),
        ("create_group", {}, "displayName is a required attribute"),
        ("create_group", {"DisplayName": "Engineers"}, "Duplicate GroupDisplayName"),
        (
            "get_user_id",
            {"AlternateIdentifier": {"UniqueAttribute": {"AttributePath": "title", "AttributeValue": "x"}}},
            "The attribute title is not a unique attribute",
        ),
        (
            "get_group_id",
            {"AlternateIdentifier": {"UniqueAttribute": {"AttributePath": "displayName", "AttributeValue": ""}}},
            "attribute value cannot be empty or null for attribute path",
        ),
    ],
)
def test_refusals_are_told_in_words(center: Center, operation: str, parameters: dict[str, Any], told: str) -> None:
    store = center.client("identitystore")
    with pytest.raises(ClientError) as caught:
        getattr(store, operation)(IdentityStoreId=center.store, **parameters)
    assert caught.value.response["Error"]["Message"] == told


def test_a_refusal_has_the_id_of_its_request(center: Center) -> None:
    with pytest.raises(ClientError) as caught:
        center.client("identitystore").describe_user(IdentityStoreId=center.store, UserId=str(uuid.uuid4()))
    told: dict[str, Any] = dict(caught.value.response)
    assert told["RequestId"] == told["ResponseMetadata"]["RequestId"]
    assert told["ResourceType"] == "USER"


def test_ids_are_uuids_in_the_order_of_creation() -> None:
    now = [time.time()]
    world = World(now=lambda: now[0])
    world.client("sso-admin").create_instance()
    (instance,) = world.client("sso-admin").list_instances()["Instances"]
    assert "Name" not in instance
    store, of = world.client("identitystore"), {"IdentityStoreId": instance["IdentityStoreId"]}
    made = []
    for number in range(9):
        made.append(store.create_user(**of, UserName=f"u{number}", **NAMED)["UserId"])
        now[0] += 1
    assert [user["UserId"] for user in store.list_users(**of)["Users"]] == made
    assert {uuid.UUID(each).version for each in made} == {7}


def test_refusals_of_policies_of_a_permission_set_are_told_in_words(center: Center) -> None:
    admin = center.client("sso-admin")
    of = {"InstanceArn": center.arn, "PermissionSetArn": center.permissions}
    set_id = center.permissions.rpartition("/")[2]
    aws, own = "arn:aws:iam::aws:policy/SecurityAudit", {"Name": "own", "Path": "/p/"}

    def told(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            call(**{**of, **parameters})
        error = caught.value.response["Error"]
        return str(error["Code"]), str(error["Message"])

    attach, detach = admin.attach_managed_policy_to_permission_set, admin.detach_managed_policy_from_permission_set
    refer = admin.attach_customer_managed_policy_reference_to_permission_set
    missing = "ResourceNotFoundException"
    assert told(detach, ManagedPolicyArn=aws) == (missing, f"Could not find ManagedPolicy with arn {aws}")
    assert told(attach, ManagedPolicyArn=f"{aws}x") == (missing, f"Policy does not exist with ARN: {aws}x")
    assert told(
        admin.detach_customer_managed_policy_reference_from_permission_set, CustomerManagedPolicyReference=own
    ) == (missing, "Given managed policy with name: own  and path /p/ does not exist on PermissionSet")
    attach(**of, ManagedPolicyArn=aws)
    refer(**of, CustomerManagedPolicyReference=own)
    linked = f"Permission set with id {set_id} already has a typed link attachment to a manged policy with {aws}"
    assert told(attach, ManagedPolicyArn=aws) == ("ConflictException", linked)
    already = "Given customer managed policy with name: own  and path /p/ already attached"
    assert told(refer, CustomerManagedPolicyReference=own) == ("ConflictException", already)
    other = center.permissions.replace(set_id, "ps-0123456789abcdef")
    assert told(admin.describe_permission_set, PermissionSetArn=other) == (
        missing,
        "Could not find PermissionSet with id ps-0123456789abcdef",
    )
    for number in range(18):
        refer(**of, CustomerManagedPolicyReference={"Name": f"p{number}"})
    code, text = told(refer, CustomerManagedPolicyReference={"Name": "more"})
    assert (code, "more than 20 for id " + set_id in text) == ("ServiceQuotaExceededException", True)


def test_memberships(center: Center) -> None:
    store, of = center.client("identitystore"), {"IdentityStoreId": center.store}
    member = {"MemberId": {"UserId": center.person}}
    (found,) = store.list_group_memberships_for_member(**of, **member)["GroupMemberships"]
    named = store.get_group_membership_id(**of, **member, GroupId=center.group)["MembershipId"]
    assert named == found["MembershipId"]
    assert store.describe_group_membership(**of, MembershipId=named)["MemberId"] == {"UserId": center.person}
    (result,) = store.is_member_in_groups(**of, **member, GroupIds=[center.group])["Results"]
    assert result["MembershipExists"] is True
    store.delete_group_membership(**of, MembershipId=named)
    assert store.list_group_memberships(**of, GroupId=center.group)["GroupMemberships"] == []
    assert refusal(store.describe_group_membership, **of, MembershipId=named) == ("ResourceNotFoundException", 400)


def test_lists_have_pages(center: Center) -> None:
    store, of = center.client("identitystore"), {"IdentityStoreId": center.store}
    for number in range(5):
        store.create_user(**of, UserName=f"user-{number}", **NAMED)
    pages = list(store.get_paginator("list_users").paginate(**of, PaginationConfig={"PageSize": 2}))
    assert [len(page["Users"]) for page in pages] == [2, 2, 2]
    assert len({user["UserId"] for page in pages for user in page["Users"]}) == 6


def test_another_account_sees_nothing(center: Center) -> None:
    other = center.world.account("210987654321")
    store = center.world.client("identitystore", other)
    assert refusal(store.list_users, IdentityStoreId=center.store)[0] == "ResourceNotFoundException"
    admin = center.world.client("sso-admin", other)
    assert refusal(admin.describe_instance, InstanceArn=center.arn)[0] == "AccessDeniedException"


def test_a_password_is_set_and_ends_what_was_begun(center: Center) -> None:
    token, store = signed_in(center), center.client("identitystore")
    who = {"IdentityStoreId": center.store, "UserId": center.person}
    for bad in ("alllowercase", "Alice@example.org"):
        assert refusal(store.update_password, **who, Password=bad)[0] == "ValidationException"
    store.update_password(**who, Password="correct Horse 1", PasswordResetRequired=True)
    store.update_password(**who, Password="correct Horse 2")
    assert refusal(center.client("sso").list_accounts, accessToken=token["accessToken"])[1] == 401
    with center.world.store.transaction(write=False) as transaction:
        user = people.user(transaction, center.store, center.person)
        assert user is not None
        checked = [
            passwords.verify(transaction, user.owner, each, 0) for each in ("correct Horse 1", "correct Horse 2")
        ]
    assert checked == [passwords.Outcome.WRONG, passwords.Outcome.OK]
    assert "correct Horse" not in json.dumps([json.loads(record_of(e, bytes)) for e in center.world.events[-4:]])


# -- Permission sets --------------------------------------------------------------------------------------


def test_an_assignment_becomes_a_role(center: Center) -> None:
    admin, iam, named = center.client("sso-admin"), center.client("iam"), {"InstanceArn": center.arn}
    both = {**named, "PermissionSetArn": center.permissions}
    admin.attach_managed_policy_to_permission_set(**both, ManagedPolicyArn="arn:aws:iam::aws:policy/SecurityAudit")
    status = center.assign()
    assert status["Status"] == "SUCCEEDED"
    told = admin.describe_account_assignment_creation_status(
        **named, AccountAssignmentCreationRequestId=status["RequestId"]
    )
    assert told["AccountAssignmentCreationStatus"]["PrincipalId"] == center.group
    (role,) = iam.list_roles(PathPrefix="/aws-reserved/sso.amazonaws.com/")["Roles"]
    assert role["RoleName"].startswith("AWSReservedSSO_KeyUser_")
    assert role["MaxSessionDuration"] == 7200
    (attached,) = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert attached["PolicyName"] == "SecurityAudit"
    assert refusal(iam.delete_role, RoleName=role["RoleName"])[0] == "UnmodifiableEntity"
    assert admin.list_accounts_for_provisioned_permission_set(**both)["AccountIds"] == [ACCOUNT]
    assert admin.list_permission_sets_provisioned_to_account(**named, AccountId=ACCOUNT)["PermissionSets"] == [
        center.permissions
    ]
    (assignment,) = admin.list_account_assignments(**both, AccountId=ACCOUNT)["AccountAssignments"]
    assert assignment["PrincipalType"] == "GROUP"
    (inherited,) = admin.list_account_assignments_for_principal(
        **named, PrincipalId=center.person, PrincipalType="USER"
    )["AccountAssignments"]
    assert inherited["PrincipalId"] == center.group


def test_a_change_waits_until_it_is_provisioned(center: Center) -> None:
    admin, iam, named = center.client("sso-admin"), center.client("iam"), {"InstanceArn": center.arn}
    both = {**named, "PermissionSetArn": center.permissions}
    center.assign()
    (role,) = iam.list_roles(PathPrefix="/aws-reserved/")["Roles"]
    admin.delete_inline_policy_from_permission_set(**both)
    assert len(iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]) == 1
    stale = {"ProvisioningStatus": "LATEST_PERMISSION_SET_NOT_PROVISIONED"}
    assert admin.list_accounts_for_provisioned_permission_set(**both, **stale)["AccountIds"] == [ACCOUNT]
    done = admin.provision_permission_set(**both, TargetType="ALL_PROVISIONED_ACCOUNTS")
    assert done["PermissionSetProvisioningStatus"]["Status"] == "SUCCEEDED"
    assert iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"] == []
    assert admin.list_accounts_for_provisioned_permission_set(**both, **stale)["AccountIds"] == []


def test_a_policy_that_is_not_there_fails_the_assignment(center: Center) -> None:
    admin, both = center.client("sso-admin"), {"InstanceArn": center.arn, "PermissionSetArn": center.permissions}
    reference = {"CustomerManagedPolicyReference": {"Name": "own", "Path": "/"}}
    admin.attach_customer_managed_policy_reference_to_permission_set(**both, **reference)
    status = center.assign()
    assert status["Status"] == "FAILED"
    assert "policy/own does not exist" in status["FailureReason"]
    policy = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'
    center.client("iam").create_policy(PolicyName="own", PolicyDocument=policy)
    assert center.assign()["Status"] == "SUCCEEDED"


def test_the_last_assignment_takes_the_role_along(center: Center) -> None:
    admin, iam = center.client("sso-admin"), center.client("iam")
    center.assign()
    center.assign(kind="USER")
    both = {"InstanceArn": center.arn, "PermissionSetArn": center.permissions}
    assert refusal(admin.delete_permission_set, **both)[0] == "ConflictException"
    for kind, principal in (("GROUP", center.group), ("USER", center.person)):
        assert len(iam.list_roles(PathPrefix="/aws-reserved/")["Roles"]) == 1
        admin.delete_account_assignment(
            **both, TargetId=ACCOUNT, TargetType="AWS_ACCOUNT", PrincipalType=kind, PrincipalId=principal
        )
    assert iam.list_roles(PathPrefix="/aws-reserved/")["Roles"] == []
    admin.delete_permission_set(**both)
    assert admin.list_permission_sets(InstanceArn=center.arn)["PermissionSets"] == []


def test_what_makes_no_sense_is_refused(center: Center) -> None:
    admin, named = center.client("sso-admin"), {"InstanceArn": center.arn}
    both = {**named, "PermissionSetArn": center.permissions}
    assert refusal(admin.create_instance)[0] == "ConflictException"
    assert refusal(admin.create_permission_set, **named, Name="KeyUser")[0] == "ConflictException"
    for duration in ("PT30M", "PT13H", "P1D"):
        assert refusal(admin.update_permission_set, **both, SessionDuration=duration)[0] == "ValidationException"
    assert refusal(admin.put_inline_policy_to_permission_set, **both, InlinePolicy="{}")[0] == "ValidationException"
    with pytest.raises(ClientError):
        center.assign("999999999999")
    assert refusal(admin.get_permissions_boundary_for_permission_set, **both)[0] == "ResourceNotFoundException"


def test_tags_of_permission_sets(center: Center) -> None:
    admin, named = center.client("sso-admin"), {"InstanceArn": center.arn, "ResourceArn": center.permissions}
    admin.tag_resource(**named, Tags=[{"Key": "team", "Value": "x"}, {"Key": "b", "Value": "y"}])
    admin.untag_resource(**named, TagKeys=["b"])
    assert admin.list_tags_for_resource(**named)["Tags"] == [{"Key": "team", "Value": "x"}]


# -- Signing in -------------------------------------------------------------------------------------------


def test_a_device_is_let_in_and_gets_credentials(center: Center) -> None:
    center.assign()
    oidc, client = center.client("sso-oidc"), registered(center, scopes=["sso:account:access"])
    device = oidc.start_device_authorization(**client, startUrl=START)
    ask = {**client, "grantType": DEVICE, "deviceCode": device["deviceCode"]}
    assert refusal(oidc.create_token, **ask) == ("AuthorizationPendingException", 400)
    center.let_in(device["userCode"], center.person)
    token = oidc.create_token(**ask)
    assert (token["tokenType"], token["expiresIn"]) == ("Bearer", 3600)
    assert refusal(oidc.create_token, **ask)[0] == "ExpiredTokenException"  # used up
    portal, shown = center.client("sso"), {"accessToken": token["accessToken"]}
    (account,) = portal.list_accounts(**shown)["accountList"]
    (role,) = portal.list_account_roles(**shown, accountId=account["accountId"])["roleList"]
    assert role == {"roleName": "KeyUser", "accountId": ACCOUNT}
    given = portal.get_role_credentials(**shown, **role)["roleCredentials"]
    keys = {
        "aws_access_key_id": given["accessKeyId"],
        "aws_secret_access_key": given["secretAccessKey"],
        "aws_session_token": given["sessionToken"],
    }
    assert center.world.client("kms", keys).list_keys()["Keys"] == []
    assert refusal(center.world.client("iam", keys).list_users)[0] == "AccessDenied"
    who = center.world.client("sts", keys).get_caller_identity()["Arn"]
    assert who.endswith("/alice@example.org")
    assert ":assumed-role/AWSReservedSSO_KeyUser_" in who
    portal.logout(**shown)
    assert refusal(portal.list_accounts, **shown) == ("UnauthorizedException", 401)


def test_the_audit_trail_tells_who_it_was(center: Center) -> None:
    center.assign()
    token = signed_in(center)
    center.client("sso").get_role_credentials(
        accessToken=token["accessToken"], roleName="KeyUser", accountId=ACCOUNT
    )
    assumed, got = (
        json.loads(record_of(event, center.world.environment.noise)) for event in center.world.events[-2:]
    )
    assert got["userIdentity"]["type"] == "IdentityCenterUser"
    assert got["userIdentity"]["onBehalfOf"]["userId"] == center.person
    assert assumed["requestParameters"]["identityStoreUserName"] == "alice@example.org"
    text = json.dumps([assumed, got])
    assert token["accessToken"] not in text


def test_a_denied_or_foreign_device_gets_nothing(center: Center) -> None:
    oidc, client = center.client("sso-oidc"), registered(center)
    device = oidc.start_device_authorization(**client, startUrl=START)
    ask = {"grantType": DEVICE, "deviceCode": device["deviceCode"]}
    other = registered(center)
    assert refusal(oidc.create_token, **ask, **other)[0] == "InvalidGrantException"
    center.let_in(device["userCode"])
    assert refusal(oidc.create_token, **ask, **client)[0] == "AccessDeniedException"
    wrong = {**client, "clientSecret": client["clientSecret"][:-2] + "xx"}
    assert refusal(oidc.create_token, **ask, **wrong) == ("InvalidClientException", 401)
    assert refusal(oidc.create_token, **client, grantType="password")[0] == "UnsupportedGrantTypeException"


def test_an_authorization_code_with_its_verifier(center: Center) -> None:
    oidc = center.client("sso-oidc")
    client = registered(
        center, redirectUris=[LOOPBACK], grantTypes=["authorization_code", "refresh_token"], issuerUrl=START
    )
    redirect, verifier = "http://127.0.0.1:5555/oauth/callback", "v" * 43
    ask = {**client, "grantType": "authorization_code", "redirectUri": redirect, "codeVerifier": verifier}
    code = center.code(client, redirect, verifier)
    for wrong in ({"codeVerifier": "w" * 43}, {"redirectUri": LOOPBACK}, {"code": code[:-4] + "abcd"}):
        assert refusal(oidc.create_token, **{**ask, "code": code, **wrong})[0] == "InvalidGrantException"
    assert oidc.create_token(**ask, code=code)["refreshToken"]
    assert refusal(oidc.create_token, **ask, code=code)[0] == "InvalidGrantException"


def test_a_refresh_token_is_good_once(center: Center) -> None:
    oidc, token = center.client("sso-oidc"), signed_in(center, scopes=["sso:account:access"])
    client = {name: token[name] for name in ("clientId", "clientSecret")}
    ask = {**client, "grantType": "refresh_token"}
    second = oidc.create_token(**ask, refreshToken=token["refreshToken"])
    assert second["refreshToken"] != token["refreshToken"]
    portal = center.client("sso")
    assert portal.list_accounts(accessToken=second["accessToken"])["accountList"] == []
    assert refusal(portal.list_accounts, accessToken=second["refreshToken"])[0] == "UnauthorizedException"
    assert refusal(oidc.create_token, **ask, refreshToken=token["refreshToken"])[0] == "InvalidGrantException"
    # One of two who had it was a thief: nobody goes on.
    assert refusal(oidc.create_token, **ask, refreshToken=second["refreshToken"])[0] == "InvalidGrantException"
    assert refusal(portal.list_accounts, accessToken=second["accessToken"])[0] == "UnauthorizedException"


def test_who_is_gone_is_signed_out(center: Center) -> None:
    center.assign()
    token, portal = signed_in(center), center.client("sso")
    shown = {"accessToken": token["accessToken"]}
    role = {"roleName": "KeyUser", "accountId": ACCOUNT}
    store, of = center.client("identitystore"), {"IdentityStoreId": center.store}
    (member,) = store.list_group_memberships(**of, GroupId=center.group)["GroupMemberships"]
    store.delete_group_membership(**of, MembershipId=member["MembershipId"])
    assert refusal(portal.get_role_credentials, **shown, **role)[1] == 403
    store.delete_user(**of, UserId=center.person)
    assert refusal(portal.list_accounts, **shown)[0] == "UnauthorizedException"


@pytest.mark.parametrize(
    "wrong",
    [
        {"clientType": "confidential"},
        {"redirectUris": ["https://evil.example/callback"]},
        {"redirectUris": ["http://127.0.0.1.evil.example/"]},
        {"redirectUris": ["http://user@127.0.0.1/"]},
        {"grantTypes": ["implicit"]},
    ],
)
def test_clients_that_are_not_taken(center: Center, wrong: dict[str, Any]) -> None:
    oidc = center.client("sso-oidc")
    assert refusal(oidc.register_client, **{"clientName": "x", "clientType": "public", **wrong})[1] == 400


def test_the_sdk_needs_nothing_but_boto3() -> None:
    assert {"sso", "sso-admin", "sso-oidc", "identitystore"} <= set(boto3.Session().get_available_services())

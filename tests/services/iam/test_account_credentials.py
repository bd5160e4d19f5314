"""Service-specific credentials, the account's alias and preferences, the credential report, what holds a user."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papers import certificate, curve_key, ssh
from services_support import ACCOUNT, allow, document, refusal
from sqlalchemy import insert, select

from bailiwick.directory import mfa, passwords
from bailiwick.directory.credential_tables import mfa_device, service_credential
from bailiwick.services.iam.credential_report import COLUMNS
from still_clock import NOW, Clock
from world import World

GIT, BEDROCK = "codecommit.amazonaws.com", "bedrock.amazonaws.com"
PASSWORD = "Correct-Horse-1"


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


# -- Service-specific credentials -------------------------------------------------------------------------


def test_the_life_of_a_service_credential(world: World, iam: Any) -> None:
    iam.create_user(UserName="alice")
    made = iam.create_service_specific_credential(UserName="alice", ServiceName=GIT)["ServiceSpecificCredential"]
    assert set(made) == {
        *("CreateDate", "ServiceName", "ServiceUserName", "ServicePassword"),
        *("ServiceSpecificCredentialId", "UserName", "Status"),
    }
    assert made["ServiceUserName"] == f"alice-at-{ACCOUNT}"
    assert (len(made["ServicePassword"]), made["ServicePassword"][-1]) == (60, "=")
    named = {"UserName": "alice", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
    iam.update_service_specific_credential(**named, Status="Inactive")
    reset = iam.reset_service_specific_credential(**named)["ServiceSpecificCredential"]
    assert (reset["Status"], reset["ServicePassword"] != made["ServicePassword"]) == ("Inactive", True)
    iam.update_user(UserName="alice", NewUserName="alicia")
    named["UserName"] = "alicia"
    [listed] = iam.list_service_specific_credentials(UserName="alicia")["ServiceSpecificCredentials"]
    assert (listed["UserName"], listed["ServiceUserName"]) == ("alicia", f"alice-at-{ACCOUNT}")
    assert "ServicePassword" not in listed
    with world.store.transaction(write=False) as transaction:
        row = transaction.one(select(service_credential))
    assert row is not None
    assert row.digest == hashlib.sha256(reset["ServicePassword"].encode()).digest()
    iam.delete_service_specific_credential(**named)
    gone = ("NoSuchEntity", f"No such credential {named['ServiceSpecificCredentialId']} exists")
    for operation in ("delete", "reset"):
        assert refusal(getattr(iam, f"{operation}_service_specific_credential"), **named) == gone
    assert refusal(iam.update_service_specific_credential, **named, Status="Active") == gone
    assert refusal(iam.update_service_specific_credential, **named, Status="Wrong") == (
        "ValidationError",
        "1 validation error detected: Value at 'status' failed to satisfy constraint: Member must satisfy enum "
        "value set",
    )


def test_two_credentials_for_each_service(iam: Any) -> None:
    iam.create_user(UserName="u")
    made = [
        iam.create_service_specific_credential(UserName="u", ServiceName=GIT)["ServiceSpecificCredential"]
        for _ in range(2)
    ]
    assert [each["ServiceUserName"] for each in made] == [f"u-at-{ACCOUNT}", f"u+1-at-{ACCOUNT}"]
    assert refusal(iam.create_service_specific_credential, UserName="u", ServiceName=GIT)[0] == "LimitExceeded"
    iam.create_service_specific_credential(UserName="u", ServiceName="cassandra.amazonaws.com")
    listed = iam.list_service_specific_credentials(UserName="u", ServiceName=GIT)
    assert len(listed["ServiceSpecificCredentials"]) == 2


def test_a_service_that_is_not_known(iam: Any) -> None:
    unknown = "No such service s3.amazonaws.com is supported for Service Specific Credentials"
    create = iam.create_service_specific_credential
    assert refusal(create, UserName="u", ServiceName="s3.amazonaws.com") == (
        "NoSuchEntity",
        "The user with name u cannot be found.",
    )
    iam.create_user(UserName="u")
    assert refusal(create, UserName="u", ServiceName="s3.amazonaws.com") == ("NoSuchEntity", unknown)


def test_an_api_key_and_its_end(clock: Clock, iam: Any) -> None:
    iam.create_user(UserName="u")
    given = {"UserName": "u", "CredentialAgeDays": 1}
    assert refusal(iam.create_service_specific_credential, **given, ServiceName=GIT)[0] == "ValidationError"
    made = iam.create_service_specific_credential(**given, ServiceName=BEDROCK)["ServiceSpecificCredential"]
    assert set(made) == {
        *("CreateDate", "ExpirationDate", "ServiceName", "ServiceCredentialAlias", "ServiceCredentialSecret"),
        *("ServiceSpecificCredentialId", "UserName", "Status"),
    }
    clock.now += 86_400
    [listed] = iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"]
    assert listed["Status"] == "Expired"


def test_conditions_on_the_service(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    names_git = {"StringEquals": {"iam:ServiceSpecificCredentialServiceName": GIT}}
    statement = allow("iam:*ServiceSpecificCredential", Condition=names_git)
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(statement))
    own = world.client("iam", world.keys_of("u"))
    made = own.create_service_specific_credential(UserName="u", ServiceName=GIT)["ServiceSpecificCredential"]
    assert refusal(own.create_service_specific_credential, UserName="u", ServiceName=BEDROCK)[0] == "AccessDenied"
    own.reset_service_specific_credential(ServiceSpecificCredentialId=made["ServiceSpecificCredentialId"])


# -- The account ------------------------------------------------------------------------------------------


def test_the_alias_of_an_account(world: World, iam: Any) -> None:
    assert iam.list_account_aliases()["AccountAliases"] == []
    iam.create_account_alias(AccountAlias="some-name")
    assert iam.list_account_aliases()["AccountAliases"] == ["some-name"]
    other = world.client("iam", world.account("210987654321"))
    assert refusal(other.create_account_alias, AccountAlias="some-name") == (
        "EntityAlreadyExists",
        "The account alias some-name already exists.",
    )
    assert refusal(other.delete_account_alias, AccountAlias="some-name")[0] == "NoSuchEntity"
    assert refusal(iam.create_account_alias, AccountAlias="another")[0] == "LimitExceeded"
    iam.delete_account_alias(AccountAlias="some-name")
    assert refusal(iam.delete_account_alias, AccountAlias="some-name") == (
        "NoSuchEntity",
        "The account alias some-name cannot be found.",
    )
    other.create_account_alias(AccountAlias="some-name")


@pytest.mark.parametrize("alias", ["ab", "a" * 64, "Upper", "a--b", "-ab", "ab-", "a.b", "123456789012"])
def test_what_is_no_alias(iam: Any, alias: str) -> None:
    assert refusal(iam.create_account_alias, AccountAlias=alias)[0] == "ValidationError"


@settings(max_examples=25, deadline=None)
@given(st.from_regex(r"[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]", fullmatch=True))
def test_every_alias_of_the_pattern_is_taken(alias: str) -> None:
    world = World()
    iam = world.client("iam")
    if len(alias) == 12 and alias.isdigit():
        return
    iam.create_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == [alias]


def test_properties_of_an_account(iam: Any) -> None:
    assert iam.get_account_properties().get("Properties", {}) == {}
    iam.put_account_properties(Properties={"Team/Name": "a", "Team/Room": "b"})
    iam.put_account_properties(Properties={"Team/Name": "c"})
    assert iam.get_account_properties()["Properties"] == {"Team/Name": "c", "Team/Room": "b"}
    for wrong in ({"A/x": "1", "B/x": "1"}, {"NoSlash": "1"}, {"A/": "1"}):
        assert refusal(iam.put_account_properties, Properties=wrong)[0] == "InvalidInput"


def test_the_version_of_tokens(iam: Any) -> None:
    def told() -> int:
        return int(iam.get_account_summary()["SummaryMap"]["GlobalEndpointTokenVersion"])

    assert told() == 1
    for name, version in (("v2Token", 2), ("v1Token", 1)):
        iam.set_security_token_service_preferences(GlobalEndpointTokenVersion=name)
        assert told() == version


def test_the_summary_has_every_key_and_counts(iam: Any) -> None:
    before = iam.get_account_summary()["SummaryMap"]
    assert {name: value for name, value in before.items() if "Quota" in name} == {
        "AccessKeysPerUserQuota": 2,
        "AssumeRolePolicySizeQuota": 2048,
        "AttachedPoliciesPerGroupQuota": 10,
        "AttachedPoliciesPerRoleQuota": 10,
        "AttachedPoliciesPerUserQuota": 10,
        "GroupPolicySizeQuota": 5120,
        "GroupsPerUserQuota": 10,
        "GroupsQuota": 300,
        "InstanceProfilesQuota": 1000,
        "PoliciesQuota": 1500,
        "PolicySizeQuota": 6144,
        "PolicyVersionsInUseQuota": 10000,
        "RolePolicySizeQuota": 10240,
        "RolesQuota": 1000,
        "ServerCertificatesQuota": 20,
        "SigningCertificatesPerUserQuota": 2,
        "UserPolicySizeQuota": 2048,
        "UsersQuota": 5000,
        "VersionsPerPolicyQuota": 5,
    }
    iam.create_user(UserName="u")
    iam.create_virtual_mfa_device(VirtualMFADeviceName="d")
    iam.create_instance_profile(InstanceProfileName="p")
    after = iam.get_account_summary()["SummaryMap"]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"Users", "MFADevices", "InstanceProfiles"}
    assert len(after) == 34


# -- The credential report --------------------------------------------------------------------------------


def report(iam: Any) -> dict[str, dict[str, str]]:
    iam.generate_credential_report()
    found = iam.get_credential_report()
    assert found["ReportFormat"] == "text/csv"
    return {row["user"]: row for row in csv.DictReader(io.StringIO(found["Content"].decode()))}


def test_the_states_of_the_report(clock: Clock, iam: Any) -> None:
    assert refusal(iam.get_credential_report)[0] == "ReportNotPresent"
    first = iam.generate_credential_report()
    assert (first["State"], first["Description"]) == (
        "STARTED",
        "No report exists. Starting a new report generation task",
    )
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    assert iam.get_credential_report()["GeneratedTime"].timestamp() == NOW
    clock.now += 4 * 3600
    assert refusal(iam.get_credential_report)[0] == "ReportExpired"
    assert iam.generate_credential_report()["State"] == "STARTED"


def test_a_report_that_is_not_there_has_no_message(iam: Any) -> None:
    with pytest.raises(iam.exceptions.CredentialReportNotPresentException) as caught:
        iam.get_credential_report()
    assert caught.value.response["Error"] == {"Type": "Sender", "Code": "ReportNotPresent"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 410


def test_the_columns_of_the_report(iam: Any) -> None:
    iam.generate_credential_report()
    content = iam.get_credential_report()["Content"].decode()
    assert content.split("\n")[0] == (
        "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
        "password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
        "access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
        "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,"
        "access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
    )
    assert list(COLUMNS) == content.split("\n")[0].split(",")


def test_the_rows_of_the_report(world: World, clock: Clock, iam: Any) -> None:
    for name in ("bob", "Alice"):
        iam.create_user(UserName=name)
    clock.now += 60
    iam.update_account_password_policy(MaxPasswordAge=1)
    iam.create_login_profile(UserName="Alice", Password=PASSWORD)
    first = iam.create_access_key(UserName="Alice")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="Alice", AccessKeyId=first, Status="Inactive")
    clock.now += 60
    world.client("sts", world.keys_of("Alice")).get_caller_identity()
    world.directory.usage.flush(world.store)
    iam.upload_signing_certificate(UserName="Alice", CertificateBody=certificate(curve_key(1), curve_key(0)))
    rows = report(iam)
    assert list(rows) == ["<root_account>", "Alice", "bob"]
    assert list(rows["Alice"].values()) == [
        *("Alice", f"arn:aws:iam::{ACCOUNT}:user/Alice", "2023-11-14T22:13:30+00:00"),
        *("true", "no_information", "2023-11-14T22:14:30+00:00", "2023-11-15T22:14:30+00:00", "false"),
        *("false", "2023-11-14T22:14:30+00:00", "N/A", "N/A", "N/A"),
        *("true", "2023-11-14T22:15:30+00:00", "2023-11-14T22:15:30+00:00", "us-east-1", "sts"),
        *("true", "2023-11-14T22:15:30+00:00", "false", "N/A"),
    ]
    none = ["false", "N/A", "N/A", "N/A", "N/A"] * 2
    assert list(rows["bob"].values())[3:] == [
        *("false", "N/A", "N/A", "N/A", "false", *none, "false", "N/A", "false", "N/A")
    ]
    root = list(rows["<root_account>"].values())
    assert root[3:8] == ["not_supported", "no_information", "not_supported", "not_supported", "false"]
    assert root[8] == "true"  # the key of these tests


def test_one_account_does_not_tell_of_another(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    other = world.client("iam", world.account("210987654321"))
    assert list(report(other)) == ["<root_account>"]


# -- What holds a user ------------------------------------------------------------------------------------

_FIRST = "Cannot delete entity, must {} first."


def with_device(world: World, iam: Any) -> None:
    user = iam.get_user(UserName="u")["User"]
    with world.store.transaction(write=True) as transaction:
        transaction.run(
            insert(mfa_device).values(
                serial="GAHT12345678",
                account=ACCOUNT,
                kind=mfa.FIDO,
                owner_id=user["UserId"],
                created=NOW,
                enabled=NOW,
            )
        )


HOLDING = [
    (lambda world, iam: iam.create_login_profile(UserName="u", Password=PASSWORD), "delete login profile"),
    (lambda world, iam: iam.create_access_key(UserName="u"), "delete access keys"),
    (with_device, "delete MFA device"),
    (
        lambda world, iam: iam.upload_signing_certificate(
            UserName="u", CertificateBody=certificate(curve_key(1), curve_key(0))
        ),
        "delete signing certificates",
    ),
    (
        lambda world, iam: iam.upload_ssh_public_key(UserName="u", SSHPublicKeyBody=ssh()),
        "remove referenced objects",
    ),
    (
        lambda world, iam: iam.create_service_specific_credential(UserName="u", ServiceName=GIT),
        "remove referenced objects",
    ),
]


@pytest.mark.parametrize(("prepare", "what"), HOLDING)
def test_what_else_holds_a_user(world: World, iam: Any, prepare: Any, what: str) -> None:
    iam.create_user(UserName="u")
    prepare(world, iam)
    assert refusal(iam.delete_user, UserName="u") == ("DeleteConflict", _FIRST.format(what))


def test_the_order_in_which_it_is_told(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    for prepare, what in reversed(HOLDING):
        prepare(world, iam)
        assert refusal(iam.delete_user, UserName="u")[1] == _FIRST.format(what)


def test_a_user_who_comes_again_has_no_former_passwords(world: World, iam: Any) -> None:
    iam.create_user(UserName="u")
    iam.create_login_profile(UserName="u", Password=PASSWORD)
    iam.delete_login_profile(UserName="u")
    iam.delete_user(UserName="u")
    with world.store.transaction(write=False) as transaction:
        assert transaction.all(select(passwords.former_password)) == []


def test_the_key_of_nobody_is_told_as_recorded(iam: Any) -> None:
    assert refusal(iam.get_access_key_last_used, AccessKeyId="AKIAIOSFODNN7EXAMPLE") == (
        "AccessDenied",
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform iam:GetAccessKeyLastUsed on resource: "
        "access key AKIAIOSFODNN7EXAMPLE",
    )


def test_expired_is_not_a_status_to_set(iam: Any) -> None:
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"]
    assert refusal(iam.update_access_key, UserName="u", AccessKeyId=key, Status="Expired")[0] == "InvalidInput"


def test_root_has_two_keys_of_its_own(world: World, iam: Any) -> None:
    second = iam.create_access_key()["AccessKey"]
    assert second["UserName"] == "root"
    assert refusal(iam.create_access_key) == ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 2
    iam.update_access_key(AccessKeyId=second["AccessKeyId"], Status="Inactive")
    iam.delete_access_key(AccessKeyId=second["AccessKeyId"])

"""The operations of Organizations: what they answer, and how they refuse."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from estate import RCP, SCP, Estate, allows, denies
from hypothesis import given, settings
from hypothesis import strategies as st
from services_support import allow, deny, document, refusal
from sqlalchemy import update

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_rcp, check_scp
from bailiwick.directory import organization_tables as tables
from world import ACCOUNT, World

NOWHERE = "r-0000"
UNKNOWN = "999999999999"


@pytest.fixture
def estate(world: World) -> Estate:
    return Estate(world)


@pytest.fixture
def api(estate: Estate) -> Any:
    return estate.api


def test_an_organization_as_it_is_shown(world: World) -> None:
    api = world.client("organizations")
    made = api.create_organization()["Organization"]
    arn = f"arn:aws:organizations::{ACCOUNT}:"
    assert re.fullmatch("o-[a-z0-9]{10,32}", made["Id"])
    assert made == {
        "Id": made["Id"],
        "Arn": f"{arn}organization/{made['Id']}",
        "FeatureSet": "ALL",
        "MasterAccountArn": f"{arn}account/{made['Id']}/{ACCOUNT}",
        "MasterAccountId": ACCOUNT,
        "MasterAccountEmail": "",
        "AvailablePolicyTypes": [{"Type": SCP, "Status": "ENABLED"}],
    }
    assert api.describe_organization()["Organization"] == made
    [root] = api.list_roots()["Roots"]
    assert re.fullmatch("r-[0-9a-z]{4,32}", root["Id"])
    assert root["Arn"] == f"{arn}root/{made['Id']}/{root['Id']}"
    assert (root["Name"], root["PolicyTypes"]) == ("Root", [])
    assert [each["Id"] for each in api.list_accounts()["Accounts"]] == [ACCOUNT]
    assert refusal(api.create_organization)[0] == "AlreadyInOrganizationException"
    assert refusal(api.leave_organization)[0] == "MasterCannotLeaveOrganizationException"
    api.delete_organization()
    told = "AWSOrganizationsNotInUseException", "Your account is not a member of an organization."
    assert refusal(api.describe_organization) == told
    assert refusal(api.list_accounts_for_parent, ParentId=NOWHERE) == told


def test_an_organization_with_members_is_not_deleted(estate: Estate) -> None:
    code, text = refusal(estate.api.delete_organization)
    assert code == "OrganizationNotEmptyException"
    assert text == "To delete an organization you must first remove all member accounts (except the master)."
    estate.api.remove_account_from_organization(AccountId=estate.account)
    estate.api.delete_organization()  # with its units, policies and tags
    estate.api.create_organization()


def test_a_new_account(estate: Estate, api: Any) -> None:
    status = api.create_account(Email="new@example.com", AccountName="New", RoleName="Door")["CreateAccountStatus"]
    assert re.fullmatch("car-[a-z0-9]{8,32}", status["Id"])
    assert status["State"] == "SUCCEEDED"
    assert api.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"] == status
    assert [each["AccountName"] for each in api.list_create_account_status()["CreateAccountStatuses"]] == [
        "member",
        "New",
    ]
    account = api.describe_account(AccountId=status["AccountId"])["Account"]
    joined = account.pop("JoinedTimestamp")
    assert joined is not None
    assert account == {
        "Id": status["AccountId"],
        "Arn": f"arn:aws:organizations::{ACCOUNT}:account/{estate.id}/{status['AccountId']}",
        "Email": "new@example.com",
        "Name": "New",
        "Status": "ACTIVE",
        "State": "ACTIVE",
        "Paths": [f"{estate.id}/{estate.root}/{status['AccountId']}/"],
        "JoinedMethod": "CREATED",
    }
    role = f"arn:aws:iam::{status['AccountId']}:role/Door"
    estate.world.client("sts", estate.chief).assume_role(RoleArn=role, RoleSessionName="s1")
    iam = estate.world.client("iam", estate.member)
    found = iam.get_role(RoleName="OrganizationAccountAccessRole")["Role"]["AssumeRolePolicyDocument"]
    assert found["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 0


def test_an_email_address_is_for_one_account(api: Any) -> None:
    status = api.create_account(Email="Member@example.com", AccountName="again")["CreateAccountStatus"]
    assert (status["State"], status["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    assert "AccountId" not in status
    assert len(api.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]) == 1


def test_units_and_where_things_are(estate: Estate, api: Any) -> None:
    outer = api.describe_organizational_unit(OrganizationalUnitId=estate.outer)["OrganizationalUnit"]
    assert re.fullmatch(r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}", outer["Id"])
    assert outer["Id"].startswith(f"ou-{estate.root[2:]}-")
    assert outer["Arn"] == f"arn:aws:organizations::{ACCOUNT}:ou/{estate.id}/{outer['Id']}"
    assert outer["Path"] == f"{estate.id}/{estate.root}/{outer['Id']}/"
    assert api.list_parents(ChildId=estate.outer)["Parents"] == [{"Id": estate.root, "Type": "ROOT"}]
    unit = {"Id": estate.inner, "Type": "ORGANIZATIONAL_UNIT"}
    assert api.list_parents(ChildId=estate.account)["Parents"] == [unit]
    assert api.list_children(ParentId=estate.outer, ChildType="ORGANIZATIONAL_UNIT")["Children"] == [unit]
    children = api.list_children(ParentId=estate.inner, ChildType="ACCOUNT")["Children"]
    assert children == [{"Id": estate.account, "Type": "ACCOUNT"}]
    below = api.list_organizational_units_for_parent(ParentId=estate.root)["OrganizationalUnits"]
    assert [each["Name"] for each in below] == ["outer"]
    assert [each["Id"] for each in api.list_accounts_for_parent(ParentId=estate.root)["Accounts"]] == [ACCOUNT]
    renamed = api.update_organizational_unit(OrganizationalUnitId=estate.outer, Name="renamed")
    assert renamed["OrganizationalUnit"]["Name"] == "renamed"


def test_units_nest_five_deep(estate: Estate, api: Any) -> None:
    parent = estate.inner
    for depth in range(3, 6):
        parent = estate.unit(parent, f"d{depth}")
    code, _ = refusal(api.create_organizational_unit, ParentId=parent, Name="d6")
    assert code == "ConstraintViolationException"


def test_invitations(estate: Estate, api: Any) -> None:
    world, number = estate.world, "210987654321"
    guest = world.client("organizations", world.account(number))
    invite = {"Target": {"Id": number, "Type": "ACCOUNT"}, "Notes": "come"}
    made = api.invite_account_to_organization(**invite)["Handshake"]
    assert made["State"] == "OPEN"
    assert made["Arn"].endswith(f"handshake/{estate.id}/invite/{made['Id']}")
    assert refusal(api.invite_account_to_organization, **invite)[0] == "DuplicateHandshakeException"
    assert [each["Id"] for each in guest.list_handshakes_for_account()["Handshakes"]] == [made["Id"]]
    assert guest.describe_handshake(HandshakeId=made["Id"])["Handshake"] == made
    assert refusal(api.accept_handshake, HandshakeId=made["Id"])[0] == "AccessDeniedException"
    assert guest.decline_handshake(HandshakeId=made["Id"])["Handshake"]["State"] == "DECLINED"
    for state, call, code in (
        ("declined", guest.decline_handshake, "HandshakeAlreadyInStateException"),
        ("declined", guest.accept_handshake, "InvalidHandshakeTransitionException"),
    ):
        assert refusal(call, HandshakeId=made["Id"])[0] == code, state
    again = api.invite_account_to_organization(**invite)["Handshake"]["Id"]
    assert api.cancel_handshake(HandshakeId=again)["Handshake"]["State"] == "CANCELED"
    third = api.invite_account_to_organization(**invite)["Handshake"]["Id"]
    assert guest.accept_handshake(HandshakeId=third)["Handshake"]["State"] == "ACCEPTED"
    assert guest.describe_organization()["Organization"]["Id"] == estate.id
    assert api.describe_account(AccountId=number)["Account"]["JoinedMethod"] == "INVITED"
    assert refusal(api.invite_account_to_organization, **invite)[0] == "HandshakeConstraintViolationException"
    states = [each["State"] for each in api.list_handshakes_for_organization()["Handshakes"]]
    assert sorted(states) == ["ACCEPTED", "CANCELED", "DECLINED"]


def test_an_invitation_ends(estate: Estate) -> None:
    guest = estate.world.client("organizations", estate.world.account("210987654321"))
    made = estate.api.invite_account_to_organization(Target={"Id": "210987654321", "Type": "ACCOUNT"})["Handshake"]
    assert made["ExpirationTimestamp"] - made["RequestedTimestamp"] == timedelta(days=15)
    with estate.world.store.transaction(write=True) as transaction:
        transaction.run(update(tables.handshake).values(expires=1.0))
    assert guest.describe_handshake(HandshakeId=made["Id"])["Handshake"]["State"] == "EXPIRED"
    assert refusal(guest.accept_handshake, HandshakeId=made["Id"])[0] == "InvalidHandshakeTransitionException"


# -- Who may ask ----------------------------------------------------------------------------------------


def test_members_see_the_organization_and_change_nothing(estate: Estate) -> None:
    member = estate.world.client("organizations", estate.member)
    assert member.describe_organization()["Organization"]["Id"] == estate.id
    told = "AccessDeniedException", "You don't have permissions to access this resource."
    assert refusal(member.list_accounts) == told
    assert refusal(member.create_organizational_unit, ParentId=estate.root, Name="n") == told
    assert refusal(member.describe_account, AccountId=ACCOUNT) == told


def test_delegated_administrators_read(estate: Estate, api: Any) -> None:
    service = {"ServicePrincipal": "iam.amazonaws.com"}
    member = estate.world.client("organizations", estate.member)
    api.register_delegated_administrator(AccountId=estate.account, **service)
    assert len(member.list_accounts()["Accounts"]) == 2
    assert refusal(member.create_organizational_unit, ParentId=estate.root, Name="n")[0] == "AccessDeniedException"
    [shown] = api.list_delegated_administrators(**service)["DelegatedAdministrators"]
    assert shown["Id"] == estate.account
    assert shown["DelegationEnabledDate"] is not None
    [one] = api.list_delegated_services_for_account(AccountId=estate.account)["DelegatedServices"]
    assert one["ServicePrincipal"] == "iam.amazonaws.com"
    again = refusal(api.register_delegated_administrator, AccountId=estate.account, **service)
    assert again == (
        "AccountAlreadyRegisteredException",
        "The provided account is already a delegated administrator for your organization.",
    )
    api.deregister_delegated_administrator(AccountId=estate.account, **service)
    assert refusal(member.list_accounts)[0] == "AccessDeniedException"


def test_services_with_access(estate: Estate, api: Any) -> None:
    for name in ("ram.amazonaws.com", "iam.amazonaws.com", "ram.amazonaws.com"):
        api.enable_aws_service_access(ServicePrincipal=name)
    shown = api.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert [each["ServicePrincipal"] for each in shown] == ["iam.amazonaws.com", "ram.amazonaws.com"]
    for _ in range(2):
        api.disable_aws_service_access(ServicePrincipal="ram.amazonaws.com")
    assert len(api.list_aws_service_access_for_organization()["EnabledServicePrincipals"]) == 1
    told = "InvalidInputException", "You specified an unrecognized service principal."
    for name in ("moon.example.com", "moon.amazonaws.com"):
        assert refusal(api.enable_aws_service_access, ServicePrincipal=name) == told
        assert refusal(api.list_delegated_administrators, ServicePrincipal=name) == told
    estate.world.service("moon.example.com")
    api.enable_aws_service_access(ServicePrincipal="moon.example.com")


@pytest.mark.parametrize(
    "name",
    [
        *("sso", "config-multiaccountsetup", "member.org.stacksets.cloudformation", "storage-lens.s3", "macie"),
        *("reachabilityanalyzer.networkinsights", "tagpolicies.tag", "ipam", "license-management.marketplace"),
        *(
            "reporting.trustedadvisor",
            "malware-protection.guardduty",
            "aws-artifact-account-sync",
            "ssm-quicksetup",
        ),
    ],
)
def test_services_that_aws_lets_work_across_organizations(api: Any, name: str) -> None:
    api.enable_aws_service_access(ServicePrincipal=f"{name}.amazonaws.com")


# -- Policies -------------------------------------------------------------------------------------------


def test_a_policy_as_it_is_shown(estate: Estate, api: Any) -> None:
    text = denies("s3:*")
    made = api.create_policy(Content=text, Description="", Name="no-s3", Type=SCP)["Policy"]
    summary = made["PolicySummary"]
    assert made["Content"] == text
    assert re.fullmatch("p-[0-9a-z]{10,32}", summary["Id"])
    assert summary == {
        "Id": summary["Id"],
        "Arn": f"arn:aws:organizations::{ACCOUNT}:policy/{estate.id}/service_control_policy/{summary['Id']}",
        "Name": "no-s3",
        "Description": "",
        "Type": SCP,
        "AwsManaged": False,
    }
    assert api.describe_policy(PolicyId=summary["Id"])["Policy"] == made
    assert [each["Name"] for each in api.list_policies(Filter=SCP)["Policies"]] == ["FullAWSAccess", "no-s3"]
    whole = api.describe_policy(PolicyId="p-FullAWSAccess")["Policy"]["PolicySummary"]
    assert whole["Arn"] == "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    assert whole["AwsManaged"] is True
    assert refusal(api.create_policy, Content=text, Description="", Name="no-s3", Type=SCP)[0] == (
        "DuplicatePolicyException"
    )
    updated = api.update_policy(PolicyId=summary["Id"], Description="why")["Policy"]["PolicySummary"]
    assert (updated["Description"], updated["Name"]) == ("why", "no-s3")
    api.delete_policy(PolicyId=summary["Id"])
    assert refusal(api.describe_policy, PolicyId=summary["Id"])[0] == "PolicyNotFoundException"


def test_attachments(estate: Estate, api: Any) -> None:
    targets = api.list_targets_for_policy(PolicyId="p-FullAWSAccess")["Targets"]
    assert {each["TargetId"] for each in targets} == {
        estate.root,
        estate.outer,
        estate.inner,
        estate.account,
        ACCOUNT,
    }
    policy = api.create_policy(Content=denies("s3:*"), Description="", Name="n", Type=SCP)["Policy"]
    attaching = {"PolicyId": policy["PolicySummary"]["Id"], "TargetId": estate.inner}
    assert refusal(api.attach_policy, **attaching) == (
        "PolicyTypeNotEnabledException",
        "This operation can be performed only for enabled policy types.",
    )
    estate.enable()
    api.attach_policy(**attaching)
    assert refusal(api.attach_policy, **attaching)[0] == "DuplicatePolicyAttachmentException"
    assert refusal(api.delete_policy, PolicyId=attaching["PolicyId"])[0] == "PolicyInUseException"
    [target] = api.list_targets_for_policy(PolicyId=attaching["PolicyId"])["Targets"]
    assert target == {
        "TargetId": estate.inner,
        "Arn": f"arn:aws:organizations::{ACCOUNT}:ou/{estate.id}/{estate.inner}",
        "Name": "inner",
        "Type": "ORGANIZATIONAL_UNIT",
    }
    shown = api.list_policies_for_target(TargetId=estate.inner, Filter=SCP)["Policies"]
    assert [each["Name"] for each in shown] == ["FullAWSAccess", "n"]
    api.detach_policy(**attaching)
    assert refusal(api.detach_policy, **attaching)[0] == "PolicyNotAttachedException"


def test_at_most_five_and_at_least_one(estate: Estate, api: Any) -> None:
    estate.enable()
    last = {"PolicyId": "p-FullAWSAccess", "TargetId": estate.inner}
    assert refusal(api.detach_policy, **last)[0] == "ConstraintViolationException"
    for _ in range(4):
        estate.attach(allows("*"), estate.inner)
    made = api.create_policy(Content=allows("*"), Description="", Name="sixth", Type=SCP)["Policy"]
    sixth = {"PolicyId": made["PolicySummary"]["Id"], "TargetId": estate.inner}
    assert refusal(api.attach_policy, **sixth)[0] == "ConstraintViolationException"
    api.detach_policy(**last)
    estate.enable(RCP)
    full = {"PolicyId": "p-RCPFullAWSAccess", "TargetId": estate.inner}
    estate.attach(document(deny("s3:*", Principal="*")), estate.inner, RCP)
    assert refusal(api.detach_policy, **full)[0] == "ConstraintViolationException"


def test_types_of_policy(estate: Estate, api: Any) -> None:
    kind = {"RootId": estate.root, "PolicyType": RCP}
    assert refusal(api.disable_policy_type, **kind)[0] == "PolicyTypeNotEnabledException"
    root = api.enable_policy_type(**kind)["Root"]
    assert root["PolicyTypes"] == [{"Type": RCP, "Status": "ENABLED"}]
    assert refusal(api.enable_policy_type, **kind) == (
        "PolicyTypeAlreadyEnabledException",
        "The specified policy type is already enabled.",
    )
    assert len(api.list_targets_for_policy(PolicyId="p-RCPFullAWSAccess")["Targets"]) == 5
    assert api.disable_policy_type(**kind)["Root"]["PolicyTypes"] == []
    for refused in (
        refusal(api.enable_policy_type, RootId=estate.root, PolicyType="TAG_POLICY"),
        refusal(api.create_policy, Content="{}", Description="", Name="t", Type="TAG_POLICY"),
    ):
        assert refused[0] == "PolicyTypeNotAvailableForOrganizationException"
        assert "nothing here would obey" in refused[1]
    assert refusal(api.describe_effective_policy, PolicyType="TAG_POLICY")[0] == "EffectivePolicyNotFoundException"


MALFORMED = "The provided policy document does not meet the requirements of the specified policy type."


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"Version": "2012-10-17", "Statement": []}',
        document(allow("s3:*", Principal="*")),
        document(allow("s3:*", "arn:aws:s3")),
        document(allow("s3")),
        document(allow("s3:*", Sid="a"), allow("s3:*", Sid="a")),
        denies("s3:*").replace("2012-10-17", "2008-10-17"),
    ],
)
def test_what_is_no_service_control_policy(world: World, text: str) -> None:
    api = world.client("organizations")
    api.create_organization()
    assert refusal(api.create_policy, Content=text, Description="", Name="n", Type=SCP) == (
        "MalformedPolicyDocumentException",
        MALFORMED,
    )


@pytest.mark.parametrize(
    ("statement", "is_policy"),
    [
        (deny("s3:*", Principal="*"), True),
        (deny("s3:*", Principal={"AWS": "*"}, Condition={"Bool": {"aws:SecureTransport": "false"}}), True),
        (allow("s3:*", Principal="*"), False),
        (deny("s3:*"), False),
        (deny("s3:*", Principal={"AWS": "123456789012"}), False),
        ({"Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "Resource": "*"}, False),
        ({"Effect": "Deny", "NotPrincipal": "*", "Action": "s3:*", "Resource": "*"}, False),
        (deny("s3:*", "arn:aws:s3:*", Principal="*"), False),
    ],
)
def test_resource_control_policies(statement: dict[str, Any], is_policy: bool) -> None:
    if is_policy:
        check_rcp(document(statement))
    else:
        with pytest.raises(PolicyError):
            check_rcp(document(statement))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200) | st.builds(document, st.dictionaries(st.text(max_size=12), st.text(max_size=12))))
def test_whatever_is_no_policy_is_refused_as_one(text: str) -> None:
    for check in (check_scp, check_rcp):
        with pytest.raises(PolicyError):
            check(text)


def test_a_policy_may_be_so_long(estate: Estate, api: Any) -> None:
    text = denies("s3:*")
    padded = text.ljust(10_240)
    api.create_policy(Content=padded, Description="", Name="long", Type=SCP)
    told = refusal(api.create_policy, Content=padded + " ", Description="", Name="longer", Type=SCP)
    assert told[0] == "ConstraintViolationException"


# -- Refusals and pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("describe_account", {"AccountId": UNKNOWN}, "AccountNotFound: You specified an account that doesn't exist."),
        ("close_account", {"AccountId": UNKNOWN}, "AccountNotFound: You specified an account that doesn't exist."),
        ("list_children", {"ParentId": NOWHERE, "ChildType": "ACCOUNT"}, "ParentNotFound: You specified a parent that doesn't exist."),
        ("list_parents", {"ChildId": UNKNOWN}, "ChildNotFound: You specified a child that doesn't exist."),
        ("enable_policy_type", {"RootId": NOWHERE, "PolicyType": SCP}, "RootNotFound: You specified a root that doesn't exist."),
        ("describe_policy", {"PolicyId": "p-01234567"}, "PolicyNotFound: You specified a policy that doesn't exist."),
        ("delete_policy", {"PolicyId": "p-01234567"}, "PolicyNotFound: We can't find a policy with the PolicyId that you specified."),
        ("update_policy", {"PolicyId": "p-01234567"}, "PolicyNotFound: We can't find a policy with the PolicyId that you specified."),
        ("attach_policy", {"PolicyId": "p-FullAWSAccess", "TargetId": UNKNOWN}, "TargetNotFound: You specified a target that doesn't exist."),
        ("tag_resource", {"ResourceId": "p-01234567", "Tags": []}, "TargetNotFound: You specified a target that doesn't exist."),
        ("tag_resource", {"ResourceId": "BLAH", "Tags": []}, "InvalidInput: You provided a value that does not match the required pattern."),
        ("list_policies", {"Filter": "MOTO"}, "InvalidInput: You specified an invalid value."),
        ("list_accounts", {"NextToken": "nonsense"}, "InvalidInput: You provided an invalid NextToken."),
        ("delete_policy", {"PolicyId": "p-FullAWSAccess"}, "InvalidInput: You can't change or delete a policy that AWS manages."),
        ("close_account", {"AccountId": ACCOUNT}, "ConstraintViolation: You can't close the management account."),
        (
            "describe_organizational_unit",
            {"OrganizationalUnitId": "ou-abcd-01234567"},
            "OrganizationalUnitNotFound: You specified an organizational unit that doesn't exist.",
        ),
        (
            "describe_create_account_status",
            {"CreateAccountRequestId": "car-01234567"},
            "CreateAccountStatusNotFound: You specified a create account request that doesn't exist.",
        ),
        ("describe_handshake", {"HandshakeId": "h-01234567"}, "HandshakeNotFound: You specified a handshake that doesn't exist."),
    ],
)  # fmt: skip
def test_refusals(operation: str, parameters: dict[str, Any], expected: str) -> None:
    code, text = expected.split(": ", 1)
    assert refusal(getattr(shared().api, operation), **parameters) == (f"{code}Exception", text)


_shared: list[Estate] = []


def shared() -> Estate:
    """One estate for the calls that change nothing."""
    if not _shared:
        _shared.append(Estate(World()))
    return _shared[0]


def test_refusals_of_changes(estate: Estate, api: Any) -> None:
    moved = {"AccountId": estate.account, "SourceParentId": estate.inner, "DestinationParentId": estate.outer}
    for change, code in (
        ({"DestinationParentId": estate.inner}, "DuplicateAccountException"),
        ({"SourceParentId": estate.root}, "SourceParentNotFoundException"),
        ({"SourceParentId": NOWHERE}, "SourceParentNotFoundException"),
        ({"DestinationParentId": NOWHERE}, "DestinationParentNotFoundException"),
    ):
        assert refusal(api.move_account, **moved | change)[0] == code
    duplicate = "DuplicateOrganizationalUnitException", "An OU with the same name already exists."
    assert refusal(api.create_organizational_unit, ParentId=estate.root, Name="outer") == duplicate
    assert refusal(api.update_organizational_unit, OrganizationalUnitId=estate.outer, Name="outer") == duplicate
    api.close_account(AccountId=estate.account)
    assert api.describe_account(AccountId=estate.account)["Account"]["Status"] == "SUSPENDED"
    assert refusal(api.close_account, AccountId=estate.account)[0] == "AccountAlreadyClosedException"
    left = refusal(api.remove_account_from_organization, AccountId=estate.account)
    assert left[0] == "ConstraintViolationException"
    unit = {"OrganizationalUnitId": estate.inner}
    assert refusal(api.delete_organizational_unit, **unit)[0] == "OrganizationalUnitNotEmptyException"
    empty = estate.unit(estate.outer, "empty")
    api.delete_organizational_unit(OrganizationalUnitId=empty)
    assert refusal(api.describe_organizational_unit, OrganizationalUnitId=empty)[0] == (
        "OrganizationalUnitNotFoundException"
    )


def test_tags(estate: Estate, api: Any) -> None:
    policy = api.create_policy(
        Content=denies("s3:*"), Description="", Name="n", Type=SCP, Tags=[{"Key": "k", "Value": "v"}]
    )["Policy"]["PolicySummary"]["Id"]
    assert api.list_tags_for_resource(ResourceId=policy)["Tags"] == [{"Key": "k", "Value": "v"}]
    for resource in (policy, estate.root, estate.outer, estate.account):
        api.tag_resource(ResourceId=resource, Tags=[{"Key": "k", "Value": "w"}, {"Key": "K", "Value": ""}])
        found = api.list_tags_for_resource(ResourceId=resource)["Tags"]
        assert found == [{"Key": "k", "Value": "w"}, {"Key": "K", "Value": ""}]
        api.untag_resource(ResourceId=resource, TagKeys=["K", "other"])
        assert api.list_tags_for_resource(ResourceId=resource)["Tags"] == [{"Key": "k", "Value": "w"}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    assert refusal(api.tag_resource, ResourceId=policy, Tags=many)[0] == "ConstraintViolationException"


def test_tags_and_types_are_condition_keys(estate: Estate, api: Any) -> None:
    iam = estate.world.client("iam")
    iam.create_user(UserName="keeper")
    statements = document(
        allow("organizations:TagResource", Condition={"StringEquals": {"aws:RequestTag/k": "v"}}),
        allow("organizations:CreatePolicy", Condition={"StringEquals": {"organizations:PolicyType": RCP}}),
        allow("organizations:DescribeAccount", Condition={"StringEquals": {"aws:ResourceTag/k": "v"}}),
    )
    iam.put_user_policy(UserName="keeper", PolicyName="i", PolicyDocument=statements)
    keeper = estate.world.client("organizations", estate.world.keys_of("keeper"))
    asking = {"AccountId": estate.account}
    assert refusal(keeper.describe_account, **asking)[0] == "AccessDeniedException"
    keeper.tag_resource(ResourceId=estate.account, Tags=[{"Key": "k", "Value": "v"}])
    keeper.describe_account(**asking)
    text = document(deny("s3:*", Principal="*"))
    made = {"Content": text, "Description": "", "Name": "n", "Type": RCP, "Tags": [{"Key": "k", "Value": "w"}]}
    code, told = refusal(keeper.create_policy, **made)
    assert (code, "organizations:TagResource" in told) == ("AccessDeniedException", True)
    keeper.create_policy(**made | {"Tags": [{"Key": "k", "Value": "v"}]})
    assert refusal(keeper.create_policy, **made | {"Type": SCP, "Content": denies("s3:*")})[0] == (
        "AccessDeniedException"
    )


@settings(max_examples=8, deadline=None)
@given(size=st.integers(1, 20))
def test_pages_put_together_are_the_list(size: int) -> None:
    estate = crowded()
    pages = estate.api.get_paginator("list_organizational_units_for_parent").paginate(
        ParentId=estate.root, PaginationConfig={"PageSize": size}
    )
    found = [[each["Name"] for each in page["OrganizationalUnits"]] for page in pages]
    assert all(len(page) <= size for page in found)
    assert [name for page in found for name in page] == ["outer", *(f"u{number}" for number in range(22))]


_crowded: list[Estate] = []


def crowded() -> Estate:
    """An estate with 23 units below its root."""
    if not _crowded:
        _crowded.append(Estate(World()))
        for number in range(22):
            _crowded[0].unit(_crowded[0].root, f"u{number}")
    return _crowded[0]

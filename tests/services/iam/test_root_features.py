"""Central root access: enabled for an organization, from its management account or IAM's delegated administrator."""

from __future__ import annotations

from services_support import refusal

from world import World


def test_root_features(world: World) -> None:
    iam, organizations = world.client("iam"), world.client("organizations")
    assert refusal(iam.list_organizations_features)[0] == "OrganizationNotFoundException"
    made = organizations.create_organization()["Organization"]["Id"]
    assert refusal(iam.enable_organizations_root_sessions)[0] == "ServiceAccessNotEnabledException"
    organizations.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    answer = iam.enable_organizations_root_sessions()
    assert (answer["OrganizationId"], answer["EnabledFeatures"]) == (made, ["RootSessions"])
    both = iam.enable_organizations_root_credentials_management()["EnabledFeatures"]
    assert both == ["RootCredentialsManagement", "RootSessions"]
    assert iam.list_organizations_features()["EnabledFeatures"] == both
    assert iam.disable_organizations_root_sessions()["EnabledFeatures"] == ["RootCredentialsManagement"]
    assert iam.disable_organizations_root_credentials_management()["EnabledFeatures"] == []


def test_members_may_not_unless_they_administer_iam(world: World) -> None:
    organizations, number = world.client("organizations"), "210987654321"
    organizations.create_organization()
    organizations.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    guest = world.account(number)
    invited = organizations.invite_account_to_organization(Target={"Id": number, "Type": "ACCOUNT"})
    world.client("organizations", guest).accept_handshake(HandshakeId=invited["Handshake"]["Id"])
    iam = world.client("iam", guest)
    code = "AccountNotManagementOrDelegatedAdministratorException"
    assert refusal(iam.enable_organizations_root_sessions)[0] == code
    organizations.register_delegated_administrator(AccountId=number, ServicePrincipal="iam.amazonaws.com")
    assert iam.enable_organizations_root_sessions()["EnabledFeatures"] == ["RootSessions"]


def test_an_organization_for_billing_has_none(world: World) -> None:
    organizations = world.client("organizations")
    organizations.create_organization(FeatureSet="CONSOLIDATED_BILLING")
    code, _ = refusal(world.client("iam").list_organizations_features)
    assert code == "OrganizationNotInAllFeaturesModeException"
    root = organizations.list_roots()["Roots"][0]["Id"]
    kind = {"RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY"}
    assert refusal(organizations.enable_policy_type, **kind)[0] == "PolicyTypeNotAvailableForOrganizationException"

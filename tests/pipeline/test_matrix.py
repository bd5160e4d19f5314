"""Every operation by every kind of caller. An operation without an expectation here fails the run.

`nobody` is a user without any policy; `admin` has AdministratorAccess; `stranger` is the administrator of another
account; `session` is a session of a role without any policy. The unsigned and the inactive are refused before
anything else.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import botocore.session
import matrix_hosts
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from matrix_calls import ARN, GROUP, POLICY, ROLE, TRUST

from bailiwick.core.message import Header, Request
from world import World

OTHER = "210987654321"
# Every matrix_*.py beside this file has the calls of one area.
CALLS: dict[str, dict[str, Any]] = {
    name: parameters
    for path in sorted(Path(__file__).parent.glob("matrix_*.py"))
    for name, parameters in import_module(path.stem).CALLS.items()
}

# Operations that every verified caller may use, whatever its policies.
OPEN = {"sts:GetCallerIdentity", "sts:GetSessionToken"}

# Operations that are not signed, with the code by which they refuse whom nothing vouches for; None: they do not.
UNSIGNED: dict[str, str | None] = {
    "kms:SynchronizeMultiRegionKey": "InvalidPeerMessageException",
    "rolesanywhere:CreateSession": "ResourceNotFoundException",  # no trust anchor
    **dict.fromkeys((name for name in CALLS if name.startswith("hosts:")), "InvalidHostProofException"),
    **{
        f"scim:{name}": "UnauthorizedException"
        for name in (
            *("CreateGroup", "CreateUser", "DeleteGroup", "DeleteUser", "GetGroup", "GetServiceProviderConfig"),
            *("GetUser", "ListGroups", "ListUsers", "PatchGroup", "PatchUser", "ReplaceGroup", "ReplaceUser"),
        )
    },
    "signin:CreateOAuth2Token": "ValidationException",  # no proof of a key
    "sso:GetRoleCredentials": "UnauthorizedException",
    "sso:ListAccountRoles": "UnauthorizedException",
    "sso:ListAccounts": "UnauthorizedException",
    "sso:Logout": "UnauthorizedException",
    "sso-oidc:CreateToken": "InvalidClientException",
    "sso-oidc:RegisterClient": None,  # which leaves nothing behind
    "sso-oidc:StartDeviceAuthorization": "InvalidClientException",
    "sts:AssumeRoleWithLDAPIdentity": "IDPCommunicationError",  # no directory is set up
    "sts:AssumeRoleWithSAML": "InvalidIdentityToken",
    "sts:AssumeRoleWithWebIdentity": "InvalidIdentityToken",
}


class Scene:
    """A world with one of each entity, and one caller of each kind."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world = world or World()
        iam, kms = world.client("iam"), world.client("kms")
        for name in ("u", "nobody", "admin", "inactive"):
            iam.create_user(UserName=name)
        iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        iam.create_group(**GROUP)
        iam.create_role(**ROLE, AssumeRolePolicyDocument=TRUST)
        iam.create_policy(PolicyName="p", PolicyDocument=POLICY)
        iam.create_instance_profile(InstanceProfileName="ip")
        matrix_hosts.put_instance(world)
        iam.create_service_linked_role(AWSServiceName="batch.amazonaws.com")
        iam.create_open_id_connect_provider(Url="https://example.org")
        self.key = kms.create_key()["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName="alias/a", TargetKeyId=self.key)
        self.blob = kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        self.policy = kms.get_key_policy(KeyId=self.key)["Policy"]
        self.callers = {name: world.keys_of(name) for name in ("nobody", "admin", "inactive")}
        iam.update_access_key(
            UserName="inactive",
            AccessKeyId=self.callers["inactive"]["aws_access_key_id"],
            Status="Inactive",
        )
        answer = world.client("sts", self.callers["admin"]).assume_role(
            RoleArn=f"{ARN}:role/r", RoleSessionName="matrix"
        )["Credentials"]
        self.callers["session"] = {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }
        self.callers["stranger"] = world.account(OTHER)
        self.callers["root"] = world.root

    def parameters(self, name: str) -> dict[str, Any]:
        found = dict(CALLS[name])
        stand_ins = {"KEY": self.key, "BLOB": self.blob, "KEYPOLICY": self.policy}
        return {k: stand_ins.get(v, v) if isinstance(v, str) else v for k, v in found.items()}

    def error(self, name: str, caller: str) -> tuple[str, str] | None:
        """The code and message with which this caller is refused this operation, or None."""
        service, _, operation = name.partition(":")
        client = self.world.client(service, self.callers[caller])
        try:
            getattr(client, xform_name(operation))(**self.parameters(name))
        except ClientError as error:
            told = error.response["Error"]
            return told["Code"], told.get("Message", "")
        return None


@cache
def shared() -> Scene:
    """One scene for the callers that can change nothing."""
    return Scene()


def is_denied(error: tuple[str, str] | None) -> bool:
    return error is not None and error[0] in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def test_every_operation_has_an_expectation() -> None:
    registered = {f"{service}:{name}" for service, name in shared().world.pipeline.routes}
    assert registered == set(CALLS)


@pytest.mark.parametrize("name", sorted(set(CALLS) - OPEN - set(UNSIGNED)))
@pytest.mark.parametrize("caller", ["nobody", "session"])
def test_nobody_may_do_anything(name: str, caller: str) -> None:
    error = shared().error(name, caller)
    assert is_denied(error), error
    assert error is not None
    prefixes = {"accessanalyzer": "access-analyzer", "sso-admin": "sso"}
    service = name.partition(":")[0]
    of_directory = "Password" in name or "BearerToken" in name
    directory = service == "identitystore" and of_directory
    prefix = "sso-directory" if directory else prefixes.get(service, service)
    assert prefix + ":" in error[1] or "ciphertext refers" in error[1]


def test_what_is_not_signed_wants_another_proof() -> None:
    routes = shared().world.pipeline.routes
    assert {f"{service}:{name}" for (service, name), route in routes.items() if not route.model.signed} == set(
        UNSIGNED
    )
    for name, code in UNSIGNED.items():
        for caller in ("nobody", "root"):
            error = shared().error(name, caller)
            assert (error[0] if error is not None else None) == code


@pytest.mark.parametrize("name", sorted(OPEN - {"sts:GetSessionToken"}))
def test_what_is_open_is_open_to_every_verified_caller(name: str) -> None:
    for caller in ("nobody", "session", "stranger", "root", "admin"):
        assert shared().error(name, caller) is None


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_administrator_is_never_denied(name: str) -> None:
    error = Scene().error(name, "admin")
    if name in (
        *("iam:GetAccessKeyLastUsed", "sts:AssumeRoot", "sts:GetForwardAccessSession"),
        "signin:AuthorizeOAuth2Access",
    ):
        # AccessDenied is the answer for a key that does not exist, for no member, for who is no service, and for
        # who has not signed in to the pages.
        assert error is not None
    else:
        assert not is_denied(error), error


@pytest.mark.parametrize(
    "name", sorted(n for n, p in CALLS.items() if {"KEY", "BLOB"} & {v for v in p.values() if isinstance(v, str)})
)
def test_another_account_has_no_way_to_a_key(name: str) -> None:
    error = shared().error(name, "stranger")
    assert error is not None
    assert is_denied(error) or error[0] in ("NotFoundException", "ValidationException", "InvalidArnException")


@pytest.mark.parametrize("name", sorted(set(CALLS) - set(UNSIGNED)))
def test_an_inactive_key_is_refused_first(name: str) -> None:
    error = shared().error(name, "inactive")
    assert error is not None
    assert error[0] in ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure")


@pytest.mark.parametrize("service", ["iam", "sts", "kms"])
def test_the_unsigned_are_refused_first(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)
    for name in model.operation_names:
        if f"{service}:{name}" not in CALLS or f"{service}:{name}" in UNSIGNED:
            continue
        if service == "kms":
            headers = (Header("host", "h"), Header("x-amz-target", f"TrentService.{name}"))
            body = b"{}"
        else:
            headers = (Header("host", "h"), Header("content-type", "application/x-www-form-urlencoded"))
            body = f"Action={name}&Version={model.api_version}".encode()
        response = shared().world.pipeline.handle(Request("POST", "/", "", headers, body))
        assert b"MissingAuthenticationToken" in response.body
        assert response.status == (400 if service == "kms" else 403)

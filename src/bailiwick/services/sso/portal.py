"""The access portal: which accounts and roles a person may choose from, and their credentials.

Who asks is proven by the access token that sso-oidc gave. Source: facts/signin.md section 7.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from bailiwick import lists
from bailiwick.api import AccessDenied, Call, Caller, Target
from bailiwick.core.policy.question import Rule
from bailiwick.directory import accounts, service_principals
from bailiwick.directory.center import access, callers, logins, people
from bailiwick.directory.center.access import PermissionSet
from bailiwick.directory.center.logins import Refused, SignIn, Token
from bailiwick.directory.center.people import Instance, StoreUser
from bailiwick.services.sso import shapes
from bailiwick.services.sso.service import sso
from bailiwick.services.sso.shapes import (
    InvalidRequestException,
    ResourceNotFoundException,
    UnauthorizedException,
)

_MOST = 100
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_UNFIT = re.compile(r"[^\w+=,.@-]", re.ASCII)


class Bearer(Caller, frozen=True, kw_only=True):
    """Whose token was shown."""

    instance: Instance
    user: StoreUser
    sign_in: SignIn


def bearer(call: Call, request: Any) -> Bearer:
    """Whose the access token is. Raises UnauthorizedException."""
    try:
        token = logins.opened(call.environment, logins.TOKEN, request.accessToken, Token)
    except Refused:
        token = None
    if token is None or token.turn >= 0 or token.expires <= call.now:
        raise UnauthorizedException("Session token not found or invalid")
    with call.transaction:
        found = logins.sign_in(call.transaction, token.sign_in, call.now)
        instance = people.instance(call.transaction, store=found[0].store) if found is not None else None
    if found is None or instance is None:
        raise UnauthorizedException("Session token not found or invalid")
    person = msgspec.structs.asdict(callers.of_person(call.partition, instance, found[1]))
    return Bearer(**person, instance=instance, user=found[1], sign_in=found[0])


def own(call: Call, request: Any) -> Target:
    """What she was assigned: no policy is asked."""
    return Target(account=call.account, rule=Rule.NONE)


def _asking(call: Call) -> Bearer:
    assert isinstance(call.caller, Bearer), "the token was read"
    return call.caller


def _assigned(call: Call) -> list[tuple[str, PermissionSet]]:
    return access.assigned(call.transaction, _asking(call).user)


@sso.operation("ListAccounts", on=own, by=bearer)
def list_accounts(call: Call, request: shapes.ListAccountsRequest, record: None) -> shapes.ListAccountsResponse:
    numbers = sorted({account for account, _ in _assigned(call)})
    page, token = _page(call, request, numbers)
    found = [each for number in page if (each := accounts.find(call.transaction, number)) is not None]
    return shapes.ListAccountsResponse(
        accountList=[
            shapes.AccountInfo(
                accountId=each.id,
                accountName=each.name,
                emailAddress=each.email or f"root@{each.id}.bailiwick.invalid",
            )
            for each in found
        ],
        nextToken=token,
    )


@sso.operation("ListAccountRoles", on=own, by=bearer)
def list_account_roles(
    call: Call, request: shapes.ListAccountRolesRequest, record: None
) -> shapes.ListAccountRolesResponse:
    names = sorted({each.name for account, each in _assigned(call) if account == request.accountId})
    page, token = _page(call, request, names)
    return shapes.ListAccountRolesResponse(
        roleList=[shapes.RoleInfo(roleName=name, accountId=request.accountId) for name in page], nextToken=token
    )


def _page(call: Call, request: Any, entries: list[str]) -> tuple[list[str], str | None]:
    scope = f"{call.caller.user_id}/{call.operation.action}"
    refused = InvalidRequestException("Invalid next_token.")
    return lists.page(call, scope, request.nextToken or None, refused, entries, request.maxResults or _MOST, str)


@sso.operation("GetRoleCredentials", on=own, by=bearer)
def get_role_credentials(
    call: Call, request: shapes.GetRoleCredentialsRequest, record: None
) -> shapes.GetRoleCredentialsResponse:
    asking = _asking(call)
    chosen = [each for each in _assigned(call) if each[0] == request.accountId and each[1].name == request.roleName]
    if not chosen:
        raise ForbiddenException("No access")
    role = access.provisioned(call.transaction, chosen[0][1].id, request.accountId)
    if role is None:
        raise ResourceNotFoundException("The role is not provisioned.")
    seconds = access.seconds(chosen[0][1].given.duration)
    given = _assumed(call, asking, role.role_arn, request.accountId, seconds).Credentials
    return shapes.GetRoleCredentialsResponse(
        roleCredentials=shapes.RoleCredentials(
            accessKeyId=given.AccessKeyId,
            secretAccessKey=given.SecretAccessKey,
            sessionToken=given.SessionToken,
            expiration=int(given.Expiration * 1000),
        )
    )


class ForbiddenException(UnauthorizedException):
    """Not in the model, but what AWS answers."""

    code = "ForbiddenException"
    status = 403


def _assumed(call: Call, asking: Bearer, role_arn: str, account: str, seconds: int) -> Any:
    """A session of the role, asked of STS by this service for its instance."""
    assert call.door is not None, "the pipeline sets it"
    instance, user = asking.instance, asking.user
    service = service_principals.of_house(
        call.transaction,
        call.partition,
        access.SERVICE,
        source_arn=instance.arn(call.partition),
        account=account,
        said={
            "identitystore:userid": user.id,
            "identitystore:identitystorearn": instance.store_arn(call.partition),
        },
        evidence={"identityStoreUserId": user.id, "identityStoreUserName": user.name},
    )
    wanted = {"RoleArn": role_arn, "RoleSessionName": session_name(user), "DurationSeconds": seconds}
    try:
        return call.door.inside(call, service, "sts", "AssumeRole", wanted)
    except AccessDenied:
        raise ForbiddenException("No access") from None


def session_name(user: StoreUser) -> str:
    """The session's name: the user's; where it has what no session's can have, with a digest to tell it apart."""
    if _SESSION_NAME.fullmatch(user.name):
        return user.name
    return f"{_UNFIT.sub('-', user.name)[:55]}-{hashlib.sha256(user.id.encode()).hexdigest()[:8]}"


@sso.operation("Logout", on=own, by=bearer, writes=True)
def logout(call: Call, request: shapes.LogoutRequest, record: None) -> None:
    logins.end(call.transaction, _asking(call).sign_in)

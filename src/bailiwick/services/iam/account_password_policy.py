"""The account's password policy: replaced as a whole, never in part."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, insert

from bailiwick.api import Call, Target, nothing
from bailiwick.directory import password_policy
from bailiwick.directory.credential_tables import password_policy as table
from bailiwick.directory.password_policy import PasswordPolicy
from bailiwick.services.iam import shapes
from bailiwick.services.iam.login_profiles import granted_to_users
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import NoSuchEntityException

_LEAST_LENGTH = 6


def policy_to_read(call: Call, request: None) -> Target:
    """The policy. Whoever may change her password by it may also read it."""
    return Target(account=call.account, policy=granted_to_users(call, "iam:GetAccountPasswordPolicy"))


@iam.operation("GetAccountPasswordPolicy", on=policy_to_read)
def get_account_password_policy(call: Call, request: None, record: None) -> shapes.GetAccountPasswordPolicyResponse:
    found = password_policy.find(call.transaction, call.account)
    if found is None:
        raise NoSuchEntityException(f"The Password Policy with domain name {call.account} cannot be found.")
    return shapes.GetAccountPasswordPolicyResponse(
        PasswordPolicy=shapes.PasswordPolicy(
            MinimumPasswordLength=found.minimum_length,
            RequireSymbols=found.symbols,
            RequireNumbers=found.numbers,
            RequireUppercaseCharacters=found.uppercase,
            RequireLowercaseCharacters=found.lowercase,
            AllowUsersToChangePassword=found.users_may_change,
            ExpirePasswords=bool(found.max_age),
            MaxPasswordAge=found.max_age,
            PasswordReusePrevention=found.reuse_prevention,
            HardExpiry=found.hard_expiry,
        )
    )


@iam.operation("UpdateAccountPasswordPolicy", on=nothing, writes=True)
def update_account_password_policy(
    call: Call, request: shapes.UpdateAccountPasswordPolicyRequest, record: None
) -> None:
    policy = PasswordPolicy(
        account=call.account,
        minimum_length=request.MinimumPasswordLength or _LEAST_LENGTH,
        symbols=request.RequireSymbols or False,
        numbers=request.RequireNumbers or False,
        uppercase=request.RequireUppercaseCharacters or False,
        lowercase=request.RequireLowercaseCharacters or False,
        users_may_change=request.AllowUsersToChangePassword or False,
        max_age=request.MaxPasswordAge,
        reuse_prevention=request.PasswordReusePrevention,
        hard_expiry=request.HardExpiry,
    )
    call.transaction.run(delete(table).where(table.c.account == call.account))
    call.transaction.run(insert(table).values(**msgspec.structs.asdict(policy)))


@iam.operation("DeleteAccountPasswordPolicy", on=nothing, writes=True)
def delete_account_password_policy(call: Call, request: None, record: None) -> None:
    if not call.transaction.run(delete(table).where(table.c.account == call.account)):
        raise NoSuchEntityException("The account policy with name PasswordPolicy cannot be found.")

"""Passwords for the sign-in pages: login profiles, and users who change their own."""

from __future__ import annotations

import json
from functools import lru_cache

from bailiwick.api import AccessDenied, Call, Target, ValidationError
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import entities, password_policy, passwords
from bailiwick.directory.entities import User
from bailiwick.directory.password_policy import PasswordPolicy
from bailiwick.directory.passwords import LoginProfile, Outcome
from bailiwick.services.iam import names, shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    EntityAlreadyExistsException,
    InvalidUserTypeException,
    NoSuchEntityException,
    PasswordPolicyViolationException,
)
from bailiwick.services.iam.targets import owner_or_self, user_named
from bailiwick.store import Duplicate


@iam.operation("CreateLoginProfile", on=owner_or_self, writes=True)
def create_login_profile(
    call: Call, request: shapes.CreateLoginProfileRequest, user: User | None
) -> shapes.CreateLoginProfileResponse:
    """Root may give itself a password: there is no recovery by e-mail here."""
    if request.Password is None:
        raise ValidationError("A password is required: this server sends no recovery e-mail.")
    owner = names.owner_id(call, user)
    if passwords.find(call.transaction, owner) is not None:
        raise _exists(user)
    _check_rules(call, user, request.Password)
    try:
        profile = passwords.create(
            call.transaction,
            call.environment,
            call.account,
            owner,
            request.Password,
            names.seconds(call.now),
            reset_required=request.PasswordResetRequired or False,
        )
    except Duplicate:
        raise _exists(user) from None
    return shapes.CreateLoginProfileResponse(LoginProfile=_shown(user, profile))


@iam.operation("GetLoginProfile", on=owner_or_self)
def get_login_profile(
    call: Call, request: shapes.GetLoginProfileRequest, user: User | None
) -> shapes.GetLoginProfileResponse:
    return shapes.GetLoginProfileResponse(LoginProfile=_shown(user, _profile(call, user)))


@iam.operation("UpdateLoginProfile", on=user_named, writes=True)
def update_login_profile(call: Call, request: shapes.UpdateLoginProfileRequest, user: User) -> None:
    """An administrator sets a password: reuse prevention binds only those who change their own."""
    profile = _profile(call, user)
    required = request.PasswordResetRequired
    if request.Password is not None:
        _check_rules(call, user, request.Password)
        passwords.change(
            call.transaction, profile, request.Password, names.seconds(call.now), reset_required=required or False
        )
    elif required is not None:
        passwords.require_reset(call.transaction, user.id, required=required)


@iam.operation("DeleteLoginProfile", on=owner_or_self, writes=True)
def delete_login_profile(call: Call, request: shapes.DeleteLoginProfileRequest, user: User | None) -> None:
    passwords.remove(call.transaction, _profile(call, user).owner_id)


def oneself(call: Call, request: shapes.ChangePasswordRequest) -> Target:
    """The calling user. Where the account lets users change their passwords, that alone allows it."""
    if call.caller.kind is not PrincipalKind.USER:
        return Target(account=call.account, arn=call.caller.arn, absent=_not_a_user())
    user = entities.user_by_id(call.transaction, call.caller.principal.unique_id)
    return Target(
        account=call.account,
        arn=call.caller.arn,
        record=user,
        label=f"user {user.name}" if user else None,
        policy=granted_to_users(call, "iam:ChangePassword"),
        absent=None if user else _not_a_user(),
    )


@iam.operation("ChangePassword", on=oneself, writes=True)
def change_password(call: Call, request: shapes.ChangePasswordRequest, user: User) -> None:
    profile = _profile(call, user)
    if not _knows(call, profile, request.OldPassword):
        raise AccessDenied("The old password was incorrect.")
    policy = _check_rules(call, user, request.NewPassword)
    if passwords.state(profile, policy, call.now) is Outcome.LOCKED:
        raise AccessDenied("The password has expired, and only an administrator can set another one.")
    unlike = policy.reuse_prevention or 0 if policy else 0
    if not passwords.change(
        call.transaction, profile, request.NewPassword, names.seconds(call.now), unlike_last=unlike
    ):
        raise PasswordPolicyViolationException(
            "Policy constraint violation with password reuse prevention during password change"
        )


def _knows(call: Call, profile: LoginProfile, password: str) -> bool:
    """Whether this is the password. Who guesses wrong again and again is told no for a while, whatever she says."""
    attempts, key = call.environment.attempts, f"change-password:{profile.owner_id}"
    if attempts.waits(key, call.now):
        return False
    if not passwords.matches(profile, password):
        attempts.failed(key, call.now)
        return False
    attempts.succeeded(key)
    return True


def granted_to_users(call: Call, action: str) -> Layer | None:
    """What AllowUsersToChangePassword grants to the calling user; None where it is not set."""
    if call.caller.kind is not PrincipalKind.USER:
        return None
    policy = password_policy.find(call.transaction, call.account)
    return _grant(call.caller.arn, action) if policy and policy.users_may_change else None


@lru_cache(maxsize=1024)
def _grant(user_arn: str, action: str) -> Layer:
    statement = {"Effect": "Allow", "Principal": {"AWS": user_arn}, "Action": action, "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return Layer([Attached(compile_policy(text), "account password policy", None)])


def _check_rules(call: Call, user: User | None, password: str) -> PasswordPolicy | None:
    """The account's policy, from which root is free. Raises PasswordPolicyViolation for a broken rule."""
    policy = password_policy.find(call.transaction, call.account) if user else None
    broken = password_policy.broken(call.transaction, call.account, policy, password)
    if broken:
        raise PasswordPolicyViolationException(", ".join(broken))
    return policy


def _profile(call: Call, user: User | None) -> LoginProfile:
    found = passwords.find(call.transaction, names.owner_id(call, user))
    if found is None:
        raise NoSuchEntityException(f"Login Profile for User {names.owner_name(user)} cannot be found.")
    return found


def _shown(user: User | None, profile: LoginProfile) -> shapes.LoginProfile:
    return shapes.LoginProfile(
        UserName=names.owner_name(user),
        CreateDate=profile.created,
        PasswordResetRequired=profile.reset_required,
    )


def _exists(user: User | None) -> EntityAlreadyExistsException:
    return EntityAlreadyExistsException(f"Login Profile for user {names.owner_name(user)} already exists.")


def _not_a_user() -> InvalidUserTypeException:
    return InvalidUserTypeException("Only IAM Users can change their own password.")

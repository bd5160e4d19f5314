"""Passwords: login profiles, ChangePassword, the account's policy. Texts and defaults: facts/iam.md 5 and 6."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services_support import ACCOUNT, allow, deny, document, refusal

from bailiwick.directory import password_policy, passwords
from bailiwick.directory.password_policy import DAY, PasswordPolicy
from bailiwick.directory.passwords import Outcome
from still_clock import NOW, Clock
from world import World

GOOD, BETTER = "Correct-Horse-1", "Battery-Staple-2"


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


@pytest.fixture
def alice(world: World, iam: Any) -> Any:
    """Alice with a password, and her client."""
    iam.create_user(UserName="alice")
    iam.create_login_profile(UserName="alice", Password=GOOD)
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document(allow("iam:ChangePassword")))
    return world.client("iam", world.keys_of("alice"))


def outcome(world: World, password: str, user: str = "alice") -> Outcome:
    user_id = world.client("iam").get_user(UserName=user)["User"]["UserId"]
    with world.store.transaction(write=False) as transaction:
        return passwords.verify(transaction, user_id, password, world.now())


def test_the_life_of_a_login_profile(world: World, iam: Any) -> None:
    iam.create_user(UserName="alice")
    missing = ("NoSuchEntity", "Login Profile for User alice cannot be found.")
    assert refusal(iam.get_login_profile, UserName="alice") == missing
    made = iam.create_login_profile(UserName="alice", Password=GOOD)["LoginProfile"]
    assert made == {"UserName": "alice", "CreateDate": made["CreateDate"], "PasswordResetRequired": False}
    assert iam.get_login_profile(UserName="alice")["LoginProfile"] == made
    assert refusal(iam.create_login_profile, UserName="alice", Password=GOOD) == (
        "EntityAlreadyExists",
        "Login Profile for user alice already exists.",
    )
    iam.update_login_profile(UserName="alice", Password=BETTER, PasswordResetRequired=True)
    assert iam.get_login_profile(UserName="alice")["LoginProfile"]["PasswordResetRequired"] is True
    assert outcome(world, BETTER) is Outcome.RESET_REQUIRED
    iam.update_login_profile(UserName="alice", PasswordResetRequired=False)
    assert (outcome(world, BETTER), outcome(world, GOOD)) == (Outcome.OK, Outcome.WRONG)
    iam.update_user(UserName="alice", NewUserName="alicia")
    assert iam.get_login_profile(UserName="alicia")["LoginProfile"]["UserName"] == "alicia"
    iam.delete_login_profile(UserName="alicia")
    assert refusal(iam.delete_login_profile, UserName="alicia")[0] == "NoSuchEntity"
    assert outcome(world, BETTER, "alicia") is Outcome.WRONG


def test_nobody_has_no_password(world: World) -> None:
    with world.store.transaction(write=False) as transaction:
        assert passwords.verify(transaction, None, "", NOW) is Outcome.WRONG
        assert passwords.verify(transaction, "AIDANOBODY", GOOD, NOW) is Outcome.WRONG


def test_no_password_can_be_left_out(iam: Any) -> None:
    iam.create_user(UserName="alice")
    assert refusal(iam.create_login_profile, UserName="alice")[0] == "ValidationError"


def test_root_has_a_password_of_its_own(world: World, iam: Any) -> None:
    assert refusal(iam.get_login_profile)[0] == "NoSuchEntity"
    iam.create_login_profile(Password=GOOD)
    assert iam.get_login_profile()["LoginProfile"]["UserName"] == "root"
    assert iam.get_account_summary()["SummaryMap"]["AccountPasswordPresent"] == 1
    with world.store.transaction(write=True) as transaction:
        assert passwords.verify(transaction, ACCOUNT, GOOD, NOW) is Outcome.OK
        passwords.note_used(transaction, ACCOUNT, NOW)
    assert iam.get_user()["User"]["PasswordLastUsed"].timestamp() == NOW
    iam.delete_login_profile()


def test_root_as_a_user(iam: Any) -> None:
    assert {k: v for k, v in iam.get_user()["User"].items() if k != "CreateDate"} == {
        "UserId": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:root",
    }
    iam.create_account_alias(AccountAlias="some-name")
    assert iam.get_user()["User"]["UserName"] == "some-name"


def test_password_last_used_is_kept_to_five_minutes(world: World, iam: Any, alice: Any) -> None:
    user_id = iam.get_user(UserName="alice")["User"]["UserId"]
    assert "PasswordLastUsed" not in iam.get_user(UserName="alice")["User"]
    for now, noted in ((NOW, NOW), (NOW + 299, NOW), (NOW + 300, NOW + 300)):
        with world.store.transaction(write=True) as transaction:
            passwords.note_used(transaction, user_id, now)
        assert iam.get_user(UserName="alice")["User"]["PasswordLastUsed"].timestamp() == noted


# -- ChangePassword ---------------------------------------------------------------------------------------


def test_a_user_changes_her_password(world: World, alice: Any) -> None:
    assert refusal(alice.change_password, OldPassword="wrong", NewPassword=BETTER) == (
        "AccessDenied",
        "The old password was incorrect.",
    )
    alice.change_password(OldPassword=GOOD, NewPassword=BETTER)
    assert outcome(world, BETTER) is Outcome.OK


def test_guessing_at_the_old_password_is_slowed_down(world: World, clock: Clock, alice: Any) -> None:
    wrong = ("AccessDenied", "The old password was incorrect.")
    for guess in ("a", "b", "c", "d", "e", GOOD):
        assert refusal(alice.change_password, OldPassword=guess, NewPassword=BETTER) == wrong
    clock.now += 30
    alice.change_password(OldPassword=GOOD, NewPassword=BETTER)


def test_only_users_with_a_password_change_one(world: World, iam: Any) -> None:
    assert refusal(iam.change_password, OldPassword=GOOD, NewPassword=BETTER)[0] == "InvalidUserType"
    iam.create_user(UserName="bob")
    iam.attach_user_policy(UserName="bob", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    bob = world.client("iam", world.keys_of("bob"))
    assert refusal(bob.change_password, OldPassword=GOOD, NewPassword=BETTER)[0] == "NoSuchEntity"


def test_the_account_may_let_all_users_change_theirs(world: World, iam: Any) -> None:
    iam.create_user(UserName="bob", Path='/a"b/')
    iam.create_login_profile(UserName="bob", Password=GOOD)
    bob = world.client("iam", world.keys_of("bob"))
    iam.update_account_password_policy()
    assert refusal(bob.change_password, OldPassword=GOOD, NewPassword=BETTER)[0] == "AccessDenied"
    assert refusal(bob.get_account_password_policy)[0] == "AccessDenied"
    iam.update_account_password_policy(AllowUsersToChangePassword=True)
    bob.change_password(OldPassword=GOOD, NewPassword=BETTER)
    assert bob.get_account_password_policy()["PasswordPolicy"]["AllowUsersToChangePassword"] is True
    assert refusal(bob.update_account_password_policy)[0] == "AccessDenied"
    iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=document(deny("iam:ChangePassword")))
    assert refusal(bob.change_password, OldPassword=BETTER, NewPassword=GOOD)[0] == "AccessDenied"


def test_former_passwords_do_not_come_back(world: World, iam: Any, alice: Any) -> None:
    iam.update_account_password_policy(PasswordReusePrevention=2)
    alice.change_password(OldPassword=GOOD, NewPassword=BETTER)
    for new in (GOOD, BETTER):
        assert refusal(alice.change_password, OldPassword=BETTER, NewPassword=new)[0] == "PasswordPolicyViolation"
    alice.change_password(OldPassword=BETTER, NewPassword="third-one")
    alice.change_password(OldPassword="third-one", NewPassword=GOOD)
    assert outcome(world, GOOD) is Outcome.OK


def test_passwords_expire(world: World, clock: Clock, iam: Any, alice: Any) -> None:
    iam.update_account_password_policy(MaxPasswordAge=30)
    clock.now = NOW + 30 * DAY - 1
    assert outcome(world, GOOD) is Outcome.OK
    clock.now += 1
    assert outcome(world, GOOD) is Outcome.EXPIRED
    assert outcome(world, "wrong") is Outcome.WRONG
    iam.update_account_password_policy(MaxPasswordAge=30, HardExpiry=True)
    assert outcome(world, GOOD) is Outcome.LOCKED
    assert refusal(alice.change_password, OldPassword=GOOD, NewPassword=BETTER)[0] == "AccessDenied"
    iam.update_account_password_policy(MaxPasswordAge=30)
    alice.change_password(OldPassword=GOOD, NewPassword=BETTER)
    assert outcome(world, BETTER) is Outcome.OK


def test_nothing_of_a_password_is_written_down(world: World, iam: Any, alice: Any) -> None:
    from bailiwick.app.record import record_of

    alice.change_password(OldPassword=GOOD, NewPassword=BETTER)
    written = b"".join(record_of(event, world.environment.noise) for event in world.events)
    assert b"ChangePassword" in written
    assert GOOD.encode() not in written
    assert BETTER.encode() not in written
    with world.store.transaction(write=False) as transaction:
        profile = passwords.find(transaction, iam.get_user(UserName="alice")["User"]["UserId"])
    assert profile is not None
    assert "argon2id" in profile.hash
    assert "argon2" not in repr(profile)


# -- The policy -------------------------------------------------------------------------------------------


def test_the_policy_of_an_account(iam: Any) -> None:
    absent = ("NoSuchEntity", f"The Password Policy with domain name {ACCOUNT} cannot be found.")
    assert refusal(iam.get_account_password_policy) == absent
    iam.update_account_password_policy()
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": False,
        "MinimumPasswordLength": 6,
        "RequireLowercaseCharacters": False,
        "RequireNumbers": False,
        "RequireSymbols": False,
        "RequireUppercaseCharacters": False,
    }
    given_policy = {
        "AllowUsersToChangePassword": True,
        "HardExpiry": True,
        "MaxPasswordAge": 60,
        "MinimumPasswordLength": 10,
        "PasswordReusePrevention": 3,
        "RequireLowercaseCharacters": True,
        "RequireNumbers": True,
        "RequireSymbols": True,
        "RequireUppercaseCharacters": True,
    }
    iam.update_account_password_policy(**given_policy)
    assert iam.get_account_password_policy()["PasswordPolicy"] == given_policy | {"ExpirePasswords": True}
    iam.delete_account_password_policy()
    assert refusal(iam.get_account_password_policy) == absent
    assert refusal(iam.delete_account_password_policy) == (
        "NoSuchEntity",
        "The account policy with name PasswordPolicy cannot be found.",
    )


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("MinimumPasswordLength", 6, 128), ("MaxPasswordAge", 1, 1095), ("PasswordReusePrevention", 1, 24)],
)
def test_the_ranges_of_a_policy(iam: Any, name: str, least: int, most: int) -> None:
    for value in (least, most):
        iam.update_account_password_policy(**{name: value})
        assert iam.get_account_password_policy()["PasswordPolicy"][name] == value
    for value in (least - 1, most + 1):
        assert refusal(iam.update_account_password_policy, **{name: value})[0] == "ValidationError"


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("Sh0rt-x", "Password should have a minimum length of 8"),
        (
            "alllowercase1",
            "Password should have at least 3 of: uppercase letter, lowercase letter, number, symbol",
        ),
        (
            f"account-{ACCOUNT}",
            "Password should not be identical to the name or the e-mail address of the account",
        ),
    ],
)
def test_the_rule_for_accounts_without_a_policy(iam: Any, password: str, message: str) -> None:
    iam.create_user(UserName="u")
    assert refusal(iam.create_login_profile, UserName="u", Password=password) == (
        "PasswordPolicyViolation",
        message,
    )


def test_a_policy_tells_every_rule_that_is_broken(iam: Any) -> None:
    iam.create_user(UserName="u")
    iam.update_account_password_policy(
        MinimumPasswordLength=12, RequireUppercaseCharacters=True, RequireNumbers=True, RequireSymbols=True
    )
    assert refusal(iam.create_login_profile, UserName="u", Password="lower")[1] == (
        "Password should have a minimum length of 12, Password should have at least one uppercase letter, "
        "Password should have at least one number, Password should have at least one symbol"
    )


@settings(max_examples=200, deadline=None)
@given(
    st.text(min_size=1, max_size=40),
    st.integers(6, 30),
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
def test_a_password_passes_if_and_only_if_it_has_what_is_asked(
    password: str, length: int, asked: tuple[bool, bool, bool, bool]
) -> None:
    symbols, numbers, upper, lower = asked
    policy = PasswordPolicy(ACCOUNT, length, symbols, numbers, upper, lower, False)
    has = (
        any(each in "!@#$%^&*()_+-=[]{}|'" for each in password),
        any(each in "0123456789" for each in password),
        any("A" <= each <= "Z" for each in password),
        any("a" <= each <= "z" for each in password),
    )
    fine = len(password) >= length and all(h for a, h in zip(asked, has, strict=True) if a)
    assert (list(password_policy._broken(policy, password)) == []) == fine

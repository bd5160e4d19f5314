"""What an account asks of passwords: its own policy, or the rule for those that have none (facts/iam.md 6)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlalchemy import select

from bailiwick.api import Transaction
from bailiwick.directory import accounts
from bailiwick.directory.credential_tables import password_policy
from bailiwick.directory.entities import record

DAY = 86_400.0
SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")
_DEFAULT_LENGTH = 8
_DEFAULT_CLASSES = 3


class PasswordPolicy(msgspec.Struct, frozen=True):
    """An account's own policy. `max_age` is in days; None, there and below, for what was not set."""

    account: str
    minimum_length: int
    symbols: bool
    numbers: bool
    uppercase: bool
    lowercase: bool
    users_may_change: bool
    max_age: int | None = None
    reuse_prevention: int | None = None
    hard_expiry: bool | None = None

    def expiry(self, changed: float) -> float | None:
        """When a password set at `changed` expires, in epoch seconds; None for never."""
        return changed + self.max_age * DAY if self.max_age else None


def find(transaction: Transaction, account: str) -> PasswordPolicy | None:
    """The account's own policy, or None."""
    row = transaction.one(select(password_policy).where(password_policy.c.account == account))
    return None if row is None else record(PasswordPolicy, row)


def broken(transaction: Transaction, account: str, policy: PasswordPolicy | None, password: str) -> list[str]:
    """The rules of an account that a password breaks, each as a sentence; reuse is another matter."""
    if policy is not None:
        return list(_broken(policy, password))
    found = accounts.find(transaction, account)
    names = {found.name.lower(), found.email.lower()} if found else set()
    return list(broken_by_default(password, names))


def _broken(policy: PasswordPolicy, password: str) -> Iterator[str]:
    if len(password) < policy.minimum_length:
        yield f"Password should have a minimum length of {policy.minimum_length}"
    has = _classes(password)
    for wanted, name, words in (
        (policy.uppercase, "uppercase", "uppercase letter"),
        (policy.lowercase, "lowercase", "lowercase letter"),
        (policy.numbers, "number", "number"),
        (policy.symbols, "symbol", "symbol"),
    ):
        if wanted and name not in has:
            yield f"Password should have at least one {words}"


def broken_by_default(password: str, names: set[str]) -> Iterator[str]:
    """The rules for those without a policy of their own that a password breaks; `names` are in lower case."""
    if len(password) < _DEFAULT_LENGTH:
        yield f"Password should have a minimum length of {_DEFAULT_LENGTH}"
    if len(_classes(password)) < _DEFAULT_CLASSES:
        kinds = "uppercase letter, lowercase letter, number, symbol"
        yield f"Password should have at least {_DEFAULT_CLASSES} of: {kinds}"
    if password.lower() in names:
        yield "Password should not be identical to the name or the e-mail address of the account"


def _classes(password: str) -> set[str]:
    """The kinds of characters in a password; letters and digits are those of ASCII."""
    found = set()
    for each in password:
        if "A" <= each <= "Z":
            found.add("uppercase")
        elif "a" <= each <= "z":
            found.add("lowercase")
        elif "0" <= each <= "9":
            found.add("number")
        elif each in SYMBOLS:
            found.add("symbol")
    return found


def in_words(policy: PasswordPolicy | None) -> list[str]:
    """What an account asks of a new password, for whoever is to choose one."""
    if policy is None:
        return [
            f"at least {_DEFAULT_LENGTH} characters",
            f"at least {_DEFAULT_CLASSES} of: uppercase letters, lowercase letters, numbers, symbols",
            "not the name or the e-mail address of the account",
        ]
    wanted = (
        (policy.uppercase, "an uppercase letter"),
        (policy.lowercase, "a lowercase letter"),
        (policy.numbers, "a number"),
        (policy.symbols, "a symbol"),
        (policy.reuse_prevention, f"none of your last {policy.reuse_prevention} passwords"),
    )
    return [f"at least {policy.minimum_length} characters", *(words for is_wanted, words in wanted if is_wanted)]

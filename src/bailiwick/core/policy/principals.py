"""Principal and NotPrincipal: whom a statement names, and how.

How a caller is named decides which of its other policies still count (facts/policy.md sections 4.2, 4.3).
A user or role is known by its unique id where the ARN was pinned to one when the policy was saved, so that a
namesake created later is a stranger (section 1.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from bailiwick.core.policy.question import Principal, PrincipalKind


class Grant(IntEnum):
    """How an Allow names the caller; the greater, the less its other policies matter."""

    NONE = 0
    ACCOUNT = 1  # its account, which leaves the decision to the account's own policies
    USER = 2  # the user behind a federated session
    ROLE = 3  # the role of the session
    DIRECT = 4  # the caller itself, or everyone


class Named(msgspec.Struct, frozen=True):
    """The principals that one element names.

    `accounts` are ARNs of account roots, and account ids where written so. `ids` are unique ids, `arns` the
    ARNs of sessions and of entities that were not pinned.
    """

    everyone: bool
    accounts: frozenset[str]
    ids: frozenset[str]
    arns: frozenset[str]
    services: frozenset[str]
    providers: frozenset[str]

    def names(self, who: Principal) -> bool:
        """Whether `who` is named in any form."""
        return self.everyone or self.grant(who) is not Grant.NONE

    def grant(self, who: Principal) -> Grant:
        """How an Allow names `who`, at its strongest.

        One whom a provider vouches for must be trusted through that provider, and is not meant by `*`.
        """
        kind = who.kind
        if kind is PrincipalKind.PROVIDER:
            return Grant.DIRECT if who.arn in self.providers else Grant.NONE
        if self.everyone:
            return Grant.DIRECT
        if kind is PrincipalKind.ANONYMOUS:
            return Grant.NONE
        if kind is PrincipalKind.SERVICE:
            return Grant.DIRECT if who.arn in self.services else Grant.NONE
        if self._names_session(who):
            return Grant.DIRECT
        if self._names_issuer(who):
            return _AS_ISSUER[kind]
        return Grant.ACCOUNT if self._names_account(who) else Grant.NONE

    def exempts(self, who: Principal) -> bool:
        """Whether a Deny with NotPrincipal leaves `who` alone.

        Account, role or user, and session are looked up separately: each that the caller has must be
        listed (section 4.8).
        """
        kind = who.kind
        if self.everyone:
            return True
        if kind is PrincipalKind.PROVIDER:
            return who.arn in self.providers
        if kind is PrincipalKind.SERVICE:
            return who.arn in self.services
        if kind is PrincipalKind.ANONYMOUS or not self._names_account(who):
            return False
        if kind is PrincipalKind.ROOT:
            return True
        if kind is PrincipalKind.USER:
            return self._names_issuer(who)
        behind_is_root = who.unique_id == who.account  # whose ARN stands for the account, which is listed
        return self._names_session(who) and (behind_is_root or self._names_issuer(who))

    def _names_session(self, who: Principal) -> bool:
        is_session = who.kind in (PrincipalKind.ROLE, PrincipalKind.FEDERATED) and who.arn != who.issuer_arn
        return is_session and who.arn in self.arns

    def _names_issuer(self, who: Principal) -> bool:
        return who.unique_id in self.ids or who.issuer_arn in self.arns

    def _names_account(self, who: Principal) -> bool:
        return who.account in self.accounts or f"arn:{who.partition}:iam::{who.account}:root" in self.accounts


_AS_ISSUER = {
    PrincipalKind.ROOT: Grant.ACCOUNT,  # what stands for an account
    PrincipalKind.USER: Grant.DIRECT,
    PrincipalKind.ROLE: Grant.ROLE,
    PrincipalKind.FEDERATED: Grant.USER,
}


def named(element: Mapping[str, tuple[str, ...]], pins: Mapping[str, str]) -> Named:
    """Compile a Principal or NotPrincipal element; `pins` maps the ARNs in it to unique ids."""
    aws = element.get("AWS", ())
    accounts = {value for value in aws if _is_account(value)}
    ids = {pins.get(value, value) for value in aws if value in pins or value[:4] in ("AIDA", "AROA")}
    return Named(
        everyone="*" in aws,
        accounts=frozenset(accounts),
        ids=frozenset(ids),
        arns=frozenset(value for value in aws if value not in pins and value not in accounts),
        services=frozenset(element.get("Service", ())),
        providers=frozenset(element.get("Federated", ())),
    )


def _is_account(value: str) -> bool:
    if len(value) == 12 and value.isascii() and value.isdigit():
        return True
    fields = value.split(":")
    return len(fields) == 6 and fields[2] == "iam" and fields[5] == "root"

"""What a decision is asked about, and what it answers: the vocabulary of authorization.

A decision is a function of these values alone; whatever it needs was read before and passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

Value = str | tuple[str, ...]
"""The value of a condition key: text, or a tuple of texts for a multi-valued key.

Booleans are `true` or `false`, numbers decimal text, dates ISO 8601 in UTC.
"""

Context = Mapping[str, Value]
"""Condition keys in lower case to their values. A key that is not there is absent."""


class PrincipalKind(StrEnum):
    """The kinds of caller that authorization tells apart."""

    ROOT = "root"
    USER = "user"
    ROLE = "role"  # a session of a role
    FEDERATED = "federated"  # a GetFederationToken session
    SERVICE = "service"
    PROVIDER = "provider"  # someone whom an identity provider vouches for, not yet in a role
    ANONYMOUS = "anonymous"


class Principal(msgspec.Struct, frozen=True):
    """Who asks, as a policy's Principal element can name it.

    `arn` is the caller's own ARN (for a role session that of the session); `issuer_arn` is the ARN of the
    role or user whose permissions it uses (the same as `arn` for a user); `unique_id` is the AIDA or AROA
    id behind it, or the account id for the root user. For a service, `arn` is its name, such as
    `lambda.amazonaws.com`; for a provider, it is what Principal.Federated names: its ARN or domain.
    """

    kind: PrincipalKind
    partition: str
    account: str
    arn: str
    issuer_arn: str
    unique_id: str


class Rule(StrEnum):
    """How the layers combine for a target (facts/policy.md section 4)."""

    ORDINARY = "ordinary"  # identity policies, plus a resource policy if there is one
    KEY = "key"  # a KMS key: its policy is primary, identity policies count only if it delegates
    TRUST = "trust"  # a role: its trust policy must allow
    NONE = "none"  # nothing is asked: the operation is open to every verified caller


class LayerKind(StrEnum):
    """The layers of policies, in AWS's own words for them in a refusal."""

    SCP = "service control policy"
    RCP = "resource control policy"
    SESSION = "session policy"
    BOUNDARY = "permissions boundary"
    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    TRUST = "role trust policy"


class Question(msgspec.Struct, frozen=True):
    """May this principal do this action on this resource, in this context?

    `action` is `service:Name`; `resource` an ARN or `*`; `account` the account that owns the resource.
    """

    principal: Principal
    action: str
    resource: str
    account: str
    context: Context
    rule: Rule = Rule.ORDINARY


class Match(msgspec.Struct, frozen=True, rename="camel"):
    """A statement that matched: of which policy, and where in it."""

    policy: str  # the policy's name
    policy_arn: str | None  # the policy's ARN, for managed ones
    index: int  # the statement's place, from 0
    sid: str | None


class Lack(msgspec.Struct, frozen=True, omit_defaults=True):
    """What kept a statement from applying: its element, and what that wants.

    For a condition, `operator` and `key` are as the policy writes them; `found` is the request's value, None
    if it had none.
    """

    element: str
    wanted: tuple[str, ...] = ()
    operator: str | None = None
    key: str | None = None
    found: Value | None = None

    def sentence(self) -> str:
        """In words, such as `Resource is not "arn:..."`."""
        wanted = " or ".join(f'"{value}"' for value in self.wanted) or "nothing"
        if self.key is None:
            return f"{self.element} is {wanted}"
        had = "none" if self.found is None else _quoted(self.found)
        return f"{self.operator} {self.key} wants {wanted}, and the request had {had}"


def _quoted(value: Value) -> str:
    return (
        f'"{value}"' if isinstance(value, str) else " and ".join(f'"{each}"' for each in value) or "an empty list"
    )


class Decision(msgspec.Struct, frozen=True):
    """The answer, which explains itself.

    `layer` is the layer that decided: for an Allow the one that granted, for a refusal the one that denied
    or lacked an allow; None where no policy was needed (the root user, an open operation).
    `explicit` is true for a Deny statement. `match` is the statement that decided, if one did.
    """

    allowed: bool
    layer: LayerKind | None
    explicit: bool = False
    match: Match | None = None

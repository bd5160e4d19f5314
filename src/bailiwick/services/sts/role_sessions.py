"""What every way to a role has in common: the role as it is met, how long a session lasts, what it is called.

AssumeRole is one way, the others are those of whom somebody else vouches for: an OpenID Connect issuer, a SAML
provider, the company's directory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bailiwick.api import AccessDenied, Call, Target, Transaction, ValidationError
from bailiwick.core import arn
from bailiwick.core.arn import Arn
from bailiwick.core.errors import ArnError
from bailiwick.core.formats import Session, SessionKind
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Rule, Value
from bailiwick.directory import entities, organizations
from bailiwick.directory.entities import Role
from bailiwick.directory.service_principals import HouseService
from bailiwick.services.sts import session_tags, shapes
from bailiwick.services.sts.credentials import new_session
from bailiwick.services.sts.session_policies import SessionPolicies
from bailiwick.services.sts.session_tags import SessionTags

_DEFAULT = 3600
_MAX_CHAINED = 3600


class Trusted(msgspec.Struct, frozen=True):
    """A role as whoever assumes it meets it: with its trust policy compiled."""

    role: Role
    policy: Layer
    tags: dict[str, str]

    @property
    def weight(self) -> int:
        """About how many bytes it holds."""
        return 3_000 + self.policy.weight


def parsed(role_arn: str) -> Arn:
    """A role's ARN. Raises ValidationError, with AWS's text, for what is no ARN."""
    try:
        return arn.parse(role_arn)
    except ArnError:
        raise ValidationError(f"{role_arn} is invalid") from None


def trusted(call: Call, role_arn: str) -> Trusted | None:
    """The role with this ARN; None if there is none, or its account was closed."""
    found = call.transaction.remember("sts.role", role_arn, lambda transaction: _load(transaction, role_arn))
    if found is None:
        return None
    place = organizations.membership(call.transaction, call.partition, found.role.account)
    return found if place is None or place.active else None


def _load(transaction: Transaction, role_arn: str) -> tuple[Trusted | None, Iterable[str]]:
    topic = f"role-arn:{role_arn}"
    role = entities.role_by_arn(transaction, role_arn)
    if role is None:
        return None, (topic,)
    trust = Layer([Attached(compile_policy(role.trust, role.pins), "trust policy", None)])
    return Trusted(role, trust, entities.tags(transaction, role.id)), (topic, f"principal:{role.id}")


def of_role(found: Trusted | None) -> dict[str, Value]:
    """The condition keys that a role's tags give to whoever wants to take it."""
    tags = {} if found is None else found.tags
    prefixes = ("aws:resourcetag", "iam:resourcetag")
    return {f"{prefix}/{key.lower()}": value for key, value in tags.items() for prefix in prefixes}


def duration(call: Call, wanted: int | None, role: Role) -> int:
    """For how many seconds a session of a role lasts. Raises ValidationError for more than it may.

    A service of this house decides itself how long what it hands out lasts (facts/sts.md section 2).
    """
    seconds = wanted or _DEFAULT
    if call.caller.session is not None and seconds > _MAX_CHAINED:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if seconds > role.max_session and not isinstance(call.caller, HouseService):
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds


def vouched_target(
    call: Call,
    role_arn: str,
    found: Trusted | None,
    *,
    name: str,
    tags: Mapping[str, str],
    transitive: Sequence[str] = (),
    source_identity: str = "",
    more: Mapping[str, Value] | None = None,
    given: bool = True,
) -> Target:
    """The role for somebody who is vouched for, by its trust policy; and the same for tags and source identity.

    `more` are further condition keys. A role that is not `given` to her is as good as none.
    """
    denied = f"Not authorized to perform {call.operation.action}"
    context: dict[str, Value] = {"sts:rolesessionname": name, **of_role(found)}
    if source_identity:
        context["sts:sourceidentity"] = source_identity
    context |= session_tags.context(tags, transitive)
    target = Target(
        account=parsed(role_arn).account,
        arn=role_arn,
        rule=Rule.TRUST,
        policy=found.policy if found else Layer.EMPTY,
        context={**context, **(more or {})},
        record=found,
        absent=None if found and given else AccessDenied(denied),
    )
    also = [msgspec.structs.replace(target, action="sts:TagSession")] if tags else []
    if source_identity:
        named = call.operation.action  # AWS's refusal names what was called
        also.append(msgspec.structs.replace(target, action="sts:SetSourceIdentity", label=named))
    return msgspec.structs.replace(target, also=tuple(also))


def begun(
    call: Call, role: Role, name: str, seconds: int, policies: SessionPolicies, tags: SessionTags, **more: Any
) -> Session:
    """A session of a role that begins now; `more` are further members of it."""
    return msgspec.structs.replace(
        new_session(call, SessionKind.ROLE, role.account, role.id, seconds),
        name=name,
        policies=policies.texts,
        policy_arns=policies.arns,
        tags=tags.tags,
        transitive=tags.transitive,
        **more,
    )


def shown(call: Call, role: Role, session: Session) -> shapes.AssumedRoleUser:
    """A session of a role as the answers name it."""
    return shapes.AssumedRoleUser(
        AssumedRoleId=f"{role.id}:{session.name}",
        Arn=arn.assumed_role(call.partition, role.account, role.name, session.name),
    )

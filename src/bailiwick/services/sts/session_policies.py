"""Session policies: what limits a session beyond its role (facts/sts.md section 5)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from bailiwick.api import Call, ValidationError
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_session
from bailiwick.directory import entities
from bailiwick.services.sts.session_tags import SessionTags
from bailiwick.services.sts.shapes import (
    MalformedPolicyDocumentException,
    PackedPolicyTooLargeException,
    PolicyDescriptorType,
)

MAX_PLAIN = 2048
MAX_ARNS = 10
_MAX_PACKED = 2048


class SessionPolicies(msgspec.Struct, frozen=True):
    """What a session was given: inline texts and names of managed policies."""

    texts: tuple[str, ...]
    arns: tuple[str, ...]


def checked(
    call: Call, account: str, inline: str | None, managed: Sequence[PolicyDescriptorType] | None
) -> SessionPolicies:
    """The session policies of a request for a session of `account`.

    Raises ValidationError for more than 2,048 characters, more than ten managed policies or one of another
    account or that does not exist; MalformedPolicyDocument for text that is no policy.
    """
    arns = tuple(policy.arn for policy in managed or () if policy.arn is not None)
    if len(arns) > MAX_ARNS:
        raise ValidationError(
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_ARNS}"
        )
    if len(inline or "") + sum(map(len, arns)) > MAX_PLAIN:
        raise ValidationError(
            f"1 validation error detected: Value '{inline}' at 'policy' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_PLAIN}"
        )
    if inline is not None:
        try:
            check_session(inline)
        except PolicyError as error:
            raise MalformedPolicyDocumentException(str(error)) from None
    for arn in arns:
        found = entities.policy(call.transaction, arn)
        if found is None or found.account not in (account, "aws"):
            raise ValidationError(f"Policy {arn} does not exist or is not attachable.")
    return SessionPolicies((inline,) if inline is not None else (), arns)


def packed_size(policies: SessionPolicies, tags: SessionTags) -> int | None:
    """How much of the space for policies and tags a session takes, in percent; None where it has neither.

    Raises PackedPolicyTooLarge above 100. The measure is our own, for AWS's is private: what deflate makes of the
    texts, names and tags, against 2,048 bytes (docs/deviations.md).
    """
    if not (policies.texts or policies.arns or tags.tags):
        return None
    plain = msgspec.json.encode([policies.texts, policies.arns, tags.tags, tags.transitive])
    percent = -(-len(zlib.compress(plain, 9)) * 100 // _MAX_PACKED)
    if percent > 100:
        if not (policies.texts or policies.arns):
            raise PackedPolicyTooLargeException(
                f"Packed size of session tags consumes {percent}% of allotted space."
            )
        raise PackedPolicyTooLargeException(
            f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
        )
    return percent

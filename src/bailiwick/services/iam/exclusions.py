"""Which of a principal's own policies a simulation leaves out: PolicyExclusionList."""

from __future__ import annotations

from typing import NamedTuple

from bailiwick.core.policy.patterns import Matcher, glob, pieces
from bailiwick.services.iam.applying import Applying
from bailiwick.services.iam.shapes import InvalidInputException, PolicyIdentifier


class Exclusions(NamedTuple):
    """The policies left out: types, ARNs as patterns, and inline policies by (kind, owner, name)."""

    types: frozenset[str]
    arns: tuple[Matcher, ...]
    inline: frozenset[tuple[str, str, str]]

    def covers(self, account: str, policy: Applying) -> bool:
        """Whether an identity policy is left out."""
        if policy.arn is None:
            return "inline" in self.types or (policy.kind, policy.owner, policy.name) in self.inline
        kind = "user-managed" if f":{account}:" in policy.arn else "aws-managed"
        return kind in self.types or any(matches(policy.arn) for matches in self.arns)

    @property
    def covers_scps(self) -> bool:
        """Whether the service control policies are left out."""
        return "scp" in self.types

    def covers_boundary(self, policy_arn: str) -> bool:
        """Whether the permissions boundary is left out."""
        return "permission-boundary" in self.types or any(matches(policy_arn) for matches in self.arns)


def read(given: list[PolicyIdentifier]) -> Exclusions:
    """Read the list. Raises InvalidInput for an entry that is not exactly one of type, ARN and inline name."""
    types, arns, inline = set(), [], set()
    for entry in given:
        named = (entry.PolicyType, entry.PolicyArn, entry.InlinePolicyIdentifier)
        if sum(each is not None for each in named) != 1:
            raise InvalidInputException("A policy to exclude is given by type, by ARN or by inline name.")
        if entry.PolicyType is not None:
            if entry.PolicyType == "rcp":
                raise InvalidInputException("Resource control policies are not simulated.")
            types.add(entry.PolicyType)
        elif entry.PolicyArn is not None:
            if not entry.PolicyArn.startswith("arn:") or entry.PolicyArn.count("*") > 1:
                raise InvalidInputException(f"ARN {entry.PolicyArn} is not valid.")
            arns.append(glob(pieces(entry.PolicyArn)))
        elif entry.InlinePolicyIdentifier is not None:
            name = entry.InlinePolicyIdentifier
            inline.add((name.AttachmentType, name.AttachmentName, name.PolicyName))
    return Exclusions(frozenset(types), tuple(arns), frozenset(inline))

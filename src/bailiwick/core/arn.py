"""Amazon Resource Names: `arn:partition:service:region:account:resource`.

Source: AWS General Reference, "Amazon Resource Names (ARNs)". The sixth field may itself hold colons.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from bailiwick.core.errors import ArnError


class Arn(msgspec.Struct, frozen=True):
    """An ARN in its six fields, the literal `arn` left out."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))


def is_foreign(region: str, partition: str) -> bool:
    """Whether a region is one of AWS's in another partition. One that AWS has not is in every partition."""
    return any(region.startswith(prefix) and partition != other for prefix, other in _PARTITIONS)


@lru_cache(maxsize=1024)
def parse(text: str) -> Arn:
    """Split an ARN into its fields.

    Raises ArnError unless there are six fields, the first is `arn`, and partition, service and resource
    are not empty.
    """
    fields = text.split(":", 5)
    if len(fields) != 6 or fields[0] != "arn" or not (fields[1] and fields[2] and fields[5]):
        raise ArnError(f"{text} is invalid")
    return Arn(*fields[1:])


def iam(partition: str, account: str, kind: str, path: str, name: str) -> str:
    """The ARN of an IAM entity: `kind` is `user`, `role`, ...; `path` begins and ends with a slash."""
    return f"arn:{partition}:iam::{account}:{kind}{path}{name}"


def root(partition: str, account: str) -> str:
    """The ARN of an account's root user, which in a policy's Principal means the whole account."""
    return f"arn:{partition}:iam::{account}:root"


def assumed_role(partition: str, account: str, role: str, session: str) -> str:
    """The ARN of a role session; `role` is the role's name without its path."""
    return f"arn:{partition}:sts::{account}:assumed-role/{role}/{session}"


def is_service_linked(role_arn: str) -> bool:
    """Whether this is the ARN of a service-linked role: a role that a service made for itself."""
    return ":role/aws-service-role/" in role_arn

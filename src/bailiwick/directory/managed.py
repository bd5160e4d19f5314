"""AWS managed policies: those that people attach by name, written by us from what their names promise.

They live in the account `aws`, are the same in every deployment, and nobody can change them. Their data is written
by scripts/managed and read when first asked for; a document is made when first used. docs/managed-policies.md says
which there are and how they differ from AWS's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import msgspec

_ARN = re.compile(r"arn:(aws[a-z-]*):iam::aws:policy/(.+)")
_DATA = "managed_policies.json"


class ManagedPolicy(msgspec.Struct, frozen=True):
    """A managed policy. `document` is set for those of AWS only; a customer's is kept by versions."""

    id: str
    account: str
    arn: str
    name: str
    path: str
    created: float
    updated: float
    default_version: int
    next_version: int
    description: str | None = None
    document: str | None = None

    @property
    def is_aws(self) -> bool:
        """Whether it is one of AWS's own."""
        return self.account == "aws"

    @property
    def is_linked(self) -> bool:
        """Whether it is for a service-linked role, and for nobody else."""
        return self.is_aws and self.path.startswith("/aws-service-role/")


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """A line of the data file."""

    version: int
    created: int
    updated: int
    description: str
    statements: list[dict[str, Any]]


def find(policy_arn: str) -> ManagedPolicy | None:
    """The AWS managed policy with this ARN, or None."""
    match = _ARN.fullmatch(policy_arn)
    return _made(match[1], "/" + match[2]) if match else None


@lru_cache(maxsize=8)
def every(partition: str) -> tuple[ManagedPolicy, ...]:
    """Every AWS managed policy that is here, in the order of their ARNs."""
    made = (_made(partition, name) for name in _entries())
    return tuple(sorted((policy for policy in made if policy), key=lambda policy: policy.arn))


@cache
def _entries() -> dict[str, _Entry]:
    """The data file, by path and name."""
    text = (resources.files("bailiwick.directory") / _DATA).read_bytes()
    return msgspec.json.decode(text, type=dict[str, _Entry])


@lru_cache(maxsize=2048)
def _made(partition: str, full: str) -> ManagedPolicy | None:
    entry = _entries().get(full)
    if entry is None:
        return None
    path, _, name = full.rpartition("/")
    text = json.dumps({"Version": "2012-10-17", "Statement": entry.statements}, indent=2)
    digest = base64.b32encode(hashlib.sha256(full.encode()).digest()).decode()
    return ManagedPolicy(
        id="ANPA" + digest[:17],
        account="aws",
        arn=f"arn:{partition}:iam::aws:policy{full}",
        name=name,
        path=path + "/",
        created=float(entry.created),
        updated=float(entry.updated),
        default_version=entry.version,
        next_version=entry.version + 1,
        description=entry.description,
        document=text.replace("arn:aws:", f"arn:{partition}:"),
    )

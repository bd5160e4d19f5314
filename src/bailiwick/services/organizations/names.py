"""Ids and ARNs of what is in an organization (facts/iam.md, Organizations)."""

from __future__ import annotations

from bailiwick.api import Call
from bailiwick.directory import organizations
from bailiwick.directory.organizations import Organization

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_KINDS = {
    organizations.ROOT: "root",
    organizations.UNIT: "ou",
    organizations.ACCOUNT: "account",
}


def new(call: Call, prefix: str, length: int) -> str:
    """A random id: `prefix` and so many small letters and digits."""
    return prefix + "".join(_ALPHABET[byte % 36] for byte in call.environment.entropy(length))


def new_account(call: Call) -> str:
    """A random account id: 12 digits, the first of which is not 0."""
    return str(10**11 + int.from_bytes(call.environment.entropy(8)) % (9 * 10**11))


def arn(call: Call, organization: Organization, resource: str) -> str:
    """The ARN of something that belongs to the organization's management account."""
    return f"arn:{call.partition}:organizations::{organization.management}:{resource}"


def kind_of(node_id: str) -> str:
    """What a node is, by its id."""
    if node_id.startswith("r-"):
        return organizations.ROOT
    return organizations.UNIT if node_id.startswith("ou-") else organizations.ACCOUNT


def node_arn(call: Call, organization: Organization, node_id: str) -> str:
    """The ARN of the root, a unit or an account."""
    return arn(call, organization, f"{_KINDS[kind_of(node_id)]}/{organization.id}/{node_id}")


def handshake_arn(call: Call, organization: Organization, handshake_id: str) -> str:
    """The ARN of an invitation."""
    return arn(call, organization, f"handshake/{organization.id}/invite/{handshake_id}")

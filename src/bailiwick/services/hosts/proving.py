"""Who asks: a host that signs with its key. Every request is good once, for the clock of the house's time."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import Any

from bailiwick.api import Call, Caller, Target
from bailiwick.core import host_proof
from bailiwick.core.errors import HostUnproven
from bailiwick.core.policy.question import Principal, PrincipalKind, Rule
from bailiwick.directory import instances, joining
from bailiwick.directory.instances import Instance
from bailiwick.services.hosts.shapes import InstanceRevokedException, InvalidHostProofException
from bailiwick.store import Duplicate

_REVOKED = "This instance was terminated: it gets nothing any more."
_UNKNOWN = "The signature does not match the request."  # the same words for a host that there is not


class Host(Caller, frozen=True):
    """A host as a caller, with the nonce of its request."""

    nonce: str = ""
    time: int = 0


def host(call: Call, request: Any) -> Host:
    """The host whose key signed the request. Raises InvalidHostProof, and InstanceRevoked for one that was."""
    assert call.sent is not None, "a host asks over the wire"
    try:
        signed = host_proof.read(call.sent, call.now)
        with call.transaction as transaction:
            found = instances.remembered(transaction, signed.instance) if signed.instance else None
        if found is None:
            raise HostUnproven(_UNKNOWN)
        host_proof.verify(_key(found.public_key), signed.proof, signed.text)
    except HostUnproven as error:
        raise InvalidHostProofException(str(error)) from None
    if not found.is_running:
        raise InstanceRevokedException(_REVOKED)
    return Host(
        principal_of(found.arn(call.partition), found.account, found.id, call.partition),
        user_id=found.id,
        name=found.id,
        context={"aws:principaltype": "Instance", "aws:userid": found.id},
        nonce=signed.nonce,
        time=signed.time,
    )


def principal_of(arn: str, account: str, unique_id: str, partition: str) -> Principal:
    """A host as a principal: somebody who is vouched for, and is in no role yet."""
    return Principal(PrincipalKind.PROVIDER, partition, account, arn, arn, unique_id)


def itself(call: Call, request: Any) -> Target:
    """The instance that asks, which needs no policy to ask what it is. The record is the Instance, read anew."""
    found = instances.find(call.transaction, call.caller.user_id)
    gone = found is None or not found.is_running
    if found is not None:
        call.region = found.region
    return Target(
        account=call.account,
        arn=call.caller.arn,
        rule=Rule.NONE,
        record=found,
        absent=InstanceRevokedException(_REVOKED) if gone else None,
    )


def use_up(call: Call, found: Instance) -> None:
    """See to it that this request is good once. Raises InvalidHostProof for the second."""
    caller = call.caller
    assert isinstance(caller, Host), "the proof was read"
    try:
        joining.redeem(call.transaction, found.id, caller.nonce, caller.time + host_proof.WINDOW + 1)
    except Duplicate:
        raise InvalidHostProofException("The request was sent before: it is good once.") from None


@lru_cache(maxsize=4096)
def _key(public_key: str) -> Any:
    return host_proof.public_key(base64.b64decode(public_key))


def fingerprint(public_key: bytes) -> str:
    """A key as the audit trail names it."""
    return hashlib.sha256(public_key).hexdigest()

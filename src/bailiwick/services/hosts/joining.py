"""JoinInstance: a host becomes an instance, by an operator's token or by a certificate, with a key of its own."""

from __future__ import annotations

import base64

import msgspec

from bailiwick.api import Call, Caller, Target
from bailiwick.core import host_proof
from bailiwick.core.errors import HostUnproven
from bailiwick.core.host_proof import Signed
from bailiwick.core.policy.question import Rule
from bailiwick.directory import instance_profiles, instances, join_lists
from bailiwick.directory import joining as admission
from bailiwick.directory.instances import Association, Instance
from bailiwick.directory.joining import Admitted
from bailiwick.services.hosts import shapes
from bailiwick.services.hosts.facts import described
from bailiwick.services.hosts.proving import fingerprint, principal_of
from bailiwick.services.hosts.service import hosts
from bailiwick.services.hosts.shapes import (
    InvalidCertificateException,
    InvalidHostProofException,
    InvalidJoinTokenException,
    JoinInstanceRequest,
)
from bailiwick.store import Duplicate

_BAD_TOKEN = "The join token is unknown, was used or is too old."  # noqa: S105  (no secret)


class Joining(Caller, frozen=True):
    """A host that may join, and as what."""

    admitted: Admitted | None = None
    evidence: dict[str, str] = msgspec.field(default_factory=dict)


def newcomer(call: Call, request: JoinInstanceRequest) -> Joining:
    """A host that holds the key that it names, and may join.

    Raises InvalidHostProof, InvalidJoinToken, InvalidCertificate.
    """
    assert call.sent is not None, "a host asks over the wire"
    try:
        signed = host_proof.read(call.sent, call.now)
        host_proof.verify(host_proof.public_key(request.PublicKey), signed.proof, signed.text)
    except HostUnproven as error:
        raise InvalidHostProofException(str(error)) from None
    if signed.instance or (request.JoinToken is None) == (request.CertificateChain is None):
        raise InvalidHostProofException("Who joins shows a join token or a certificate, and is no instance yet.")
    with call.transaction as transaction:
        if request.JoinToken is not None:
            admitted = admission.token(transaction, request.JoinToken, call.now)
            if admitted is None:
                raise InvalidJoinTokenException(_BAD_TOKEN)
        else:
            admitted = _certified(call, request.CertificateChain or [], signed, request.PublicKey)
    instance_id = instances.new_id("i", call.environment.entropy)
    arn = instances.arn_of(call.partition, admitted.grants.region, admitted.account, instance_id)
    shown = {"certificateSha256": admitted.certificate} if admitted.certificate else {}
    return Joining(
        principal_of(arn, admitted.account, instance_id, call.partition),
        user_id=instance_id,
        context={"aws:principaltype": "Instance", "aws:userid": instance_id},
        admitted=admitted,
        evidence={"publicKeySha256": fingerprint(request.PublicKey), **shown},
    )


def _certified(call: Call, chain: list[bytes], signed: Signed, key: bytes) -> Admitted:
    try:
        admitted, certificate = admission.by_certificate(call.transaction, chain, call.now)
        if signed.certificate_proof is None:
            raise HostUnproven("The request is not signed with the key of the certificate.")
        host_proof.verify(certificate.public_key(), signed.certificate_proof, signed.text)
    except HostUnproven as error:
        raise InvalidCertificateException(str(error)) from None
    assert admitted.certificate is not None, "it was shown"
    there = instances.by_certificate(call.transaction, admitted.certificate)
    if there is not None:
        raise InvalidCertificateException(
            f"{there.id} joined with this certificate: terminate that instance first."
        )
    assert admitted.issued is not None, "it was shown"
    is_key = host_proof.public_key(key) == certificate.public_key()
    return msgspec.structs.replace(admitted, issued=msgspec.structs.replace(admitted.issued, is_key=is_key))


def itself_to_be(call: Call, request: JoinInstanceRequest) -> Target:
    """The instance that the host will be. The record is how it was admitted."""
    caller = call.caller
    assert isinstance(caller, Joining), "the proof was read"
    assert caller.admitted is not None, "the proof was read"
    call.region = caller.admitted.grants.region
    return Target(account=caller.account, arn=caller.arn, rule=Rule.NONE, record=caller.admitted)


@hosts.operation("JoinInstance", on=itself_to_be, by=newcomer, writes=True)
def join_instance(call: Call, request: JoinInstanceRequest, admitted: Admitted) -> shapes.JoinInstanceResponse:
    transaction, grants = call.transaction, admitted.grants
    if request.JoinToken is not None and not admission.use_up(transaction, request.JoinToken):
        raise InvalidJoinTokenException(_BAD_TOKEN)
    made = Instance(
        id=call.caller.user_id,
        account=admitted.account,
        region=grants.region,
        zone=grants.zone,
        launched=float(int(call.now)),
        seen=call.now,
        public_key=base64.b64encode(request.PublicKey).decode("ascii"),
        certificate=admitted.certificate,
        address=call.source,
        hostname=request.Hostname or "",
        architecture=request.Architecture or "x86_64",
        vpc=grants.vpc,
        user_data=grants.user_data,
    )
    try:
        instances.create(transaction, made, grants.tags)
    except Duplicate:
        raise InvalidCertificateException("Another host joined with this certificate just now.") from None
    if admitted.issued is not None:
        join_lists.remember(transaction, made.id, admitted.issued)
    for name in dict.fromkeys(each for each in (grants.profile, *grants.further) if each is not None):
        _associate(call, made, name, is_main=name == grants.profile)
    return shapes.JoinInstanceResponse(Instance=described(call, made))


def _associate(call: Call, made: Instance, name: str, *, is_main: bool) -> None:
    """Give a new instance a profile; one that was deleted meanwhile is left out."""
    profile = instance_profiles.find(call.transaction, made.account, name)
    if profile is None:
        return
    each = Association(
        id=instances.new_id("iip-assoc", call.environment.entropy),
        instance_id=made.id,
        account=made.account,
        profile_id=profile.id,
        profile_arn=profile.arn(call.partition),
        is_main=is_main,
        created=call.now,
    )
    instances.associate(call.transaction, each)

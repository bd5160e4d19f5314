"""GetInstanceCredentials: a role for a host, taken by EC2 in its own name if the role's trust policy lets it.

What a metadata service would say of a role that cannot be had is an answer here and no error, so that the request
is used up all the same.
"""

from __future__ import annotations

import ipaddress

from bailiwick.api import AccessDenied, Call
from bailiwick.core.policy.question import Value
from bailiwick.directory import instances
from bailiwick.directory.entities import Role
from bailiwick.directory.instances import Association, Instance
from bailiwick.directory.service_principals import of_house
from bailiwick.services.hosts import shapes
from bailiwick.services.hosts.proving import host, itself, use_up
from bailiwick.services.hosts.service import hosts

EC2 = "ec2.amazonaws.com"
LASTS = 6 * 3600
"""Seconds for which the credentials of an instance are good, whatever the role says of people's sessions."""


@hosts.operation("GetInstanceCredentials", on=itself, by=host, writes=True)
def get_instance_credentials(
    call: Call, request: shapes.GetInstanceCredentialsRequest, found: Instance
) -> shapes.GetInstanceCredentialsResponse:
    use_up(call, found)
    instances.saw(call.transaction, found.id, call.now)
    if int(call.now) <= found.refused_until:  # what begins in this second would be refused as well
        return _without("TryAgain", "Credentials were revoked just now. Ask again in a second.")
    each = _association(call, found, request.InstanceProfileName)
    role = _role(call, each) if each else None
    if each is None or role is None:
        return _without("InstanceProfileNotFound", "The instance has no such profile, or there is no role in it.")
    return _taken(call, found, each, role, request.RoleDelivery or "2.0")


def _association(call: Call, found: Instance, name: str | None) -> Association | None:
    for each in instances.associations(call.transaction, found.id):
        if each.is_main if name is None else each.profile_arn.rpartition("/")[2] == name:
            return each
    return None


def _role(call: Call, each: Association) -> Role | None:
    profile = instances.profiles(call.transaction, [each.profile_id]).get(each.profile_id)
    return instances.role_of(call.transaction, profile) if profile else None


def _taken(
    call: Call, found: Instance, each: Association, role: Role, delivery: str
) -> shapes.GetInstanceCredentialsResponse:
    """The role, for a session that is named after the instance."""
    assert call.door is not None, "there is one in every call"
    arn, said = found.arn(call.partition), _said(call, found, delivery)
    service = of_house(
        call.transaction,
        call.partition,
        EC2,
        source_arn=arn,
        account=found.account,
        said=said,
        evidence={"instanceId": found.id},
    )
    wanted = {"RoleArn": role.arn(call.partition), "RoleSessionName": found.id, "DurationSeconds": LASTS}
    try:
        output = call.door.inside(call, service, "sts", "AssumeRole", wanted)
    except AccessDenied:
        return _without("AssumeRoleUnauthorizedAccess", f"EC2 cannot assume the role {role.name}.", each, role)
    given = output.Credentials
    return shapes.GetInstanceCredentialsResponse(
        Code="Success",
        AssociationId=each.id,
        InstanceProfileArn=each.profile_arn,
        InstanceProfileId=each.profile_id,
        RoleName=role.name,
        RoleArn=role.arn(call.partition),
        Credentials=shapes.Credentials(
            AccessKeyId=given.AccessKeyId,
            SecretAccessKey=given.SecretAccessKey,
            SessionToken=given.SessionToken,
            Expiration=given.Expiration,
        ),
    )


def _said(call: Call, found: Instance, delivery: str) -> dict[str, Value]:
    """The condition keys of what the session does (facts/imds.md section 1.3)."""
    said: dict[str, Value] = {
        instances.SOURCE_INSTANCE: found.arn(call.partition),
        "ec2:roledelivery": delivery,
    }
    if isinstance(ipaddress.ip_address(call.source), ipaddress.IPv4Address):
        said["aws:ec2instancesourceprivateipv4"] = call.source
    if found.vpc:
        said["aws:ec2instancesourcevpc"] = found.vpc
    return said


def _without(
    code: str, message: str, each: Association | None = None, role: Role | None = None
) -> shapes.GetInstanceCredentialsResponse:
    return shapes.GetInstanceCredentialsResponse(
        Code=code,
        Message=message,
        InstanceProfileArn=each.profile_arn if each else None,
        InstanceProfileId=each.profile_id if each else None,
        RoleName=role.name if role else None,
    )

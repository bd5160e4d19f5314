"""GetInstance: what a host is, so that its metadata service can tell it."""

from __future__ import annotations

import base64

import msgspec

from bailiwick.api import Call, Environment, Transaction
from bailiwick.directory import instances, joining
from bailiwick.directory.instances import Instance
from bailiwick.services.hosts import shapes
from bailiwick.services.hosts.proving import host, itself, use_up
from bailiwick.services.hosts.service import hosts


@hosts.operation("GetInstance", on=itself, by=host, writes=True)
def get_instance(call: Call, request: shapes.GetInstanceRequest, found: Instance) -> shapes.GetInstanceResponse:
    use_up(call, found)
    instances.saw(call.transaction, found.id, call.now)
    now = msgspec.structs.replace(found, address=call.source, hostname=request.Hostname or found.hostname)
    if (now.address, now.hostname) != (found.address, found.hostname):
        instances.change(call.transaction, found.id, address=now.address, hostname=now.hostname)
    return shapes.GetInstanceResponse(Instance=described(call, now))


@hosts.chore
def forget_what_has_expired(transaction: Transaction, environment: Environment, now: float) -> None:
    """Forget nonces and join tokens that are too old to be of use."""
    joining.forget_expired(transaction, now)


def described(call: Call, found: Instance) -> shapes.InstanceDescription:
    """An instance as it is told to itself."""
    transaction, partition = call.transaction, call.partition
    has = instances.associations(transaction, found.id)
    known = instances.profiles(transaction, [each.profile_id for each in has])
    profiles = []
    for each in has:
        profile = known.get(each.profile_id)
        role = instances.role_of(transaction, profile) if profile else None
        profiles.append(
            shapes.Profile(
                AssociationId=each.id,
                Arn=each.profile_arn,
                InstanceProfileId=each.profile_id,
                InstanceProfileName=each.profile_arn.rpartition("/")[2],
                RoleName=role.name if role else None,
                RoleArn=role.arn(partition) if role else None,
                IsMain=each.is_main,
            )
        )
    return shapes.InstanceDescription(
        InstanceId=found.id,
        Arn=found.arn(partition),
        AccountId=found.account,
        Partition=partition,
        Region=found.region,
        AvailabilityZone=found.zone,
        PrivateIpAddress=found.address,
        Hostname=found.hostname,
        Architecture=found.architecture,
        InstanceType=found.type,
        ImageId=found.image,
        VpcId=found.vpc or None,
        LaunchTime=found.launched,
        UserData=base64.b64decode(found.user_data) if found.user_data else None,
        Tags=instances.tags_of(transaction, [found.id])[found.id],
        MetadataOptions=shapes.MetadataOptions(
            HttpTokens=found.http_tokens,
            HttpEndpoint=found.http_endpoint,
            HttpPutResponseHopLimit=found.hop_limit,
            HttpProtocolIpv6=found.http_ipv6,
            InstanceMetadataTags=found.metadata_tags,
        ),
        Profiles=profiles,
        CredentialsEndedAt=float(found.refused_until),
    )

"""DescribeInstances: hosts as EC2 shows instances."""

from __future__ import annotations

from collections.abc import Sequence

from bailiwick.api import Call, Target
from bailiwick.directory import instances
from bailiwick.services.ec2 import filters, shapes
from bailiwick.services.ec2.errors import InvalidParameterCombination, looks_only
from bailiwick.services.ec2.service import ec2
from bailiwick.services.ec2.targets import Found, gathered, named

CODES = {instances.RUNNING: 16, instances.TERMINATED: 48}

_FILTERS: dict[str, filters.Values[Found]] = {
    "architecture": lambda found: (found.instance.architecture,),
    "availability-zone": lambda found: (found.instance.zone,),
    "iam-instance-profile.arn": lambda found: (found.main.profile_arn,) if found.main else (),
    "iam-instance-profile.id": lambda found: (found.main.profile_id,) if found.main else (),
    "iam-instance-profile.name": lambda found: (found.main.profile_arn.rpartition("/")[2],) if found.main else (),
    "image-id": lambda found: (found.instance.image,),
    "instance-id": lambda found: (found.instance.id,),
    "instance-state-code": lambda found: (str(CODES[found.instance.state]),),
    "instance-state-name": lambda found: (found.instance.state,),
    "instance-type": lambda found: (found.instance.type,),
    "metadata-options.http-endpoint": lambda found: (found.instance.http_endpoint,),
    "metadata-options.http-tokens": lambda found: (found.instance.http_tokens,),
    "metadata-options.instance-metadata-tags": lambda found: (found.instance.metadata_tags,),
    "owner-id": lambda found: (found.instance.account,),
    "private-dns-name": lambda found: (found.instance.hostname,),
    "private-ip-address": lambda found: (found.instance.address,),
    "reservation-id": lambda found: (found.instance.reservation,),
    "tag-key": lambda found: found.tags,
    "tag-value": lambda found: found.tags.values(),
    "vpc-id": lambda found: (found.instance.vpc,),
}


def in_region(call: Call, request: object) -> Target:
    """Everything of the account in the region: identity policies decide, on `*`."""
    return Target(account=call.account, context={"ec2:region": call.region})


@ec2.operation("DescribeInstances", on=in_region)
def describe_instances(
    call: Call, request: shapes.DescribeInstancesRequest, record: None
) -> shapes.DescribeInstancesResult:
    looks_only(request)
    if request.InstanceIds and request.MaxResults is not None:
        raise InvalidParameterCombination("The parameter instancesSet cannot be used with the parameter maxResults")
    passes = filters.passing(request.Filters, _FILTERS, lambda found: found.tags)
    if request.InstanceIds:
        targets = named(call, list(dict.fromkeys(request.InstanceIds)))
        for target in targets:
            if target.absent is not None:
                raise target.absent
        shown, token = [target.record for target in targets if passes(target.record)], None
    else:
        shown, token = filters.page(
            call, request, lambda after, limit: _read(call, after, limit), lambda found: found.instance.id, passes
        )
    reservations = [_reservation(found) for found in shown]
    return shapes.DescribeInstancesResult(Reservations=reservations, NextToken=token)


def options(found: Found, state: str = "applied") -> shapes.InstanceMetadataOptionsResponse:
    """The options of the metadata service of an instance."""
    instance = found.instance
    return shapes.InstanceMetadataOptionsResponse(
        State=state,
        HttpTokens=instance.http_tokens,
        HttpPutResponseHopLimit=instance.hop_limit,
        HttpEndpoint=instance.http_endpoint,
        HttpProtocolIpv6=instance.http_ipv6,
        InstanceMetadataTags=instance.metadata_tags,
    )


def _read(call: Call, after: str, limit: int) -> Sequence[Found]:
    return gathered(call, instances.page(call.transaction, call.account, call.region, after, limit))


def _reservation(found: Found) -> shapes.Reservation:
    instance = found.instance
    return shapes.Reservation(
        ReservationId=instance.reservation, OwnerId=instance.account, Groups=[], Instances=[_shown(found)]
    )


def _shown(found: Found) -> shapes.Instance:
    instance, profile = found.instance, None
    if found.main is not None:
        profile = shapes.IamInstanceProfile(Arn=found.main.profile_arn, Id=found.main.profile_id)
    return shapes.Instance(
        InstanceId=instance.id,
        ImageId=instance.image,
        State=state_of(instance.state),
        PrivateDnsName=instance.hostname,
        PublicDnsName="",
        StateTransitionReason="" if instance.is_running else "User initiated",
        AmiLaunchIndex=0,
        ProductCodes=[],
        InstanceType=instance.type,
        LaunchTime=instance.launched,
        Placement=shapes.Placement(AvailabilityZone=instance.zone, GroupName="", Tenancy="host"),
        Monitoring=shapes.Monitoring(State="disabled"),
        VpcId=instance.vpc or None,
        PrivateIpAddress=instance.address if ":" not in instance.address else None,
        Ipv6Address=instance.address if ":" in instance.address else None,
        Architecture=instance.architecture,
        BlockDeviceMappings=[],
        IamInstanceProfile=profile,
        NetworkInterfaces=[],
        SecurityGroups=[],
        Tags=[shapes.Tag(Key=key, Value=value) for key, value in found.tags.items()] or None,
        MetadataOptions=options(found),
    )


def state_of(name: str) -> shapes.InstanceState:
    """A state, with EC2's number for it."""
    return shapes.InstanceState(Code=CODES[name], Name=name)

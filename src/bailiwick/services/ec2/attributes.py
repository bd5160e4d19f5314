"""ModifyInstanceMetadataOptions, and DescribeInstanceAttribute as far as a host has attributes."""

from __future__ import annotations

import msgspec

from bailiwick.api import Call, Target
from bailiwick.core.policy.question import Value
from bailiwick.directory import instances
from bailiwick.services.ec2 import shapes
from bailiwick.services.ec2.describing import options
from bailiwick.services.ec2.errors import IncorrectState, InvalidParameterValue, looks_only
from bailiwick.services.ec2.service import ec2
from bailiwick.services.ec2.targets import Found, instance_named, with_keys

_OPTIONS = {
    "HttpTokens": "http_tokens",
    "HttpPutResponseHopLimit": "hop_limit",
    "HttpEndpoint": "http_endpoint",
    "HttpProtocolIpv6": "http_ipv6",
    "InstanceMetadataTags": "metadata_tags",
}
_MOST_HOPS = 64


def instance_to_change(call: Call, request: shapes.ModifyInstanceMetadataOptionsRequest) -> Target:
    """The instance, with the options that are to be set: ec2:Attribute and ec2:Attribute/NAME."""
    given = {name: getattr(request, name) for name in _OPTIONS}
    keys: dict[str, Value] = {
        f"ec2__attribute/{name.lower()}": str(value) for name, value in given.items() if value is not None
    }
    named = [name for name, value in given.items() if value is not None]
    if named:
        keys["ec2__attribute"] = named[0] if len(named) == 1 else tuple(named)
    return with_keys(instance_named(call, request), **keys)


@ec2.operation("ModifyInstanceMetadataOptions", on=instance_to_change, writes=True)
def modify_instance_metadata_options(
    call: Call, request: shapes.ModifyInstanceMetadataOptionsRequest, found: Found
) -> shapes.ModifyInstanceMetadataOptionsResult:
    looks_only(request)
    if not found.instance.is_running:
        raise IncorrectState(f"The instance '{found.instance.id}' is not in a state from which it can be modified.")
    hops = request.HttpPutResponseHopLimit
    if hops is not None and not 1 <= hops <= _MOST_HOPS:
        raise InvalidParameterValue(
            f"Value ({hops}) for parameter HttpPutResponseHopLimit is invalid. It must be between 1 and 64."
        )
    given = {column: getattr(request, name) for name, column in _OPTIONS.items()}
    values = {column: value for column, value in given.items() if value is not None}
    if values:
        instances.change(call.transaction, found.instance.id, **values)
    changed = Found(msgspec.structs.replace(found.instance, **values), found.tags, found.main)
    return shapes.ModifyInstanceMetadataOptionsResult(
        InstanceId=found.instance.id, InstanceMetadataOptions=options(changed, "pending")
    )


@ec2.operation("DescribeInstanceAttribute", on=instance_named)
def describe_instance_attribute(
    call: Call, request: shapes.DescribeInstanceAttributeRequest, found: Found
) -> shapes.InstanceAttribute:
    looks_only(request)
    instance = found.instance
    match request.Attribute:
        case "userData":
            value = shapes.AttributeValue(Value=instance.user_data or None)
            return shapes.InstanceAttribute(InstanceId=instance.id, UserData=value)
        case "instanceType":
            return shapes.InstanceAttribute(
                InstanceId=instance.id, InstanceType=shapes.AttributeValue(Value=instance.type)
            )
        case "disableApiTermination":
            return shapes.InstanceAttribute(
                InstanceId=instance.id, DisableApiTermination=shapes.AttributeBooleanValue(Value=False)
            )
        case _:
            raise InvalidParameterValue(
                f"Value ({request.Attribute}) for parameter attribute is invalid. A host has no such attribute."
            )

"""The instances that a request names, and the condition keys of instances."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bailiwick.api import ApiError, Call, Target
from bailiwick.core.policy.question import Value
from bailiwick.directory import instances
from bailiwick.directory.instances import Association, Instance
from bailiwick.services.ec2.errors import (
    InvalidInstanceIdMalformed,
    InvalidInstanceIdNotFound,
    InvalidParameterValue,
)

_MOST = 1000
_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")


class Found(msgspec.Struct, frozen=True):
    """An instance with what belongs to it."""

    instance: Instance
    tags: dict[str, str]
    main: Association | None = None


def instance_named(call: Call, request: Any) -> Target:
    """The instance that InstanceId names. The record is what was Found."""
    (target,) = named(call, [request.InstanceId])
    return target


def instances_named(call: Call, request: Any) -> Target:
    """The instances that InstanceIds name. The record is a list of what was Found."""
    first, *rest = named(call, list(dict.fromkeys(request.InstanceIds)))
    found = [each.record for each in (first, *rest)]
    return msgspec.structs.replace(first, record=found, also=tuple(rest))


def named(call: Call, ids: Sequence[str]) -> list[Target]:
    """A target for each of these instances. One that there is not is absent. Raises what is wrong with ids."""
    if not 0 < len(ids) <= _MOST:
        raise InvalidParameterValue(f"There must be 1 to {_MOST} instances.")
    malformed = next((each for each in ids if not _ID.fullmatch(each)), None)
    if malformed is not None:
        raise InvalidInstanceIdMalformed(f'Invalid id: "{malformed}"')
    known = {each.instance.id: each for each in gathered(call, _some(call, ids))}
    missing = [each for each in ids if each not in known]
    absent = _not_found(missing) if missing else None
    return [_target(call, each, known.get(each), None if each in known else absent) for each in ids]


def gathered(call: Call, found: Iterable[Instance]) -> list[Found]:
    """Instances with their tags and main associations."""
    every = list(found)
    ids = [each.id for each in every]
    tags = instances.tags_of(call.transaction, ids)
    main = {each.instance_id: each for each in instances.associations(call.transaction, *ids) if each.is_main}
    return [Found(each, tags[each.id], main.get(each.id)) for each in every]


def keys_of(call: Call, found: Found) -> dict[str, Value]:
    """The condition keys of an instance (Service Authorization Reference, EC2, resource type instance)."""
    each = found.instance
    keys: dict[str, Value] = {
        "ec2:region": call.region,
        "ec2:instanceid": each.id,
        "ec2:availabilityzone": each.zone,
        "ec2:instancetype": each.type,
        "ec2:metadatahttptokens": each.http_tokens,
        "ec2:metadatahttpendpoint": each.http_endpoint,
        "ec2:metadatahttpputresponsehoplimit": str(each.hop_limit),
        "ec2:instancemetadatatags": each.metadata_tags,
        "ec2:tenancy": "host",
        **instances.keys_of_tags(found.tags),
    }
    if found.main is not None:
        keys["ec2:instanceprofile"] = found.main.profile_arn
    return keys


def with_keys(target: Target, **more: Value) -> Target:
    """A target with further condition keys; `__` in a name stands for a colon."""
    keys = {name.replace("__", ":"): value for name, value in more.items()}
    return msgspec.structs.replace(target, context={**target.context, **keys})


def _some(call: Call, ids: Sequence[str]) -> list[Instance]:
    return instances.some(call.transaction, call.account, call.region, ids) if ids else []


def _target(call: Call, instance_id: str, found: Found | None, absent: ApiError | None) -> Target:
    return Target(
        account=call.account,
        arn=instances.arn_of(call.partition, call.region, call.account, instance_id),
        context=keys_of(call, found) if found else {"ec2:region": call.region},
        record=found,
        absent=absent,
    )


def _not_found(ids: Sequence[str]) -> ApiError:
    if len(ids) == 1:
        return InvalidInstanceIdNotFound(f"The instance ID '{ids[0]}' does not exist")
    return InvalidInstanceIdNotFound(f"The instance IDs '{', '.join(ids)}' do not exist")
